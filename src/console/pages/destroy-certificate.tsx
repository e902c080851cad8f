// What is left of a key that was purged: the certificate of its end, as a file that proves itself without this server.

import { Button } from '@carbon/react'
import { Download } from '@carbon/icons-react'
import { callForText } from '../api/call.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { CopyBlock } from '../parts/copy.tsx'
import { save } from '../parts/save.ts'
import { Section } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { verifyCommand } from '#client/certificate-file.ts'

export function DestroyCertificate({ id }: { readonly id: string }) {
  const { data, error } = useApi('transparency', 'getDestroyCertificate', { path: { id } })
  const fileName = `destroy-certificate-${id}.json`
  // Not what was read above: every byte of the file counts.
  const download = useAct(
    (session) => callForText(session, 'transparency', 'getDestroyCertificate', { path: { id } }),
    (text) => save(fileName, text),
  )
  // Most deleted keys are not purged yet: nothing is shown of a certificate before it is known to be there.
  if (!data && (!error || error.status === 404)) return null
  return (
    <Section
      title="Destroy certificate"
      lead="The key was purged. This signed statement says what was destroyed with it, and by whom."
      actions={
        data && (
          <Button
            kind="tertiary"
            size="sm"
            renderIcon={Download}
            disabled={download.isPending}
            onClick={() => download.mutate(undefined)}
          >
            Download certificate
          </Button>
        )
      }
    >
      {error && <Problem refusal={error} title="The certificate cannot be read" />}
      {download.error && <Problem refusal={download.error} title="The certificate was not downloaded" />}
      {data && (
        <div className="k-box">
          <p>
            It is checked without a server, byte for byte. The verifier is this account’s audit log’s: compare it with
            the one that you noted down earlier.
          </p>
          <CopyBlock label="verify command" text={verifyCommand(fileName, data.verifier)} />
        </div>
      )}
    </Section>
  )
}

// Let another account's block storage use a key: the least that does it, in three answers, and what to send them after.

import { Button, RadioButton, RadioButtonGroup, TextInput } from '@carbon/react'
import { useState } from 'react'
import { parseCrn } from '#base/crn.ts'
import { call } from '../api/call.ts'
import { useAct, useApi, useSession } from '../api/use-api.ts'
import { isAccountId, letUse } from '#client/authorization.ts'
import { CopyBlock, CopyMessage } from '../parts/copy.tsx'
import { KeyByInstance } from '../parts/key-choice.tsx'
import { inInstance } from '#client/key-manager.ts'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'

export function LetUse(props: {
  readonly instanceId: string | null
  readonly keyId: string | null
  readonly onClose: () => void
}) {
  const { instanceId, keyId, onClose } = props
  const { accountId } = useSession()
  const given = useApi(
    'kms',
    'getKeyMetadata',
    { headers: inInstance(instanceId ?? ''), path: { id: keyId ?? '' } },
    { when: instanceId !== null && keyId !== null },
  )
  const known = given.data?.resources[0]
  const [chosen, setChosen] = useState('')
  const [user, setUser] = useState('')
  const [scope, setScope] = useState<'key' | 'instance'>('key')
  const crn = parseCrn(known?.crn ?? chosen)
  const wanted = user.trim()
  const body =
    crn &&
    letUse({
      owner: accountId,
      user: wanted,
      serviceName: crn.serviceName,
      instanceId: crn.serviceInstance,
      keyId: scope === 'key' ? crn.resource : null,
    })
  const create = useAct((session, policy: ReturnType<typeof letUse>) =>
    call(session, 'iam', 'createPolicy', { body: policy }),
  )
  const problem = wanted === '' || isAccountId(wanted) ? null : 'An account id has 32 digits and letters from a to f.'

  if (create.data) {
    return (
      <Panel title="Authorized" onClose={onClose} foot={<Button onClick={onClose}>Done</Button>}>
        <p>
          Block storage of account <code>{wanted}</code> may use the key now. This is what they need:
        </p>
        <CopyMessage label="message to them" text={messageTo(known?.crn ?? chosen, wanted)} />
      </Panel>
    )
  }
  return (
    <Panel
      title="Let another account use a key"
      onClose={onClose}
      foot={
        <>
          <Button kind="secondary" onClick={onClose}>
            Cancel
          </Button>
          <Button
            disabled={create.isPending || !body || !isAccountId(wanted)}
            onClick={() => body && create.mutate(body)}
          >
            {create.isPending ? 'Authorizing …' : 'Authorize'}
          </Button>
        </>
      }
    >
      <div className="k-form">
        <TextInput
          id="let-account"
          labelText="Their account id"
          helperText="They see it in the console’s account list. Your own account’s id lets your own block storage use the key."
          invalid={problem !== null}
          invalidText={problem ?? ''}
          value={user}
          onChange={(event) => setUser(event.target.value)}
        />
        {known ? (
          <p>
            Key: <strong>{known.name}</strong>
          </p>
        ) : (
          <KeyByInstance onChoose={setChosen} />
        )}
        <RadioButtonGroup
          legendText="How much"
          name="let-scope"
          orientation="vertical"
          valueSelected={scope}
          onChange={(value) => setScope(value as typeof scope)}
        >
          <RadioButton id="scope-key" value="key" labelText="This key alone" />
          <RadioButton id="scope-instance" value="instance" labelText="All keys of its key manager, also future ones" />
        </RadioButtonGroup>
        {body && isAccountId(wanted) && (
          <details>
            <summary>The policy that will be made</summary>
            <CopyBlock label="policy" text={JSON.stringify(body, null, 2)} />
          </details>
        )}
        {create.error && <Problem refusal={create.error} title="They were not authorized" />}
      </div>
    </Panel>
  )
}

const messageTo = (crn: string, user: string): string =>
  [
    `Block storage of your account ${user} may now encrypt volumes with our root key:`,
    '',
    crn,
    '',
    'In the Keyward console: Create volume, Of another account: locate by CRN. Or in the VPC API:',
    '',
    `"encryption_key": { "crn": "${crn}" }`,
  ].join('\n')

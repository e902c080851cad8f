// Rings divide an instance: access can be given to the keys of one ring.

import { Button, TextInput } from '@carbon/react'
import { useState } from 'react'
import { call } from '../api/call.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Grid } from '../parts/grid.tsx'
import { inInstance } from '#client/key-manager.ts'
import { Problem } from '../parts/problem.tsx'
import { timeText } from '#client/words.ts'

export function Rings({ instanceId }: { readonly instanceId: string }) {
  const headers = inInstance(instanceId)
  const { data, error } = useApi('kms', 'listKeyRings', { headers })
  const [name, setName] = useState('')
  const [deleting, setDeleting] = useState<string | null>(null)
  const create = useAct(
    (session) => call(session, 'kms', 'createKeyRing', { headers, path: { id: name } }),
    () => setName(''),
  )
  const remove = useAct(
    (session, id: string) => call(session, 'kms', 'deleteKeyRing', { headers, path: { id } }),
    () => setDeleting(null),
  )
  return (
    <>
      <form
        className="k-filters"
        onSubmit={(event) => {
          event.preventDefault()
          create.mutate(undefined)
        }}
      >
        <TextInput id="ring-name" labelText="New ring" value={name} onChange={(event) => setName(event.target.value)} />
        <Button type="submit" kind="tertiary" size="md" disabled={name === '' || create.isPending}>
          Create ring
        </Button>
      </form>
      {create.error && <Problem refusal={create.error} title="The ring was not created" />}
      <Grid
        label="Key rings"
        rows={data?.resources}
        rowKey={(ring) => ring.id}
        problem={error}
        empty={null}
        columns={[
          { name: 'Ring', cell: (ring) => ring.id },
          { name: 'Created', cell: (ring) => timeText(ring.creationDate) },
          {
            name: 'Actions',
            quiet: true,
            cell: (ring) => (
              <Act
                kind="ghost"
                whyNot={ring.id === 'default' ? 'The default ring stays.' : null}
                onClick={() => setDeleting(ring.id)}
              >
                Delete
              </Act>
            ),
          },
        ]}
      />
      {deleting !== null && (
        <Confirm
          title={`Delete ring ${deleting}?`}
          verb="Delete"
          busy={remove.isPending}
          problem={remove.error}
          onConfirm={() => remove.mutate(deleting)}
          onClose={() => setDeleting(null)}
        >
          <p>A ring that holds keys is not deleted.</p>
        </Confirm>
      )}
    </>
  )
}

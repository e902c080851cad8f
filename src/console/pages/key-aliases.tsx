// Other names of a key, by which requests may ask for it.

import { Button, TextInput } from '@carbon/react'
import { useState } from 'react'
import { call } from '../api/call.ts'
import { useAct } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { Grid } from '../parts/grid.tsx'
import { inInstance } from '#client/key-manager.ts'
import type { Key } from '#client/key-manager.ts'
import { Empty } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { keyStateOf, keyWhyNot } from '#client/words.ts'

export function Aliases({ instanceId, listed: key }: { readonly instanceId: string; readonly listed: Key }) {
  const headers = inInstance(instanceId)
  const [alias, setAlias] = useState('')
  const create = useAct(
    (session) => call(session, 'kms', 'createAlias', { headers, path: { id: key.id, alias } }),
    () => setAlias(''),
  )
  const remove = useAct((session, name: string) =>
    call(session, 'kms', 'deleteAlias', { headers, path: { id: key.id, alias: name } }),
  )
  const whyNot = keyWhyNot('change', keyStateOf(key.state))
  const problem = create.error ?? remove.error
  return (
    <>
      <form
        className="k-filters"
        onSubmit={(event) => {
          event.preventDefault()
          create.mutate(undefined)
        }}
      >
        <TextInput
          id="alias"
          labelText="New alias"
          disabled={whyNot !== null}
          helperText={whyNot ?? 'Letters, digits and hyphens; unique in the instance.'}
          value={alias}
          onChange={(event) => setAlias(event.target.value)}
        />
        <Button type="submit" kind="tertiary" size="md" disabled={alias === '' || whyNot !== null || create.isPending}>
          Add alias
        </Button>
      </form>
      {problem && <Problem refusal={problem} title="The alias was not changed" />}
      <Grid
        label="Aliases"
        rows={key.aliases ?? []}
        rowKey={(name) => name}
        empty={<Empty title="No aliases" />}
        columns={[
          { name: 'Alias', cell: (name) => name },
          {
            name: 'Actions',
            quiet: true,
            cell: (name) => (
              <Act kind="ghost" whyNot={whyNot} onClick={() => remove.mutate(name)}>
                Delete
              </Act>
            ),
          },
        ]}
      />
    </>
  )
}

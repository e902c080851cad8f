// Which root key: one of this account, found in its instances, or another account's, by its CRN.

import { InlineLoading, Select, SelectItem, TextInput } from '@carbon/react'
import { useState } from 'react'
import { Link } from 'react-router'
import { isAllowed } from '#kms/key-state.ts'
import { useApi } from '../api/use-api.ts'
import { crnProblem } from '#client/crn-problem.ts'
import { inInstance, isRoot } from '#client/key-manager.ts'
import { useKeyManagers } from './key-managers.ts'
import { Problem } from './problem.tsx'
import { keyStateNames, keyStateOf } from '#client/words.ts'

export function KeyByInstance({ onChoose }: { readonly onChoose: (crn: string) => void }) {
  const { instances, error } = useKeyManagers()
  const [chosen, setChosen] = useState('')
  const instanceId = chosen || instances?.[0]?.guid || ''
  const keys = useApi(
    'kms',
    'listKeys',
    { headers: inInstance(instanceId), query: { extractable: false, limit: 5000 } },
    { when: instanceId !== '' },
  )
  if (error) return <Problem refusal={error} />
  if (!instances) return <InlineLoading description="Reading instances" />
  if (instances.length === 0) {
    return (
      <p className="k-note">
        There is no key manager that you may see. <Link to="/keys">Create one</Link>, or use the provider’s key.
      </p>
    )
  }
  const roots = keys.data?.resources.filter(isRoot) ?? []
  return (
    <>
      <Select
        id="key-instance"
        labelText="Key manager"
        value={instanceId}
        onChange={(event) => {
          setChosen(event.target.value)
          onChoose('')
        }}
      >
        {instances.map((one) => (
          <SelectItem key={one.guid} value={one.guid} text={one.name} />
        ))}
      </Select>
      {keys.error && <Problem refusal={keys.error} />}
      {keys.data && roots.length === 0 && (
        <p className="k-note">
          There are no root keys in it. <Link to={`/keys?instance=${instanceId}&create`}>Create one</Link>.
        </p>
      )}
      {roots.length > 0 && (
        <Select id="key-id" labelText="Key" defaultValue="" onChange={(event) => onChoose(event.target.value)}>
          <SelectItem value="" text="Choose a key" />
          {roots.map((key) => {
            const state = keyStateOf(key.state)
            const usable = isAllowed('wrap', state)
            const text = usable ? (key.name ?? key.id) : `${key.name ?? key.id} (${keyStateNames[state]})`
            return <SelectItem key={key.id} value={key.crn ?? ''} text={text} disabled={!usable} />
          })}
        </Select>
      )}
    </>
  )
}

export function KeyByCrn({ value, onChange }: { readonly value: string; readonly onChange: (crn: string) => void }) {
  const problem = value === '' ? null : crnProblem(value)
  return (
    <TextInput
      id="key-crn"
      labelText="CRN of the root key"
      helperText="Its owner sees it in the key’s details. It is no secret."
      placeholder="crn:v1:bluemix:public:kms:…:key:…"
      invalid={problem !== null}
      invalidText={problem ?? ''}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  )
}

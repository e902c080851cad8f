// Another instance of the key manager: a place for keys that access is given to as a whole.

import { Button, Select, SelectItem, TextInput } from '@carbon/react'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { standardPlan } from '#client/key-manager.ts'
import { call } from '../api/call.ts'
import { useAct, useApi, useSession } from '../api/use-api.ts'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'

export function InstanceCreate({ onClose }: { readonly onClose: () => void }) {
  const navigate = useNavigate()
  const { accountId } = useSession()
  const [name, setName] = useState('')
  const [groupId, setGroupId] = useState('')
  const region = useApi('vpc', 'listRegions', {}).data?.regions[0]?.name
  const groups = useApi('resources', 'listResourceGroups', { query: { account_id: accountId } }).data?.resources ?? []
  const group = groupId || groups[0]?.id || ''
  const create = useAct(
    (session) =>
      call(session, 'resources', 'createResourceInstance', {
        body: { name, target: region ?? '', resource_group: group, resource_plan_id: standardPlan },
      }),
    (instance) => void navigate(`/keys?instance=${instance.guid}`),
  )
  return (
    <Panel
      title="Create key manager"
      onClose={onClose}
      foot={
        <>
          <Button kind="secondary" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={create.isPending || name === '' || group === ''} onClick={() => create.mutate(undefined)}>
            {create.isPending ? 'Creating …' : 'Create'}
          </Button>
        </>
      }
    >
      <div className="k-form">
        <TextInput id="manager-name" labelText="Name" value={name} onChange={(event) => setName(event.target.value)} />
        <Select
          id="manager-group"
          labelText="Resource group"
          value={group}
          onChange={(event) => setGroupId(event.target.value)}
        >
          {groups.map((one) => (
            <SelectItem key={one.id} value={one.id ?? ''} text={one.name ?? ''} />
          ))}
        </Select>
        {create.error && <Problem refusal={create.error} title="The key manager was not created" />}
      </div>
    </Panel>
  )
}

// Attach a volume to an instance that there is, or to a new one: an instance is a name for a machine of the user's own.

import { Button, Select, SelectItem, TextInput } from '@carbon/react'
import { useState } from 'react'
import { instanceMay } from '#vpc/instance-state.ts'
import type { ShownStatus } from '#vpc/instance-state.ts'
import { call } from '../api/call.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import type { Volume } from './volumes.tsx'

export function VolumeAttach({ volume, onClose }: { readonly volume: Volume; readonly onClose: () => void }) {
  const { data, error } = useApi('vpc', 'listInstances', { query: { limit: 100 } })
  const fitting = data?.instances.filter(
    ({ status, zone }) => zone.name === volume.zone.name && instanceMay('attach', status as ShownStatus),
  )
  const [instanceId, setInstanceId] = useState('')
  const [name, setName] = useState('')
  const attach = useAct(async (session) => {
    const made = instanceId || (await makeInstance(session)).id
    return await call(session, 'vpc', 'createVolumeAttachment', {
      path: { instance_id: made },
      body: { volume: { id: volume.id } },
    })
  }, onClose)
  const makeInstance = (session: Parameters<typeof call>[0]) =>
    call(session, 'vpc', 'createInstance', { body: { zone: { name: volume.zone.name }, ...(name && { name }) } })
  return (
    <Panel
      title={`Attach ${volume.name}`}
      at="middle"
      onClose={onClose}
      foot={
        <>
          <Button kind="secondary" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={attach.isPending} onClick={() => attach.mutate(undefined)}>
            {attach.isPending ? 'Attaching …' : 'Attach'}
          </Button>
        </>
      }
    >
      <div className="k-form">
        <Select
          id="attach-instance"
          labelText="Instance"
          helperText={`Instances in zone ${volume.zone.name}. An instance stands for one machine of yours.`}
          value={instanceId}
          onChange={(event) => setInstanceId(event.target.value)}
        >
          <SelectItem value="" text="A new instance" />
          {fitting?.map((one) => (
            <SelectItem key={one.id} value={one.id} text={one.name} />
          ))}
        </Select>
        {instanceId === '' && (
          <TextInput
            id="attach-name"
            labelText="Name of the new instance"
            helperText="Left empty, one is made up."
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        )}
        {error && <Problem refusal={error} />}
        {attach.error && <Problem refusal={attach.error} title="The volume was not attached" />}
      </div>
    </Panel>
  )
}

// A volume's name at any time; its size while it is available, and only upwards.

import { Button, TextInput } from '@carbon/react'
import { useState } from 'react'
import { call } from '../api/call.ts'
import type { Given } from '#client/operations.ts'
import { useAct } from '../api/use-api.ts'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { volumeWhyNot } from '#client/words.ts'
import type { Volume } from './volumes.tsx'

type Patch = NonNullable<Given<'vpc', 'updateVolume'>['body']>

export function VolumeEdit({ volume, onClose }: { readonly volume: Volume; readonly onClose: () => void }) {
  const [name, setName] = useState(volume.name)
  const [capacity, setCapacity] = useState(String(volume.capacity))
  const isAttached = volume.volume_attachments.length > 0
  const states = volume.adjustable_capacity_states
  const sizeWhyNot = states.includes(isAttached ? 'attached' : 'unattached')
    ? volumeWhyNot('resize', volume.status)
    : `With profile ${volume.profile.name} the size changes only while the volume is ${states.join(' or ')}.`
  const change = useAct(
    (session, body: Patch) => call(session, 'vpc', 'updateVolume', { path: { id: volume.id }, body }),
    onClose,
  )
  const patch: Patch = {
    ...(name !== volume.name && { name }),
    ...(Number(capacity) !== volume.capacity && { capacity: Number(capacity) }),
  }
  return (
    <Panel
      title={`Change ${volume.name}`}
      at="middle"
      onClose={onClose}
      foot={
        <>
          <Button kind="secondary" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={change.isPending || Object.keys(patch).length === 0} onClick={() => change.mutate(patch)}>
            {change.isPending ? 'Changing …' : 'Change'}
          </Button>
        </>
      }
    >
      <div className="k-form">
        <TextInput id="edit-name" labelText="Name" value={name} onChange={(event) => setName(event.target.value)} />
        <TextInput
          id="edit-capacity"
          labelText="Size in GB"
          helperText={sizeWhyNot ?? 'It can only grow.'}
          disabled={sizeWhyNot !== null}
          inputMode="numeric"
          value={capacity}
          onChange={(event) => setCapacity(event.target.value)}
        />
        {change.error && <Problem refusal={change.error} title="The volume was not changed" />}
      </div>
    </Panel>
  )
}

// The snapshots of one volume, and the next one.

import { Button, TextInput } from '@carbon/react'
import { useState } from 'react'
import { call } from '../api/call.ts'
import { pollMs, useAct, useApi } from '../api/use-api.ts'
import { Grid } from '../parts/grid.tsx'
import { Empty, Section } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { volumeWhyNot } from '#client/words.ts'
import { isSnapshotBusy, snapshotColumns } from './snapshots.tsx'
import type { Volume } from './volumes.tsx'

export function VolumeSnapshots({ volume }: { readonly volume: Volume }) {
  const [name, setName] = useState('')
  const { data, error } = useApi(
    'vpc',
    'listSnapshots',
    { query: { limit: 10, 'source_volume.id': volume.id } },
    { pollMs: (answer) => (answer?.snapshots.some(isSnapshotBusy) ? pollMs.quick : pollMs.gentle) },
  )
  const take = useAct(
    (session) =>
      call(session, 'vpc', 'createSnapshot', { body: { source_volume: { id: volume.id }, ...(name && { name }) } }),
    () => setName(''),
  )
  // VPC docs, "Creating snapshots": volumes of the second generation are captured wherever they are.
  const needsMachine = volume.storage_generation === 1 && !volume.active
  const whyNot =
    volumeWhyNot('snapshot', volume.status) ??
    (needsMachine ? 'The volume has to be attached to a running instance.' : null)
  return (
    <Section title="Snapshots" lead="Taken while the volume goes on being written, and kept under the same root key.">
      <form
        className="k-filters"
        onSubmit={(event) => {
          event.preventDefault()
          take.mutate(undefined)
        }}
      >
        <TextInput
          id="snapshot-name"
          labelText="Name of the next one"
          helperText={whyNot ?? 'Left empty, one is made up.'}
          disabled={whyNot !== null}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Button type="submit" kind="tertiary" size="md" disabled={whyNot !== null || take.isPending}>
          Take snapshot
        </Button>
      </form>
      {take.error && <Problem refusal={take.error} title="The snapshot was not taken" />}
      <Grid
        label="Snapshots of this volume"
        columns={snapshotColumns}
        rows={data?.snapshots}
        rowKey={(snapshot) => snapshot.id}
        problem={error}
        empty={<Empty title="No snapshots of this volume" />}
      />
    </Section>
  )
}

// Snapshots: what a volume was at a moment, encrypted under the same root key as the volume.

import { Link } from 'react-router'
import type { Answer } from '#client/operations.ts'
import { pollMs, useApi } from '../api/use-api.ts'
import { useFilters } from '../parts/filters.ts'
import { Grid } from '../parts/grid.tsx'
import type { Column } from '../parts/grid.tsx'
import { KeyName } from '../parts/key-name.tsx'
import { NameSearch } from '../parts/name-search.tsx'
import { Empty, Page } from '../parts/page.tsx'
import { nextStart, Pages } from '../parts/pages.tsx'
import { Status } from '../parts/status.tsx'
import { snapshotTones, timeText, words } from '#client/words.ts'

export type Snapshot = Answer<'vpc', 'getSnapshot'>

export const isSnapshotBusy = (snapshot: Snapshot): boolean => snapshotTones[snapshot.lifecycle_state] === 'busy'

export const SnapshotState = ({ snapshot }: { readonly snapshot: Snapshot }) => (
  <Status tone={snapshotTones[snapshot.lifecycle_state]}>
    {snapshot.lifecycle_state === 'pending' ? `${snapshot.progress} %` : words(snapshot.lifecycle_state)}
  </Status>
)

export const snapshotColumns: readonly Column<Snapshot>[] = [
  { name: 'Name', tight: true, cell: (snapshot) => <Link to={`/snapshots/${snapshot.id}`}>{snapshot.name}</Link> },
  { name: 'State', cell: (snapshot) => <SnapshotState snapshot={snapshot} /> },
  { name: 'Size', tight: true, cell: (snapshot) => `${snapshot.minimum_capacity} GB` },
  { name: 'Captured', tight: true, cell: (snapshot) => timeText(snapshot.captured_at) },
]

const columns: readonly Column<Snapshot>[] = [
  ...snapshotColumns,
  {
    name: 'Of volume',
    cell: ({ source_volume: volume }) =>
      volume.deleted ? `${volume.name} (deleted)` : <Link to={`/volumes/${volume.id}`}>{volume.name}</Link>,
  },
  { name: 'Root key', cell: (snapshot) => <KeyName crn={snapshot.encryption_key?.crn} /> },
]

export function SnapshotsPage() {
  const filters = useFilters(['name', 'start'])
  const { name, start } = filters.values
  const { data, error } = useApi(
    'vpc',
    'listSnapshots',
    { query: { limit: 25, ...(name && { name }), ...(start && { start }) } },
    { pollMs: (answer) => (answer?.snapshots.some(isSnapshotBusy) ? pollMs.quick : pollMs.gentle) },
  )
  return (
    <Page
      title="Snapshots"
      lead="What a volume was at a moment, under the same root key. Whoever disables the key stops the snapshots with the volume."
    >
      <div className="k-filters" role="search">
        <NameSearch value={name} onChange={(wanted) => filters.set({ name: wanted })} />
      </div>
      <Grid
        label="Snapshots"
        columns={columns}
        rows={data?.snapshots}
        rowKey={(snapshot) => snapshot.id}
        problem={error}
        empty={
          filters.any ? (
            <Empty title="No snapshot has that name" />
          ) : (
            <Empty title="No snapshots yet">
              <p>
                Take one on the page of a <Link to="/volumes">volume</Link>. The volume goes on being written meanwhile,
                and new volumes can be made of the snapshot, under the same key or another.
              </p>
            </Empty>
          )
        }
      />
      <Pages
        total={data?.total_count}
        shown={data?.snapshots.length}
        next={nextStart(data?.next)}
        start={start}
        onTo={(to) => filters.set({ start: to })}
      />
    </Page>
  )
}

// SQL of background work on snapshots and their groups, across accounts; see tables-work.ts.

import type { SnapshotId, VolumeId } from '#base/id.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { SnapshotPhase } from '#store/schema/vpc-snapshots.ts'
import type { Snapshot, SnapshotGroup } from './snapshot.ts'
import { movePhase } from './tables-keyed.ts'
import { toGroup } from './tables-snapshot-groups.ts'
import { toSnapshot } from './tables-snapshots.ts'
import type { StatusReason } from './volume-state.ts'

/** Snapshots that are on their way in or out. */
export async function unfinishedSnapshots(reads: Reads, region: string): Promise<Snapshot[]> {
  const rows = await reads
    .selectFrom('vpc_snapshot')
    .selectAll()
    .where('phase', 'in', ['abandoned', 'keyed', 'deleting'])
    .where('region', '=', region)
    .orderBy('created_at')
    .execute()
  return rows.map(toSnapshot)
}

export async function readSnapshotForWork(reads: Reads, id: SnapshotId): Promise<Snapshot | null> {
  const row = await reads.selectFrom('vpc_snapshot').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toSnapshot(row) : null
}

/** Requests whose process has gone, or takes longer than any may. */
export async function overdueSnapshots(reads: Reads, region: string, createdBefore: number): Promise<Snapshot[]> {
  const rows = await reads
    .selectFrom('vpc_snapshot')
    .selectAll()
    .where('phase', '=', 'requested')
    .where('region', '=', region)
    .where('created_at', '<', createdBefore)
    .execute()
  return rows.map(toSnapshot)
}

async function move(tx: Tx, id: SnapshotId, from: SnapshotPhase, to: SnapshotPhase, failure?: StatusReason) {
  const row = await movePhase(tx, 'vpc_snapshot', id, from, to, failure)
  return row ? toSnapshot(row) : null
}

// Each gives the snapshot as it is now, or null when it was in another phase.
export const abandonSnapshot = (tx: Tx, id: SnapshotId): Promise<Snapshot | null> =>
  move(tx, id, 'requested', 'abandoned')
export const failSnapshot = (tx: Tx, id: SnapshotId, failure: StatusReason): Promise<Snapshot | null> =>
  move(tx, id, 'keyed', 'failed', failure)

export async function keepTaken(
  tx: Tx,
  id: SnapshotId,
  taken: { readonly storedBytes: number; readonly capturedAt: number },
): Promise<Snapshot | null> {
  const row = await tx
    .updateTable('vpc_snapshot')
    .set({ phase: 'formatted', stored_bytes: taken.storedBytes, captured_at: taken.capturedAt })
    .where('id', '=', id)
    .where('phase', '=', 'keyed')
    .returningAll()
    .executeTakeFirst()
  return row ? toSnapshot(row) : null
}

/** False when the row was not in the phase, or not there. */
export async function removeSnapshot(tx: Tx, id: SnapshotId, phase: 'abandoned' | 'deleting'): Promise<boolean> {
  const row = await tx.selectFrom('vpc_snapshot').select('phase').where('id', '=', id).executeTakeFirst()
  if (row?.phase !== phase) return false
  await tx.deleteFrom('vpc_snapshot_clone').where('snapshot_id', '=', id).execute()
  await tx.deleteFrom('vpc_snapshot').where('id', '=', id).execute()
  return true
}

/** Groups of which nothing is left: those that were on their way out, and those whose request failed. */
export async function emptiedGroups(reads: Reads, region: string): Promise<SnapshotGroup[]> {
  const rows = await reads
    .selectFrom('vpc_snapshot_group as g')
    .selectAll('g')
    .where('g.phase', 'in', ['deleting', 'requested'])
    .where('g.region', '=', region)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('vpc_snapshot as s').select('s.id').whereRef('s.group_id', '=', 'g.id'))),
    )
    .execute()
  return rows.map(toGroup)
}

/** False when it has members again, or has gone. */
export async function removeGroup(tx: Tx, group: SnapshotGroup): Promise<boolean> {
  const result = await tx
    .deleteFrom('vpc_snapshot_group')
    .where('id', '=', group.id)
    .where('phase', '=', group.phase)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('vpc_snapshot').select('id').where('group_id', '=', group.id))),
    )
    .executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

/** Volumes to which a copy of the snapshot's image may be under way, whatever has become of them. */
export async function volumesCopying(reads: Reads, id: SnapshotId): Promise<readonly VolumeId[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .select('id')
    .where('source_snapshot_id', '=', id)
    .where('phase', 'in', ['keyed', 'failed', 'deleting'])
    .execute()
  return rows.map((row) => row.id)
}

// SQL of background work, across accounts: what a request was granted is carried to its end, and what the owners of
// keys decide is followed. No caller is there to ask IAM for, and nothing that is read here reaches one. Every change
// is conditional on the phase it starts from, so a pass that is late, repeated or doubled changes nothing.

import type { InstanceId, VolumeId } from '#base/id.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VolumePhase } from '#store/schema/vpc.ts'
import { movePhase } from './tables-keyed.ts'
import { toVolume } from './tables-volumes.ts'
import type { Volume } from './volume.ts'
import type { StatusReason } from './volume-state.ts'

/** Volumes that are on their way in or out. */
export async function unfinishedVolumes(reads: Reads, region: string): Promise<Volume[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .selectAll()
    .where('phase', 'in', ['abandoned', 'keyed', 'updating', 'deleting'])
    .where('region', '=', region)
    .orderBy('created_at')
    .execute()
  return rows.map(toVolume)
}

export async function readVolumeForWork(reads: Reads, id: VolumeId): Promise<Volume | null> {
  const row = await reads.selectFrom('vpc_volume').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toVolume(row) : null
}

/** Requests whose process has gone, or takes longer than any may. */
export async function overdueRequests(reads: Reads, region: string, createdBefore: number): Promise<Volume[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .selectAll()
    .where('phase', '=', 'requested')
    .where('region', '=', region)
    .where('created_at', '<', createdBefore)
    .execute()
  return rows.map(toVolume)
}

async function move(tx: Tx, id: VolumeId, from: VolumePhase, to: VolumePhase, failure?: StatusReason) {
  const row = await movePhase(tx, 'vpc_volume', id, from, to, failure)
  return row ? toVolume(row) : null
}

// Each gives the volume as it is now, or null when it was in another phase.
export const markAbandoned = (tx: Tx, id: VolumeId): Promise<Volume | null> => move(tx, id, 'requested', 'abandoned')
export const markFormatted = (tx: Tx, id: VolumeId): Promise<Volume | null> => move(tx, id, 'keyed', 'formatted')
export const markUpdated = (tx: Tx, id: VolumeId): Promise<Volume | null> => move(tx, id, 'updating', 'formatted')
export const markFailed = (tx: Tx, id: VolumeId, failure: StatusReason): Promise<Volume | null> =>
  move(tx, id, 'keyed', 'failed', failure)

/** False when the row was not in the phase, or not there. */
export async function removeVolume(tx: Tx, id: VolumeId, phase: 'abandoned' | 'deleting'): Promise<boolean> {
  const result = await tx.deleteFrom('vpc_volume').where('id', '=', id).where('phase', '=', phase).executeTakeFirst()
  if (Number(result.numDeletedRows) !== 1) return false
  await tx.deleteFrom('vpc_volume_root').where('volume_id', '=', id).execute()
  return true
}

/**
 * A deletion that follows from an instance's: whoever was granted that had asked for it when attaching. VPC docs,
 * "Deleting an instance": one that is being updated stays.
 */
export async function requestFlaggedDeletion(tx: Tx, id: VolumeId): Promise<Volume | null> {
  const row = await tx
    .updateTable('vpc_volume')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

/** Volumes that were made for an instance which did not come to be, or did not take them in time. */
export async function orphanedVolumes(
  reads: Reads,
  wanted: { readonly region: string; readonly createdBefore: number },
): Promise<Volume[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .selectAll()
    .where('made_for', 'is not', null)
    .where('region', '=', wanted.region)
    .where('created_at', '<', wanted.createdBefore)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .execute()
  return rows.map(toVolume)
}

/** Null when it was taken meanwhile, or discarded before. */
export async function discardVolume(tx: Tx, id: VolumeId): Promise<Volume | null> {
  const row = await tx
    .updateTable('vpc_volume')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('made_for', 'is not', null)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

/** All that was made for the instance so far; what has no key yet is given up by its own request. */
export async function volumesMadeFor(tx: Tx, instanceId: InstanceId): Promise<Volume[]> {
  const rows = await tx.selectFrom('vpc_volume').selectAll().where('made_for', '=', instanceId).execute()
  return rows.map(toVolume)
}

// SQL of background work on custom images, across accounts; see tables-work.ts.

import type { ImageId, VolumeId } from '#base/id.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { SnapshotPhase } from '#store/schema/vpc-snapshots.ts'
import { imageIdText } from './ids.ts'
import type { Image } from './image.ts'
import { removeExportsOf } from './tables-image-exports.ts'
import { toImage } from './tables-images.ts'
import { movePhase } from './tables-keyed.ts'
import type { StatusReason } from './volume-state.ts'

/** Images that are on their way in or out. */
export async function unfinishedImages(reads: Reads, region: string): Promise<Image[]> {
  const rows = await reads
    .selectFrom('vpc_image')
    .selectAll()
    .where('phase', 'in', ['abandoned', 'keyed', 'deleting'])
    .where('region', '=', region)
    .orderBy('created_at')
    .execute()
  return rows.map(toImage)
}

export async function readImageForWork(reads: Reads, id: string): Promise<Image | null> {
  const row = await reads.selectFrom('vpc_image').selectAll().where('id', '=', imageIdText(id)).executeTakeFirst()
  return row ? toImage(row) : null
}

/** Requests whose process has gone, or takes longer than any may. */
export async function overdueImages(reads: Reads, region: string, createdBefore: number): Promise<Image[]> {
  const rows = await reads
    .selectFrom('vpc_image')
    .selectAll()
    .where('phase', '=', 'requested')
    .where('region', '=', region)
    .where('created_at', '<', createdBefore)
    .execute()
  return rows.map(toImage)
}

async function move(tx: Tx, id: ImageId, from: SnapshotPhase, to: SnapshotPhase, failure?: StatusReason) {
  const row = await movePhase(tx, 'vpc_image', id, from, to, failure)
  return row ? toImage(row) : null
}

// Each gives the image as it is now, or null when it was in another phase.
export const abandonImage = (tx: Tx, id: ImageId): Promise<Image | null> => move(tx, id, 'requested', 'abandoned')
export const failImage = (tx: Tx, id: ImageId, failure: StatusReason): Promise<Image | null> =>
  move(tx, id, 'keyed', 'failed', failure)

export async function keepMadeImage(
  tx: Tx,
  id: ImageId,
  made: { readonly capacityGb: number; readonly storedBytes: number; readonly sha256: string | null },
): Promise<Image | null> {
  const row = await tx
    .updateTable('vpc_image')
    .set({
      phase: 'formatted',
      capacity_gb: made.capacityGb,
      stored_bytes: made.storedBytes,
      file_sha256: made.sha256,
      file_passphrase: null,
    })
    .where('id', '=', id)
    .where('phase', '=', 'keyed')
    .returningAll()
    .executeTakeFirst()
  return row ? toImage(row) : null
}

/** False when the row was not in the phase, or not there. */
export async function removeImage(tx: Tx, id: ImageId, phase: 'abandoned' | 'deleting'): Promise<boolean> {
  const result = await tx.deleteFrom('vpc_image').where('id', '=', id).where('phase', '=', phase).executeTakeFirst()
  if (Number(result.numDeletedRows) !== 1) return false
  await removeExportsOf(tx, id)
  return true
}

/** Volumes to which a copy of the image may be under way, whatever has become of them. */
export async function volumesCopyingImage(reads: Reads, id: ImageId): Promise<readonly VolumeId[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .select('id')
    .where('image_id', '=', id)
    .where('source_snapshot_id', 'is', null)
    .where('phase', 'in', ['keyed', 'failed', 'deleting'])
    .execute()
  return rows.map((row) => row.id)
}

// A volume's image made from a snapshot's. Under the same root key the ciphertext is taken over and opens with the volume's own
// data key; under another one every sector is encrypted anew. The snapshot is opened as its owner's block storage, the volume
// as its own: neither account's storage ever holds the other's data key.

import type { CopyProgress } from '#disk/port.ts'
import type { VpcParts } from './parts.ts'
import type { Snapshot } from './snapshot.ts'
import { snapshotSpec } from './snapshot.ts'
import { snapshotStateOf } from './snapshot-state.ts'
import { readSnapshotForWork } from './tables-snapshot-work.ts'
import { volumeSpec } from './volume.ts'
import type { Volume } from './volume.ts'
import { keyReason } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

export const sourceGone: StatusReason = {
  code: 'source_snapshot_deleted',
  message: 'the snapshot was deleted before the volume was made from it',
}

/** The snapshot while a volume can be made of it, or why it cannot; `waits` while its key does not open. */
export async function sourceFor(parts: VpcParts, volume: Volume): Promise<Snapshot | StatusReason | 'waits'> {
  const snapshot = volume.source && (await readSnapshotForWork(parts.database.reads, volume.source.id))
  if (!snapshot) return sourceGone
  const state = snapshotStateOf(snapshot)
  if (state === 'stable') return snapshot
  if (state !== 'unusable') return sourceGone
  const reason = keyReason(snapshot.keyStanding)
  return snapshot.keyStanding === 'deleted' && reason ? reason : 'waits'
}

export const copyImage = (parts: VpcParts, volume: Volume, snapshot: Snapshot): Promise<void> =>
  parts.disk.createVolumeFrom(volumeSpec(volume), snapshotSpec(snapshot), {
    reencrypt: volume.keyCrn !== snapshot.keyCrn,
  })

/** In whole percent; null where nothing is being copied, or its disk does not say. */
export async function percentCopied(parts: VpcParts, id: string): Promise<number | null> {
  const progress = await progressOf(parts, id)
  if (!progress) return null
  return progress.totalBytes === 0 ? 0 : Math.min(99, Math.floor((100 * progress.doneBytes) / progress.totalBytes))
}

/** A disk that cannot be asked is no reason not to show a volume. */
async function progressOf(parts: VpcParts, id: string): Promise<CopyProgress | null> {
  try {
    return await parts.disk.copyProgress(id)
  } catch (err) {
    parts.log.debug({ err, id }, 'a disk did not say how far a copy has come')
    return null
  }
}

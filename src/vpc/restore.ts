// A volume's bytes made from a snapshot's, or from those of a custom image. Under the same root key the ciphertext is taken over and opens with the volume's own
// data key; under another one every sector is encrypted anew. The snapshot is opened as its owner's block storage, the volume
// as its own: neither account's storage ever holds the other's data key.

import type { CopyProgress, VolumeSpec } from '#disk/port.ts'
import { imageSpec } from './image.ts'
import { isStockImage } from './images.ts'
import type { VpcParts } from './parts.ts'
import { snapshotSpec } from './snapshot.ts'
import { snapshotStateOf } from './snapshot-state.ts'
import { readImageForWork } from './tables-image-work.ts'
import { readSnapshotForWork } from './tables-snapshot-work.ts'
import { volumeSpec } from './volume.ts'
import type { Volume } from './volume.ts'
import { keyReason, statusOf } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

const imageGone: StatusReason = {
  code: 'source_image_deleted',
  message: 'the image was deleted before the volume was made from it',
}

export const sourceGone: StatusReason = {
  code: 'source_snapshot_deleted',
  message: 'the snapshot was deleted before the volume was made from it',
}

/** What a volume is copied from. */
export interface CopySource {
  readonly spec: VolumeSpec
  readonly keyCrn: string
}

/** Whether there is something to copy: a volume of a stock image is blank. */
export const hasSource = ({ source, imageId }: Volume): boolean =>
  source !== null || (imageId !== null && !isStockImage(imageId))

/** The snapshot or image while a volume can be made of it, or why it cannot; `waits` while its key does not open. */
export function sourceFor(parts: VpcParts, volume: Volume): Promise<CopySource | StatusReason | 'waits'> {
  return volume.source === null ? imageFor(parts, volume) : snapshotFor(parts, volume)
}

/** One that has become obsolete since is there all the same. */
async function imageFor(parts: VpcParts, volume: Volume): Promise<CopySource | StatusReason | 'waits'> {
  const image = volume.imageId === null ? null : await readImageForWork(parts.database.reads, volume.imageId)
  if (!image || image.accountId !== volume.accountId) return imageGone
  const status = statusOf(image)
  if (status === 'available') return { spec: imageSpec(image), keyCrn: image.keyCrn }
  return status === 'unusable' ? untilItOpens(image) : imageGone
}

async function snapshotFor(parts: VpcParts, volume: Volume): Promise<CopySource | StatusReason | 'waits'> {
  const snapshot = volume.source && (await readSnapshotForWork(parts.database.reads, volume.source.id))
  if (!snapshot) return sourceGone
  const state = snapshotStateOf(snapshot)
  if (state === 'stable') return { spec: snapshotSpec(snapshot), keyCrn: snapshot.keyCrn }
  return state === 'unusable' ? untilItOpens(snapshot) : sourceGone
}

function untilItOpens({ keyStanding }: Pick<Volume, 'keyStanding'>): StatusReason | 'waits' {
  const reason = keyReason(keyStanding)
  return keyStanding === 'deleted' && reason ? reason : 'waits'
}

export const copyImage = (parts: VpcParts, volume: Volume, { spec, keyCrn }: CopySource): Promise<void> =>
  parts.disk.createVolumeFrom(volumeSpec(volume), spec, { reencrypt: volume.keyCrn !== keyCrn })

/** In whole percent; null where nothing is being copied, or its disk does not say. */
export async function percentCopied(parts: VpcParts, id: string): Promise<number | null> {
  const progress = await progressOf(parts, id)
  if (!progress) return null
  return progress.totalBytes === 0 ? 0 : Math.min(99, Math.floor((100 * progress.doneBytes) / progress.totalBytes))
}

/** A disk that cannot be asked is no reason not to show a volume. */
export async function progressOf(parts: VpcParts, id: string): Promise<CopyProgress | null> {
  try {
    return await parts.disk.copyProgress(id)
  } catch (err) {
    parts.log.debug({ err, id }, 'a disk did not say how far a copy has come')
    return null
  }
}

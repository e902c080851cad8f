// An image that is copied and that nobody writes: a snapshot, or a volume that is not open. A lock keeps it so.

import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { sectorBytes } from '#base/limits.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import type { CopySource } from './copy-stored.ts'
import { imageFolder, imagePath, isMissing } from './folders.ts'
import { imageFile } from './image-file.ts'
import { isBetweenKeys } from './reencryption-log.ts'
import { linux } from './system.ts'

export interface ImageSource extends CopySource {
  readonly path: string
  close(): Promise<void>
}

/** A volume lingers open for a moment after its last client, in whatever process it is. */
const waitMsMax = 3000
const pauseMs = 100

/** Faults: 'not_found' when there is no image, 'conflict' when it is open for writing. */
export async function openImageSource(dataFolder: string, imageId: string, clock: Clock): Promise<ImageSource> {
  const path = imagePath(dataFolder, imageId)
  const folder = opened(imageFolder(dataFolder, imageId), imageId)
  const isLocked = (): boolean => linux?.lockShared(folder) ?? true
  try {
    for (let waitedMs = 0; !isLocked(); waitedMs += pauseMs) {
      if (waitedMs >= waitMsMax) throw new Fault('conflict', `volume ${imageId} is open, and cannot be copied`)
      await new Promise<void>((resolve) => void clock.after(pauseMs, resolve))
    }
    if (await isBetweenKeys(path)) throw betweenKeys(imageId)
    const source = openImageFor(path, imageId)
    return {
      ...source,
      async close() {
        await source.close()
        closeSync(folder)
      },
    }
  } catch (error) {
    closeSync(folder)
    throw error
  }
}

/** The ciphertext of an image, without a lock. */
export function openImageFor(path: string, imageId: string): ImageSource {
  const fd = opened(path, imageId)
  const dataBytes = fstatSync(fd).size - luks2DataOffsetBytes
  const sizeBytes = dataBytes - (dataBytes % sectorBytes)
  const flush = async (): Promise<void> => undefined
  const file = imageFile({ fd, dataOffsetBytes: luks2DataOffsetBytes, sizeBytes, sectorBytes, system: linux, flush })
  return {
    path,
    sizeBytes,
    read: (target, offset) => file.read(target, offset),
    extents: (offset, byteCount) => file.extents(offset, byteCount),
    async close() {
      await file.close()
      closeSync(fd)
    },
  }
}

const betweenKeys = (imageId: string): Fault =>
  new Fault('conflict', `volume ${imageId} is being re-encrypted: it can be copied when that is done`)

function opened(path: string, imageId: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (isMissing(error)) throw new Fault('not_found', `volume ${imageId} has no image on this host`, { cause: error })
    throw error
  }
}

// Images on the local file system: <data>/volumes/<volume id>/volume.luks, a LUKS2 header and then the sectors of the
// volume, as cryptsetup would have made it (docs/formats.md, "Volume image"). An image is there whole or not at all: it is
// made under another name and renamed, and removed by renaming its folder away first.

import { constants } from 'node:fs'
import { access, mkdir, open, rename, rm, rmdir } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import { formatLuks2, luks2DataOffsetBytes, luks2HeaderReadBytes } from '#crypto/luks2.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { volumeKeyBytes } from '#crypto/xts-engine.ts'
import { deletedPrefix, fileMode, folderMode, imageFolder, imagePath, isMissing, syncFolder } from './folders.ts'
import { tagsPath, volumesFolder } from './folders.ts'
import type { TagState } from './port.ts'
import { linux } from './system.ts'
import { createTags, tagMac } from './volume-tags.ts'

export async function hasImage(dataFolder: string, volumeId: string): Promise<boolean> {
  try {
    await access(imagePath(dataFolder, volumeId), constants.F_OK)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Whether nothing was ever stored in the data area of an image. False where that cannot be told. */
export async function isBlankImage(dataFolder: string, volumeId: string): Promise<boolean> {
  if (!linux) return false
  const file = await open(imagePath(dataFolder, volumeId), 'r')
  try {
    const isAllHole = linux.nextHole(file.fd, luks2DataOffsetBytes) === luks2DataOffsetBytes
    return isAllHole && linux.nextData(file.fd, luks2DataOffsetBytes) === null
  } finally {
    await file.close()
  }
}

export interface ImagePrototype {
  readonly volumeId: string
  readonly capacityBytes: number
  /** The passphrase of the image's only key slot. Stays the caller's. */
  readonly dataKey: SecretBytes
  readonly random: Random
  readonly isAuthenticated?: boolean
}

/**
 * Makes the image of a volume that has none, or a blank one. Its data area is a hole of exactly the capacity. Gives what is
 * to be remembered of a volume whose sectors have tags.
 */
export async function createImage(dataFolder: string, prototype: ImagePrototype): Promise<TagState | null> {
  const { volumeId, capacityBytes, random, isAuthenticated } = prototype
  using volumeKey = SecretBytes.random(random, volumeKeyBytes)
  using mac = isAuthenticated ? tagMac(volumeKey, volumeId) : null
  const header = makeHeader({ ...prototype, volumeKey })
  let state: TagState | null = null
  await makeImage(dataFolder, volumeId, async (path) => {
    if (mac) state = await createTags(tagsPath(dataFolder, volumeId), mac)
    await finishImage(path, header, capacityBytes)
  })
  return state
}

export interface HeaderPrototype extends Omit<ImagePrototype, 'capacityBytes'> {
  /** Stays the caller's. */
  readonly volumeKey: SecretBytes
}

/** A header with one key slot, which gives the volume key to the data key. */
export function makeHeader({ volumeId, dataKey, volumeKey, random }: HeaderPrototype): Uint8Array {
  return formatLuks2({ passphrase: dataKey, volumeKey, uuid: makeUuid(random), label: volumeId, random })
}

/** Has `fill` make a file, synchronised to its disk, and gives it its name: before that, there is no image. */
export async function makeImage(dataFolder: string, volumeId: string, fill: (path: string) => Promise<void>) {
  const folder = imageFolder(dataFolder, volumeId)
  const path = imagePath(dataFolder, volumeId)
  await mkdir(folder, { recursive: true, mode: folderMode })
  await rm(`${path}.new`, { force: true })
  try {
    await fill(`${path}.new`)
    await rename(`${path}.new`, path)
  } catch (error) {
    await rm(`${path}.new`, { force: true })
    // A folder with an image in it stays.
    await rmdir(folder).catch(() => undefined)
    throw error
  }
  await syncFolder(folder)
  await syncFolder(volumesFolder(dataFolder))
}

/** Writes the header of a file that may have its data already, and another header, of which nothing stays. */
export async function finishImage(path: string, header: Uint8Array, capacityBytes: number): Promise<void> {
  // Created where it is not there; written only here.
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, fileMode)
  try {
    await file.write(header, 0, header.length, 0)
    await clear(file, header.length, luks2DataOffsetBytes)
    await file.truncate(luks2DataOffsetBytes + capacityBytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function clear(file: FileHandle, from: number, to: number): Promise<void> {
  const { size } = await file.stat()
  if (size <= from || linux?.punchHole(file.fd, from, to - from)) return
  await file.write(new Uint8Array(to - from), 0, to - from, from)
}

/** The start of an image, enough for `openLuks2`. Fault 'not_found' when there is no image. */
export async function readImageHeader(dataFolder: string, volumeId: string): Promise<Uint8Array> {
  try {
    const file = await open(imagePath(dataFolder, volumeId), 'r')
    try {
      const header = Buffer.alloc(luks2HeaderReadBytes)
      const { bytesRead } = await file.read(header, 0, header.length, 0)
      return header.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissing(error)) throw new Fault('not_found', `volume ${volumeId} has no image on this host`, { cause: error })
    throw error
  }
}

/** Removes an image that nobody has open. Does nothing when there is none. */
export async function deleteImage(dataFolder: string, volumeId: string, random: Random): Promise<void> {
  const folder = imageFolder(dataFolder, volumeId)
  const away = join(volumesFolder(dataFolder), `${deletedPrefix}${makeUuid(random)}`)
  try {
    await rename(folder, away)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  await syncFolder(volumesFolder(dataFolder))
  await rm(away, { recursive: true, force: true })
}

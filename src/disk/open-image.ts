// What an open volume is made of: its image, locked and recovered, the ciphers of its keys, and the leases that it may use
// them under. An image that is between two keys takes both.

import { closeSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { Fault } from '#base/fault.ts'
import { sectorBytes } from '#base/limits.ts'
import { luks2DataOffsetBytes, openLuks2 } from '#crypto/luks2.ts'
import type { OpenedLuks2 } from '#crypto/luks2.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import { checked } from './checked.ts'
import { encrypted } from './encrypted.ts'
import { imageFolder, imagePath } from './folders.ts'
import { fileArea } from './image-area.ts'
import { openImageFile } from './image-file.ts'
import { readImageHeader } from './image.ts'
import { leaseFor } from './leases.ts'
import type { LeaseBook } from './leases.ts'
import type { HeldKey, OpenVolumeParts } from './open-volume.ts'
import type { VolumeSpec } from './port.ts'
import { ReencryptionLog } from './reencryption-log.ts'
import { linux } from './system.ts'
import { TwoKeyCipher } from './two-keys.ts'
import { openAuthenticated, tagMac } from './volume-tags.ts'
import type { TagsParts } from './volume-tags.ts'

type OpenImage = Pick<
  OpenVolumeParts,
  'path' | 'store' | 'area' | 'layers' | 'file' | 'cipher' | 'blockBytes' | 'unlock' | 'isServedByThreads'
>
type Opened = OpenImage & Pick<OpenVolumeParts, 'reencryptionLog' | 'leases'>

export interface OpenImageParts extends Omit<TagsParts, 'volumeId' | 'image' | 'mac'> {
  readonly leases: LeaseBook
}

/** On failure nothing stays open, and every lease has been given back. */
export async function openVolumeImage(spec: VolumeSpec, parts: OpenImageParts): Promise<Opened> {
  const { dataFolder, leases } = parts
  const path = imagePath(dataFolder, spec.volumeId)
  await readImageHeader(dataFolder, spec.volumeId)
  const unlock = lockFolder(imageFolder(dataFolder, spec.volumeId), spec.volumeId)
  const held: HeldKey[] = []
  try {
    const newerHeader = await recover(path)
    const header = await readImageHeader(dataFolder, spec.volumeId)
    if (!newerHeader) {
      using opened = await openWithEither(header, spec, leases, held)
      const image = openLayers(path, spec, opened, unlock)
      const whole = spec.isAuthenticated ? await withTags(image, spec, opened, parts) : image
      return { ...whole, reencryptionLog: null, leases: held }
    }
    using older = await openWith(header, spec, leases, held)
    using newer = await openWith(newerHeader, newerSpec(spec), leases, held)
    return { ...(await openBetweenKeys(path, spec, { older, newer }, unlock)), leases: held }
  } catch (error) {
    unlock()
    await Promise.all(held.map(({ lease }) => lease.release()))
    throw error
  }
}

/** No key is needed for what a crash has interrupted. The header that the image will have, if it is between two keys. */
async function recover(path: string): Promise<Uint8Array | null> {
  const file = await open(path, 'r+')
  try {
    const log = await ReencryptionLog.find(fileArea(file.fd, () => file.datasync()))
    return log && (await log.recover()) ? await log.header() : null
  } finally {
    await file.close()
  }
}

/** An image that has just come to its newer key may have been asked for as if it had not. */
async function openWithEither(
  header: Uint8Array,
  spec: VolumeSpec,
  leases: LeaseBook,
  held: HeldKey[],
): Promise<HeldVolumeKey> {
  if (!spec.newer) return await openWith(header, spec, leases, held)
  try {
    return await openWith(header, newerSpec(spec), leases, held)
  } catch (error) {
    // Its key may be away, and needed for nothing; or the re-encryption has not begun.
    await Promise.all(held.splice(0).map(({ lease }) => lease.release()))
    if (!(error instanceof Fault)) throw error
    return await openWith(header, spec, leases, held)
  }
}

type HeldVolumeKey = OpenedLuks2 & Disposable

async function openWith(
  header: Uint8Array,
  spec: VolumeSpec,
  leases: LeaseBook,
  held: HeldKey[],
): Promise<HeldVolumeKey> {
  const { lease, dataKey } = await leaseFor(leases, spec)
  held.push({ lease, wrappedDataKey: spec.wrappedDataKey })
  using passphrase = dataKey
  const opened = openLuks2(header, passphrase)
  return { ...opened, [Symbol.dispose]: () => opened.volumeKey[Symbol.dispose]() }
}

function newerSpec(spec: VolumeSpec): VolumeSpec {
  if (spec.newer) return { ...spec, ...spec.newer }
  throw new Fault('unprocessable', `volume ${spec.volumeId} is between two keys, of which one is not known`)
}

export function opensWith(header: Uint8Array, passphrase: SecretBytes): boolean {
  try {
    openLuks2(header, passphrase).volumeKey[Symbol.dispose]()
    return true
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}

interface BothKeys {
  readonly older: HeldVolumeKey
  readonly newer: HeldVolumeKey
}

async function openBetweenKeys(path: string, spec: VolumeSpec, { older, newer }: BothKeys, unlock: () => void) {
  const image = openLayers(path, spec, older, unlock)
  try {
    const reencryptionLog = await ReencryptionLog.find(image.area)
    if (!reencryptionLog) throw new Fault('unavailable', `volume ${spec.volumeId} changed while it was opened`)
    image.cipher.take(makeSectorCipher(newer.volumeKey, sectorBytes), reencryptionLog.watermarkBytes)
    return { ...image, reencryptionLog }
  } catch (error) {
    await image.layers.close()
    throw error
  }
}

/** Takes over what the header gave; on failure nothing stays open. */
function openLayers(path: string, { capacityBytes }: VolumeSpec, opened: OpenedLuks2, unlock: () => void) {
  const { dataOffsetBytes, sectorBytes: blockBytes, volumeKey } = opened
  const cipher = new TwoKeyCipher(makeSectorCipher(volumeKey, blockBytes))
  try {
    const form = { dataOffsetBytes, sizeBytes: capacityBytes, sectorBytes: blockBytes }
    const store = openImageFile({ path, ...form })
    const file = { fd: store.fd, commitMemory: store.commitMemory, ...form }
    const layers = encrypted(checked(store, blockBytes), cipher)
    const area = fileArea(store.fd, () => store.flush())
    return { path, store, area, layers, file, cipher, blockBytes, unlock, isServedByThreads: true }
  } catch (error) {
    cipher[Symbol.dispose]()
    throw error
  }
}

/** The same with the tags of its sectors between encryption and file. */
async function withTags(
  image: ReturnType<typeof openLayers>,
  { volumeId }: VolumeSpec,
  { volumeKey }: OpenedLuks2,
  parts: OpenImageParts,
): Promise<OpenImage> {
  const { cipher, blockBytes } = image
  try {
    const store = await openAuthenticated({ ...parts, volumeId, image: image.store, mac: tagMac(volumeKey, volumeId) })
    const layers = encrypted(checked(store, blockBytes), cipher)
    const wipe = (): void => {
      layers.wipe()
      store.wipe()
    }
    return { ...image, store, layers: { ...layers, wipe }, isServedByThreads: false }
  } catch (error) {
    cipher[Symbol.dispose]()
    throw error
  }
}

/** Whether sectors of the image lie where those lie that can be moved to another key. */
export const isOfOurForm = ({ dataOffsetBytes, sectorBytes: bytes }: OpenImage['file']): boolean =>
  dataOffsetBytes === luks2DataOffsetBytes && bytes === sectorBytes

/** Two processes that write one image would undo each other; the kernel drops the lock with its holder. */
function lockFolder(folder: string, volumeId: string): () => void {
  const fd = openSync(folder, 'r')
  if (linux && !linux.lock(fd)) {
    closeSync(fd)
    throw new Fault('unavailable', `volume ${volumeId} is open in another process`)
  }
  return () => closeSync(fd)
}

// The open volumes of this process. All clients of a volume share one device, so that a flush through one connection
// covers the writes of all (NBD_FLAG_CAN_MULTI_CONN). A volume is opened for its first client, under a lease, and closed
// some moments after its last; when the lease ends, it stops at once and the next client begins anew.

import { closeSync, openSync } from 'node:fs'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import { openLuks2 } from '#crypto/luks2.ts'
import type { OpenedLuks2 } from '#crypto/luks2.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import type { Lending } from '#crypto/sector-cipher.ts'
import { checked } from './checked.ts'
import type { BlockDevice } from './device.ts'
import { encrypted } from './encrypted.ts'
import type { EncryptedDevice } from './encrypted.ts'
import { imageFolder, imagePath } from './folders.ts'
import { openImageFile } from './image-file.ts'
import { createImage, deleteImage, hasImage, isBlankImage, readImageHeader } from './image.ts'
import type { FileView } from './lane-port.ts'
import { leaseFor } from './leases.ts'
import type { LeaseBook } from './leases.ts'
import { OpenVolume } from './open-volume.ts'
import type { VolumeUse } from './open-volume.ts'
import type { VolumeSpec } from './port.ts'
import type { RequestMemory } from './request-memory.ts'
import { linux } from './system.ts'
import type { Turns } from './turns.ts'

export interface VolumesParts {
  readonly dataFolder: string
  readonly leases: LeaseBook
  readonly memory: RequestMemory
  /** Of images by their ids, together with whoever else makes them. */
  readonly turns: Turns
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export class Volumes {
  readonly #parts: VolumesParts
  readonly #open = new Map<string, OpenVolume>()

  constructor(parts: VolumesParts) {
    this.#parts = parts
  }

  /**
   * See DiskPort. The lease is held only for as long as formatting takes. An image that nothing was stored in and that
   * does not open with the key is what a crash left of an earlier attempt with another key: it is made anew.
   */
  create(spec: VolumeSpec): Promise<void> {
    const { dataFolder, random } = this.#parts
    return this.#parts.turns.take(spec.volumeId, async () => {
      const { volumeId, capacityBytes } = spec
      if (this.#open.has(volumeId)) return
      const isThere = await hasImage(dataFolder, volumeId)
      if (isThere && !(await isBlankImage(dataFolder, volumeId))) return
      const { lease, dataKey } = await leaseFor(this.#parts.leases, spec)
      using passphrase = dataKey
      try {
        if (isThere && opensWith(await readImageHeader(dataFolder, volumeId), passphrase)) return
        await createImage(dataFolder, { volumeId, capacityBytes, dataKey: passphrase, random })
      } finally {
        await lease.release()
      }
    })
  }

  /** Cuts whoever uses the volume and removes its image. */
  async delete(volumeId: string): Promise<void> {
    const { dataFolder, random } = this.#parts
    this.#open.get(volumeId)?.stop()
    await this.#parts.turns.take(volumeId, async () => {
      await this.#open.get(volumeId)?.close()
      await deleteImage(dataFolder, volumeId, random)
    })
  }

  /**
   * Opens the volume unless it is open. `onStop` is called, synchronously, when the volume stops under its clients; they
   * still release their share. Rejects with a Fault for the client to read.
   */
  use(spec: VolumeSpec, onStop: () => void): Promise<VolumeUse> {
    return this.#parts.turns.take(spec.volumeId, async () => {
      const open = this.#serving(spec.volumeId)
      if (open) return open.share(onStop)
      await this.#open.get(spec.volumeId)?.closed
      return (await this.#openNow(spec)).share(onStop)
    })
  }

  /** New limits hold at once; everything else of a description waits for the next opening. */
  limit(spec: VolumeSpec): void {
    this.#serving(spec.volumeId)?.limit(spec)
  }

  /** The size that clients see: an open volume keeps the size it was opened with. */
  sizeBytes(spec: VolumeSpec): number {
    return this.#open.get(spec.volumeId)?.device.sizeBytes ?? spec.capacityBytes
  }

  /** Flushes and closes a volume that nobody uses, without waiting for it to linger. */
  async closeIfUnused(volumeId: string): Promise<void> {
    await this.#parts.turns.take(volumeId, async () => {
      const volume = this.#open.get(volumeId)
      if (volume?.isUnused) await volume.close()
    })
  }

  /** For the end of the process: what was acknowledged is on disk, and no key is left. */
  async closeAll(): Promise<void> {
    await Promise.allSettled([...this.#open.values()].map((volume) => volume.close()))
  }

  #serving(volumeId: string): OpenVolume | null {
    const volume = this.#open.get(volumeId)
    return volume?.isServing ? volume : null
  }

  async #openNow(spec: VolumeSpec): Promise<OpenVolume> {
    const { dataFolder, memory, log, clock } = this.#parts
    const { volumeId } = spec
    const header = await readImageHeader(dataFolder, volumeId)
    const { lease, dataKey } = await leaseFor(this.#parts.leases, spec)
    try {
      using passphrase = dataKey
      const layers = openLayers(dataFolder, spec, openLuks2(header, passphrase))
      const volume = new OpenVolume({
        ...layers,
        limits: spec,
        lease,
        memory,
        log,
        clock,
        onUnused: () => void this.closeIfUnused(volumeId),
      })
      this.#open.set(volumeId, volume)
      lease.onEnd(() => volume.stop())
      void this.#follow(volumeId, volume)
      log.info({ volumeId, leaseId: lease.leaseId }, 'volume opened')
      return volume
    } catch (error) {
      await lease.release()
      throw error
    }
  }

  async #follow(volumeId: string, volume: OpenVolume): Promise<void> {
    await volume.closed
    if (this.#open.get(volumeId) === volume) this.#open.delete(volumeId)
    this.#parts.log.info({ volumeId }, 'volume closed')
  }
}

function opensWith(header: Uint8Array, passphrase: SecretBytes): boolean {
  try {
    openLuks2(header, passphrase).volumeKey[Symbol.dispose]()
    return true
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}

interface Layers {
  readonly path: string
  readonly store: BlockDevice
  readonly layers: EncryptedDevice
  readonly file: FileView
  readonly lending: Lending | null
  readonly blockBytes: number
  /** Lets another process open the image. */
  unlock(): void
}

/** Takes over what the header gave; on failure nothing stays open. */
function openLayers(dataFolder: string, { volumeId, capacityBytes }: VolumeSpec, opened: OpenedLuks2): Layers {
  using volumeKey = opened.volumeKey
  const { dataOffsetBytes, sectorBytes } = opened
  const cipher = makeSectorCipher(volumeKey, sectorBytes)
  let unlock = (): void => undefined
  try {
    unlock = lockFolder(imageFolder(dataFolder, volumeId), volumeId)
    const path = imagePath(dataFolder, volumeId)
    const file = openImageFile({ path, dataOffsetBytes, sizeBytes: capacityBytes, sectorBytes })
    return {
      path,
      store: file,
      layers: encrypted(checked(file, sectorBytes), cipher),
      file: { fd: file.fd, commitMemory: file.commitMemory, dataOffsetBytes, sizeBytes: capacityBytes, sectorBytes },
      lending: cipher.lending,
      blockBytes: sectorBytes,
      unlock,
    }
  } catch (error) {
    cipher[Symbol.dispose]()
    unlock()
    throw error
  }
}

/** Two processes that write one image would undo each other; the kernel drops the lock with its holder. */
function lockFolder(folder: string, volumeId: string): () => void {
  const fd = openSync(folder, 'r')
  if (linux && !linux.lock(fd)) {
    closeSync(fd)
    throw new Fault('unavailable', `volume ${volumeId} is open in another process`)
  }
  return () => closeSync(fd)
}

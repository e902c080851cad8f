// The open volumes of this process. All clients of a volume share one device, so that a flush through one connection
// covers the writes of all (NBD_FLAG_CAN_MULTI_CONN). A volume is opened for its first client, under a lease, and closed
// some moments after its last; when the lease ends, it stops at once and the next client begins anew.

import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import { BatchMemory } from './batch-memory.ts'
import { createImage, deleteImage, hasImage, isBlankImage, readImageHeader } from './image.ts'
import { leaseFor } from './leases.ts'
import type { LeaseBook } from './leases.ts'
import { OpenVolume } from './open-volume.ts'
import type { VolumeUse } from './open-volume.ts'
import { openVolumeImage, opensWith } from './open-image.ts'
import type { IntegrityBook, VolumeSpec } from './port.ts'
import type { RequestMemory } from './request-memory.ts'
import type { Turns } from '#base/turns.ts'

export interface VolumesParts {
  readonly dataFolder: string
  readonly leases: LeaseBook
  readonly book: IntegrityBook
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
  readonly #batches = new BatchMemory()

  constructor(parts: VolumesParts) {
    this.#parts = parts
  }

  /**
   * See DiskPort. The lease is held only for as long as formatting takes. An image that nothing was stored in and that
   * does not open with the key is what a crash left of an earlier attempt with another key: it is made anew.
   */
  create(spec: VolumeSpec): Promise<void> {
    const { dataFolder, random, book } = this.#parts
    return this.#parts.turns.take(spec.volumeId, async () => {
      const { volumeId, isAuthenticated } = spec
      if (this.#open.has(volumeId)) return
      const isThere = await hasImage(dataFolder, volumeId)
      if (isThere && !(await isBlankImage(dataFolder, volumeId))) return
      const { lease, dataKey } = await leaseFor(this.#parts.leases, spec)
      using passphrase = dataKey
      try {
        const isWhole = !isAuthenticated || (await book.remembered(volumeId)) !== null
        if (isThere && isWhole && opensWith(await readImageHeader(dataFolder, volumeId), passphrase)) return
        const state = await createImage(dataFolder, { ...spec, dataKey: passphrase, random })
        if (state) await book.remember(volumeId, state)
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
    const { dataFolder, leases, book, memory, log, clock } = this.#parts
    const { volumeId } = spec
    const opened = await openVolumeImage(spec, { dataFolder, leases, book, batches: this.#batches, clock, log })
    const volume = new OpenVolume({
      ...opened,
      limits: spec,
      memory,
      log,
      clock,
      onUnused: () => void this.closeIfUnused(volumeId),
    })
    this.#open.set(volumeId, volume)
    void this.#follow(volumeId, volume)
    log.info({ volumeId, leaseIds: opened.leases.map(({ lease }) => lease.leaseId) }, 'volume opened')
    return volume
  }

  async #follow(volumeId: string, volume: OpenVolume): Promise<void> {
    await volume.closed
    if (this.#open.get(volumeId) === volume) this.#open.delete(volumeId)
    this.#parts.log.info({ volumeId }, 'volume closed')
  }
}

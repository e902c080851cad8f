// One open volume: its layers, its lease, and the clients that share it. It serves until it is stopped, which happens at
// once and while requests are under way, and it is closed when the last of those has come home.

import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import { aligned } from './aligned.ts'
import { BufferPool } from './buffer-pool.ts'
import { checked } from './checked.ts'
import type { BlockDevice } from './device.ts'
import type { EncryptedDevice } from './encrypted.ts'
import { gated } from './gate.ts'
import type { HeldLease } from './leases.ts'

/** A client's share of an open volume. */
export interface VolumeUse {
  readonly device: BlockDevice
  readonly buffers: BufferPool
  /** The client touches the device no more. */
  release(): void
}

export interface OpenVolumeParts {
  readonly layers: EncryptedDevice
  readonly blockBytes: number
  readonly lease: HeldLease
  readonly clock: Clock
  readonly log: Log
  unlock(): void
  /** Nobody has used the volume for some moments. */
  onUnused(): void
}

/** Clients come in bursts (one tool asks, the next copies): the key is leased once for all of them. */
const lingerMs = 1000

export class OpenVolume {
  readonly device: BlockDevice
  /** Fulfilled when the file is closed and the lease given back. */
  readonly closed: Promise<void>
  readonly #parts: OpenVolumeParts
  readonly #buffers = new BufferPool()
  readonly #shares = new Map<VolumeUse, () => void>()
  #isServing = true
  #cancelLinger: () => void = () => undefined
  #letGo: () => void = () => undefined

  constructor(parts: OpenVolumeParts) {
    const { layers, blockBytes, lease } = parts
    this.#parts = parts
    this.device = gated(aligned(checked(layers, blockBytes), blockBytes), () => this.#isServing && lease.isLive())
    const lastReleased = new Promise<void>((resolve) => {
      this.#letGo = resolve
    })
    this.closed = lastReleased.then(() => this.#finish())
    this.#linger()
  }

  get isServing(): boolean {
    return this.#isServing
  }

  get isUnused(): boolean {
    return this.#shares.size === 0
  }

  /** `onStop` is called, synchronously, when the volume stops under the client, who releases the share all the same. */
  share(onStop: () => void): VolumeUse {
    assert(this.#isServing, 'only a volume that serves is shared')
    this.#cancelLinger()
    const use: VolumeUse = { device: this.device, buffers: this.#buffers, release: () => this.#release(use) }
    this.#shares.set(use, onStop)
    return use
  }

  /** When this returns, the key is gone, no request succeeds any more, and every client has been cut. */
  stop(): void {
    if (!this.#isServing) return
    this.#isServing = false
    this.#cancelLinger()
    this.#parts.layers.wipe()
    for (const cut of this.#shares.values()) cut()
    if (this.isUnused) this.#letGo()
  }

  /** Stops and waits for the end. What was written is flushed first. */
  async close(): Promise<void> {
    if (this.#isServing) await this.#flush()
    this.stop()
    await this.closed
  }

  #release(use: VolumeUse): void {
    if (!this.#shares.delete(use) || !this.isUnused) return
    if (this.#isServing) this.#linger()
    else this.#letGo()
  }

  #linger(): void {
    this.#cancelLinger = this.#parts.clock.after(lingerMs, () => this.#parts.onUnused())
  }

  async #flush(): Promise<void> {
    try {
      await this.#parts.layers.flush()
    } catch (err) {
      // Nobody waits for it: what clients flushed themselves was answered then.
      this.#parts.log.error({ err }, 'volume could not be flushed at its end')
    }
  }

  async #finish(): Promise<void> {
    const { layers, lease, log, unlock } = this.#parts
    try {
      await layers.close()
    } catch (err) {
      log.error({ err }, 'image could not be closed')
    }
    unlock()
    await lease.release()
  }
}

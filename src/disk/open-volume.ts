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
import type { FileView, VolumeView } from './lane-port.ts'
import type { ImageArea } from './image-area.ts'
import { Keeper } from './keeper.ts'
import type { HeldLease } from './leases.ts'
import { LiveCopy } from './live-copy.ts'
import { Preservation } from './preservation.ts'
import { preservingClaims } from './preserving-claims.ts'
import { RangeLock } from './range-lock.ts'
import type { ReencryptionLog } from './reencryption-log.ts'
import type { RequestMemory } from './request-memory.ts'
import { machineMs, SharedRight } from './right.ts'
import { Throttle, throttled } from './throttle.ts'
import type { Limits } from './throttle.ts'
import type { Loan, TwoKeyCipher } from './two-keys.ts'
import { VolumeReencryption } from './volume-reencryption.ts'

/** A client's share of an open volume. */
export interface VolumeUse {
  readonly device: BlockDevice
  readonly buffers: BufferPool
  /** For a client that other threads serve; null where the cipher cannot be lent. */
  readonly sharing: VolumeSharing | null
  readonly liveCopy: LiveCopy
  readonly reencryption: VolumeReencryption
  /** Where its sectors lie. */
  readonly form: FileView
  /** Of the data key that the volume lies under, or will when it is no longer between two. */
  readonly newestKey: Uint8Array
  /** The volume lies under this key from now on too, and serves no longer than its lease lasts. */
  holdNewer(lease: HeldLease, wrappedDataKey: Uint8Array): void
  /** The client touches the device no more. */
  release(): void
}

export interface VolumeSharing {
  readonly view: VolumeView
  /** For one thread. Only while the volume serves. */
  lend(): Loan
}

export interface OpenVolumeParts {
  readonly path: string
  /** What lies under the layers: ciphertext. */
  readonly store: BlockDevice
  /** The whole file. */
  readonly area: ImageArea
  readonly layers: EncryptedDevice
  readonly file: FileView
  readonly cipher: TwoKeyCipher
  /** Other threads know the file and the cipher, and nothing of what else may lie between them. */
  readonly isServedByThreads: boolean
  /** Of an image that is between two keys. */
  readonly reencryptionLog: ReencryptionLog | null
  readonly blockBytes: number
  readonly limits: Limits
  /** One for each key, the newest last. */
  readonly leases: readonly HeldKey[]
  readonly memory: RequestMemory
  readonly clock: Clock
  readonly log: Log
  unlock(): void
  /** Nobody has used the volume for some moments. */
  onUnused(): void
}

/** The leave to use a data key. */
export interface HeldKey {
  readonly lease: HeldLease
  readonly wrappedDataKey: Uint8Array
}

/** Clients come in bursts (one tool asks, the next copies): the key is leased once for all of them. */
const lingerMs = 1000
/** Buffers that nobody has needed for so long are let go. */
const buffersKeptMs = 30_000

export class OpenVolume {
  readonly device: BlockDevice
  /** Fulfilled when the file is closed and the lease given back. */
  readonly closed: Promise<void>
  readonly #parts: OpenVolumeParts
  readonly #buffers: BufferPool
  readonly #shares = new Map<VolumeUse, () => void>()
  readonly #right = new SharedRight()
  readonly #throttle = new Throttle()
  /** Wakes those who wait for their turn under the limits. */
  readonly #sleepers = new Set<() => void>()
  readonly #sharing: VolumeSharing | null
  readonly #liveCopy: LiveCopy
  readonly #reencryption: VolumeReencryption
  #leases: readonly HeldKey[] = []
  #isServing = true
  #cancelLinger: () => void = () => undefined
  #cancelEmptying: () => void = () => undefined
  #letGo: () => void = () => undefined

  constructor(parts: OpenVolumeParts) {
    const { layers, store, blockBytes, file, cipher } = parts
    this.#parts = parts
    this.#buffers = new BufferPool(parts.memory)
    this.#emptyBuffersLater()
    const lock = new RangeLock()
    const preservation = new Preservation(store.sizeBytes)
    const keeper = new Keeper(store, preservation)
    this.#reencryption = new VolumeReencryption({
      store,
      area: parts.area,
      cipher,
      lock,
      log: parts.reencryptionLog,
      isBeingCopied: () => this.#liveCopy.isUnderWay,
      mayWork: () => this.#mayServe(),
      onDone: () => this.#letOlderGo(),
      onBroken: () => this.stop(),
    })
    const isBetweenKeys = (): boolean => this.#reencryption.isUnderWay
    this.#liveCopy = new LiveCopy({ path: parts.path, source: store, lock, preservation, keeper, isBetweenKeys })
    const blocks = aligned(checked(layers, blockBytes), blockBytes, preservingClaims(lock, preservation, keeper))
    const gatedBlocks = gated(blocks, () => this.#mayServe())
    this.device = throttled(gatedBlocks, this.#throttle, { nowMs: machineMs, sleep: (ms) => this.#sleep(ms) })
    this.limit(parts.limits)
    const memories = {
      lockMemory: lock.memory,
      preservationMemory: preservation.memory,
      throttleMemory: this.#throttle.memory,
    }
    const view = { right: this.#right.view, ...memories, file }
    const lend = (): Loan => {
      assert(this.#isServing, 'only the cipher of a volume that serves is lent')
      return cipher.lend()
    }
    this.#sharing = parts.isServedByThreads && cipher.isLendable ? { view, lend } : null
    const lastReleased = new Promise<void>((resolve) => {
      this.#letGo = resolve
    })
    this.closed = lastReleased.then(() => this.#finish())
    this.#linger()
    for (const key of parts.leases) this.#hold(key)
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
    const use: VolumeUse = {
      device: this.device,
      buffers: this.#buffers,
      sharing: this.#sharing,
      liveCopy: this.#liveCopy,
      reencryption: this.#reencryption,
      form: this.#parts.file,
      newestKey: this.#leases.at(-1)?.wrappedDataKey ?? new Uint8Array(),
      holdNewer: (lease, wrappedDataKey) => this.#hold({ lease, wrappedDataKey }),
      release: () => this.#release(use),
    }
    this.#shares.set(use, onStop)
    return use
  }

  limit(limits: Limits): void {
    this.#throttle.limit(limits)
  }

  /** When this returns, the key is gone, no request succeeds any more, and every client has been cut. */
  stop(): void {
    if (!this.#isServing) return
    this.#isServing = false
    this.#cancelLinger()
    // In this order: other threads see that the right has ended, are cut and leave the cipher, and the key goes.
    this.#right.end()
    for (const wake of this.#sleepers) wake()
    for (const cut of this.#shares.values()) cut()
    this.#parts.layers.wipe()
    if (this.isUnused) this.#letGo()
  }

  /** Stops and waits for the end. What was written is flushed first. */
  async close(): Promise<void> {
    if (this.#isServing) await this.#flush()
    this.stop()
    await this.closed
  }

  #mayServe(): boolean {
    return this.#isServing && this.#leases.every(({ lease }) => lease.isLive())
  }

  #hold(key: HeldKey): void {
    this.#leases = [...this.#leases, key]
    this.#lastAsLongAsAll()
    key.lease.onEnd(() => this.stop())
  }

  /** The volume is under its newest key alone. */
  async #letOlderGo(): Promise<void> {
    const older = this.#leases.slice(0, -1)
    this.#leases = this.#leases.slice(-1)
    this.#lastAsLongAsAll()
    await Promise.all(older.map(({ lease }) => lease.release()))
  }

  #lastAsLongAsAll(): void {
    const deadlines = new Map<HeldLease, number>()
    for (const { lease } of this.#leases) {
      lease.onDeadline((deadlineMs) => {
        deadlines.set(lease, deadlineMs)
        if (deadlines.size === this.#leases.length) this.#right.lastsUntil(Math.min(...deadlines.values()))
      })
    }
  }

  #release(use: VolumeUse): void {
    if (!this.#shares.delete(use) || !this.isUnused) return
    if (this.#isServing) this.#linger()
    else this.#letGo()
  }

  /** Ends early when the volume stops: the gate says so then. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(wake)
        cancel()
        resolve()
      }
      const cancel = this.#parts.clock.after(ms, wake)
      this.#sleepers.add(wake)
    })
  }

  /** A volume whose clients are silent costs no memory but what their connections do. */
  #emptyBuffersLater(): void {
    this.#cancelEmptying = this.#parts.clock.after(buffersKeptMs, () => {
      this.#buffers.emptyIfUnused()
      this.#emptyBuffersLater()
    })
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
    const { layers, log, unlock } = this.#parts
    this.#cancelEmptying()
    this.#buffers.empty()
    try {
      await layers.close()
    } catch (err) {
      log.error({ err }, 'image could not be closed')
    }
    unlock()
    await Promise.all(this.#leases.map(({ lease }) => lease.release()))
  }
}

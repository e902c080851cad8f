// The re-encryption of an open volume, in its place, while it serves: a chunk at a time is read, moved to the newer key,
// written down in the log and then where it belongs (reencryption-log.ts), under a claim that holds up whoever wants that
// chunk, and nobody else. With the last chunk the older key goes.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { sectorBytes } from '#base/limits.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import type { CopyRun } from './copy-run.ts'
import { storedRuns } from './copy-stored.ts'
import { Fenced } from './device.ts'
import type { BlockDevice } from './device.ts'
import type { ImageArea } from './image-area.ts'
import type { Pace } from './pace.ts'
import type { RangeLock } from './range-lock.ts'
import { chunkBytesMax, ReencryptionLog } from './reencryption-log.ts'
import type { TwoKeyCipher } from './two-keys.ts'

/** Both keys work on so much before anything else has its turn. */
const pieceBytes = 256 * 1024

export interface ReencryptionParts {
  /** Ciphertext. */
  readonly store: BlockDevice
  readonly area: ImageArea
  readonly cipher: TwoKeyCipher
  readonly lock: RangeLock
  /** Of an image that was between two keys when it was opened. */
  readonly log: ReencryptionLog | null
  /** A snapshot is being made, of ciphertext under one key. */
  isBeingCopied(): boolean
  /** Judged at each call: whether both keys may be used. */
  mayWork(): boolean
  /** Nothing is under the older key any more. */
  onDone(): Promise<void>
  /** What the image says is not known: whoever opens it next finds out. */
  onBroken(): void
}

export class VolumeReencryption {
  readonly #parts: ReencryptionParts
  readonly #chunkBytes: number
  #log: ReencryptionLog | null
  #isBeginning = false

  /** A chunk has a multiple of `watermarkStepBytes`. */
  constructor(parts: ReencryptionParts, chunkBytes = chunkBytesMax) {
    this.#parts = parts
    this.#chunkBytes = chunkBytes
    this.#log = parts.log
  }

  get isUnderWay(): boolean {
    return this.#log !== null || this.#isBeginning
  }

  /** From here on the image is between two keys. `header` gives the newer volume key, which stays the caller's, to a newer data key. */
  async begin(header: Uint8Array, volumeKey: SecretBytes, run: CopyRun): Promise<void> {
    assert(!this.isUnderWay, 'a volume is re-encrypted once at a time')
    if (this.#parts.isBeingCopied()) throw new Fault('conflict', 'a snapshot of the volume is being made')
    this.#isBeginning = true
    this.#log = await this.#orStop(async () => {
      const log = await ReencryptionLog.begin(this.#parts.area, header)
      this.#check(run)
      this.#parts.cipher.take(makeSectorCipher(volumeKey, sectorBytes), 0)
      return log
    })
    this.#isBeginning = false
  }

  /** To the end. Rejects when the run was aborted between two chunks, or the volume has stopped. */
  async carryOn(run: CopyRun, pace: Pace, nowMs: () => number): Promise<void> {
    const log = this.#log
    assert(log, 'what has begun is carried on')
    const { sizeBytes } = this.#parts.store
    run.expect(sizeBytes)
    run.advance(log.watermarkBytes)
    const chunk = Buffer.allocUnsafeSlow(this.#chunkBytes)
    while (log.watermarkBytes < sizeBytes) {
      const [from, sinceMs] = [log.watermarkBytes, nowMs()]
      const isStored = (await this.#passHole(log, run)) ? false : await this.#moveChunk(log, chunk, run)
      run.advance(log.watermarkBytes - from)
      if (isStored) await pace.keep(run, chunk.length, sinceMs)
    }
    await this.#orStop(() => log.end())
    await this.#dropOlder()
  }

  /** What was never written needs no key. False where something is stored. */
  async #passHole(log: ReencryptionLog, run: CopyRun): Promise<boolean> {
    const from = log.watermarkBytes
    const to = await this.#holeEnd(from)
    if (to === from) return false
    return await this.#withClaim(from, to, async () => {
      this.#check(run)
      if ((await this.#holeEnd(from)) < to) return false
      await this.#orStop(() => log.pass(to))
      this.#parts.cipher.watermark.moveTo(to)
      return true
    })
  }

  /** In whole chunks, or to the end of the volume. */
  async #holeEnd(from: number): Promise<number> {
    const { store } = this.#parts
    const [first] = await store.extents(from, store.sizeBytes - from)
    if (!first?.hole) return from
    const end = from + first.byteCount
    return end === store.sizeBytes ? end : Math.max(from, end - (end % this.#chunkBytes))
  }

  async #moveChunk(log: ReencryptionLog, buffer: Buffer, run: CopyRun): Promise<boolean> {
    const { store, cipher } = this.#parts
    const from = log.watermarkBytes
    const to = Math.min(from + this.#chunkBytes, store.sizeBytes)
    return await this.#withClaim(from, to, async () => {
      this.#check(run)
      const bytes = buffer.subarray(0, to - from)
      await store.read(bytes, from)
      const runs = storedRuns(bytes)
      for (const stored of runs) {
        for (let at = stored.from; at < stored.to; at += pieceBytes) {
          // Between this and the last use, nobody can take the keys away.
          this.#check(run)
          cipher.move(bytes.subarray(at, Math.min(at + pieceBytes, stored.to)), (from + at) / sectorBytes)
          await nextTurn()
        }
      }
      this.#check(run)
      await this.#orStop(() => log.move(bytes, runs))
      cipher.watermark.moveTo(to)
      return true
    })
  }

  /** Without a key of which nothing is left, and without leave for it. */
  async #dropOlder(): Promise<void> {
    const { cipher, mayWork, onDone } = this.#parts
    await this.#withClaim(0, this.#parts.store.sizeBytes, async () => {
      if (mayWork()) cipher.drop()
    })
    this.#log = null
    await onDone()
  }

  #withClaim<Result>(from: number, to: number, work: () => Promise<Result>): Promise<Result> {
    return this.#parts.lock.run({ offset: from, byteCount: to - from, exclusive: true }, work)
  }

  #check(run: CopyRun): void {
    run.check()
    if (!this.#parts.mayWork()) throw new Fenced()
  }

  /** A step that fails may have been done all the same. No request may act on either belief: the volume stops. */
  async #orStop<Result>(step: () => Promise<Result>): Promise<Result> {
    try {
      return await step()
    } catch (error) {
      this.#parts.onBroken()
      throw error
    }
  }
}

// The copy of a volume that goes on being written, as it is at one moment. The moment is a claim on everything: whatever
// was under way has been done by then, and nothing else has begun. Where the file system can share blocks between files,
// the file is cloned in that moment; elsewhere chunks are copied in the background, and by whoever is about to change one.

import { constants } from 'node:fs'
import { copyFile, rm } from 'node:fs/promises'
import { Fault } from '#base/fault.ts'
import type { CopyRun } from './copy-run.ts'
import { storedBytesOf, storedPieces } from './copy-stored.ts'
import type { CopySource } from './copy-stored.ts'
import { DeviceFault } from './device.ts'
import type { Keeper } from './keeper.ts'
import { anyMoment } from './moments.ts'
import type { Moment } from './moments.ts'
import type { Preservation } from './preservation.ts'
import type { RangeLock } from './range-lock.ts'

export interface LiveCopyParts {
  readonly path: string
  /** Ciphertext. */
  readonly source: CopySource
  readonly lock: RangeLock
  readonly preservation: Preservation
  readonly keeper: Keeper
  /** Of what is under two keys no copy can be made that opens with one. */
  isBetweenKeys(): boolean
}

export class LiveCopy {
  readonly #parts: LiveCopyParts
  #runs = 0

  constructor(parts: LiveCopyParts) {
    this.#parts = parts
  }

  get isUnderWay(): boolean {
    return this.#runs > 0
  }

  /** Makes a file that shares all its blocks with the image. False where the file system cannot, and then there is none. */
  clone(to: string, moment = anyMoment): Promise<boolean> {
    return this.#counted(() => this.#clone(to, moment))
  }

  async #clone(to: string, moment: Moment): Promise<boolean> {
    const { path, lock } = this.#parts
    // The first time writes what is dirty to the disk, while the volume is in use, and finds out whether it can be done.
    if (!(await reflink(path, to))) return false
    await rm(to)
    await moment.ready()
    const isCloned = await lock.run(this.#everything(true), async () => {
      await moment.held()
      return reflink(path, to)
    })
    // What is copied instead would be of another moment.
    if (!isCloned && moment !== anyMoment) throw new DeviceFault('EIO', 'the image could not be cloned')
    return isCloned
  }

  /** Copies the data area to that of an image in the making. One copy at a time. Rejects when it was aborted, or failed. */
  copy(fd: number, run: CopyRun, moment = anyMoment): Promise<void> {
    return this.#counted(() => this.#copy(fd, run, moment))
  }

  async #counted<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#parts.isBetweenKeys()) throw new Fault('conflict', 'the volume is being re-encrypted')
    this.#runs += 1
    try {
      return await work()
    } finally {
      this.#runs -= 1
    }
  }

  async #copy(fd: number, run: CopyRun, moment: Moment): Promise<void> {
    const { source, lock, preservation } = this.#parts
    const stop = (): void => preservation.end()
    run.signal.addEventListener('abort', stop)
    try {
      await moment.ready()
      await lock.run(this.#everything(true), async () => {
        await moment.held()
        run.check()
        preservation.begin(fd)
      })
      run.expect(await storedBytesOf(source))
      for await (const { offset, byteCount } of storedPieces(source)) {
        run.check()
        await this.#copyInBackground(offset, offset + byteCount)
        this.#throwIfFailed()
        run.advance(byteCount)
      }
      run.check()
    } finally {
      run.signal.removeEventListener('abort', stop)
      preservation.end()
      // Whoever was copying a chunk has a claim on it, and ends with that.
      await lock.run(this.#everything(false), async () => undefined)
    }
    this.#throwIfFailed()
  }

  #throwIfFailed(): void {
    const { failure } = this.#parts.preservation
    if (failure) throw new DeviceFault(failure, 'the file of the snapshot could not be written')
  }

  async #copyInBackground(offset: number, end: number): Promise<void> {
    const { lock, preservation, keeper } = this.#parts
    const from = preservation.chunkStart(offset)
    const to = preservation.chunkEnd(preservation.chunkStart(end - 1))
    if (!preservation.isPending(from, to - from)) return
    // Readers go on. Whoever else would copy one of the chunks waits, and finds it copied.
    const range = { offset: from, byteCount: to - from, exclusive: false }
    await lock.run(range, () => keeper.keep(range.offset, range.byteCount))
  }

  #everything(exclusive: boolean): { offset: number; byteCount: number; exclusive: boolean } {
    return { offset: 0, byteCount: this.#parts.source.sizeBytes, exclusive }
  }
}

/** Shares the blocks of `from`; false, and nothing is there, where the file system does not do that. */
export async function reflink(from: string, to: string): Promise<boolean> {
  try {
    // ioctl FICLONE, in the thread pool.
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE)
    return true
  } catch {
    // Whatever it was: copying, which comes next, says what is the matter.
    return false
  }
}

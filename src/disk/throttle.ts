// What a volume may do per second, counted over all its clients in all threads. A volume that has been idle may do at
// once what a second allows (the burst); after that, requests wait until what they cost has been earned. Waiting is in
// order of arrival: each request reserves its time behind the one before.

import type { BlockDevice } from './device.ts'
import { lock, unlock } from './mutex.ts'

export interface Limits {
  readonly iopsMax?: number | undefined
  readonly bandwidthBytesPerSecondMax?: number | undefined
}

/** How far behind the clock a volume's account may be: what an idle one has saved. */
const burstMs = 1000

const guard = 0
/** 1 when there is a limit at all. */
const limited = 1
const headBytes = 8
/** Numbers of each account: what it gives per second, 0 for no limit, and the time up to which it is spent. */
const requests = 0
const bytes = 2
const numbers = 4

export class Throttle {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #numbers: Float64Array

  /** All threads have to mean the same clock by `nowMs`. */
  constructor(memory = new SharedArrayBuffer(headBytes + numbers * 8)) {
    this.memory = memory
    this.#words = new Int32Array(memory, 0, 2)
    this.#numbers = new Float64Array(memory, headBytes)
  }

  /** From now on. What was saved or reserved under other limits stays. */
  limit({ iopsMax = 0, bandwidthBytesPerSecondMax = 0 }: Limits): void {
    lock(this.#words, guard)
    this.#numbers[requests] = iopsMax
    this.#numbers[bytes] = bandwidthBytesPerSecondMax
    Atomics.store(this.#words, limited, iopsMax > 0 || bandwidthBytesPerSecondMax > 0 ? 1 : 0)
    unlock(this.#words, guard)
  }

  /** Pays for a request if it may go at once. */
  tryTake(byteCount: number, nowMs: number): boolean {
    if (Atomics.load(this.#words, limited) === 0) return true
    lock(this.#words, guard)
    const mayGo = this.#dueMs(byteCount, nowMs) <= nowMs
    if (mayGo) this.#pay(byteCount, nowMs)
    unlock(this.#words, guard)
    return mayGo
  }

  /** Pays for a request, which waits for as long as this says. */
  take(byteCount: number, nowMs: number): number {
    if (Atomics.load(this.#words, limited) === 0) return 0
    lock(this.#words, guard)
    this.#pay(byteCount, nowMs)
    const dueMs = Math.max(this.#numbers[requests + 1] ?? 0, this.#numbers[bytes + 1] ?? 0)
    unlock(this.#words, guard)
    return Math.max(0, dueMs - nowMs)
  }

  /** Undoes a `tryTake` that came to nothing. */
  giveBack(byteCount: number): void {
    if (Atomics.load(this.#words, limited) === 0) return
    lock(this.#words, guard)
    for (const account of [requests, bytes]) {
      this.#numbers[account + 1] = (this.#numbers[account + 1] ?? 0) - this.#costMs(account, byteCount)
    }
    unlock(this.#words, guard)
  }

  #dueMs(byteCount: number, nowMs: number): number {
    return Math.max(this.#spentAfter(requests, byteCount, nowMs), this.#spentAfter(bytes, byteCount, nowMs))
  }

  #pay(byteCount: number, nowMs: number): void {
    for (const account of [requests, bytes]) {
      this.#numbers[account + 1] = this.#spentAfter(account, byteCount, nowMs)
    }
  }

  #spentAfter(account: number, byteCount: number, nowMs: number): number {
    const costMs = this.#costMs(account, byteCount)
    // An account without a limit is never behind.
    if (costMs === 0) return Math.min(this.#numbers[account + 1] ?? 0, nowMs)
    return Math.max(this.#numbers[account + 1] ?? 0, nowMs - burstMs) + costMs
  }

  #costMs(account: number, byteCount: number): number {
    const perSecond = this.#numbers[account] ?? 0
    return perSecond > 0 ? ((account === requests ? 1 : byteCount) * 1000) / perSecond : 0
  }
}

export interface Pace {
  nowMs(): number
  /** May return early, when the right to serve has ended. */
  sleep(ms: number): Promise<void>
}

/** Reads, writes and zeroing are paid for; flushes and questions are free, and a trim moves no data. */
export function throttled(device: BlockDevice, throttle: Throttle, pace: Pace): BlockDevice {
  async function paid<Result>(byteCount: number, work: () => Promise<Result>): Promise<Result> {
    const waitMs = throttle.take(byteCount, pace.nowMs())
    if (waitMs > 0) await pace.sleep(waitMs)
    return work()
  }

  function paidNow(byteCount: number, work: () => boolean): boolean {
    if (!throttle.tryTake(byteCount, pace.nowMs())) return false
    const isDone = work()
    // The caller comes again and pays then.
    if (!isDone) throttle.giveBack(byteCount)
    return isDone
  }

  return {
    sizeBytes: device.sizeBytes,
    writesAtOnce: false,
    readNow: (target, offset) => paidNow(target.length, () => device.readNow(target, offset)),
    writeNow: (source, offset) => paidNow(source.length, () => device.writeNow(source, offset)),
    read: (target, offset) => paid(target.length, () => device.read(target, offset)),
    write: (source, offset) => paid(source.length, () => device.write(source, offset)),
    zero: (offset, byteCount) => paid(byteCount, () => device.zero(offset, byteCount)),
    trim: (offset, byteCount) => paid(0, () => device.trim(offset, byteCount)),
    flush: () => device.flush(),
    extents: (offset, byteCount) => device.extents(offset, byteCount),
    close: () => device.close(),
  }
}

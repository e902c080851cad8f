// Who works on which bytes of a device, in all threads that do. Claims on overlapping ranges are served in order of
// arrival, except that readers share. A claim that meets nobody is granted without waiting, which is nearly always so.
//
// The claims are a table in shared memory behind a lock that is held for moments. Who must wait does so without holding
// up its event loop, and looks again whenever somebody has let go.

import { assert } from '#base/assert.ts'
import { lock, unlock } from './mutex.ts'

export interface ClaimedRange {
  readonly offset: number
  readonly byteCount: number
  readonly exclusive: boolean
}

/** Claims at a time, over all threads; one more waits. */
const claimsMax = 256
/** Words of the table's head. */
const guard = 0
const releases = 1
const waiting = 2
/** No claim has a higher place than this. */
const top = 3
const headWords = 4
const free = 0
const sharing = 1
const excluding = 2
/** Numbers of a claim: its range and when it came. */
const claimNumbers = 3
const numbersOffsetBytes = (headWords + claimsMax) * 4
const lockBytes = numbersOffsetBytes + (1 + claimsMax * claimNumbers) * 8

/** Who may work on which bytes, and when. */
export interface Claims {
  /** The place of a claim that is granted at once, or -1 when it would have to wait: then nothing was claimed. */
  tryClaim(offset: number, byteCount: number, exclusive: boolean): number
  release(place: number): void
  /** Runs `work` when no earlier claim conflicts, and lets later ones go on when it has settled. */
  run<Result>(range: ClaimedRange, work: () => Promise<Result>): Promise<Result>
}

interface Waiter {
  /** In the table; -1 for one that found it full. */
  place: number
  readonly range: ClaimedRange
  begin(place: number): void
}

export class RangeLock implements Claims {
  /** What another thread makes its own RangeLock over. */
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array
  /** The number of the newest claim, and then the claims. */
  readonly #numbers: Float64Array
  /** Of this thread, in order of arrival: those in the table, and those for whom there was no room. */
  #waiters: Waiter[] = []
  #isListening = false
  /** The number of the last release after which this thread looked. */
  #seen = 0

  constructor(memory = new SharedArrayBuffer(lockBytes)) {
    this.memory = memory
    this.#words = new Int32Array(memory, 0, headWords + claimsMax)
    this.#numbers = new Float64Array(memory, numbersOffsetBytes)
  }

  tryClaim(offset: number, byteCount: number, exclusive: boolean): number {
    lock(this.#words, guard)
    const isBlocked = this.#isBlocked(offset, offset + byteCount, exclusive, Number.POSITIVE_INFINITY)
    const place = isBlocked ? -1 : this.#enter(offset, byteCount, exclusive)
    unlock(this.#words, guard)
    return place
  }

  release(place: number): void {
    lock(this.#words, guard)
    this.#words[headWords + place] = free
    let end = this.#words[top] ?? 0
    while (end > 0 && this.#words[headWords + end - 1] === free) end -= 1
    this.#words[top] = end
    const isAwaited = Atomics.load(this.#words, waiting) > 0
    if (isAwaited) Atomics.add(this.#words, releases, 1)
    unlock(this.#words, guard)
    if (!isAwaited) return
    Atomics.notify(this.#words, releases)
    this.#serveWaiters()
  }

  async run<Result>(range: ClaimedRange, work: () => Promise<Result>): Promise<Result> {
    const claimed = this.#claim(range)
    const place = typeof claimed === 'number' ? claimed : await claimed
    try {
      return await work()
    } finally {
      this.release(place)
    }
  }

  #claim(range: ClaimedRange): number | Promise<number> {
    const { offset, byteCount, exclusive } = range
    lock(this.#words, guard)
    const isBlocked = this.#isBlocked(offset, offset + byteCount, exclusive, Number.POSITIVE_INFINITY)
    // Nobody goes before those who found no room.
    const isOvertaking = this.#waiters.at(-1)?.place === -1
    const place = isOvertaking ? -1 : this.#enter(offset, byteCount, exclusive)
    const isGranted = place >= 0 && !isBlocked
    if (!isGranted) Atomics.add(this.#words, waiting, 1)
    unlock(this.#words, guard)
    if (isGranted) return place
    return new Promise((begin) => {
      this.#waiters.push({ place, range, begin })
      if (!this.#isListening) void this.#listen()
    })
  }

  /** Looks after each release in another thread, for as long as somebody waits here. */
  async #listen(): Promise<void> {
    this.#isListening = true
    for (;;) {
      const seen = Atomics.load(this.#words, releases)
      if (seen !== this.#seen) this.#serveWaiters()
      if (this.#waiters.length === 0) break
      const next = Atomics.waitAsync(this.#words, releases, seen)
      if (next.async) await next.value
    }
    this.#isListening = false
  }

  /** Lets those begin whose turn has come. One look for all of them: each may be one of thousands. */
  #serveWaiters(): void {
    if (this.#waiters.length === 0) return
    const begun: Waiter[] = []
    let left: Waiter[] = []
    lock(this.#words, guard)
    this.#seen = Atomics.load(this.#words, releases)
    for (const [index, waiter] of this.#waiters.entries()) {
      const { offset, byteCount, exclusive } = waiter.range
      if (waiter.place < 0) waiter.place = this.#enter(offset, byteCount, exclusive)
      if (waiter.place < 0) {
        left = left.concat(this.#waiters.slice(index))
        break
      }
      const age = this.#numbers[1 + waiter.place * claimNumbers + 2] ?? 0
      if (this.#isBlocked(offset, offset + byteCount, exclusive, age)) left.push(waiter)
      else begun.push(waiter)
    }
    this.#waiters = left
    Atomics.sub(this.#words, waiting, begun.length)
    unlock(this.#words, guard)
    for (const { begin, place } of begun) begin(place)
  }

  /** Whether a claim older than `age` conflicts, granted or waiting. The guard is held. */
  #isBlocked(from: number, to: number, exclusive: boolean, age: number): boolean {
    const end = this.#words[top] ?? 0
    for (let place = 0; place < end; place += 1) {
      const state = this.#words[headWords + place]
      if (state === free || (state === sharing && !exclusive)) continue
      const at = 1 + place * claimNumbers
      const numbers = this.#numbers
      if ((numbers[at] ?? 0) < to && from < (numbers[at + 1] ?? 0) && (numbers[at + 2] ?? 0) < age) return true
    }
    return false
  }

  #freePlace(): number {
    for (let place = 0; place < claimsMax; place += 1) if (this.#words[headWords + place] === free) return place
    return -1
  }

  /** The place of the new claim, or -1 when the table is full. The guard is held. */
  #enter(offset: number, byteCount: number, exclusive: boolean): number {
    const place = this.#freePlace()
    if (place < 0) return -1
    assert(byteCount > 0, 'a claim is for at least one byte')
    const at = 1 + place * claimNumbers
    const age = (this.#numbers[0] ?? 0) + 1
    this.#numbers[0] = age
    this.#numbers[at] = offset
    this.#numbers[at + 1] = offset + byteCount
    this.#numbers[at + 2] = age
    this.#words[headWords + place] = exclusive ? excluding : sharing
    this.#words[top] = Math.max(this.#words[top] ?? 0, place + 1)
    return place
  }
}

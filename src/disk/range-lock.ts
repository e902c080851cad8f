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

export class RangeLock implements Claims {
  /** What another thread makes its own RangeLock over. */
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array
  /** The number of the newest claim, and then the claims. */
  readonly #numbers: Float64Array
  readonly #sleepers = new Set<() => void>()

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
    for (const wake of this.#sleepers) wake()
  }

  async run<Result>(range: ClaimedRange, work: () => Promise<Result>): Promise<Result> {
    const { offset, byteCount, exclusive } = range
    const claimed = this.#claim(offset, byteCount, exclusive)
    const place = typeof claimed === 'number' ? claimed : await claimed
    try {
      return await work()
    } finally {
      this.release(place)
    }
  }

  #claim(offset: number, byteCount: number, exclusive: boolean): number | Promise<number> {
    lock(this.#words, guard)
    const isBlocked = this.#isBlocked(offset, offset + byteCount, exclusive, Number.POSITIVE_INFINITY)
    const place = this.#enter(offset, byteCount, exclusive)
    unlock(this.#words, guard)
    if (place >= 0 && !isBlocked) return place
    return place >= 0 ? this.#turnOf(place) : this.#whenThereIsRoom(offset, byteCount, exclusive)
  }

  async #whenThereIsRoom(offset: number, byteCount: number, exclusive: boolean): Promise<number> {
    await this.#nextRelease(() => this.#hasRoom())
    // With a place of its own it is granted in its turn: a claim on everything would never meet nobody.
    return this.#claim(offset, byteCount, exclusive)
  }

  async #turnOf(place: number): Promise<number> {
    await this.#nextRelease(() => this.#isGranted(place))
    return place
  }

  /** Waits for releases until `isReady`, which is asked first. */
  async #nextRelease(isReady: () => boolean): Promise<void> {
    Atomics.add(this.#words, waiting, 1)
    try {
      for (;;) {
        const seen = Atomics.load(this.#words, releases)
        if (isReady()) return
        await this.#change(seen)
      }
    } finally {
      Atomics.sub(this.#words, waiting, 1)
    }
  }

  /** Settles when somebody, here or in another thread, has let go since `releases` was `seen`. */
  async #change(seen: number): Promise<void> {
    const elsewhere = Atomics.waitAsync(this.#words, releases, seen)
    if (!elsewhere.async) return
    // Within a thread, a call: that wakes also where nothing else keeps the event loop going.
    let wake = (): void => undefined
    const here = new Promise<void>((resolve) => {
      wake = resolve
    })
    this.#sleepers.add(wake)
    await Promise.race([here, elsewhere.value])
    this.#sleepers.delete(wake)
  }

  #hasRoom(): boolean {
    lock(this.#words, guard)
    const hasRoom = this.#freePlace() >= 0
    unlock(this.#words, guard)
    return hasRoom
  }

  #isGranted(place: number): boolean {
    lock(this.#words, guard)
    const at = 1 + place * claimNumbers
    const [from = 0, to = 0, age = 0] = this.#numbers.subarray(at, at + claimNumbers)
    const granted = !this.#isBlocked(from, to, this.#words[headWords + place] === excluding, age)
    unlock(this.#words, guard)
    return granted
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

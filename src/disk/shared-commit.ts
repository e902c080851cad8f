// Flushes of one file from all threads that write it. They run one at a time, since the kernel tells of a lost write once:
// whoever hears of it writes it down for everybody before another flush may call itself a success, and after one failure
// every later flush fails too.

import { lock, unlock } from './mutex.ts'

const running = 0
/** Numbers of syncs, which wrap around. */
const started = 1
const finished = 2
const failed = 3
const words = 4

export class SharedCommit {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(memory = new SharedArrayBuffer(words * 4)) {
    this.memory = memory
    this.#words = new Int32Array(memory)
  }

  /** Waits, with the whole thread, like for a sync that began after the call. False when a write was lost. */
  commitNow(sync: () => boolean): boolean {
    const wanted = Atomics.load(this.#words, started) + 1
    lock(this.#words, running)
    try {
      return this.#isCovered(wanted) || this.#run(sync)
    } finally {
      unlock(this.#words, running)
    }
  }

  /** One sync among those of other threads, for a thread that has an event loop to run. Rejects when a write was lost. */
  async sync(sync: () => Promise<void>): Promise<void> {
    await this.#locked()
    try {
      if (this.#hasFailed()) throw new Error('an earlier write was lost')
      const number = Atomics.add(this.#words, started, 1) + 1
      await sync()
      Atomics.store(this.#words, finished, number | 0)
    } catch (error) {
      Atomics.store(this.#words, failed, 1)
      throw error
    } finally {
      unlock(this.#words, running)
    }
  }

  #run(sync: () => boolean): boolean {
    if (this.#hasFailed()) return false
    const number = Atomics.add(this.#words, started, 1) + 1
    const isDone = sync()
    if (isDone) Atomics.store(this.#words, finished, number | 0)
    else Atomics.store(this.#words, failed, 1)
    return isDone
  }

  /** Whether a sync that began after the caller asked has succeeded while the caller waited. */
  #isCovered(wanted: number): boolean {
    return !this.#hasFailed() && ((Atomics.load(this.#words, finished) - wanted) | 0) >= 0
  }

  #hasFailed(): boolean {
    return Atomics.load(this.#words, failed) === 1
  }

  async #locked(): Promise<void> {
    if (Atomics.compareExchange(this.#words, running, 0, 1) === 0) return
    while (Atomics.exchange(this.#words, running, 2) !== 0) {
      const turn = Atomics.waitAsync(this.#words, running, 2)
      if (turn.async) await turn.value
    }
  }
}

// The right to serve a volume, where all threads that serve it can see it: whether it has ended, and until when it lasts
// if nobody says anything more. The thread that holds the lease writes; the others judge by their own clocks at each call.

import { systemClock } from '#base/clock.ts'

const serving = 0
const deadline = 1
const words = 2

/** The deadline is rounded down to this, so that it fits a word for some years: a lease ends so much early at most. */
const tickMs = 64

/** What another thread needs to look at the right. */
export interface RightView {
  readonly memory: SharedArrayBuffer
  /** On the machine's clock, which all threads share. */
  readonly epochMs: number
}

/** Each thread's monotonic clock begins with the thread. What they differ by is read once. */
const skewMs = Number(process.hrtime.bigint()) / 1e6 - systemClock.monotonicMs()
/** The same moment in all threads. */
export const machineMs = (): number => systemClock.monotonicMs() + skewMs

export class SharedRight {
  readonly #words: Int32Array
  readonly view: RightView

  constructor() {
    this.view = { memory: new SharedArrayBuffer(words * 4), epochMs: machineMs() }
    this.#words = new Int32Array(this.view.memory)
    Atomics.store(this.#words, serving, 1)
  }

  /** `monotonicMs` is a moment of this thread's clock. */
  lastsUntil(monotonicMs: number): void {
    const ticks = Math.floor((monotonicMs + skewMs - this.view.epochMs) / tickMs)
    Atomics.store(this.#words, deadline, Math.max(0, Math.min(ticks, 2 ** 31 - 1)))
  }

  /** For good. Whoever sleeps on the right wakes. */
  end(): void {
    Atomics.store(this.#words, serving, 0)
    Atomics.notify(this.#words, serving)
  }
}

export interface SeenRight {
  /** Judged at each call. */
  mayServe(): boolean
  /** Whether it was ended, whatever the clock says: enough between two judgements. */
  hasEnded(): boolean
}

/** The right, seen from another thread. */
export function seenRight({ memory, epochMs }: RightView): SeenRight {
  const seen = new Int32Array(memory)
  const offsetMs = skewMs - epochMs
  return {
    mayServe: () =>
      Atomics.load(seen, serving) === 1 && systemClock.monotonicMs() + offsetMs < Atomics.load(seen, deadline) * tickMs,
    hasEnded: () => Atomics.load(seen, serving) === 0,
  }
}

// How fast background work may go. A new limit counts at once, in the middle of a wait too.

import type { Clock } from '#base/clock.ts'
import type { CopyRun } from './copy-run.ts'

/** How long a wait takes to notice that it is over. */
const napMs = 100

export class Pace {
  /** Null for no limit. */
  bytesPerSecondMax: number | null
  readonly #clock: Clock

  constructor(bytesPerSecondMax: number | null, clock: Clock) {
    this.bytesPerSecondMax = bytesPerSecondMax
    this.#clock = clock
  }

  /** Waits until so many bytes may have been done since a moment of the monotonic clock. Throws the reason of the run's end. */
  async keep(run: CopyRun, byteCount: number, sinceMs: number): Promise<void> {
    for (;;) {
      run.check()
      const rate = this.bytesPerSecondMax
      const leftMs = rate === null ? 0 : sinceMs + (byteCount / rate) * 1000 - this.#clock.monotonicMs()
      if (leftMs <= 0) return
      await new Promise<void>((resolve) => void this.#clock.after(Math.min(leftMs, napMs), resolve))
    }
  }
}

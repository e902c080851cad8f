// A clock that can be set forward, for rehearsals and tests: it runs with the clock beneath it, and each `advance` adds to
// the distance. Timers ring when the time that it tells reaches them, whether by waiting or by advancing. Its monotonic
// milliseconds are those of the clock beneath and never jump: docs/decisions/0007-virtual-clock.md says why.

import type { Clock } from './clock.ts'

export interface VirtualClock extends Clock {
  /** Timers that come due ring before it returns, in the order of their times. */
  advance(ms: number): void
  /** How far it is ahead of the clock beneath. */
  aheadMs(): number
}

interface Timer {
  readonly at: number
  readonly callback: () => void
  cancel: () => void
}

export function makeVirtualClock(base: Clock): VirtualClock {
  const timers = new Set<Timer>()
  let ahead = 0
  const now = (): number => base.now() + ahead

  function ring(timer: Timer): void {
    if (!timers.delete(timer)) return
    timer.cancel()
    timer.callback()
  }

  return {
    now,
    monotonicMs: () => base.monotonicMs(),
    aheadMs: () => ahead,
    after(delayMs, callback) {
      const timer: Timer = { at: now() + delayMs, callback, cancel: () => {} }
      timers.add(timer)
      timer.cancel = base.after(delayMs, () => ring(timer))
      return () => {
        timers.delete(timer)
        timer.cancel()
      }
    },
    advance(ms) {
      ahead += ms
      const due = [...timers].filter((timer) => timer.at <= now())
      for (const timer of due.toSorted((a, b) => a.at - b.at)) ring(timer)
    },
  }
}

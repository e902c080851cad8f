// Time that passes when a test says so.

import type { Clock } from '#base/clock.ts'

export interface FakeClock extends Clock {
  /** Lets time pass and calls back whatever is due, in order. */
  pass(ms: number): void
  /** Lets time pass while the event loop is blocked: timers stay due. */
  block(ms: number): void
}

export function makeFakeClock(): FakeClock {
  let nowMs = 1_000_000
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>()

  function runDue(untilMs: number): void {
    for (;;) {
      const [next] = [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
      if (!next) return
      timers.delete(next)
      nowMs = Math.max(nowMs, next.atMs)
      next.callback()
    }
  }

  return {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, callback) {
      const timer = { atMs: nowMs + delayMs, callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    pass(ms) {
      const untilMs = nowMs + ms
      runDue(untilMs)
      nowMs = untilMs
    },
    block(ms) {
      nowMs += ms
    },
  }
}

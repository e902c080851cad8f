import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from './clock.ts'
import { makeVirtualClock } from './virtual-clock.ts'

/** Moves when it is told, and rings then. */
function makeBase() {
  let now = 1000
  let timers: { at: number; callback: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    monotonicMs: () => now - 1000,
    after(delayMs, callback) {
      const timer = { at: now + delayMs, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
  }
  const pass = (ms: number): void => {
    now += ms
    const due = timers.filter((timer) => timer.at <= now)
    timers = timers.filter((timer) => timer.at > now)
    for (const { callback } of due) callback()
  }
  return { clock, pass, pending: () => timers.length }
}

test('it runs with the clock beneath and ahead of it, and its monotonic time never jumps', () => {
  const base = makeBase()
  const clock = makeVirtualClock(base.clock)
  clock.advance(5000)
  base.pass(10)
  assert.deepEqual([clock.now(), clock.monotonicMs(), clock.aheadMs()], [6010, 10, 5000])
})

test('timers ring once, by waiting or by advancing, in the order of their times', () => {
  const base = makeBase()
  const clock = makeVirtualClock(base.clock)
  const rung: string[] = []
  clock.after(300, () => rung.push('late'))
  clock.after(100, () => rung.push('early'))
  const cancel = clock.after(100, () => rung.push('cancelled'))
  clock.after(50, () => rung.push('waited'))
  cancel()
  base.pass(50)
  assert.deepEqual(rung, ['waited'])
  clock.advance(250)
  assert.deepEqual(rung, ['waited', 'early', 'late'])
  base.pass(1000)
  assert.deepEqual(rung, ['waited', 'early', 'late'])
  assert.equal(base.pending(), 0)
})

test('a timer that is set while another rings waits its own time', () => {
  const base = makeBase()
  const clock = makeVirtualClock(base.clock)
  let count = 0
  const again = (): void => {
    count++
    clock.after(10, again)
  }
  clock.after(10, again)
  clock.advance(1000)
  assert.equal(count, 1)
  clock.advance(10)
  assert.equal(count, 2)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { within } from './within.ts'

/** A clock whose one timer is rung by hand. */
function makeBell() {
  let ring: (() => void) | null = null
  const clock: Clock = {
    ...systemClock,
    after: (_ms, callback) => {
      ring = callback
      return () => void (ring = null)
    },
  }
  return { clock, isSet: () => ring !== null, ring: () => ring?.() }
}

const late = { sentence: 'nobody answered' }

test('within() gives the answer, or the reason that there is none, and takes its timer down', async () => {
  const bell = makeBell()
  assert.equal(await within(bell.clock, 1, Promise.resolve(7), late), 7)
  await new Promise((done) => setImmediate(done))
  assert.equal(bell.isSet(), false)
  await assert.rejects(within(bell.clock, 1, Promise.reject(new Error('refused')), late), /refused/)
  await new Promise((done) => setImmediate(done))
  assert.equal(bell.isSet(), false)
})

test('within() gives up when the time is over, and hands on what comes after all', async () => {
  const bell = makeBell()
  const { promise, resolve } = Promise.withResolvers<number>()
  const came: number[] = []
  const waiting = within(bell.clock, 1, promise, { ...late, onLate: (answer) => came.push(answer) })
  bell.ring()
  await assert.rejects(waiting, { code: 'unavailable', message: 'nobody answered' })
  assert.deepEqual(came, [])
  resolve(7)
  await promise
  await new Promise((done) => setImmediate(done))
  assert.deepEqual(came, [7])
})

test('within() lets nobody hear of a failure that comes too late', async () => {
  const bell = makeBell()
  const { promise, reject } = Promise.withResolvers<number>()
  const waiting = within(bell.clock, 1, promise, late)
  bell.ring()
  await assert.rejects(waiting, { code: 'unavailable' })
  reject(new Error('too late'))
  // An unhandled rejection would fail this test.
  await new Promise((done) => setImmediate(done))
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import type { Clock } from '#base/clock.ts'
import { sweepMs } from '#base/limits.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { openForTest } from '#store/testing/open.ts'
import { startDispatcher } from './dispatcher.ts'
import { makeOutbox, readCursor } from './outbox.ts'

/** A clock that the test sets forward. */
function manualClock(): Clock & { advance(ms: number): void } {
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>()
  let nowMs = 0
  return {
    now: () => 0,
    monotonicMs: () => nowMs,
    after(delayMs, callback) {
      const timer = { at: nowMs + delayMs, callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(ms) {
      nowMs += ms
      const due = [...timers].filter((timer) => timer.at <= nowMs)
      for (const timer of due) if (timers.delete(timer)) timer.callback()
    },
  }
}

async function world(t: TestContext) {
  const path = mkdtempSync(join(tmpdir(), 'keyward-events-'))
  const database = await openForTest(join(path, 'db'))
  const clock = manualClock()
  t.after(async () => {
    await database.close()
    rmSync(path, { recursive: true, force: true })
  })
  const outbox = makeOutbox(clock, systemRandom)
  const tell = (type: 'kms.key.disabled' | 'kms.key.enabled') =>
    database.transaction((tx) => outbox.append(tx, { type, accountId: 'a', keyCrn: 'k' }))
  return { database, clock, tell, log: makeLog('silent') }
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await setTimeout(1)
}

test('a consumer runs at start, after an event of its types, and not after others', async (t) => {
  const { database, clock, log, tell } = await world(t)
  let runs = 0
  const consumer = { name: 'c', types: ['kms.key.disabled'] as const, reconcile: () => Promise.resolve(void runs++) }
  const dispatcher = startDispatcher({ database, clock, log, consumers: [consumer] })
  t.after(() => dispatcher.stop())
  await until(() => runs === 1)
  await tell('kms.key.enabled')
  await tell('kms.key.disabled')
  await until(() => runs === 2)
  await dispatcher.stop()
  assert.equal(runs, 2)
  assert.equal(await readCursor(database.reads, 'c'), 2)
})

test('a consumer that fails is run again, and its cursor stays', async (t) => {
  const { database, clock, log, tell } = await world(t)
  await tell('kms.key.disabled')
  let runs = 0
  const reconcile = () => (++runs === 1 ? Promise.reject(new Error('not yet')) : Promise.resolve())
  const dispatcher = startDispatcher({
    database,
    clock,
    log,
    consumers: [{ name: 'c', types: ['kms.key.disabled'], reconcile }],
  })
  t.after(() => dispatcher.stop())
  await until(() => runs === 1)
  assert.equal(await readCursor(database.reads, 'c'), 0)
  await until(() => (clock.advance(1000), runs === 2))
  await dispatcher.stop()
  assert.equal(await readCursor(database.reads, 'c'), 1)
})

test('an event that comes while a consumer runs makes it run once more', async (t) => {
  const { database, clock, log, tell } = await world(t)
  let runs = 0
  let release = (): void => {}
  const reconcile = () => new Promise<void>((resolve) => (runs++, (release = resolve)))
  const dispatcher = startDispatcher({
    database,
    clock,
    log,
    consumers: [{ name: 'c', types: ['kms.key.disabled'], reconcile }],
  })
  await until(() => runs === 1)
  await tell('kms.key.disabled')
  await tell('kms.key.disabled')
  release()
  await until(() => runs === 2)
  release()
  await dispatcher.stop()
  assert.equal(runs, 2)
})

test('a sweep comes when it is due, however often others commit what is not for it', async (t) => {
  const { database, clock, log, tell } = await world(t)
  let runs = 0
  const consumer = { name: 'c', types: ['kms.key.disabled'] as const, reconcile: () => Promise.resolve(void runs++) }
  const dispatcher = startDispatcher({ database, clock, log, consumers: [consumer] })
  t.after(() => dispatcher.stop())
  await until(() => runs === 1)
  for (let passed = 0; passed < sweepMs; passed += sweepMs / 4) {
    await tell('kms.key.enabled')
    // It has looked, and found nothing for it.
    await setTimeout(20)
    clock.advance(sweepMs / 4)
  }
  await until(() => runs === 2)
})

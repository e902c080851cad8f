// A process that serves while its master key is replaced: asked from beside, with time in the test's hands.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '#base/clock.ts'
import { requestSettledMs, rotationLookMs } from '#base/limits.ts'
import { makeLog } from '#base/log.ts'
import { sealedUnder } from '#crypto/sealed-record.ts'
import { readMeta } from '#store/meta.ts'
import { keyFile } from './key-file.ts'
import { beginRotation, readRecords } from './records.ts'
import { addSecrets, countOpened, makeWorld, random, secretName, tables } from './testing/world.ts'
import { watchRotation } from './watch.ts'

function makeClock() {
  const waiting: { delayMs: number; callback: () => void }[] = []
  const clock: Clock = {
    now: () => 0,
    monotonicMs: () => 0,
    after(delayMs, callback) {
      const timer = { delayMs, callback }
      waiting.push(timer)
      return () => void waiting.splice(waiting.indexOf(timer), 1)
    },
  }
  const find = (delayMs: number): number => waiting.findIndex((timer) => timer.delayMs === delayMs)
  async function isSet(delayMs: number): Promise<void> {
    for (let i = 0; i < 1000 && find(delayMs) === -1; i += 1) await setImmediate()
    assert.notEqual(find(delayMs), -1, `no timer of ${delayMs} ms was set`)
  }
  /** Lets the one timer of that length ring, once it is set. */
  async function ring(delayMs: number): Promise<void> {
    await isSet(delayMs)
    waiting.splice(find(delayMs), 1)[0]?.callback()
  }
  return { clock, isSet, ring }
}

test('a serving process turns when it is asked, waits for older requests, and ends with one key', async () => {
  await using world = await makeWorld()
  const { database } = world
  const file = keyFile(world.keyPath, random)
  const held = await world.hold(file)
  const before = held.ring.current
  await addSecrets(database, held.ring, 0, 5)
  const { clock, isSet, ring } = makeClock()
  const providers = { present: file, old: null }
  const watch = watchRotation({ database, tables, clock, log: makeLog('silent'), held, providers })

  await isSet(rotationLookMs)
  // From beside, as the command does it.
  const next = await keyFile(world.keyPath, random).fresh()
  assert.ok(next)
  await database.transaction((tx) => beginRotation(tx, next.record))
  await ring(rotationLookMs)
  for (let i = 0; i < 1000 && held.ring.current === before; i += 1) await setImmediate()
  assert.equal(held.ring.current.record.id, next.record.id)

  // A request that sealed before the turn writes only now: the pause is there for it.
  const late = before.seal(secretName(5), new TextEncoder().encode('the 5th secret'))
  await database.transaction(async (tx) => {
    await tx
      .insertInto('store_meta')
      .values({ name: secretName(5), value: late })
      .execute()
  })
  assert.equal(await countOpened(database, held.ring), 6)
  await ring(requestSettledMs)
  for (let i = 0; i < 1000 && (await readRecords(database)).next; i += 1) await setImmediate()

  assert.equal((await readRecords(database)).current?.id, next.record.id)
  assert.equal(await countOpened(database, held.ring), 6)
  for (let i = 0; i < 6; i += 1) {
    const sealed = await readMeta(database, secretName(i))
    assert.ok(sealed && sealedUnder(sealed) === next.record.id)
  }
  await watch.stop()
})

test('a process that stops in the pause leaves the rotation to the next start', async () => {
  await using world = await makeWorld()
  const { database } = world
  const file = keyFile(world.keyPath, random)
  const first = await world.hold(file)
  await addSecrets(database, first.ring, 0, 3)
  const next = await file.fresh()
  assert.ok(next)
  await database.transaction((tx) => beginRotation(tx, next.record))
  const held = await world.hold(file)
  const { clock } = makeClock()
  const parts = { database, tables, clock, log: makeLog('silent'), held, providers: { present: file, old: null } }
  const watch = watchRotation(parts)
  for (let i = 0; i < 100; i += 1) await setImmediate()
  await watch.stop()
  assert.ok((await readRecords(database)).next)
  const again = await world.hold(file)
  assert.ok(again.isRotating)
  assert.equal(await countOpened(database, again.ring), 3)
})

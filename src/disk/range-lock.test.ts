import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RangeLock } from './range-lock.ts'

test('RangeLock serves conflicts in order of arrival and lets readers share', async () => {
  const lock = new RangeLock()
  const order: string[] = []
  const gates = new Map<string, () => void>()
  const run = (name: string, offset: number, exclusive: boolean): Promise<void> =>
    lock.run({ offset, byteCount: 10, exclusive }, async () => {
      order.push(name)
      await new Promise<void>((resolve) => gates.set(name, resolve))
    })
  const finish = async (name: string): Promise<void> => {
    gates.get(name)?.()
    await new Promise(setImmediate)
  }

  const all = [run('read 1', 0, false), run('read 2', 5, false), run('write 1', 5, true), run('read 3', 0, false)]
  all.push(run('write 2', 20, true), run('read 4', 12, false))
  assert.deepEqual(order, ['read 1', 'read 2', 'write 2'])
  await finish('read 1')
  await finish('read 2')
  assert.deepEqual(order.slice(3), ['write 1'])
  await finish('write 1')
  assert.deepEqual(order.slice(4), ['read 3'])
  await finish('write 2')
  assert.deepEqual(order.slice(5), ['read 4'])
  await finish('read 3')
  await finish('read 4')
  await Promise.all(all)
})

test('a claim on everything has its turn, however many others there are', async () => {
  const lock = new RangeLock()
  const done: string[] = []
  const places = Array.from({ length: 256 }, (_, i) => lock.tryClaim(i, 1, false))
  const everything = lock.run({ offset: 0, byteCount: 1000, exclusive: true }, async () => done.push('everything'))
  const later: Promise<number>[] = []
  for (const place of places) {
    lock.release(place)
    await nextTurn()
    // From the first release on it has a place, so what comes now is behind it.
    if (later.length < 20)
      later.push(lock.run({ offset: 500, byteCount: 1, exclusive: false }, async () => done.push('later')))
  }
  await everything
  await Promise.all(later)
  assert.equal(done[0], 'everything')
})

test('RangeLock has room for a few claims at a time and serves any number, each once', async () => {
  const lock = new RangeLock()
  let [running, most, served] = [0, 0, 0]
  const work = async (): Promise<void> => {
    running += 1
    most = Math.max(most, running)
    await new Promise(setImmediate)
    running -= 1
    served += 1
  }
  const claims = Array.from({ length: 5000 }, (_, index) =>
    lock.run({ offset: (index % 7) * 10, byteCount: 10, exclusive: index % 50 === 0 }, work),
  )
  await Promise.all(claims)
  assert.equal(served, 5000)
  assert.ok(most > 1 && most <= 256)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
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

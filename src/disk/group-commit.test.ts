import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupCommit } from './group-commit.ts'

function make() {
  const syncs: PromiseWithResolvers<void>[] = []
  const commits = new GroupCommit(() => {
    const sync = Promise.withResolvers<void>()
    syncs.push(sync)
    return sync.promise
  })
  return { syncs, commits }
}

test('whoever asks while a sync runs shares the next one', async () => {
  const { syncs, commits } = make()
  const first = commits.commit()
  const others = [commits.commit(), commits.commit(), commits.commit()]
  assert.equal(syncs.length, 1)
  syncs[0]?.resolve()
  await first
  await new Promise(setImmediate)
  assert.equal(syncs.length, 2)
  syncs[1]?.resolve()
  await Promise.all(others)
  assert.equal(syncs.length, 2)
})

test('after a sync has failed none is claimed to succeed', async () => {
  const { syncs, commits } = make()
  const first = commits.commit()
  const second = commits.commit()
  syncs[0]?.reject(new Error('EIO'))
  await assert.rejects(first, /EIO/)
  await assert.rejects(second, /EIO/)
  await assert.rejects(commits.commit(), /EIO/)
  assert.equal(syncs.length, 1)
  await commits.settle()
})

test('settle() waits for the last sync', async () => {
  const { syncs, commits } = make()
  void commits.commit()
  void commits.commit()
  let settled = false
  const settling = commits.settle().then(() => (settled = true))
  syncs[0]?.resolve()
  await new Promise(setImmediate)
  assert.equal(settled, false)
  syncs[1]?.resolve()
  await settling
})

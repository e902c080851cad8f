import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { holdDataFolder } from './data-folder.ts'
import { readMeta, writeMeta } from './meta.ts'
import { openSqlite } from './sqlite.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'keyward-store-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function open(t: TestContext, path = join(folder(t), 'db')) {
  const database = await openSqlite(path)
  t.after(() => database.close())
  return database
}

test('transaction() leaves nothing behind when its work rejects', async (t) => {
  const database = await open(t)
  await assert.rejects(
    database.transaction(async (tx) => {
      await writeMeta(tx, 'name', new Uint8Array([1]))
      throw new Error('stop')
    }),
    /stop/,
  )
  assert.equal(await readMeta(database, 'name'), null)
})

test('transaction() runs one at a time, in order, and reads see only what is committed', async (t) => {
  const database = await open(t)
  const order: string[] = []
  const slow = database.transaction(async (tx) => {
    await writeMeta(tx, 'name', new Uint8Array([1]))
    order.push('first began')
    assert.equal(await readMeta(database, 'name'), null)
    order.push('first ended')
  })
  const next = database.transaction(async (tx) => {
    order.push('second began')
    await writeMeta(tx, 'name', new Uint8Array([2]))
  })
  await Promise.all([slow, next])
  assert.deepEqual(order, ['first began', 'first ended', 'second began'])
  assert.deepEqual(await readMeta(database, 'name'), new Uint8Array([2]))
})

test('a failing transaction does not hold up the next', async (t) => {
  const database = await open(t)
  const failing = database.transaction(() => Promise.reject(new Error('stop')))
  const next = database.transaction((tx) => writeMeta(tx, 'name', new Uint8Array([3])))
  await assert.rejects(failing, /stop/)
  await next
  assert.deepEqual(await readMeta(database, 'name'), new Uint8Array([3]))
})

test('reads cannot write', async (t) => {
  const database = await open(t)
  const write = database.reads.insertInto('store_meta').values({ name: 'x', value: new Uint8Array() }).execute()
  await assert.rejects(write, /readonly/)
})

test('onCommit() calls back after a commit and not after a rollback', async (t) => {
  const database = await open(t)
  let commits = 0
  database.onCommit(() => commits++)
  await database.transaction((tx) => writeMeta(tx, 'name', new Uint8Array([1])))
  await assert.rejects(database.transaction(() => Promise.reject(new Error('stop'))))
  assert.equal(commits, 1)
})

test('openSqlite() brings an existing database up and keeps what is in it', async (t) => {
  const path = join(folder(t), 'db')
  const before = await openSqlite(path)
  await before.transaction((tx) => writeMeta(tx, 'name', new Uint8Array([7])))
  await before.close()
  const after = await open(t, path)
  assert.deepEqual(await readMeta(after, 'name'), new Uint8Array([7]))
})

test('openSqlite() refuses a file that is not a database, in one sentence', async (t) => {
  const path = folder(t)
  await assert.rejects(openSqlite(path), (error: Error) => /database .* cannot be opened/.test(error.message))
})

test('holdDataFolder() refuses a folder that is held', (t) => {
  const path = folder(t)
  const held = holdDataFolder(path)
  assert.throws(() => holdDataFolder(path), /in use by another process/)
  held.release()
  holdDataFolder(path).release()
})

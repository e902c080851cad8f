import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { holdDataFolder } from './data-folder.ts'
import { readMeta, writeMeta } from './meta.ts'
import { up } from './migrations/0006-kms-tally.ts'
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

test('a migration that does not come to its end leaves the schema of before', async (t) => {
  const path = join(folder(t), 'db')
  const foreign = new DatabaseSync(path)
  // The last migration will stumble over it, after all the others have done their part.
  foreign.exec('create table vpc_volume (x)')
  await assert.rejects(openSqlite(path), /could not be brought to the schema/)
  const tables = foreign.prepare("select name from sqlite_master where type = 'table'").all()
  assert.deepEqual(
    tables.map((row) => row['name']),
    ['vpc_volume'],
  )
  foreign.exec('drop table vpc_volume')
  foreign.close()
  await open(t, path)
})

test('a full disk is said as such, and the next transaction can go on', async (t) => {
  const path = join(folder(t), 'db')
  const database = await open(t, path)
  const limit = async (pages: number): Promise<void> => {
    await database.transaction((tx) => sql`pragma max_page_count = ${sql.lit(pages)}`.execute(tx))
  }
  await limit(1)
  const large = new Uint8Array(1024 * 1024)
  await assert.rejects(
    database.transaction((tx) => writeMeta(tx, 'name', large)),
    { name: 'Fault', code: 'unavailable', message: 'the disk of the database is full' },
  )
  await limit(1_000_000)
  await database.transaction((tx) => writeMeta(tx, 'name', large))
})

test('registrations of before the tally are counted by its migration', async (t) => {
  const path = join(folder(t), 'db')
  await (await openSqlite(path)).close()
  const old = new DatabaseSync(path)
  old.exec(`
    drop table kms_registration_tally; drop table kms_registration;
    create table kms_registration (
      key_id text not null references kms_key (id), resource_crn text not null, key_version_id text not null,
      service_name text not null, account_id text not null, created_at integer not null, updated_at integer not null,
      description text not null, prevent_key_deletion integer not null, metadata text, primary key (key_id, resource_crn),
      foreign key (key_id, key_version_id) references kms_key_version (key_id, id));
    create index kms_registration_service on kms_registration (service_name, resource_crn);
    create index kms_registration_version on kms_registration (key_id, key_version_id, service_name);
    insert into kms_instance values ('i', 'kms', 'a', 'r', 'g', 0, '{}');
    insert into kms_key (id, instance_id, key_ring, name, tags, extractable, imported, state, created_at, created_by,
                         updated_at, state_changed_at, policies)
      values ('k', 'i', 'default', 'n', '[]', 0, 0, 1, 0, 'x', 0, 0, '{}');
    insert into kms_key_version values ('k', 'v1', 1, 0, x'00'), ('k', 'v2', 2, 100, x'00');
    insert into kms_registration values
      ('k', 'r1', 'v1', 's', 'b', 50, 50, '', 0, null), ('k', 'r2', 'v2', 's', 'b', 50, 150, '', 0, null),
      ('k', 'r3', 'v2', 's', 'b', 120, 120, '', 0, null), ('k', 'r4', 'v2', 's', 'c', 120, 120, '', 0, null)`)
  old.close()
  const database = await open(t, path)
  // Migrations know no schema: theirs is that of their time.
  await database.transaction((tx) => up(tx as unknown as Kysely<unknown>))
  const tally = await database.reads.selectFrom('kms_registration_tally').selectAll().execute()
  assert.deepEqual(tally.map((row) => [row.key_version_id, row.account_id, row.registrations, row.followed]).sort(), [
    ['v1', 'b', 1, 0],
    ['v2', 'b', 2, 1],
    ['v2', 'c', 1, 0],
  ])
})

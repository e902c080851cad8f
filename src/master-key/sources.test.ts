import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { keyFile, keyFromText } from './key-file.ts'
import { passphrase } from './passphrase.ts'
import { parseRecord, formatRecord } from './records.ts'
import { makeWorld, random } from './testing/world.ts'

const refused = (pattern: RegExp) => (error: unknown) => error instanceof Error && pattern.test(error.message)

test('a key file is made once, for its owner alone, and found again', async () => {
  await using world = await makeWorld()
  const file = keyFile(world.keyPath, random)
  using made = await file.first()
  assert.equal(statSync(world.keyPath).mode & 0o777, 0o600)
  const text = readFileSync(world.keyPath)
  using again = await file.first()
  assert.deepEqual(again.record, made.record)
  assert.deepEqual(readFileSync(world.keyPath), text)
  using found = await file.find(made.record)
  assert.deepEqual(found?.open('p', made.seal('p', Uint8Array.of(1))), Uint8Array.of(1))
  assert.equal(await file.find({ kind: 'key', id: '0'.repeat(32) }), null)
})

test('a key file that others can read, that holds something else, or that is gone is refused', async () => {
  await using world = await makeWorld()
  const file = keyFile(world.keyPath, random)
  using made = await file.first()
  chmodSync(world.keyPath, 0o640)
  await assert.rejects(file.find(made.record), refused(/chmod 600/))
  chmodSync(world.keyPath, 0o600)
  writeFileSync(world.keyPath, 'AAAA')
  await assert.rejects(file.find(made.record), refused(/does not hold a master key/))
  rmSync(world.keyPath)
  await assert.rejects(file.find(made.record), refused(/is missing/))
  assert.ok(!existsSync(world.keyPath))
})

test('a key from the environment is what it is, and no other can be made there', async () => {
  const text = Buffer.alloc(32, 5).toString('base64')
  const source = keyFromText(text, 'KEYWARD_MASTER_KEY', random)
  using key = await source.first()
  using found = await source.find(key.record)
  assert.ok(found)
  assert.equal(await source.find({ kind: 'key', id: 'f'.repeat(32) }), null)
  assert.equal(await source.fresh(), null)
  await assert.rejects(keyFromText('x', 'KEYWARD_MASTER_KEY', random).first(), refused(/does not hold a master key/))
})

test('a passphrase gives its key again by what the record keeps, and nothing else does', async () => {
  await using world = await makeWorld()
  const path = join(world.folder, 'passphrase')
  writeFileSync(path, 'correct horse battery staple\n', { mode: 0o600 })
  using made = await passphrase({ path }, random).first()
  assert.equal(made.record.kind, 'passphrase')
  const stored = parseRecord(formatRecord(made.record))
  assert.ok(!JSON.stringify(stored).includes('horse'))

  using typed = await passphrase({ text: 'correct horse battery staple', name: 'KEYWARD_PASSPHRASE' }, random).find(
    stored,
  )
  assert.deepEqual(typed?.open('p', made.seal('p', Uint8Array.of(1))), Uint8Array.of(1))
  const other = passphrase({ text: 'correct horse battery stable', name: 'KEYWARD_PASSPHRASE' }, random)
  assert.equal(await other.find(stored), null)
  const short = passphrase({ text: 'hunter2', name: 'KEYWARD_PASSPHRASE' }, random)
  await assert.rejects(short.first(), refused(/KEYWARD_PASSPHRASE is too short/))
})

test('a record from elsewhere cannot ask for all memory there is, nor be anything else', async () => {
  const source = passphrase({ text: 'correct horse battery staple', name: 'KEYWARD_PASSPHRASE' }, random)
  const argon2id = { salt: '0'.repeat(32), memoryKib: 2 ** 30, passes: 1, lanes: 1 }
  await assert.rejects(source.find({ kind: 'passphrase', id: '0'.repeat(32), argon2id }), refused(/higher than/))
  for (const text of ['', '[]', '{}', '{"kind":"key"}', '{"kind":"key","id":"x"}', '{"kind":"passphrase","id":"0"}']) {
    assert.throws(() => parseRecord(new TextEncoder().encode(text)), refused(/cannot be read/), text)
  }
})

// The tamper-evident audit log over HTTP, judged by somebody who has nothing but its answers, and by the command line.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { hashLeaf, verifyConsistency } from '#crypto/merkle-tree.ts'
import { parseVerifier, verifyProof } from '#crypto/signed-note.ts'
import { entriesOf, logOf, opened, placeOf, rootOf } from './harness/audit-log.ts'
import { embeddedOnly } from '../src/store/testing/open.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { makeRootKey } from './harness/story.ts'

test('every record of the trail is in the log, which only grows', async (t) => {
  const { a } = await startServer(t, tempFolder(t))
  const empty = opened(await logOf(a, '/checkpoint'))
  assert.equal(empty.size, 0)
  await makeRootKey(a)
  const before = opened(await logOf(a, '/checkpoint'))
  assert.ok(before.size > 0)
  for (let i = 0; i < 3; i += 1) await a.kms(200, 'GET', '/keys')

  const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?account_id=${a.account.id}&order=oldest`)
  const entries = await entriesOf(a, 2)
  assert.deepEqual(
    entries.map((entry) => JSON.parse(entry)),
    records,
  )
  const after = opened(await logOf(a, '/checkpoint'))
  assert.equal(after.size, entries.length)
  assert.deepEqual(rootOf(entries), after.root)
  assert.deepEqual(rootOf(entries.slice(0, before.size)), before.root)

  const consistency = await logOf(a, `/consistency?old_size=${before.size}`)
  const hashes: Uint8Array[] = consistency.hashes.map((hash: string) => new Uint8Array(Buffer.from(hash, 'base64')))
  const grown = { oldSize: before.size, oldRoot: before.root, size: after.size, root: after.root, proof: hashes }
  assert.ok(verifyConsistency(grown))
  await a.expect(400, 'GET', `${placeOf(a)}/consistency?old_size=${after.size + 1}`)
})

test('a record is proved offline, and a changed one is not', async (t) => {
  const { a } = await startServer(t, tempFolder(t))
  await makeRootKey(a)
  const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?account_id=${a.account.id}`)
  const file = await logOf(a, `/records/${records[0].id}`)
  assert.deepEqual(JSON.parse(file.entry), records[0])
  const verifier = parseVerifier(file.verifier)
  assert.ok(verifier && verifyProof(file.proof, hashLeaf(Buffer.from(file.entry)), verifier))

  const path = join(tempFolder(t), 'record.json')
  writeFileSync(path, JSON.stringify(file))
  const proved = keyward('verify', path, '--key', file.verifier)
  assert.equal(proved.status, 0, proved.stderr)
  assert.match(proved.stdout, /^proved: /)
  assert.match(keyward('verify', path).stdout, /Compare it with the one you trust/)

  writeFileSync(path, JSON.stringify({ ...file, entry: file.entry.replace('success', 'failure') }))
  const refused = keyward('verify', path, '--key', file.verifier)
  assert.equal(refused.status, 1)
  assert.match(refused.stderr, /NOT proved/)
})

test('the log of an account is read by whoever its policies let, and its records are found in no other', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  await makeRootKey(a)
  await b.kms(200, 'GET', '/keys')
  const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?account_id=${a.account.id}`)
  for (const path of ['/checkpoint', '/entries', '/consistency?old_size=0', `/records/${records[0].id}`])
    await b.expect(403, 'GET', `${placeOf(a)}${path}`)
  await b.expect(404, 'GET', `${placeOf(b)}/records/${records[0].id}`)
  await a.expect(404, 'GET', `${placeOf(a)}/records/nothing`)
  for (const wrong of ['/entries?start=-1', '/entries?start=x', '/entries?limit=0', '/consistency'])
    await a.expect(400, 'GET', `${placeOf(a)}${wrong}`)
})

test('whoever changes a record in the database is seen', embeddedOnly, async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  await makeRootKey(first.a)
  const kept = opened(await logOf(first.a, '/checkpoint'))
  await first.stop()

  const database = new DatabaseSync(join(folder, 'keyward.db'))
  const changed = database.prepare(`update event_audit set body = replace(body, '"success"', '"failure"')`).run()
  assert.ok(Number(changed.changes) > 0)
  database.close()

  const { a } = await startServer(t, folder)
  assert.notDeepEqual(rootOf(await entriesOf(a, 100)), kept.root)
  const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?account_id=${a.account.id}&order=oldest`)
  const file = await logOf(a, `/records/${records[0].id}`)
  const verifier = parseVerifier(file.verifier)
  assert.ok(verifier)
  assert.equal(verifyProof(file.proof, hashLeaf(Buffer.from(file.entry)), verifier), null)
})

function keyward(...args: readonly string[]) {
  const main = resolve(import.meta.dirname, '../bin/keyward.mjs')
  return spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], { encoding: 'utf8' })
}

// The tamper-evident audit log over HTTP, judged by somebody who has nothing but its answers, and by the command line.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { appendLeaves, rootHash } from '#crypto/merkle-tiles.ts'
import { hashLeaf, verifyConsistency } from '#crypto/merkle-tree.ts'
import { openNote, parseCheckpoint, parseVerifier, verifyProof } from '#crypto/signed-note.ts'
import type { Checkpoint } from '#crypto/signed-note.ts'
import type { Api, Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { makeRootKey } from './harness/story.ts'

const placeOf = (api: Api): string => `/keyward/v1/accounts/${api.account.id}/audit_log`
const logOf = (api: Api, path: string): Promise<Json> => api.expect(200, 'GET', `${placeOf(api)}${path}`)

/** The checkpoint that an answer carries, if its signature holds. */
function opened({ checkpoint, verifier }: Json): Checkpoint {
  const key = parseVerifier(verifier)
  assert.ok(key, 'a verifier')
  const text = openNote(checkpoint, key)
  assert.ok(text !== null, 'a signature')
  const parsed = parseCheckpoint(text)
  assert.ok(parsed, 'a checkpoint')
  assert.equal(parsed.origin, key.name)
  return parsed
}

async function entriesOf(api: Api, limit: number): Promise<string[]> {
  const all: string[] = []
  for (let start: number | undefined = 0; start !== undefined; ) {
    const page: Json = await logOf(api, `/entries?start=${start}&limit=${limit}`)
    all.push(...page.entries)
    start = page.next
  }
  return all
}

function rootOf(entries: readonly string[]): Uint8Array {
  assert.ok(entries.length < 256, 'one tile')
  const tiles = appendLeaves(
    0,
    [],
    entries.map((entry) => hashLeaf(Buffer.from(entry))),
  )
  return rootHash(entries.length, () => tiles[0]?.hashes ?? new Uint8Array(0))
}

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

test('whoever changes a record in the database is seen', async (t) => {
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

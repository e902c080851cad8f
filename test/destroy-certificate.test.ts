// What is left of a purged key: the owner's certificate and the users' parts of it, judged by somebody who has nothing but
// the files. Every byte of them counts; without a purge there is none, and a kill leaves none without the other.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { verifyBytes } from '../src/cli/verify.ts'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import {
  authorization,
  keyPath,
  makeAccount,
  makeRootKey,
  makeVolume,
  permitPurge,
  purgeWaitSeconds,
} from './harness/story.ts'

const partPath = (volume: Json, key?: Json): string =>
  `/keyward/v1/destroyed_data_keys?resource_crn=${encodeURIComponent(volume.crn)}${key ? `&key_crn=${encodeURIComponent(key.crn)}` : ''}`

/** The answer to the byte, as `curl -o FILE` has it. */
async function fileOf(reader: Api, path: string, baseUrl: string): Promise<Buffer> {
  const response = await fetch(`${baseUrl}${path}`, { headers: { authorization: `Bearer ${await reader.token()}` } })
  assert.equal(response.status, 200)
  return Buffer.from(await response.arrayBuffer())
}

const verifierOf = async (reader: Api): Promise<string> =>
  (await reader.expect(200, 'GET', `/keyward/v1/accounts/${reader.account.id}/audit_log/checkpoint`)).verifier

const isProved = (bytes: Buffer, verifier?: string): boolean => {
  try {
    return verifyBytes(bytes, 'file', verifier).startsWith('proved: ')
  } catch {
    return false
  }
}

/** Each byte changed in two ways, one of which turns the case of a letter. */
function tamper(file: Buffer, verifier: string): void {
  assert.ok(isProved(file, verifier), 'as it came')
  for (let at = 0; at < file.length; at += 1) {
    for (const mask of [0x01, 0x20]) {
      const changed = Buffer.from(file)
      changed[at] = (changed[at] ?? 0) ^ mask
      assert.ok(!isProved(changed, verifier), `byte ${at} ^ ${mask}: ${changed.subarray(at - 20, at + 20).toString()}`)
    }
  }
  for (const length of [0, 1, file.length - 1]) assert.ok(!isProved(file.subarray(0, length), verifier))
  assert.ok(!isProved(Buffer.concat([file, Buffer.from(' ')]), verifier))
}

test('a purged key leaves a certificate for its owner, and each user the proof of its own data keys', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b, advance, baseUrl } = server
  const c = await makeAccount(server, 'C')
  const iamId = await permitPurge(a)
  const key = await makeRootKey(a)
  for (const user of [b, c]) await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, user) })
  const [ofB, gone, ofC] = [await makeVolume(b, key.crn), await makeVolume(b, key.crn), await makeVolume(c, key.crn)]
  const wrapped = wrappedKeys(server)
  for (const volume of [ofB, gone, ofC]) assert.equal(wrapped(volume).length, 1)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
  // The wrapped keys of both versions die; those of a volume that was deleted before as well.
  for (const volume of [ofB, gone, ofC]) while (wrapped(volume).length < 2) await setTimeout(50)
  await b.vpc(204, 'DELETE', `/volumes/${gone.id}`)

  const certificate = keyPath(key, 'destroy_certificate')
  const none = async (): Promise<void> => {
    await a.expect(404, 'GET', certificate)
    for (const user of [b, c]) await user.expect(404, 'GET', partPath(user === b ? ofB : ofC))
  }
  await none()
  await a.kms(204, 'DELETE', `/keys/${key.id}?force=true`)
  await none()
  await a.kms(409, 'DELETE', `/keys/${key.id}/purge`)
  await none()
  await advance(purgeWaitSeconds)
  await a.kms(204, 'DELETE', `/keys/${key.id}/purge`)

  const own = await fileOf(a, certificate, baseUrl)
  const whole: Json = JSON.parse(own.toString())
  assert.deepEqual(
    { ...JSON.parse(whole.persons), salt: '' },
    { deleted_by: iamId, approved_by: null, purged_by: iamId, salt: '' },
  )
  assert.match(whole.statement, new RegExp(`^keyward destroy certificate v1\nkey ${key.crn}\n`))
  assert.match(whole.statement, /\nrule requested\n/)
  assert.equal(whole.statement.match(/\nversion /g).length, 2)
  const count = [ofB, gone, ofC].reduce((sum, volume) => sum + wrapped(volume).length, 0)
  assert.match(whole.statement, new RegExp(`\ndata-keys ${count} `))
  const byId = await a.expect(200, 'GET', `/keyward/v1/keys/${key.id}/destroy_certificate`)
  assert.deepEqual([byId.statement, byId.persons, byId.entry], [whole.statement, whole.persons, whole.entry])

  const folder = tempFolder(t)
  const verify = (bytes: Buffer, verifier: string) => {
    const path = join(folder, 'certificate.json')
    writeFileSync(path, bytes)
    const main = resolve(import.meta.dirname, '../bin/keyward.mjs')
    const args = ['--disable-warning=ExperimentalWarning', main, 'verify', path, '--key', verifier]
    return spawnSync(process.execPath, args, { encoding: 'utf8' })
  }
  const proved = verify(own, await verifierOf(a))
  assert.equal(proved.status, 0, proved.stderr)
  assert.match(proved.stdout, new RegExp(`^proved: the key ${key.crn}\n.*\nwith 2 versions .* and ${count} wrapped`))

  for (const [user, volume] of [
    [b, ofB],
    [b, gone],
    [c, ofC],
  ] as const) {
    const file = await fileOf(user, partPath(volume, key), baseUrl)
    const part: Json = JSON.parse(file.toString())
    assert.deepEqual((await user.expect(200, 'GET', partPath(volume))).data_keys, part.data_keys)
    assert.equal(part.statement, whole.statement)
    const leaves = part.data_keys.map(({ leaf }: Json) => JSON.parse(leaf))
    assert.deepEqual(
      leaves.map((leaf: Json) => [leaf.resource_crn, leaf.wrapped_key_sha256]),
      wrapped(volume).map((hash) => [volume.crn, hash]),
    )
    assert.equal(file.includes(iamId), false, 'who did it is not told')
    assert.ok(
      [ofB, gone, ofC].every((other) => other === volume || !file.includes(other.crn)),
      'nor of the others',
    )
    assert.equal(verify(file, await verifierOf(user)).status, 0)
    assert.ok(!isProved(file, await verifierOf(a)), 'it is of the log of its own account')
  }

  await t.test('not a byte of it may differ', async () => {
    tamper(own, await verifierOf(a))
    tamper(await fileOf(b, partPath(ofB), baseUrl), await verifierOf(b))
    const part: Json = JSON.parse((await fileOf(b, partPath(ofB), baseUrl)).toString())
    const other: Json = JSON.parse((await fileOf(c, partPath(ofC), baseUrl)).toString())
    const swapped = { ...part, data_keys: other.data_keys }
    assert.ok(!isProved(Buffer.from(JSON.stringify(swapped)), await verifierOf(b)), 'the leaves of somebody else')
    assert.ok(!isProved(Buffer.from(JSON.stringify({ ...part, data_keys: [] })), await verifierOf(b)))
  })

  await t.test('nobody reads the certificate of another account', async () => {
    await b.expect(404, 'GET', certificate)
    await b.expect(403, 'GET', `${certificate}?account_id=${a.account.id}`)
    await b.expect(404, 'GET', partPath(ofC))
    await b.expect(403, 'GET', `${partPath(ofC)}&account_id=${c.account.id}`)
    await a.expect(404, 'GET', partPath(ofB))
    await a.expect(404, 'GET', '/keyward/v1/keys/nothing/destroy_certificate')
    await a.expect(400, 'GET', '/keyward/v1/destroyed_data_keys')
    await a.expect(404, 'GET', `${partPath(ofB)}&key_crn=nothing`)
  })
})

test('after a kill in the middle of purges each key has both, its end and its certificate, or neither', async (t) => {
  const folder = tempFolder(t)
  let server = await startServer(t, folder)
  await permitPurge(server.a)
  await server.a.expect(201, 'POST', '/v1/policies', { body: authorization(server.a, server.b) })
  const keys: Json[] = []
  for (let n = 0; n < 12; n += 1) keys.push(await makeRootKey(server.a, `key ${n}`))
  const volume = await makeVolume(server.b, keys[0].crn)
  for (const { id } of keys) await server.a.kms(204, 'DELETE', `/keys/${id}?force=true`)
  await server.advance(purgeWaitSeconds)
  const { a } = server
  // The first has ended when the process is killed, the others are on their way.
  await a.kms(204, 'DELETE', `/keys/${keys[0].id}/purge`)
  const ends = Promise.allSettled(keys.slice(1).map(({ id }) => a.kms(204, 'DELETE', `/keys/${id}/purge`)))
  await setTimeout(20)
  await server.kill()
  await ends

  server = await startServer(t, folder)
  const verifier = await verifierOf(server.a)
  const states: string[] = []
  for (const key of keys) {
    const { status } = await server.a.send('GET', `/api/v2/keys/${key.id}/metadata`, {
      headers: { 'bluemix-instance': server.a.account.kmsInstanceId },
    })
    states.push(status === 404 ? 'purged' : 'deleted')
    if (status === 404)
      assert.ok(isProved(await fileOf(server.a, keyPath(key, 'destroy_certificate'), server.baseUrl), verifier))
    else await server.a.expect(404, 'GET', keyPath(key, 'destroy_certificate'))
  }
  assert.equal(states[0], 'purged')
  assert.ok(isProved(await fileOf(server.b, partPath(volume), server.baseUrl), await verifierOf(server.b)))
})

test('keys that nobody purges are purged in time, or with their instance, and leave certificates too', async (t) => {
  const { a, advance } = await startServer(t, tempFolder(t), ['--audit-retention-days', '1'])
  const ruleOf = async (key: Json): Promise<string> => {
    const { body } = await until(
      () => a.send('GET', keyPath(key, 'destroy_certificate')),
      ({ status }) => status === 200,
    )
    assert.ok(isProved(Buffer.from(JSON.stringify(body)), await verifierOf(a)))
    assert.equal(JSON.parse(body.persons).purged_by, null)
    return body.statement.match(/\nrule (.*)\n/)[1]
  }
  const due = await makeRootKey(a, 'due')
  await a.kms(204, 'DELETE', `/keys/${due.id}`)
  await advance(91 * 24 * 3600)
  assert.equal(await ruleOf(due), 'retention')
  const within = await makeRootKey(a, 'within')
  await a.kms(204, 'DELETE', `/keys/${within.id}`)
  const { resources } = await a.expect(200, 'GET', '/v2/resource_instances')
  const { id } = resources.find(({ guid }: Json) => guid === a.account.kmsInstanceId)
  await a.expect(204, 'DELETE', `/v2/resource_instances/${encodeURIComponent(id)}`)
  assert.equal(await ruleOf(within), 'instance-deleted')
  // The trail is pruned; what certificates are proved by stays.
  await advance(3 * 24 * 3600)
  assert.deepEqual([await ruleOf(due), await ruleOf(within)], ['retention', 'instance-deleted'])
})

/** SHA-256 of the wrapped data keys that block storage has held for a volume, as a reader of its database saw them. */
function wrappedKeys({ folder }: Server): (volume: Json) => readonly string[] {
  const database = new DatabaseSync(join(folder, 'keyward.db'), { readOnly: true })
  const held = database.prepare('select wrapped_data_key from vpc_volume where id = ?')
  const seen = new Map<string, string[]>()
  return ({ id }) => {
    const row = held.get(id)
    const hashes = seen.get(id) ?? []
    const wrapped = row?.['wrapped_data_key']
    if (wrapped instanceof Uint8Array) {
      const hash = createHash('sha256').update(wrapped).digest('hex')
      if (!hashes.includes(hash)) seen.set(id, [...hashes, hash])
    }
    return seen.get(id) ?? []
  }
}

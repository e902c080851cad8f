// Snapshots and what is restored from them, from outside: real HTTP, real NBD clients, the files on disk. A owns the keys, B
// the volume and its snapshots, C is another account that restores from B's snapshot by its CRN.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { nbdsh, run, tlsUri } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import {
  attach,
  authorization,
  makeAccount,
  makeRootKey,
  makeVolume,
  restoreBody,
  restoreVolume,
  snapshotIs,
  takeSnapshot,
  volumeBody,
  volumeIs,
} from './harness/story.ts'

const text = 'what B wrote before the snapshot'
const later = 'what B wrote after it was taken.'

const write = (uri: string, what: string): string => nbdsh(uri, `h.pwrite(b"${what}", 8192); h.flush()`)
const read = (uri: string): string => nbdsh(uri, `print(h.pread(${text.length}, 8192).decode())`)

const imageOf = (folder: string, id: string): string => join(folder, 'volumes', id, 'volume.luks')

async function contents(user: Api, volumeId: string, folder: string): Promise<string> {
  return read(tlsUri((await attach(user, volumeId)).connection, folder))
}

const registrationsOn = async (owner: Api, keyId: string): Promise<readonly string[]> => {
  const { resources = [] } = await owner.kms(200, 'GET', `/keys/${keyId}/registrations`)
  return resources.map(({ resourceCrn }: { resourceCrn: string }) => resourceCrn).sort()
}

const gone = (user: Api, path: string): Promise<unknown> =>
  until(
    () => user.send('GET', `/v1${path}?version=2026-03-24&generation=2`),
    ({ status }) => status === 404,
  )

test('a snapshot holds a moment, volumes come from it, and all of them follow the key', async (t) => {
  const folder = tempFolder(t)
  const { a, b, advance } = await startServer(t, folder)
  const key = await makeRootKey(a)
  const other = await makeRootKey(a, 'other')
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, key.crn, { name: 'source' })

  await t.test('a first-generation volume that no running instance has cannot be captured', async () => {
    const refused = await b.vpc(409, 'POST', '/snapshots', { source_volume: { id: volume.id } })
    assert.equal(refused.errors[0].code, 'snapshots_source_volume_not_attached')
  })

  const { connection } = await attach(b, volume.id)
  const uri = tlsUri(connection, folder)
  write(uri, text)

  let snapshot: Json
  await t.test('while it is being taken its volume is busy; then it shows what it is', async () => {
    const body = { source_volume: { crn: volume.crn }, name: 'moment', user_tags: ['Env:Test'] }
    const pending = await b.vpc(201, 'POST', '/snapshots', body)
    assert.equal(pending.bootable, false)
    assert.deepEqual(pending.encryption_key, { crn: key.crn })
    snapshot = await snapshotIs(b, pending.id, 'stable')
    assert.deepEqual([snapshot.progress, snapshot.minimum_capacity, snapshot.size], [100, 10, 1])
    assert.deepEqual(snapshot.user_tags, ['env:test'])
    assert.equal(snapshot.source_volume.name, 'source')
    assert.ok(Date.parse(snapshot.captured_at) >= Date.parse(snapshot.created_at))
    assert.match(run('cryptsetup', 'luksDump', imageOf(folder, snapshot.id)).stdout, /cipher: aes-xts-plain64/)
  })

  await t.test('it is registered on the root key beside its volume', async () => {
    assert.deepEqual(await registrationsOn(a, key.id), [snapshot.crn, volume.crn].sort())
    const refused = await a.kms(409, 'DELETE', `/keys/${key.id}`)
    assert.equal(refused.resources[0].reasons[0].code, 'PROTECTED_RESOURCE_ERR')
  })

  write(uri, later)

  let same: Json
  await t.test('a volume under the same key has what the snapshot held', async () => {
    same = await restoreVolume(b, { id: snapshot.id }, { name: 'same' })
    assert.deepEqual([same.capacity, same.encryption_key.crn], [10, key.crn])
    assert.deepEqual([same.source_snapshot.id, same.source_snapshot.remote], [snapshot.id, undefined])
    assert.deepEqual([same.health_state, same.busy], ['ok', false])
    assert.equal(await contents(b, same.id, folder), text)
    assert.equal(read(uri), later)
  })

  await t.test('so does a larger one under another key, which the first key’s end does not touch', async () => {
    const grown = await restoreVolume(b, { crn: snapshot.crn }, { capacity: 12, encryption_key: { crn: other.crn } })
    const { connection: there } = await attach(b, grown.id)
    assert.equal(nbdsh(there.unix_uri, 'print(h.get_size())'), String(12 * 1024 ** 3))
    assert.equal(read(tlsUri(there, folder)), text)
    assert.deepEqual(await registrationsOn(a, other.id), [grown.crn])
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    await snapshotIs(b, snapshot.id, 'unusable')
    await volumeIs(b, same.id, 'unusable')
    assert.equal(read(tlsUri(there, folder)), text)
  })

  await t.test('with its key disabled nothing is taken or restored; with the key back all goes on', async () => {
    const taken = await b.vpc(409, 'POST', '/snapshots', { source_volume: { id: volume.id } })
    assert.match(taken.errors[0].message, /encryption_key_disabled/)
    const restored = await b.vpc(409, 'POST', '/volumes', restoreBody({ id: snapshot.id }))
    assert.deepEqual([restored.errors[0].code, restored.errors[0].target.name], ['invalid_state', 'source_snapshot'])
    // Key Protect: a key is enabled again half a minute after it was disabled at the earliest.
    await advance(60)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
    await snapshotIs(b, snapshot.id, 'stable')
    await volumeIs(b, same.id, 'available')
  })

  await t.test('after a rotation it is wrapped by the newest version, and opens', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
    const newest = (await a.kms(200, 'GET', `/keys/${key.id}/metadata`)).resources[0].keyVersion.id
    await until(
      () => a.kms(200, 'GET', `/keys/${key.id}/registrations`),
      ({ resources }) => resources.every((one: Json) => one.keyVersion.id === newest),
    )
    const again = await restoreVolume(b, { href: snapshot.href })
    assert.equal(await contents(b, again.id, folder), text)
  })

  await t.test('deleted, it leaves neither image nor registration, and what came from it lives on', async () => {
    await b.vpc(202, 'DELETE', `/snapshots/${snapshot.id}`)
    await gone(b, `/snapshots/${snapshot.id}`)
    assert.ok(!existsSync(imageOf(folder, snapshot.id)))
    assert.ok(!(await registrationsOn(a, key.id)).includes(snapshot.crn))
    assert.ok((await b.vpc(200, 'GET', `/volumes/${same.id}`)).source_snapshot.deleted.more_info)
  })
})

test('a provider-managed volume has provider-managed snapshots, to which a restored volume may add a key', async (t) => {
  const folder = tempFolder(t)
  const { a, b } = await startServer(t, folder)
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const { id } = await b.vpc(201, 'POST', '/volumes', { ...volumeBody(''), encryption_key: undefined })
  await volumeIs(b, id, 'available')
  write(tlsUri((await attach(b, id)).connection, folder), text)
  const snapshot = await takeSnapshot(b, id)
  assert.deepEqual([snapshot.encryption, snapshot.encryption_key], ['provider_managed', undefined])
  const plain = await restoreVolume(b, { id: snapshot.id })
  const keyed = await restoreVolume(b, { id: snapshot.id }, { encryption_key: { crn: key.crn } })
  assert.deepEqual([plain.encryption, keyed.encryption], ['provider_managed', 'user_managed'])
  for (const one of [plain, keyed]) assert.equal(await contents(b, one.id, folder), text)
})

test('C restores from B’s snapshot under A’s key when, and only when, everybody concerned has said so', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b } = server
  const c = await makeAccount(server, 'C')
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, key.crn)
  write(tlsUri((await attach(b, volume.id)).connection, folder), text)
  const snapshot = await takeSnapshot(b, volume.id, { name: 'shared' })
  const unknown = `${snapshot.crn.slice(0, -12)}000000000000`
  const restore = (status: number, crn = snapshot.crn) => c.vpc(status, 'POST', '/volumes', restoreBody({ crn }))

  await t.test('C cannot see it, nor name it by id or href', async () => {
    await c.vpc(404, 'GET', `/snapshots/${snapshot.id}`)
    assert.equal((await c.vpc(200, 'GET', '/snapshots')).total_count, 0)
    for (const source of [{ id: snapshot.id }, { href: snapshot.href }]) {
      const refused = await c.vpc(400, 'POST', '/volumes', restoreBody(source))
      assert.equal(refused.errors[0].code, 'snapshots_not_found')
    }
  })

  await t.test(
    'without B’s authorization C learns what is missing in B, and not whether the snapshot exists',
    async () => {
      const [real, made] = [await restore(403), await restore(403, unknown)]
      assert.equal(real.errors[0].code, 'snapshots_not_authorized')
      assert.ok(real.errors[0].message.includes(b.account.id))
      const blind = (answer: Json) =>
        JSON.stringify({ ...answer, trace: '' }).replaceAll(snapshot.crn.slice(-12), '0'.repeat(12))
      assert.ok(blind(real) === blind(made), 'the two refusals say the same')
      // The refusal's own remedy is a body that B can send as it is.
      assert.equal(real.explanation.account, b.account.id)
      await b.expect(201, 'POST', '/v1/policies', { body: real.explanation.missingPolicy })
    },
  )

  await t.test('then C’s user lacks the right to take over what is another account’s', async () => {
    const refused = await restore(403)
    assert.equal(refused.explanation.account, c.account.id)
    await c.expect(201, 'POST', '/v1/policies', { body: refused.explanation.missingPolicy })
  })

  await t.test('then C’s block storage lacks the use of the key, which is A’s to give', async () => {
    const refused = await restore(400)
    assert.equal(refused.errors[0].code, 'volume_encryption_key_not_authorized')
    await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, c) })
  })

  let restored: Json
  let restoredUri = ''
  await t.test('then C has the volume, which says where it comes from', async () => {
    restored = await restoreVolume(c, { crn: snapshot.crn })
    assert.equal(restored.encryption_key.crn, key.crn)
    assert.equal(restored.source_snapshot.name, 'shared')
    assert.deepEqual(restored.source_snapshot.remote.account, { id: b.account.id, resource_type: 'account' })
    restoredUri = tlsUri((await attach(c, restored.id)).connection, folder)
    assert.equal(read(restoredUri), text)
    assert.ok((await registrationsOn(a, key.id)).includes(restored.crn))
  })

  await t.test('B may withdraw it: what C has stays, and nothing more is restored', async () => {
    const { policies } = await b.expect(200, 'GET', `/v1/policies?account_id=${b.account.id}&type=authorization`)
    for (const { id } of policies) await b.expect(204, 'DELETE', `/v1/policies/${id}`)
    await restore(403)
    await b.vpc(202, 'DELETE', `/snapshots/${snapshot.id}`)
    await gone(b, `/snapshots/${snapshot.id}`)
    assert.equal((await c.vpc(200, 'GET', `/volumes/${restored.id}`)).source_snapshot.deleted, undefined)
    assert.equal(read(restoredUri), text)
  })
})

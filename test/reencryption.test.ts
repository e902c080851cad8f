// A volume that goes from one key to another while a machine works on it, from outside.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { nbdsh, startNbdsh, tlsUri } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, connect, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

const reencrypt = (id: string) => `/keyward/v1/volumes/${id}/reencrypt`
const progress = (id: string) => `/keyward/v1/volumes/${id}/reencryption`

const isDone = (user: Api, id: string): Promise<Json> =>
  until(
    () => user.expect(200, 'GET', progress(id)),
    ({ status }) => status === 'done',
  )

const usersOf = async (owner: Api, keyId: string): Promise<readonly string[]> => {
  const { resources } = await owner.kms(200, 'GET', `/keys/${keyId}/registrations`)
  return (resources ?? []).map(({ resourceCrn }: Json) => resourceCrn)
}

const writeMegabytes = [
  'import os',
  'for i in range(12): h.pwrite(i.to_bytes(8, "big") + os.urandom(1 << 20)[8:], i << 20)',
  'h.flush()',
].join('\n')

/** Reads and writes until a file is there that tells it to end. */
const workUntil = (path: string): string =>
  [
    'import os',
    'print("begun", flush=True)',
    'turn = 0',
    `while not os.path.exists("${path}"):`,
    '  turn += 1',
    '  h.pwrite(turn.to_bytes(4096, "big"), 20 << 20)',
    '  assert int.from_bytes(h.pread(4096, 20 << 20), "big") == turn',
    '  assert int.from_bytes(h.pread(8, (turn % 12) << 20), "big") == turn % 12',
    'print("done", flush=True)',
  ].join('\n')

test("B's volume goes from one key of A's to another while B's machine works on it", async (t) => {
  const folder = tempFolder(t)
  const { a, b, advance } = await startServer(t, folder)
  const [first, second] = [await makeRootKey(a, 'first'), await makeRootKey(a, 'second')]
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, first.crn)
  const { instanceId, attachmentId, connection } = await attach(b, volume.id)
  const uri = tlsUri(connection, folder)
  nbdsh(uri, writeMegabytes)
  const worker = startNbdsh(uri, workUntil(`${folder}/enough`))
  await worker.started

  await b.expect(404, 'GET', progress(volume.id))
  const body = { encryption_key: { crn: second.crn }, limit_mib_per_second: 1 }
  const begun = await b.expect(202, 'POST', reencrypt(volume.id), { body })
  assert.deepEqual(
    [begun.status, begun.encryption_key.crn, begun.previous_encryption_key.crn, begun.limit_mib_per_second],
    ['running', second.crn, first.crn, 1],
  )
  await until(
    () => b.expect(200, 'GET', progress(volume.id)),
    ({ bytes_done: bytes }) => bytes >= 4 << 20,
  )
  // Both keys are in use, and both owners see it.
  for (const { id } of [first, second]) assert.deepEqual(await usersOf(a, id), [volume.crn])
  assert.equal((await b.vpc(200, 'GET', `/volumes/${volume.id}`)).encryption_key.crn, first.crn)
  const busy = await b.expect(409, 'POST', reencrypt(volume.id), { body: {} })
  assert.equal(busy.errors[0].code, 'volume_being_reencrypted')
  await b.vpc(409, 'POST', '/snapshots', { source_volume: { id: volume.id } })
  await b.vpc(409, 'PATCH', `/volumes/${volume.id}`, { capacity: 20 })
  await a.expect(404, 'GET', progress(volume.id))
  await a.expect(404, 'POST', reencrypt(volume.id), { body: {} })

  // A takes the key away that nothing is to lie under any more: half of the volume does.
  await a.kms(204, 'POST', `/keys/${first.id}/actions/disable`)
  assert.notEqual((await worker.ended).status, 0, 'the machine has lost its volume')
  await volumeIs(b, volume.id, 'unusable')
  assert.equal((await b.expect(200, 'GET', progress(volume.id))).status, 'waiting')
  await advance(31)
  await a.kms(204, 'POST', `/keys/${first.id}/actions/enable`)
  await volumeIs(b, volume.id, 'available')

  const again = tlsUri(await connect(b, instanceId, attachmentId), folder)
  const further = startNbdsh(again, workUntil(`${folder}/enough`))
  await further.started
  const unlimited = await b.expect(200, 'PATCH', progress(volume.id), { body: { limit_mib_per_second: null } })
  assert.equal(unlimited.limit_mib_per_second, null)
  const done = await isDone(b, volume.id)
  assert.equal(done.bytes_done, done.bytes_total)
  assert.equal((await b.vpc(200, 'GET', `/volumes/${volume.id}`)).encryption_key.crn, second.crn)
  await until(
    () => usersOf(a, first.id),
    (users) => users.length === 0,
  )
  assert.deepEqual(await usersOf(a, second.id), [volume.crn])
  // The first key can go now, without force, and nobody notices.
  await a.kms(204, 'DELETE', `/keys/${first.id}`)
  nbdsh(again, 'assert int.from_bytes(h.pread(8, 11 << 20), "big") == 11')
  await a.kms(204, 'POST', `/keys/${second.id}/actions/disable`)
  assert.notEqual((await further.ended).status, 0)
  await volumeIs(b, volume.id, 'unusable')
  const unusable = await b.expect(409, 'POST', reencrypt(volume.id), { body: {} })
  assert.match(unusable.errors[0].message, /unusable, not available.*encryption_key_disabled/)
})

test('a volume under the provider’s key comes under one of the account’s own, and changes its data key again', async (t) => {
  const folder = tempFolder(t)
  const { b } = await startServer(t, folder)
  const key = await makeRootKey(b)
  const { id } = await b.vpc(201, 'POST', '/volumes', {
    profile: { name: 'general-purpose' },
    zone: { name: 'us-south-1' },
    capacity: 10,
  })
  await volumeIs(b, id, 'available')
  const { instanceId, attachmentId, connection } = await attach(b, id)
  nbdsh(tlsUri(connection, folder), writeMegabytes)

  // Without a key: another data key under the provider's, which is nobody's to see.
  const hidden = await b.expect(202, 'POST', reencrypt(id), { body: {} })
  assert.deepEqual([hidden.encryption_key, hidden.previous_encryption_key], [null, null])
  await isDone(b, id)
  assert.equal((await b.vpc(200, 'GET', `/volumes/${id}`)).encryption, 'provider_managed')

  const refused = await b.expect(400, 'POST', reencrypt(id), { body: { encryption_key: { crn: key.crn } } })
  assert.deepEqual(
    [refused.errors[0].code, refused.errors[0].target.name],
    ['volume_encryption_key_not_authorized', 'encryption_key.crn'],
  )
  await b.expect(201, 'POST', '/v1/policies', { body: authorization(b, b) })
  for (const limit_mib_per_second of [0, -1, 1.5, '1', 1e9]) {
    await b.expect(400, 'POST', reencrypt(id), { body: { limit_mib_per_second } })
  }
  for (const crn of ['', 'crn:none', `${key.crn}x`]) {
    const { errors } = await b.expect(400, 'POST', reencrypt(id), { body: { encryption_key: { crn } } })
    assert.equal(errors[0].target.name, 'encryption_key.crn')
  }
  await b.expect(400, 'POST', reencrypt(id), { body: { encryption_key: { crn: key.crn }, more: 1 } })
  await b.expect(404, 'POST', reencrypt('r006-none'), { body: {} })
  await b.expect(409, 'PATCH', progress(id), { body: { limit_mib_per_second: 5 } })
  // IBM's own way changes no key.
  await b.vpc(400, 'PATCH', `/volumes/${id}`, { encryption_key: { crn: key.crn } })

  for (const wanted of [{ encryption_key: { crn: key.crn } }, {}]) {
    await b.expect(202, 'POST', reencrypt(id), { body: wanted })
    await isDone(b, id)
    const volume = await b.vpc(200, 'GET', `/volumes/${id}`)
    assert.deepEqual([volume.encryption, volume.encryption_key.crn], ['user_managed', key.crn])
    assert.deepEqual(await usersOf(b, key.id), [volume.crn])
  }
  const uri = tlsUri(await connect(b, instanceId, attachmentId), folder)
  nbdsh(uri, 'for i in range(12): assert int.from_bytes(h.pread(8, i << 20), "big") == i')
})

// What the product is for, from outside: real HTTP, a real NBD client, the files on disk.

import assert from 'node:assert/strict'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import { nbdsh, run, startNbdsh, tlsUri, tryNbdsh } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, connect, makeRootKey, makeVolume, volumeBody, volumeIs } from './harness/story.ts'

const writeLoop = [
  'print("writing", flush=True)',
  'n = 0',
  'while True:',
  '    h.pwrite(bytes([n % 251]) * 4096, 1048576 + 4096 * (n % 64)); h.flush(); n += 1',
].join('\n')

test('a volume of B lives and dies with the key of A', async (t) => {
  const folder = tempFolder(t)
  const { a, b, advance } = await startServer(t, folder)
  const key = await makeRootKey(a)

  await t.test('without an authorization the refusal says what is missing and in whose account', async () => {
    const answer = await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))
    const [error] = answer.errors
    assert.equal(error.code, 'volume_encryption_key_not_authorized')
    assert.ok(error.message.includes(a.account.id) && error.message.includes('server-protect'))
    assert.equal(answer.explanation.account, a.account.id)
    assert.equal((await b.vpc(200, 'GET', '/volumes')).total_count, 0)
    assert.equal((await a.kms(200, 'GET', `/keys/${key.id}/registrations`)).metadata.collectionTotal, 0)

    // The refusal's own remedy is a body that A can send as it is.
    const policy = await a.expect(201, 'POST', '/v1/policies', { body: answer.explanation.missingPolicy })
    await makeVolume(b, key.crn)
    await a.expect(204, 'DELETE', `/v1/policies/${policy.id}`)
    await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))
  })

  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const pending = await b.vpc(201, 'POST', '/volumes', volumeBody(key.crn, { name: 'mine' }))
  assert.equal(pending.status, 'pending')
  assert.equal(pending.encryption, 'user_managed')
  assert.deepEqual(pending.encryption_key, { crn: key.crn })
  const volume = await volumeIs(b, pending.id, 'available')

  await t.test("A sees the registration of B's volume", async () => {
    const { resources } = await a.kms(200, 'GET', `/keys/${key.id}/registrations`)
    assert.ok(resources.some((r: { resourceCrn: string }) => r.resourceCrn === volume.crn))
  })

  const { instanceId, attachmentId, connection } = await attach(b, volume.id)
  const uri = tlsUri(connection, folder)
  const text = 'what B wrote'
  nbdsh(uri, `h.pwrite(b"${text}", 8192); h.flush()`)
  const readBack = () => nbdsh(uri, `print(h.pread(${text.length}, 8192).decode())`)

  await t.test('what B writes comes back, over TLS and over the unix socket', () => {
    assert.equal(readBack(), text)
    assert.equal(nbdsh(connection.unix_uri, `print(h.pread(${text.length}, 8192).decode())`), text)
    assert.equal(nbdsh(uri, 'print(h.get_size())'), String(10 * 1024 ** 3))
  })

  await t.test('on disk there is a LUKS2 image with ciphertext, sparse, for nobody else to read', () => {
    const path = join(folder, 'volumes', volume.id, 'volume.luks')
    const dump = run('cryptsetup', 'luksDump', path)
    assert.equal(dump.status, 0, dump.stderr)
    assert.match(dump.stdout, /cipher: aes-xts-plain64/)
    assert.match(dump.stdout, /sector: 4096/)
    const { blocks, mode, size } = statSync(path)
    assert.equal(mode & 0o077, 0)
    assert.equal(size, 16 * 1024 ** 2 + 10 * 1024 ** 3)
    assert.ok(blocks * 512 < 64 * 1024 ** 2)
    const sector = Buffer.alloc(4096)
    const file = openSync(path, 'r')
    readSync(file, sector, 0, sector.length, 16 * 1024 ** 2 + 8192)
    closeSync(file)
    assert.ok(!sector.includes(text) && sector.some((byte) => byte !== 0))
  })

  await t.test('disabling the key cuts the running I/O and makes the volume unusable', async () => {
    const writer = startNbdsh(uri, writeLoop)
    await writer.started
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    // The fence came before the answer: nothing is served any more.
    assert.notEqual(tryNbdsh(uri, 'h.pread(512, 0)').status, 0)
    assert.notEqual((await writer.ended).status, 0)
    const unusable = await volumeIs(b, volume.id, 'unusable')
    assert.equal(unusable.status_reasons[0].code, 'encryption_key_disabled')
    await b.expect(409, 'POST', `/keyward/v1/instances/${instanceId}/volume_attachments/${attachmentId}/connection`)
    await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))
  })

  await t.test('enabling it brings the volume back with its data', async () => {
    const early = await a.kms(409, 'POST', `/keys/${key.id}/actions/enable`)
    assert.equal(early.resources[0].reasons[0].code, 'REQ_TOO_EARLY_ERR')
    await advance(30)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
    await volumeIs(b, volume.id, 'available')
    assert.equal(readBack(), text)
  })

  await t.test('rotating it changes nothing for B', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
    assert.equal(readBack(), text)
  })

  await t.test('removing the authorization cuts B off; giving it back does not need B', async () => {
    const { policies } = await a.expect(200, 'GET', `/v1/policies?account_id=${a.account.id}&type=authorization`)
    const writer = startNbdsh(uri, writeLoop)
    await writer.started
    for (const policy of policies) await a.expect(204, 'DELETE', `/v1/policies/${policy.id}`)
    assert.notEqual((await writer.ended).status, 0)
    await volumeIs(b, volume.id, 'unusable')
    await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b, key.id) })
    await volumeIs(b, volume.id, 'available')
    assert.equal(readBack(), text)
  })

  await t.test('a forced deletion is the end of the volume', async () => {
    await a.kms(409, 'DELETE', `/keys/${key.id}`)
    await a.kms(204, 'DELETE', `/keys/${key.id}?force=true`)
    const gone = await volumeIs(b, volume.id, 'unusable')
    assert.equal(gone.status_reasons[0].code, 'encryption_key_deleted')
    assert.notEqual(tryNbdsh(uri, 'h.pread(512, 0)').status, 0)
    assert.equal((await a.kms(200, 'GET', `/keys/${key.id}/registrations`)).metadata.collectionTotal, 0)
  })

  await t.test('B can tidy up after itself', async () => {
    await b.vpc(409, 'DELETE', `/volumes/${volume.id}`)
    await b.vpc(204, 'DELETE', `/instances/${instanceId}/volume_attachments/${attachmentId}`)
    await b.vpc(204, 'DELETE', `/volumes/${volume.id}`)
    await until(
      () => b.send('GET', `/v1/volumes/${volume.id}?version=2026-03-24&generation=2`),
      (answer) => answer.status === 404,
    )
    await b.vpc(204, 'DELETE', `/instances/${instanceId}`)
  })
})

test('a detached volume is reached by nobody, and deleting a volume removes its registration and its image', async (t) => {
  const folder = tempFolder(t)
  const { a, b } = await startServer(t, folder)
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, key.crn)
  const { instanceId, attachmentId, connection } = await attach(b, volume.id)
  const uri = tlsUri(connection, folder)
  nbdsh(uri, 'h.pwrite(b"x" * 512, 0)')

  await b.vpc(204, 'DELETE', `/instances/${instanceId}/volume_attachments/${attachmentId}`)
  assert.notEqual(tryNbdsh(uri, 'h.pread(512, 0)').status, 0)
  assert.notEqual(tryNbdsh(connection.unix_uri, 'h.pread(512, 0)').status, 0)

  await b.vpc(204, 'DELETE', `/volumes/${volume.id}`)
  await until(
    () => a.kms(200, 'GET', `/keys/${key.id}/registrations`),
    (answer) => answer.metadata.collectionTotal === 0,
  )
  await until(
    () => Promise.resolve(run('ls', join(folder, 'volumes')).stdout),
    (listing) => !listing.includes(volume.id),
  )
})

test('a connection admits to its own volume only', async (t) => {
  const folder = tempFolder(t)
  const { a, b } = await startServer(t, folder)
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const first = await attach(b, (await makeVolume(b, key.crn)).id)
  const second = await attach(b, (await makeVolume(b, key.crn)).id)
  const uri = tlsUri(first.connection, folder)

  const exportName = (u: string) => new URL(u).pathname
  const crossed = uri.replace(exportName(first.connection.uri), exportName(second.connection.uri))
  assert.equal(tryNbdsh(uri, 'h.pread(512, 0)').status, 0)
  assert.notEqual(tryNbdsh(crossed, 'h.pread(512, 0)').status, 0)

  const forged = { ...first.connection, tls: { ...first.connection.tls, psk_key: '0'.repeat(64) } }
  assert.notEqual(tryNbdsh(tlsUri(forged, tempFolder(t)), 'h.pread(512, 0)').status, 0)
  const { host } = new URL(first.connection.uri.replace('nbds:', 'http:'))
  assert.notEqual(tryNbdsh(`nbd://${host}${exportName(first.connection.uri)}`, 'h.pread(512, 0)').status, 0)

  await a.expect(
    404,
    'POST',
    `/keyward/v1/instances/${first.instanceId}/volume_attachments/${first.attachmentId}/connection`,
  )
  await connect(b, first.instanceId, first.attachmentId)
})

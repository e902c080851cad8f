// Encrypted images from outside: qemu-img encrypts a disk, its passphrase is wrapped under A's key by the key manager's API,
// and B's machine reads the disk under a data key of its own. What is exported comes back.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import {
  bootFrom,
  bucketName,
  imageAuthorization,
  imageBody,
  imageIs,
  makeBucket,
  makeImage,
  putFile,
} from './harness/images.ts'
import { nbdsh, run, tlsUri } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { authorization, connect, makeRootKey } from './harness/story.ts'

const MiB = 1024 ** 2
const mark = 'what the disk of the image holds'
const passphrase = 'words that only the owner of the disk knows'

function encryptedDisk(folder: string): Buffer {
  const [from, to] = [join(folder, 'disk.raw'), join(folder, 'disk.qcow2')]
  const disk = Buffer.alloc(12 * MiB)
  disk.write(mark, MiB)
  writeFileSync(from, disk)
  const secret = ['--object', `secret,id=key,data=${passphrase}`]
  const luks = 'encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10'
  const convert = ['convert', '-f', 'raw', '-O', 'qcow2', ...secret, '-o', luks, from, to]
  // It measures the machine, and fails on one that is too busy to be measured.
  for (let attempt = 1; attempt < 20 && spawnSync('qemu-img', convert).status !== 0; attempt++);
  run('qemu-img', 'check', ...secret, '--image-opts', `driver=qcow2,encrypt.key-secret=key,file.filename=${to}`)
  return readFileSync(to)
}

const wrap = async (owner: Api, key: Json, text: string): Promise<string> =>
  (await owner.kms(200, 'POST', `/keys/${key.id}/actions/wrap`, { plaintext: Buffer.from(text).toString('base64') }))
    .ciphertext

test('a disk that its owner encrypted becomes B’s image by the key of A, and machines read it', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b, advance } = server
  const key = await makeRootKey(a)
  const storage = await makeBucket(server, a)
  await putFile(storage, 'disk.qcow2', encryptedDisk(folder))
  run('qemu-img', 'create', '-f', 'qcow2', join(folder, 'plain.qcow2'), '1M')
  await putFile(storage, 'plain.qcow2', readFileSync(join(folder, 'plain.qcow2')))
  await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b, 'Writer') })
  const wrapped = await wrap(a, key, passphrase)
  const under = (encrypted_data_key: string, more: Json = {}) =>
    imageBody('disk.qcow2', { encryption_key: { crn: key.crn }, encrypted_data_key, ...more })

  await t.test('not without leave to use the key', async () => {
    const refused = await b.vpc(400, 'POST', '/images', under(wrapped))
    assert.equal(refused.errors[0].code, 'volume_encryption_key_not_authorized')
  })
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })

  await t.test('file and data key go together', async () => {
    const missing = await b.vpc(400, 'POST', '/images', imageBody('disk.qcow2', { encryption_key: { crn: key.crn } }))
    assert.deepEqual(
      [missing.errors[0].code, missing.errors[0].target.name],
      ['cos_image_encrypted', 'encrypted_data_key'],
    )
    const plain = { ...under(wrapped), file: { href: `cos://us-south/${bucketName}/plain.qcow2` } }
    const refused = await b.vpc(400, 'POST', '/images', plain)
    assert.deepEqual([refused.errors[0].code, refused.errors[0].target.name], ['cos_image_not_encrypted', 'file.href'])
    assert.equal((await b.vpc(200, 'GET', '/images?visibility=private')).total_count, 0)
  })

  let image: Json
  await t.test('the image is available, and a machine of it has the disk', async () => {
    const { id } = await b.vpc(201, 'POST', '/images', under(wrapped, { name: 'encrypted' }))
    image = await imageIs(b, id, 'available')
    assert.deepEqual([image.encryption, image.encryption_key.crn], ['user_managed', key.crn])
    const { instance, volume } = await bootFrom(b, id)
    assert.equal(volume.encryption_key.crn, key.crn)
    const connection = await connect(b, instance.id, instance.boot_volume_attachment.id)
    assert.equal(nbdsh(tlsUri(connection, folder), `print(h.pread(${mark.length}, 1 << 20).decode())`), mark)
  })

  await t.test('a data key that does not open the file, or is none of the key’s, fails with its reason', async () => {
    const other = await wrap(a, await makeRootKey(a, 'other'), passphrase)
    for (const wrong of [await wrap(a, key, `${passphrase}\n`), other, 'AAAA']) {
      const { id } = await b.vpc(201, 'POST', '/images', under(wrong))
      const failed = await imageIs(b, id, 'failed')
      assert.equal(failed.status_reasons[0].code, 'encrypted_data_key_invalid')
      await b.vpc(204, 'DELETE', `/images/${id}`)
    }
  })

  await t.test('after a rotation the data key of before still opens it', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
    const { id } = await b.vpc(201, 'POST', '/images', under(wrapped))
    await imageIs(b, id, 'available')
  })

  await t.test('under a disabled key none is made', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    const refused = await b.vpc(400, 'POST', '/images', under(wrapped))
    assert.equal(refused.errors[0].code, 'volume_encryption_key_not_active')
    await advance(60)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
    await imageIs(b, image.id, 'available')
  })

  await t.test('what is exported comes back with the data key of its job', async () => {
    const path = `/images/${image.id}/export_jobs`
    const { id } = await b.vpc(201, 'POST', path, { storage_bucket: { name: bucketName } })
    const job = await until(
      () => b.vpc(200, 'GET', `${path}/${id}`),
      ({ status }) => status === 'succeeded',
    )
    const back = await makeImage(b, job.storage_object.name, {
      encryption_key: { crn: key.crn },
      encrypted_data_key: job.encrypted_data_key,
    })
    const { instance } = await bootFrom(b, back.id)
    const connection = await connect(b, instance.id, instance.boot_volume_attachment.id)
    assert.equal(nbdsh(tlsUri(connection, folder), `print(h.pread(${mark.length}, 1 << 20).decode())`), mark)
  })
})

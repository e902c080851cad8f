// Image export jobs from outside: what B exports to A's bucket opens in qemu-img, an encrypted image with the passphrase that
// the key's owner unwraps, and nothing is written without A's leave.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { bucketName, imageAuthorization, imageIs, makeBucket, makeImage, putFile } from './harness/images.ts'
import { run } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Storage } from './harness/storage.ts'
import { authorization, makeRootKey } from './harness/story.ts'

const MiB = 1024 ** 2
const mark = 'what the disk of the image holds'

function rawDisk(): Buffer {
  const disk = Buffer.alloc(12 * MiB)
  disk.write(mark, MiB)
  return disk
}

const jobIs = (user: Api, image: Json, id: string, status: string): Promise<Json> =>
  until(
    () => user.vpc(200, 'GET', `/images/${image.id}/export_jobs/${id}`),
    (job) => job.status === status,
  )

const toBucket = { storage_bucket: { name: bucketName } }

async function download({ s3 }: Storage, job: Json, path: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucketName, Key: job.storage_object.name }))
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
  writeFileSync(path, bytes)
  return bytes
}

const keysIn = async ({ s3 }: Storage): Promise<readonly (string | undefined)[]> =>
  ((await s3.send(new ListObjectsV2Command({ Bucket: bucketName }))).Contents ?? []).map(({ Key }) => Key)

test('images are exported to the bucket of another account, by its leave and in the form that the image demands', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b, advance } = server
  const key = await makeRootKey(a)
  const storage = await makeBucket(server, a)
  await putFile(storage, 'disk.raw', rawDisk())
  const reading = await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const keyed = await makeImage(b, 'disk.raw', { name: 'keyed', encryption_key: { crn: key.crn } })
  const plain = await makeImage(b, 'disk.raw', { name: 'plain' })

  await t.test('leave to read the bucket is not leave to write to it', async () => {
    const refused = await b.vpc(403, 'POST', `/images/${plain.id}/export_jobs`, toBucket)
    assert.equal(refused.errors[0].code, 'cos_not_authorized')
    assert.deepEqual(refused.errors[0].target, { type: 'field', name: 'storage_bucket' })
    assert.match(refused.errors[0].message, new RegExp(`^account ${a.account.id} has no authorization.*Writer`))
    assert.deepEqual((await b.vpc(200, 'GET', `/images/${plain.id}/export_jobs`)).export_jobs, [])
  })
  await a.expect(204, 'DELETE', `/v1/policies/${reading.id}`)
  const writing = await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b, 'Writer') })

  await t.test('an image without a user’s key becomes qcow2 in the clear', async () => {
    const queued = await b.vpc(201, 'POST', `/images/${plain.id}/export_jobs`, { ...toBucket, name: 'first' })
    assert.deepEqual([queued.name, queued.format, queued.status], ['first', 'qcow2', 'queued'])
    const job = await jobIs(b, plain, queued.id, 'succeeded')
    assert.ok(job.started_at && job.completed_at && !('encrypted_data_key' in job))
    assert.equal(job.storage_href, `cos://us-south/${bucketName}/${job.storage_object.name}`)
    assert.match(job.storage_bucket.crn, new RegExp(`a/${a.account.id}:[^:]*:bucket:${bucketName}$`))
    const path = join(folder, 'plain.qcow2')
    assert.ok((await download(storage, job, path)).includes(mark))
    run('qemu-img', 'check', '-f', 'qcow2', path)
    assert.match(run('qemu-img', 'info', path).stdout, /virtual size: 10 GiB/)
    // And back again.
    const again = await makeImage(b, job.storage_object.name, { name: 'again' })
    assert.equal(again.minimum_provisioned_size, 10)
  })

  await t.test('an image under A’s key becomes an encrypted one, which opens with what A unwraps', async () => {
    const { id } = await b.vpc(201, 'POST', `/images/${keyed.id}/export_jobs`, {
      storage_bucket: {
        crn: (await b.vpc(200, 'GET', `/images/${plain.id}/export_jobs`)).export_jobs[0].storage_bucket.crn,
      },
    })
    const job = await jobIs(b, keyed, id, 'succeeded')
    const path = join(folder, 'keyed.qcow2')
    assert.ok(!(await download(storage, job, path)).includes(mark))
    const { plaintext } = await a.kms(200, 'POST', `/keys/${key.id}/actions/unwrap`, {
      ciphertext: job.encrypted_data_key,
    })
    const raw = join(folder, 'keyed.raw')
    const secret = `secret,id=key,format=base64,data=${plaintext}`
    const file = `driver=qcow2,encrypt.format=luks,encrypt.key-secret=key,file.filename=${path}`
    run('qemu-img', 'check', '--object', secret, '--image-opts', file)
    run(
      'qemu-img',
      'dd',
      '--object',
      secret,
      '--image-opts',
      '-O',
      'raw',
      `if=${file}`,
      `of=${raw}`,
      'bs=1M',
      'count=2',
    )
    assert.equal(readFileSync(raw).toString('latin1', MiB, MiB + mark.length), mark)
    // The export is no resource under the key: only the image is.
    const { resources } = await a.kms(200, 'GET', `/keys/${key.id}/registrations`)
    assert.deepEqual(
      resources.map(({ resourceCrn }: Json) => resourceCrn),
      [keyed.crn],
    )
  })

  await t.test('as VHD, in the clear only', async () => {
    const refused = await b.vpc(400, 'POST', `/images/${keyed.id}/export_jobs`, { ...toBucket, format: 'vhd' })
    assert.equal(refused.errors[0].target.name, 'format')
    const { id } = await b.vpc(201, 'POST', `/images/${plain.id}/export_jobs`, { ...toBucket, format: 'vhd' })
    const job = await jobIs(b, plain, id, 'succeeded')
    const path = join(folder, 'plain.vhd')
    assert.ok((await download(storage, job, path)).includes(mark))
    assert.match(run('qemu-img', 'info', '-f', 'vpc', path).stdout, /virtual size: 10 GiB/)
    const again = await makeImage(b, job.storage_object.name)
    assert.equal(again.minimum_provisioned_size, 10)
  })

  await t.test('without its key an image is not exported', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    await imageIs(b, keyed.id, 'unusable')
    const refused = await b.vpc(409, 'POST', `/images/${keyed.id}/export_jobs`, toBucket)
    assert.equal(refused.errors[0].code, 'invalid_state')
    await advance(60)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
    await imageIs(b, keyed.id, 'available')
  })

  await t.test('jobs are renamed and deleted; what they wrote stays', async () => {
    const [job] = (await b.vpc(200, 'GET', `/images/${plain.id}/export_jobs`)).export_jobs
    const path = `/images/${plain.id}/export_jobs/${job.id}`
    const renamed = await b.vpc(200, 'PATCH', path, { name: 'renamed' })
    assert.deepEqual([renamed.name, renamed.storage_object], ['renamed', job.storage_object])
    await a.vpc(404, 'GET', path)
    await b.vpc(204, 'DELETE', path)
    await b.vpc(404, 'GET', path)
    assert.ok((await keysIn(storage)).includes(job.storage_object.name))
  })

  await t.test('what cannot be exported is refused by its field', async () => {
    const path = `/images/${plain.id}/export_jobs`
    const refusals: readonly (readonly [Json, number, string])[] = [
      [{}, 400, 'storage_bucket'],
      [{ storage_bucket: {} }, 400, 'storage_bucket'],
      [{ storage_bucket: { name: bucketName, crn: 'x' } }, 400, 'storage_bucket'],
      [{ storage_bucket: { name: 'no-such-bucket' } }, 400, 'storage_bucket'],
      [{ storage_bucket: { name: '../etc' } }, 400, 'storage_bucket'],
      [{ storage_bucket: { crn: `crn:v1:bluemix:public:x:::::bucket:${bucketName}` } }, 400, 'storage_bucket.crn'],
      [{ ...toBucket, format: 'raw' }, 400, 'format'],
      [{ ...toBucket, name: 'Not_A_Name' }, 400, 'name'],
      [{ ...toBucket, storage_object: { name: 'x' } }, 400, 'storage_object'],
    ]
    for (const [body, status, field] of refusals) {
      const [error] = (await b.vpc(status, 'POST', path, body)).errors
      assert.equal(error.target?.name, field, JSON.stringify([body, error]))
    }
    await b.vpc(404, 'POST', '/images/r006-none/export_jobs', toBucket)
    await a.vpc(404, 'POST', path, toBucket)
    const [stock] = (await b.vpc(200, 'GET', '/images?visibility=public')).images
    await b.vpc(403, 'POST', `/images/${stock.id}/export_jobs`, toBucket)
  })

  await t.test('leave that is taken back counts from the next request', async () => {
    await a.expect(204, 'DELETE', `/v1/policies/${writing.id}`)
    await b.vpc(403, 'POST', `/images/${plain.id}/export_jobs`, toBucket)
  })
})

test('an export that a kill interrupts is made all the same, and leaves nothing behind', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  const storage = await makeBucket(first, first.a)
  await putFile(storage, 'disk.raw', rawDisk())
  await first.a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(first.a, first.b, 'Writer') })
  const image = await makeImage(first.b, 'disk.raw')
  const { id } = await first.b.vpc(201, 'POST', `/images/${image.id}/export_jobs`, toBucket)
  await first.kill()
  const { b } = await startServer(t, folder)
  const job = await jobIs(b, image, id, 'succeeded')
  assert.match(job.storage_object.name, /\.qcow2$/)
  const staging = join(folder, 'run', 'exports')
  assert.deepEqual(existsSync(staging) ? readdirSync(staging) : [], [])
  const objects = readdirSync(join(folder, 'objects'), { recursive: true, withFileTypes: true })
  assert.equal(objects.filter((entry) => entry.isFile()).length, 2)
})

// Objects through Amazon's SDK with HMAC keys, IBM's SDK with tokens, and curl: written, read, copied, removed, and all that
// clients may say about it on the way.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import type { GetObjectCommandInput } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { startServer, tempFolder } from './harness/server.ts'
import { curl, ibmFor, ibmWithHmac, makeStorage, s3For } from './harness/storage.ts'

const Bucket = 'images-of-a'

const named = (name: string) => (error: Error) => error.name === name
const status = (code: number) => (error: { $metadata?: { httpStatusCode?: number } }) =>
  error.$metadata?.httpStatusCode === code

test('objects', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const storage = await makeStorage(server, server.a)
  const { s3 } = storage
  await s3.send(new CreateBucketCommand({ Bucket }))
  const read = async (Key: string, more: Partial<GetObjectCommandInput> = {}) =>
    await (await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body?.transformToByteArray()
  const { a } = server
  const cos = server.bootstrap.endpoints.cos
  const { key, instance } = storage

  await t.test('an object is what was written, whatever it is called and however its client proves it', async () => {
    const Body = randomBytes(3_000_000)
    const names = [
      'plain',
      'a/b c+d&e=f',
      'ümläut/日本/🎉',
      '../../etc/passwd',
      './x',
      'a//b///',
      '%2e%2e/%00',
      "q'*()!~",
    ]
    for (const Key of names) await s3.send(new PutObjectCommand({ Bucket, Key, Body: `${Key}!` }))
    for (const Key of names) assert.equal(Buffer.from((await read(Key)) ?? '').toString(), `${Key}!`)

    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
      const put = await s3.send(new PutObjectCommand({ Bucket, Key: ChecksumAlgorithm, Body, ChecksumAlgorithm }))
      assert.equal(put.ETag, `"${createHash('md5').update(Body).digest('hex')}"`)
      const got = await s3.send(new GetObjectCommand({ Bucket, Key: ChecksumAlgorithm, ChecksumMode: 'ENABLED' }))
      assert.equal(got[`Checksum${ChecksumAlgorithm}`], put[`Checksum${ChecksumAlgorithm}`])
      assert.ok(put[`Checksum${ChecksumAlgorithm}`])
      assert.deepEqual(Buffer.from((await got.Body?.transformToByteArray()) ?? []), Body)

      // A stream is sent in chunks, with the checksum behind them.
      const pieces = [Body.subarray(0, 70_000), Body.subarray(70_000, 70_001), Body.subarray(70_001)]
      const streamed = {
        Bucket,
        Key: 'stream',
        Body: Readable.from(pieces),
        ContentLength: Body.length,
        ChecksumAlgorithm,
      }
      await s3.send(new PutObjectCommand(streamed))
      assert.deepEqual(Buffer.from((await read('stream')) ?? []), Body)
    }

    const always = s3For(server, key, { requestChecksumCalculation: 'WHEN_REQUIRED' })
    await always.send(
      new PutObjectCommand({ Bucket, Key: 'none', Body, ContentMD5: createHash('md5').update(Body).digest('base64') }),
    )
    assert.deepEqual(Buffer.from((await read('none')) ?? []), Body)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: '' }))
    assert.equal((await read('empty'))?.length, 0)
  })

  await t.test('metadata and content headers come back as they went', async () => {
    const said = {
      CacheControl: 'max-age=60',
      ContentDisposition: 'attachment; filename="x.qcow2"',
      ContentEncoding: 'gzip',
      ContentLanguage: 'de',
      ContentType: 'application/x-qemu-disk',
      Metadata: { architecture: 'amd64', note: 'a  b' },
    }
    await s3.send(new PutObjectCommand({ Bucket, Key: 'image', Body: 'x', ...said }))
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'image' }))
    for (const [name, value] of Object.entries(said)) assert.deepEqual(head[name as keyof typeof head], value, name)
    assert.equal(head.ContentLength, 1)
    assert.equal(head.AcceptRanges, 'bytes')
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'image', ResponseContentType: 'text/plain' }))
    assert.equal(got.ContentType, 'text/plain')
    await got.Body?.transformToString()
    const large = { Bucket, Key: 'large', Body: 'x', Metadata: { x: 'y'.repeat(2048) } }
    await assert.rejects(s3.send(new PutObjectCommand(large)), named('MetadataTooLarge'))
  })

  await t.test('ranges and conditions', async () => {
    const Key = 'digits'
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key, Body: '0123456789' }))
    const text = async (Range: string) => Buffer.from((await read(Key, { Range })) ?? []).toString()
    assert.equal(await text('bytes=2-4'), '234')
    assert.equal(await text('bytes=7-'), '789')
    assert.equal(await text('bytes=-2'), '89')
    assert.equal(await text('bytes=0-99'), '0123456789')
    assert.equal(await text('bytes=4-2'), '0123456789')
    const part = await s3.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=2-4' }))
    assert.equal(part.$metadata.httpStatusCode, 206)
    assert.equal(part.ContentRange, 'bytes 2-4/10')
    await part.Body?.transformToString()
    await assert.rejects(read(Key, { Range: 'bytes=10-' }), named('InvalidRange'))
    await assert.rejects(read(Key, { Range: 'bytes=10-' }), status(416))

    const ifRange = async (tag: string) =>
      curl(
        `${cos}/${Bucket}/${Key}`,
        '-r',
        '2-4',
        '-H',
        `If-Range: ${tag}`,
        '-H',
        `Authorization: Bearer ${await a.token()}`,
      ).body
    assert.deepEqual([await ifRange(String(ETag)), await ifRange('"other"')], ['234', '0123456789'])
    assert.ok(await read(Key, { IfMatch: ETag }))
    await assert.rejects(read(Key, { IfMatch: '"other"' }), status(412))
    await assert.rejects(read(Key, { IfNoneMatch: ETag }), status(304))
    const hour = 3_600_000
    await assert.rejects(read(Key, { IfModifiedSince: new Date(Date.now() + hour) }), status(304))
    await assert.rejects(read(Key, { IfUnmodifiedSince: new Date(Date.now() - hour) }), status(412))
    await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key, IfNoneMatch: ETag })), status(304))

    const put = (more: object) => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'new', ...more }))
    await assert.rejects(put({ IfNoneMatch: '*' }), named('PreconditionFailed'))
    await assert.rejects(put({ IfMatch: '"other"' }), named('PreconditionFailed'))
    await assert.rejects(put({ Key: 'absent', IfMatch: ETag }), named('NoSuchKey'))
    await put({ IfMatch: ETag })
    await put({ Key: 'fresh', IfNoneMatch: '*' })
  })

  await t.test('copies', async () => {
    const Body = randomBytes(100_000)
    const put = { Bucket, Key: 'from/a b', Body, Metadata: { kept: 'yes' }, ContentType: 'text/x' }
    const { ETag } = await s3.send(new PutObjectCommand(put))
    const CopySource = `/${Bucket}/${encodeURIComponent('from/a b')}`
    const copy = (more: object = {}) => s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource, ...more }))
    assert.equal((await copy()).CopyObjectResult?.ETag, ETag)
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'from/a b' }))
    assert.deepEqual(Buffer.from((await read('to')) ?? []), Body)
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'to' }))
    assert.deepEqual([head.Metadata, head.ContentType], [{ kept: 'yes' }, 'text/x'])
    await assert.rejects(copy(), named('NoSuchKey'))

    const self = { CopySource: `${Bucket}/to` }
    await assert.rejects(copy(self), named('InvalidRequest'))
    await copy({ ...self, MetadataDirective: 'REPLACE', Metadata: { other: '1' } })
    assert.deepEqual((await s3.send(new HeadObjectCommand({ Bucket, Key: 'to' }))).Metadata, { other: '1' })
    assert.deepEqual(Buffer.from((await read('to')) ?? []), Body)
    await assert.rejects(copy({ ...self, Key: 'x', CopySourceIfNoneMatch: ETag }), named('PreconditionFailed'))
    await assert.rejects(copy({ CopySource: `other-bucket-of-nobody/to` }), named('NoSuchBucket'))
  })

  await t.test('what is removed is gone, and removing it again is no error', async () => {
    for (const Key of ['1', '2', ' 3 ', '<&>"']) await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: '1' }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: '1' }))
    await assert.rejects(read('1'), named('NoSuchKey'))
    await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key: '1' })), named('NotFound'))
    const Objects = ['2', ' 3 ', '<&>"', 'never was'].map((Key) => ({ Key }))
    const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    assert.deepEqual(
      Deleted?.map(({ Key }) => Key),
      ['2', ' 3 ', '<&>"', 'never was'],
    )
    for (const { Key } of Objects) await assert.rejects(read(Key), named('NoSuchKey'))
  })

  await t.test('buckets: where they lie, and what is left when they are gone', async () => {
    const LocationConstraint = 'us-south-smart' as never
    await s3.send(new CreateBucketCommand({ Bucket: 'smart', CreateBucketConfiguration: { LocationConstraint } }))
    assert.equal(
      (await s3.send(new GetBucketLocationCommand({ Bucket: 'smart' }))).LocationConstraint,
      'us-south-smart',
    )
    assert.equal((await s3.send(new HeadBucketCommand({ Bucket: 'smart' }))).BucketRegion, 'us-south')
    assert.equal((await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint, 'us-south-standard')
    assert.deepEqual(
      (await s3.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name),
      [Bucket, 'smart'],
    )
    await assert.rejects(s3.send(new CreateBucketCommand({ Bucket: 'smart' })), named('BucketAlreadyOwnedByYou'))

    const ibm = ibmFor(server, a.account.apiKey, instance.id)
    const hmac = ibmWithHmac(server, key)
    await hmac.putObject({ Bucket: 'smart', Key: 'k', Body: 'signed', Metadata: { a: 'b' } }).promise()
    assert.equal(String((await hmac.getObject({ Bucket: 'smart', Key: 'k' }).promise()).Body), 'signed')
    await ibm.putObject({ Bucket: 'smart', Key: 'k', Body: 'by token' }).promise()
    assert.equal(String((await ibm.getObject({ Bucket: 'smart', Key: 'k' }).promise()).Body), 'by token')
    await assert.rejects(ibm.deleteBucket({ Bucket: 'smart' }).promise(), { code: 'BucketNotEmpty', statusCode: 409 })
    await ibm.deleteObject({ Bucket: 'smart', Key: 'k' }).promise()
    await ibm.deleteBucket({ Bucket: 'smart' }).promise()
    assert.deepEqual(
      (await ibm.listBuckets().promise()).Buckets?.map(({ Name }) => Name),
      [Bucket],
    )
    await assert.rejects(ibm.headBucket({ Bucket: 'smart' }).promise(), { statusCode: 404 })
  })

  await t.test('the documented curl commands', async (t) => {
    const bearer = ['-H', `Authorization: bearer ${await a.token()}`]
    const list = curl(`${cos}/`, ...bearer, '-H', `ibm-service-instance-id: ${instance.guid}`)
    assert.match(list.body, new RegExp(`<Name>${Bucket}</Name>`))
    const created = curl(`${cos}/by-curl`, '-X', 'PUT', ...bearer, '-H', `ibm-service-instance-id: ${instance.id}`)
    assert.deepEqual([created.status, created.body], [200, ''])
    const file = join(tempFolder(t), 'queen-bee')
    const bytes = randomBytes(200_000)
    writeFileSync(file, bytes)
    assert.equal(curl(`${cos}/by-curl/queen-bee`, '-T', file, ...bearer, '-H', 'Content-Type: text/plain').status, 200)
    const got = curl(`${cos}/by-curl/queen-bee`, ...bearer)
    assert.deepEqual(Buffer.from(got.body, 'latin1'), bytes)
    assert.match(got.headers, /content-type: text\/plain/i)
    const head = curl(`${cos}/by-curl/queen-bee`, '--head', ...bearer)
    assert.match(head.headers, /content-length: 200000\r/i)
    assert.equal(curl(`${cos}/by-curl/queen-bee`, '-X', 'DELETE', ...bearer).status, 204)
    assert.equal(curl(`${cos}/by-curl`, '-X', 'DELETE', ...bearer).status, 204)
    const missing = curl(`${cos}/by-curl`, ...bearer)
    assert.equal(missing.status, 404)
    assert.match(missing.body, /^<\?xml .*<Error><Code>NoSuchBucket<\/Code>/s)
  })

  await t.test('presigned URLs are for what they were signed for, and for no longer', async () => {
    const Key = 'a b/ü'
    const put = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key }), { expiresIn: 60 })
    assert.equal((await fetch(put, { method: 'PUT', body: 'presigned' })).status, 200)
    const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }), { expiresIn: 60 })
    assert.equal(await (await fetch(get)).text(), 'presigned')
    const refused = async (url: string, method = 'GET') => {
      const answer = await fetch(url, { method })
      return [answer.status, /<Code>(\w+)<\/Code>/.exec(await answer.text())?.[1]]
    }
    assert.deepEqual(await refused(get, 'DELETE'), [403, 'SignatureDoesNotMatch'])
    assert.deepEqual(await refused(get.replace('a%20b', 'c')), [403, 'SignatureDoesNotMatch'])
    assert.deepEqual(await refused(get.replace('Expires=60', 'Expires=600')), [403, 'SignatureDoesNotMatch'])
    const old = { expiresIn: 60, signingDate: new Date(Date.now() - 3_600_000) }
    const past = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }), old)
    assert.deepEqual(await refused(past), [403, 'AccessDenied'])
  })

  await t.test('of two who write one key, one wins, whole; a reader has what was there when it began', async () => {
    const size = 2_000_000
    const bodies = Array.from({ length: 6 }, (_, at) => Buffer.alloc(size, at))
    await Promise.all(bodies.map((Body) => s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body }))))
    const bytes = Buffer.from((await read('k')) ?? [])
    assert.deepEqual(bytes, Buffer.alloc(size, bytes[0]))
    const before = await s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'other' }))
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'k' }))
    assert.deepEqual(Buffer.from((await before.Body?.transformToByteArray()) ?? []), bytes)
  })
})

// Uploads in parts: by hand, and by the SDK's own uploader; and lists, compared with what a list of all keys would give.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import * as fc from 'fast-check'
import { startServer, tempFolder } from './harness/server.ts'
import { makeStorage } from './harness/storage.ts'

const Bucket = 'parts-of-a'
const MiB = 1024 * 1024
const named = (name: string) => (error: Error) => error.name === name
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest()

test('uploads and lists', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { s3 } = await makeStorage(server, server.a)
  await s3.send(new CreateBucketCommand({ Bucket }))
  const read = async (Key: string, Range?: string) => {
    const got = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range !== undefined && { Range }) }))
    return Buffer.from((await got.Body?.transformToByteArray()) ?? [])
  }
  const folder = join(server.folder, 'objects')
  const files = () => readdirSync(folder).flatMap((name) => readdirSync(join(folder, name)))

  await t.test('parts in any order make one object, with the documented ETag', async () => {
    const Key = 'big/one'
    const begun = await s3.send(
      new CreateMultipartUploadCommand({ Bucket, Key, Metadata: { a: 'b' }, ContentType: 'text/x' }),
    )
    const { UploadId } = begun
    const parts = [randomBytes(5 * MiB), randomBytes(5 * MiB + 1), randomBytes(10)]
    const ETags: (string | undefined)[] = []
    for (const at of [2, 0, 1]) {
      const part = { Bucket, Key, UploadId, PartNumber: at + 1, Body: parts[at] ?? '' }
      ETags[at] = (await s3.send(new UploadPartCommand(part))).ETag
    }
    // A part that is sent again takes the place of the one before; one that is not named is forgotten.
    await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 3, Body: 'old' }))
    await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 3, Body: parts[2] ?? '' }))
    await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 9, Body: 'unused' }))
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId, MaxParts: 2 }))
    assert.deepEqual(
      [
        listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]),
        listed.IsTruncated,
        listed.NextPartNumberMarker,
      ],
      [
        [
          [1, 5 * MiB],
          [2, 5 * MiB + 1],
        ],
        true,
        '2',
      ],
    )
    await assert.rejects(read(Key), named('NoSuchKey'))

    const complete = (Parts: { PartNumber: number; ETag?: string | undefined }[]) =>
      s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } as never }))
    const all = [1, 2, 3].map((PartNumber) => ({ PartNumber, ETag: ETags[PartNumber - 1] }))
    await assert.rejects(complete([...all].toReversed()), named('InvalidPartOrder'))
    await assert.rejects(complete([{ PartNumber: 1, ETag: ETags[1] }]), named('InvalidPart'))
    await assert.rejects(complete([{ PartNumber: 4, ETag: ETags[1] }]), named('InvalidPart'))
    await assert.rejects(
      complete([...all, { PartNumber: 9, ETag: `"${md5(Buffer.from('unused')).toString('hex')}"` }]),
      named('EntityTooSmall'),
    )
    const { ETag } = await complete(all)
    assert.equal(ETag, `"${md5(Buffer.concat(parts.map(md5))).toString('hex')}-3"`)
    await assert.rejects(complete(all), named('NoSuchUpload'))

    const whole = Buffer.concat(parts)
    assert.deepEqual(await read(Key), whole)
    const across = [5 * MiB - 3, 10 * MiB + 4] as const
    assert.deepEqual(await read(Key, `bytes=${across[0]}-${across[1]}`), whole.subarray(across[0], across[1] + 1))
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key }))
    assert.deepEqual([head.Metadata, head.ContentType, head.ContentLength], [{ a: 'b' }, 'text/x', whole.length])
    assert.equal(files().length, 3)
  })

  await t.test('parts that are copied, and an upload that is given up', async () => {
    const Key = 'copied'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const CopySource = `${Bucket}/big/one`
    const part = { Bucket, Key, UploadId, CopySource }
    const ranged = { ...part, PartNumber: 1, CopySourceRange: `bytes=1-${5 * MiB}` }
    const one = await s3.send(new UploadPartCopyCommand(ranged))
    const two = await s3.send(new UploadPartCopyCommand({ ...part, PartNumber: 2 }))
    const Parts = [one, two].map(({ CopyPartResult }, at) => ({ PartNumber: at + 1, ETag: CopyPartResult?.ETag }))
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } as never }))
    const source = await read('big/one')
    assert.deepEqual(await read(Key), Buffer.concat([source.subarray(1, 5 * MiB + 1), source]))

    const given = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'given up' }))
    const up = { Bucket, Key: 'given up', UploadId: given.UploadId }
    await s3.send(new UploadPartCommand({ ...up, PartNumber: 1, Body: 'x' }))
    const listed = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'given' }))
    assert.deepEqual(
      listed.Uploads?.map((upload) => [upload.Key, upload.UploadId]),
      [['given up', given.UploadId]],
    )
    const before = files().length
    await s3.send(new AbortMultipartUploadCommand(up))
    assert.equal(files().length, before - 1)
    await assert.rejects(s3.send(new UploadPartCommand({ ...up, PartNumber: 1, Body: 'x' })), named('NoSuchUpload'))
    assert.equal((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads, undefined)
  })

  await t.test("the SDK's uploader sends a stream in parts", async () => {
    const bytes = randomBytes(12 * MiB)
    const Body = Readable.from([bytes.subarray(0, 7_000_000), bytes.subarray(7_000_000)])
    await new Upload({ client: s3, params: { Bucket, Key: 'streamed', Body } }).done()
    assert.deepEqual(await read('streamed'), bytes)
    const Objects = ['streamed', 'copied', 'big/one'].map((Key) => ({ Key }))
    await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    assert.deepEqual(files(), [])
  })

  const names = [
    'a',
    'a/',
    'a/b',
    'a/b/c',
    'a/c',
    'a0',
    'b',
    'b/x',
    'b/y',
    'b//z',
    'é',
    'é/1',
    '\u{1F389}/x',
    '\uffee',
    '~',
    ' ',
  ]
  await t.test('lists are what a list of all keys would give, page by page', async () => {
    for (const Key of names) await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
    const sorted = names.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
    const model = (prefix: string, delimiter: string, after: string) => [
      ...new Set(
        sorted
          .filter((key) => key.startsWith(prefix) && Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0)
          .map((key) => {
            const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
            return at === -1 ? key : `${key.slice(0, at + delimiter.length)}*`
          }),
      ),
    ]
    type Page = Pick<ListObjectsV2CommandOutput, 'Contents' | 'CommonPrefixes'>
    const shown = ({ Contents = [], CommonPrefixes = [] }: Page): string[] =>
      [...Contents.map(({ Key }) => String(Key)), ...CommonPrefixes.map(({ Prefix }) => `${Prefix}*`)].toSorted(
        (x, y) => Buffer.compare(Buffer.from(x.replace(/\*$/, '')), Buffer.from(y.replace(/\*$/, ''))),
      )

    const prefixes = fc.constantFrom('', 'a', 'a/', 'b', 'é', 'nothing', '\u{1F389}')
    const delimiters = fc.constantFrom('', '/', '/b', 'b')
    const cases = fc.record({ Prefix: prefixes, Delimiter: delimiters, MaxKeys: fc.integer({ min: 1, max: 6 }) })
    await fc.assert(
      fc.asyncProperty(cases, async (asked) => {
        const expected = model(asked.Prefix, asked.Delimiter, '')
        const found: string[] = []
        for (let ContinuationToken: string | undefined, more = true; more; ) {
          const page = await s3.send(new ListObjectsV2Command({ Bucket, ...asked, ContinuationToken }))
          assert.ok((page.KeyCount ?? 0) <= asked.MaxKeys)
          assert.equal(shown(page).length, page.KeyCount)
          found.push(...shown(page))
          ContinuationToken = page.NextContinuationToken
          more = page.IsTruncated === true
        }
        assert.deepEqual(found, expected)
        const old: string[] = []
        for (let Marker: string | undefined, more = true; more; ) {
          const page = await s3.send(new ListObjectsCommand({ Bucket, ...asked, Marker }))
          old.push(...shown(page))
          Marker = page.NextMarker
          more = page.IsTruncated === true
        }
        assert.deepEqual(old, expected)
      }),
      { numRuns: 25 },
    )
    const after = await s3.send(new ListObjectsV2Command({ Bucket, StartAfter: 'a/b' }))
    assert.deepEqual(shown(after), model('', '', 'a/b'))
    const encoded = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'é', EncodingType: 'url' }))
    assert.deepEqual(shown(encoded), ['%C3%A9', '%C3%A9/1'])
    const none = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 0 }))
    assert.deepEqual([none.KeyCount, none.IsTruncated], [0, false])
  })

  await t.test('a bucket goes with the uploads that nobody has completed', async () => {
    await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: names.map((Key) => ({ Key })) } }))
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'k' }))
    await s3.send(new UploadPartCommand({ Bucket, Key: 'k', UploadId, PartNumber: 1, Body: 'x' }))
    await s3.send(new DeleteBucketCommand({ Bucket }))
    assert.deepEqual(files(), [])
    assert.doesNotMatch(server.output(), /a bug of ours/)
  })
})

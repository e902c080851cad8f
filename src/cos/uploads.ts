// Uploads in parts: begun, filled in any order and at the same time, completed in one transaction or aborted. Source: Amazon
// S3 API, "Uploading and copying objects using multipart upload".

import { createHash } from 'node:crypto'
import type { StreamBody } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { objectBytesMax, objectPartBytesMin, objectPartNumberMax, objectPutBytesMax } from '#base/limits-cos.ts'
import type { Grant, Subject } from '#iam/port.ts'
import type { StorageAction } from './access.ts'
import type { BucketRow } from './bucket.ts'
import { rangeOf } from './conditions.ts'
import type { Conditions } from './conditions.ts'
import { checkSource } from './copies.ts'
import type { Source } from './copies.ts'
import { noSuchKey } from './object.ts'
import type { ObjectAddress, ObjectFacts, ObjectRow } from './object.ts'
import { checkSize, piecesOf, replaceObject, rowOf } from './objects.ts'
import type { ObjectParts, Objects } from './objects.ts'
import { deleteUpload, insertUpload, putPart, selectParts, selectUpload, selectUploads } from './tables-uploads.ts'
import type { PartRow, UploadRow } from './tables-uploads.ts'

/** A part as a client names it when it completes the upload. */
export interface NamedPart {
  readonly number: number
  readonly etag: string
}

export interface PartAddress extends ObjectAddress {
  readonly uploadId: string
  readonly number: number
}

export interface Uploads {
  begin(subject: Subject, address: ObjectAddress, facts: ObjectFacts): Promise<UploadRow>
  putPart(subject: Subject, address: PartAddress, body: StreamBody): Promise<PartRow>
  copyPart(subject: Subject, address: PartAddress, source: Source, range: string | undefined): Promise<PartRow>
  complete(
    subject: Subject,
    address: ObjectAddress & { readonly uploadId: string },
    wanted: { readonly parts: readonly NamedPart[]; readonly conditions: Conditions },
  ): Promise<ObjectRow>
  abort(subject: Subject, address: ObjectAddress & { readonly uploadId: string }): Promise<void>
  parts(
    subject: Subject,
    address: ObjectAddress & { readonly uploadId: string },
    page: { readonly after: number; readonly limit: number },
  ): Promise<{ upload: UploadRow; bucket: BucketRow; parts: readonly PartRow[]; isTruncated: boolean }>
  list(
    subject: Subject,
    bucket: string,
    page: {
      readonly afterKey: string
      readonly afterId: string
      readonly from: string
      readonly below: string | null
      readonly limit: number
    },
  ): Promise<{ bucket: BucketRow; uploads: readonly UploadRow[] }>
}

type Upload = { readonly upload: UploadRow; readonly bucket: BucketRow; readonly grant: Grant }

export function makeUploads(parts: ObjectParts & { readonly objects: Objects }): Uploads {
  const { database, clock, random, access, files, objects } = parts

  async function find(
    subject: Subject,
    action: StorageAction,
    address: ObjectAddress & { readonly uploadId: string },
  ): Promise<Upload> {
    const { bucket, grant } = await access.toObject(subject, action, address)
    const upload = await selectUpload(database.reads, grant, { id: address.uploadId, key: address.key })
    if (!upload) throw noSuchUpload()
    return { upload, bucket, grant }
  }

  async function store(
    { upload, grant }: Upload,
    number: number,
    source: AsyncIterable<Uint8Array>,
    checksum: () => ObjectFacts['checksum'],
  ): Promise<PartRow> {
    await using file = await files.write(source, objectPutBytesMax)
    const proven = checksum()
    const row: PartRow = {
      upload_id: upload.id,
      number,
      file_id: file.id,
      size_bytes: file.sizeBytes,
      etag: file.md5.toString('hex'),
      checksum: proven && `${proven.algorithm}:${proven.value}`,
      modified_at: clock.now(),
    }
    const before = await database.transaction(async (tx) => {
      if (!(await selectUpload(tx, grant, upload))) throw noSuchUpload()
      return await putPart(tx, grant, row)
    })
    file.keep()
    if (before !== null) await files.discard([before])
    return row
  }

  return {
    async begin(subject, address, facts) {
      const action = 'cloud-object-storage.object.post_initiate_upload'
      const { grant, bucket } = await access.toObject(subject, action, address)
      const upload: UploadRow = {
        id: makeUuid(random),
        bucket: bucket.name,
        key: address.key,
        facts: JSON.stringify(facts),
        created_at: clock.now(),
        created_by: 'iamId' in subject ? subject.iamId : subject.serviceName,
      }
      await database.transaction((tx) => insertUpload(tx, grant, upload))
      return upload
    },

    async putPart(subject, address, body) {
      const upload = await find(subject, 'cloud-object-storage.object.put_part', address)
      checkSize(body)
      return await store(upload, checkedNumber(address.number), body, () => body.checksum())
    },

    async copyPart(subject, address, source, range) {
      const upload = await find(subject, 'cloud-object-storage.object.copy_part', address)
      const action = 'cloud-object-storage.object.copy_part_get'
      const { grant } = await access.toObject(subject, action, source.address)
      const opened = await objects.open(grant, source.address.key)
      if (!opened) throw noSuchKey(source.address.key)
      const { row, segments, release } = opened
      try {
        checkSource(source, row)
        const whole = { first: 0, last: row.size_bytes - 1 }
        const asked = range === undefined ? whole : rangeOf(range, row.size_bytes)
        if (!asked) throw new Fault('invalid', 'x-amz-copy-source-range must look like bytes=0-1048575')
        const bytes = files.read(piecesOf(segments, asked))
        return await store(upload, checkedNumber(address.number), bytes, () => null)
      } finally {
        release()
      }
    },

    async complete(subject, address, { parts: named, conditions }) {
      const action = 'cloud-object-storage.object.post_complete_upload'
      const { upload, bucket, grant } = await find(subject, action, address)
      const { row, left } = await database.transaction(async (tx) => {
        const still = await selectUpload(tx, grant, upload)
        if (!still) throw noSuchUpload()
        const has = await selectParts(tx, upload, { after: 0, limit: objectPartNumberMax })
        const chosen = choose(named, has)
        const row = {
          ...rowOf(parts, address, { sizeBytes: sum(chosen), etag: etagOf(chosen) }),
          bucket: bucket.name,
          facts: upload.facts,
        }
        const segments = chosen.map(({ file_id, size_bytes }) => ({ file_id, size_bytes }))
        const used = new Set(chosen.map((part) => part.file_id))
        const unused = (await deleteUpload(tx, upload)).filter((fileId) => !used.has(fileId))
        const replaced = await replaceObject(parts, tx, { grant, bucket, subject, conditions, row, segments })
        return { row, left: [...unused, ...replaced] }
      })
      await files.discard(left)
      return row
    },

    async abort(subject, address) {
      const { upload } = await find(subject, 'cloud-object-storage.object.delete_upload', address)
      await files.discard(await database.transaction((tx) => deleteUpload(tx, upload)))
    },

    async parts(subject, address, { after, limit }) {
      const { upload, bucket } = await find(subject, 'cloud-object-storage.object.get_uploads', address)
      const rows = await selectParts(database.reads, upload, { after, limit: limit + 1 })
      return { upload, bucket, parts: rows.slice(0, limit), isTruncated: rows.length > limit }
    },

    async list(subject, name, page) {
      const { bucket, grant } = await access.toBucket(subject, 'cloud-object-storage.bucket.get_uploads', name)
      return { bucket, uploads: await selectUploads(database.reads, grant, page) }
    },
  }
}

const noSuchUpload = (): Fault =>
  new Fault('not_found', 'the specified upload does not exist: it may have been aborted or completed', {
    reason: 'NoSuchUpload',
  })

function checkedNumber(number: number): number {
  if (Number.isInteger(number) && number >= 1 && number <= objectPartNumberMax) return number
  throw new Fault('invalid', `partNumber must be a whole number from 1 to ${objectPartNumberMax}`)
}

/** The parts that were named, if they are there, as named, in order, and large enough. */
function choose(named: readonly NamedPart[], has: readonly PartRow[]): readonly PartRow[] {
  const byNumber = new Map(has.map((part) => [part.number, part]))
  const chosen = named.map(({ number, etag }, at) => {
    if (at > 0 && number <= (named[at - 1]?.number ?? 0)) {
      throw new Fault('invalid', 'the list of parts was not in ascending order', { reason: 'InvalidPartOrder' })
    }
    const part = byNumber.get(number)
    if (part?.etag === etag) return part
    throw new Fault('invalid', 'a specified part could not be found, or its entity tag is another', {
      reason: 'InvalidPart',
      extra: { PartNumber: number },
    })
  })
  const small = chosen.slice(0, -1).find((part) => part.size_bytes < objectPartBytesMin)
  if (small) {
    throw new Fault('invalid', 'your proposed upload is smaller than the minimum allowed size', {
      reason: 'EntityTooSmall',
      extra: { PartNumber: small.number, ProposedSize: small.size_bytes, MinSizeAllowed: objectPartBytesMin },
    })
  }
  if (sum(chosen) > objectBytesMax) throw new Fault('too_large', 'the parts together exceed the maximum allowed size')
  return chosen
}

const sum = (parts: readonly PartRow[]): number => parts.reduce((bytes, part) => bytes + part.size_bytes, 0)

/** The MD5 of the parts' MD5s, and how many they are. */
const etagOf = (parts: readonly PartRow[]): string =>
  `${createHash('md5')
    .update(Buffer.concat(parts.map((part) => Buffer.from(part.etag, 'hex'))))
    .digest('hex')}-${parts.length}`

// Objects: written whole or not at all, read as they were when reading began, removed. Of two who write one key, the one
// whose transaction is the later wins, whole.

import { Readable } from 'node:stream'
import type { Clock } from '#base/clock.ts'
import type { StreamBody } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { objectPutBytesMax } from '#base/limits-cos.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Grant, Subject } from '#iam/port.ts'
import type { Database, Tx } from '#store/database.ts'
import type { Access } from './access.ts'
import { bucketCrn, noSuchBucket } from './bucket.ts'
import type { BucketRow } from './bucket.ts'
import { checkWrite, isOf, judge, preconditionFailed, rangeOf } from './conditions.ts'
import type { ByteRange, Conditions } from './conditions.ts'
import type { ObjectFiles, Piece } from './files.ts'
import { noSuchKey } from './object.ts'
import type { ObjectAddress, ObjectFacts, ObjectRow, SegmentRow } from './object.ts'
import { selectBucket } from './tables-buckets.ts'
import { deleteObject, insertObject, selectObject, selectSegments } from './tables-objects.ts'

export interface Written {
  readonly etag: string
  readonly sizeBytes: number
  readonly checksum: ObjectFacts['checksum']
}

/** An object as it was at one moment; null for `body` where nobody asked for it, or it has not changed. */
export interface Shown {
  readonly row: ObjectRow
  readonly range: ByteRange | null
  readonly body: Readable | null
  readonly isModified: boolean
}

export interface Wanted {
  readonly conditions: Conditions
  readonly range: string | undefined
  /** RFC 9110, "If-Range": of which version the range is wanted; of another one, all. */
  readonly ifRange?: string | undefined
  readonly withBody: boolean
}

export interface Objects {
  put(
    subject: Subject,
    address: ObjectAddress,
    wanted: {
      readonly facts: ObjectFacts
      readonly conditions: Conditions
      readonly body: StreamBody
      /** Of the object; without it, as one request may bring. */
      readonly bytesMax?: number
    },
  ): Promise<Written>
  get(subject: Subject, address: ObjectAddress, wanted: Wanted): Promise<Shown>
  /** Nothing is said where there was nothing: Amazon S3 API, "DeleteObject". */
  delete(subject: Subject, address: ObjectAddress): Promise<void>
  /** The object and its files, held until `release`; for those who copy. */
  open(grant: Grant, key: string): Promise<Opened | null>
}

export interface Opened {
  readonly row: ObjectRow
  readonly segments: readonly SegmentRow[]
  release(): void
}

type Segments = readonly Pick<SegmentRow, 'file_id' | 'size_bytes'>[]

export interface ObjectParts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly access: Access
  readonly files: ObjectFiles
}

export function makeObjects(parts: ObjectParts): Objects {
  const { database, access, files } = parts

  async function open(grant: Grant, key: string): Promise<Opened | null> {
    for (;;) {
      const row = await selectObject(database.reads, grant, key)
      if (!row) return null
      const segments = await selectSegments(database.reads, row.id)
      const release = files.hold(segments.map((segment) => segment.file_id))
      // Whoever replaced the object before the files were held may have removed them.
      const still = await selectObject(database.reads, grant, key)
      if (still?.id === row.id) return { row, segments, release }
      release()
    }
  }

  return {
    open,

    async put(subject, address, { facts, conditions, body, bytesMax = objectPutBytesMax }) {
      const { bucket, grant } = await access.toObject(subject, 'cloud-object-storage.object.put', address)
      checkSize(body)
      await using file = await files.write(body, bytesMax)
      const row = rowOf(parts, address, { sizeBytes: file.sizeBytes, etag: file.md5.toString('hex') })
      const checksum = body.checksum()
      const withFacts = { ...row, facts: JSON.stringify({ ...facts, checksum }) }
      const segments = [{ file_id: file.id, size_bytes: file.sizeBytes }]
      const left = await database.transaction((tx) =>
        replaceObject(parts, tx, { grant, bucket, subject, conditions, row: withFacts, segments }),
      )
      file.keep()
      await files.discard(left)
      return { etag: row.etag, sizeBytes: file.sizeBytes, checksum }
    },

    async get(subject, address, { conditions, range: wantedRange, ifRange, withBody }) {
      const action = withBody ? 'cloud-object-storage.object.get' : 'cloud-object-storage.object.head'
      const { grant } = await access.toObject(subject, action, address)
      const opened = await open(grant, address.key)
      if (!opened) throw noSuchKey(address.key)
      const { row, segments, release } = opened
      try {
        const verdict = judge(conditions, row)
        if (verdict === 'failed') throw preconditionFailed('If-Match or If-Unmodified-Since')
        const asked = ifRange === undefined || isOf(ifRange, row) ? wantedRange : undefined
        const range = verdict === 'go' ? rangeOf(asked, row.size_bytes) : null
        if (verdict === 'not-modified' || !withBody) {
          release()
          return { row, range, body: null, isModified: verdict === 'go' }
        }
        const { first, last } = range ?? { first: 0, last: row.size_bytes - 1 }
        const body = Readable.from(files.read(piecesOf(segments, { first, last })), { objectMode: false })
        // However reading ends, and also where it never begins.
        body.once('close', release)
        return { row, range, body, isModified: true }
      } catch (error) {
        release()
        throw error
      }
    },

    async delete(subject, address) {
      const { bucket, grant } = await access.toObject(subject, 'cloud-object-storage.object.delete', address)
      const left = await database.transaction(async (tx) => {
        const row = await selectObject(tx, grant, address.key)
        if (!row) return []
        await parts.outbox.append(tx, { ...aboutObject(bucket, subject, row), type: 'cos.object.deleted' })
        return await deleteObject(tx, row)
      })
      await files.discard(left)
    },
  }
}

/** What has been announced as too large need not be read to its end. */
export function checkSize({ announcedBytes }: StreamBody): void {
  if (announcedBytes === null || announcedBytes <= objectPutBytesMax) return
  throw new Fault('too_large', 'your proposed upload exceeds the maximum allowed size')
}

export const rowOf = (
  { clock, random }: Pick<ObjectParts, 'clock' | 'random'>,
  { bucket, key }: ObjectAddress,
  made: { readonly sizeBytes: number; readonly etag: string },
): Omit<ObjectRow, 'facts'> => ({
  bucket,
  key,
  id: makeUuid(random),
  size_bytes: made.sizeBytes,
  etag: made.etag,
  modified_at: clock.now(),
})

/** In the place of what was there. Which files no object has any more. */
export async function replaceObject(
  { outbox }: Pick<ObjectParts, 'outbox'>,
  tx: Tx,
  made: {
    readonly grant: Grant
    readonly bucket: BucketRow
    readonly subject: Subject
    readonly conditions: Conditions
    readonly row: ObjectRow
    readonly segments: Segments
  },
): Promise<readonly string[]> {
  const { grant, bucket, row } = made
  // The bucket of that moment: another account may have it by now.
  const present = await selectBucket(tx, bucket.name)
  if (present?.created_at !== bucket.created_at || present.instance_id !== bucket.instance_id) throw noSuchBucket()
  const before = await selectObject(tx, grant, row.key)
  checkWrite(made.conditions, before, () => noSuchKey(row.key))
  const left = before ? await deleteObject(tx, before) : []
  await insertObject(tx, grant, row, made.segments)
  await outbox.append(tx, { ...aboutObject(bucket, made.subject, row), type: 'cos.object.written' })
  // A copy onto itself has the files of before.
  const has = new Set(made.segments.map((segment) => segment.file_id))
  return left.filter((fileId) => !has.has(fileId))
}

const aboutObject = (bucket: BucketRow, subject: Subject, row: Pick<ObjectRow, 'key' | 'id'>) => ({
  accountId: bucket.account_id,
  ...('iamId' in subject && { initiatorId: subject.iamId }),
  bucketCrn: bucketCrn(bucket),
  key: row.key,
  objectId: row.id,
})

/** Where the bytes of a range lie. */
export function piecesOf(segments: Segments, { first, last }: ByteRange): readonly Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const { file_id: fileId, size_bytes: size } of segments) {
    const offset = Math.max(first - at, 0)
    const end = Math.min(last - at + 1, size)
    if (offset < end) pieces.push({ fileId, offset, byteCount: end - offset })
    at += size
  }
  return pieces
}

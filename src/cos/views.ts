// Rows to wire: documents of XML by their element names, and headers.

import { rfc3339 } from '#base/clock.ts'
import { placeOf } from './bucket.ts'
import type { BucketRow } from './bucket.ts'
import { checksumHeader } from './checksums.ts'
import type { ListRequest, ObjectPage } from './listing.ts'
import { factsOf, headersOf, quoted } from './object.ts'
import type { ObjectRow } from './object.ts'
import type { Shown, Written } from './objects.ts'
import { tokenOf } from './requests.ts'
import { uriEncode } from './signature.ts'
import type { PartRow, UploadRow } from './tables-uploads.ts'

const root = <T extends object>(content: T) => ({ '@xmlns': 'http://s3.amazonaws.com/doc/2006-03-01/', ...content })
const person = (id: string) => ({ ID: id, DisplayName: id })
const httpDate = (ms: number): string => new Date(ms).toUTCString()
const storageClass = 'STANDARD'

/** Names that XML cannot hold may be asked for in percent encoding. */
type Encoding = 'url' | undefined
const encoder =
  (encoding: Encoding) =>
  (text: string): string =>
    encoding === 'url' ? uriEncode(text, '/') : text

// Buckets -------------------------------------------------------------------------------------------------------------

export const bucketsView = (owner: string, buckets: readonly BucketRow[]) => ({
  ListAllMyBucketsResult: root({
    Owner: person(owner),
    Buckets: { Bucket: buckets.map((row) => ({ Name: row.name, CreationDate: rfc3339(row.created_at) })) },
  }),
})

export const locationView = (row: BucketRow) => ({ LocationConstraint: root({ '#text': row.location }) })

export const bucketHeaders = (row: BucketRow): Record<string, string> => ({
  'x-amz-bucket-region': placeOf(row.location),
  'ibm-sse-kp-enabled': 'false',
})

export const deletionView = (
  deleted: readonly string[],
  failed: readonly { readonly key: string; readonly code: string; readonly message: string }[],
) => ({
  DeleteResult: root({
    Deleted: deleted.map((key) => ({ Key: key })),
    Error: failed.map(({ key, code, message }) => ({ Key: key, Code: code, Message: message })),
  }),
})

// Lists ---------------------------------------------------------------------------------------------------------------

function contents(page: ObjectPage, name: string, request: ListRequest, encoding: Encoding, owner: string | null) {
  const encoded = encoder(encoding)
  return {
    Name: name,
    Prefix: encoded(request.prefix),
    ...(request.delimiter !== '' && { Delimiter: encoded(request.delimiter) }),
    MaxKeys: request.limit,
    ...(encoding && { EncodingType: encoding }),
    IsTruncated: page.next !== null,
    Contents: page.objects.map((row) => ({
      Key: encoded(row.key),
      LastModified: rfc3339(row.modified_at),
      ETag: quoted(row.etag),
      Size: row.size_bytes,
      ...(owner !== null && { Owner: person(owner) }),
      StorageClass: storageClass,
    })),
    CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: encoded(prefix) })),
  }
}

export function listViewV1(
  page: ObjectPage & { readonly owner: string },
  name: string,
  request: ListRequest,
  query: { readonly marker?: string; readonly 'encoding-type'?: 'url' },
) {
  const encoding = query['encoding-type']
  const encoded = encoder(encoding)
  const { next } = page
  return {
    ListBucketResult: root({
      ...contents(page, name, request, encoding, page.owner),
      Marker: encoded(query.marker ?? ''),
      ...(next !== null && { NextMarker: encoded('past' in next ? next.past : next.after) }),
    }),
  }
}

export function listViewV2(
  page: ObjectPage & { readonly owner: string },
  name: string,
  request: ListRequest,
  query: {
    readonly 'continuation-token'?: string
    readonly 'start-after'?: string
    readonly 'fetch-owner'?: string
    readonly 'encoding-type'?: 'url'
  },
) {
  const encoding = query['encoding-type']
  const startAfter = query['start-after']
  const token = query['continuation-token']
  return {
    ListBucketResult: root({
      ...contents(page, name, request, encoding, query['fetch-owner'] === 'true' ? page.owner : null),
      KeyCount: page.objects.length + page.prefixes.length,
      ...(startAfter !== undefined && { StartAfter: encoder(encoding)(startAfter) }),
      ...(token !== undefined && { ContinuationToken: token }),
      ...(page.next !== null && { NextContinuationToken: tokenOf(page.next) }),
    }),
  }
}

// Objects -------------------------------------------------------------------------------------------------------------

/** Of an answer about an object; `asked` are the request's headers. */
export function objectHeaders({ row, range }: Shown, asked: Readonly<Record<string, string | undefined>>) {
  const facts = factsOf(row)
  const { checksum } = facts
  const isProven = checksum && range === null && asked['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED'
  const length = range ? range.last - range.first + 1 : row.size_bytes
  return {
    ...headersOf(facts),
    'accept-ranges': 'bytes',
    etag: quoted(row.etag),
    'last-modified': httpDate(row.modified_at),
    'content-length': String(length),
    ...(range && { 'content-range': `bytes ${range.first}-${range.last}/${row.size_bytes}` }),
    ...(isProven && {
      [checksumHeader(checksum.algorithm)]: checksum.value,
      'x-amz-checksum-type': 'FULL_OBJECT',
    }),
  }
}

/** RFC 9110, "304 Not Modified": what a cache needs to know what it has. */
export const unmodifiedHeaders = ({ row }: Shown): Record<string, string> => {
  const cacheControl = factsOf(row).headers['cache-control']
  return {
    etag: quoted(row.etag),
    'last-modified': httpDate(row.modified_at),
    ...(cacheControl !== undefined && { 'cache-control': cacheControl }),
  }
}

export const writtenHeaders = ({ etag, checksum }: Pick<Written, 'etag' | 'checksum'>): Record<string, string> => ({
  etag: quoted(etag),
  ...(checksum && { [checksumHeader(checksum.algorithm)]: checksum.value }),
})

export const partHeaders = ({ etag, checksum }: PartRow): Record<string, string> => {
  const [algorithm = '', value = ''] = checksum?.split(':') ?? []
  return writtenHeaders({ etag, checksum: checksum === null ? null : { algorithm, value } })
}

const copied = (etag: string, at: number) => root({ LastModified: rfc3339(at), ETag: quoted(etag) })
export const copyView = (row: ObjectRow) => ({ CopyObjectResult: copied(row.etag, row.modified_at) })
export const partCopyView = (row: PartRow) => ({ CopyPartResult: copied(row.etag, row.modified_at) })

// Uploads -------------------------------------------------------------------------------------------------------------

export const uploadView = ({ bucket, key, id }: UploadRow) => ({
  InitiateMultipartUploadResult: root({ Bucket: bucket, Key: key, UploadId: id }),
})

export const completionView = ({ bucket, key, etag }: ObjectRow, baseUrl: string) => ({
  CompleteMultipartUploadResult: root({
    Location: `${baseUrl}/${bucket}/${uriEncode(key, '/')}`,
    Bucket: bucket,
    Key: key,
    ETag: quoted(etag),
  }),
})

export function partsView(
  listed: { upload: UploadRow; bucket: BucketRow; parts: readonly PartRow[]; isTruncated: boolean },
  page: { readonly after: number; readonly limit: number },
  encoding: Encoding,
) {
  const { upload, bucket, parts, isTruncated } = listed
  return {
    ListPartsResult: root({
      Bucket: upload.bucket,
      Key: encoder(encoding)(upload.key),
      UploadId: upload.id,
      Initiator: person(upload.created_by),
      Owner: person(bucket.instance_id),
      StorageClass: storageClass,
      PartNumberMarker: page.after,
      NextPartNumberMarker: parts.at(-1)?.number ?? page.after,
      MaxParts: page.limit,
      IsTruncated: isTruncated,
      Part: parts.map((part) => ({
        PartNumber: part.number,
        LastModified: rfc3339(part.modified_at),
        ETag: quoted(part.etag),
        Size: part.size_bytes,
      })),
    }),
  }
}

export function uploadsView(
  { bucket, uploads }: { bucket: BucketRow; uploads: readonly UploadRow[] },
  query: {
    readonly prefix?: string
    readonly 'key-marker'?: string
    readonly 'upload-id-marker'?: string
    readonly 'encoding-type'?: 'url'
  },
  limit: number,
) {
  const encoding = query['encoding-type']
  const encoded = encoder(encoding)
  const shown = uploads.slice(0, limit)
  const last = shown.at(-1)
  const isTruncated = uploads.length > limit && last !== undefined
  return {
    ListMultipartUploadsResult: root({
      Bucket: bucket.name,
      KeyMarker: encoded(query['key-marker'] ?? ''),
      UploadIdMarker: query['upload-id-marker'] ?? '',
      ...(isTruncated && { NextKeyMarker: encoded(last.key), NextUploadIdMarker: last.id }),
      Prefix: encoded(query.prefix ?? ''),
      ...(encoding && { EncodingType: encoding }),
      MaxUploads: limit,
      IsTruncated: isTruncated,
      Upload: shown.map((upload) => ({
        Key: encoded(upload.key),
        UploadId: upload.id,
        Initiator: person(upload.created_by),
        Owner: person(bucket.instance_id),
        StorageClass: storageClass,
        Initiated: rfc3339(upload.created_at),
      })),
    }),
  }
}

// Wire to domain: where the names of the wire end.

import type { Static } from 'typebox'
import type { StreamBody } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { conditionsOf } from './conditions.ts'
import { pageOf } from './contract.ts'
import type { cosContract } from './contract.ts'
import type { Source } from './copies.ts'
import type { ListRequest, Place } from './listing.ts'
import { pastAll, rolledUp } from './listing.ts'
import { factsOfHeaders } from './object.ts'
import type { ObjectFacts } from './object.ts'
import type { NamedPart } from './uploads.ts'

type Contract = typeof cosContract
type Headers = Readonly<Record<string, string | undefined>>

/** `/bucket/key` or `bucket/key`, percent-encoded. */
export function sourceOf(headers: Headers): Source {
  const [text = '', ...query] = (headers['x-amz-copy-source'] ?? '').split('?')
  const [, bucket, rest] = /^\/?([^/]+)\/(.+)$/s.exec(text) ?? []
  const version = new URLSearchParams(query.join('?')).get('versionId')
  if (version !== null && version !== 'null') {
    throw new Fault('not_implemented', 'versions are not implemented: x-amz-copy-source names one')
  }
  const key = rest === undefined ? null : decoded(rest)
  if (bucket === undefined || key === null) {
    throw new Fault('invalid', 'x-amz-copy-source must be the percent-encoded /BUCKET/KEY')
  }
  return { address: { bucket, key }, conditions: conditionsOf(headers, 'x-amz-copy-source-') }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** Null to take the source's own. Amazon S3 API, "CopyObject", x-amz-metadata-directive. */
export function copiedFacts(headers: Headers): ObjectFacts | null {
  const directive = headers['x-amz-metadata-directive'] ?? 'COPY'
  if (directive === 'COPY') return null
  if (directive === 'REPLACE') return factsOfHeaders(headers)
  throw new Fault('invalid', 'x-amz-metadata-directive must be COPY or REPLACE')
}

/** Amazon S3 API, "PutObject": a body of unknown length is refused, so that a cut one is not taken for a whole. */
export function withLength(body: StreamBody): StreamBody {
  if (body.announcedBytes !== null) return body
  throw new Fault('invalid', 'you must provide the Content-Length header', { reason: 'MissingContentLength' })
}

/** Entity tags come with and without their quotes. */
export const namedParts = (body: Static<Contract['completeMultipartUpload']['body']>): readonly NamedPart[] =>
  body.CompleteMultipartUpload.Part.map(({ PartNumber, ETag }) => ({
    number: Number(PartNumber),
    etag: ETag.trim().replaceAll('"', ''),
  }))

export function locationOf(body: Static<Contract['createBucket']['body']> | undefined): { location?: string } {
  const configuration = body?.CreateBucketConfiguration
  if (typeof configuration !== 'object') return {}
  return configuration.LocationConstraint === undefined ? {} : { location: configuration.LocationConstraint.trim() }
}

export function listRequestV1(query: Static<Contract['listObjects']['query']>): ListRequest {
  const request = { ...rollUp(query), from: null, limit: pageOf(query['max-keys']) }
  const { marker } = query
  if (marker === undefined || marker === '') return request
  // The marker of a page that ended with a common prefix is that prefix: the next page begins behind all of it.
  return { ...request, from: rolledUp(marker, request) === marker ? { past: marker } : { after: marker } }
}

export function listRequestV2(query: Static<Contract['listObjectsV2']['query']>): ListRequest {
  const { 'continuation-token': token, 'start-after': startAfter } = query
  const from = token !== undefined ? placeOf(token) : startAfter ? { after: startAfter } : null
  return { ...rollUp(query), from, limit: pageOf(query['max-keys']) }
}

const rollUp = ({ prefix = '', delimiter = '' }: { readonly prefix?: string; readonly delimiter?: string }) => ({
  prefix,
  delimiter,
})

/** Opaque to clients. */
export const tokenOf = (place: Place): string => Buffer.from(JSON.stringify(place)).toString('base64url')

function placeOf(token: string): Place {
  try {
    const place: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (typeof place === 'object' && place !== null) {
      if ('after' in place && typeof place.after === 'string') return { after: place.after }
      if ('past' in place && typeof place.past === 'string') return { past: place.past }
    }
  } catch {
    // Not ours, like any other text.
  }
  throw new Fault('invalid', 'the continuation token provided is incorrect')
}

export function uploadPage(query: Static<Contract['listMultipartUploads']['query']>) {
  const { prefix = '', delimiter, 'key-marker': keyMarker, 'upload-id-marker': idMarker } = query
  if (delimiter)
    throw new Fault('not_implemented', 'uploads are not rolled up: the parameter delimiter is not implemented')
  // Without an id, the page begins behind all uploads of the marked key.
  const afterId = idMarker === undefined || idMarker === '' ? behindAllIds : idMarker
  return {
    afterKey: keyMarker ?? '',
    afterId: keyMarker ? afterId : '',
    from: prefix,
    below: prefix === '' ? null : pastAll(prefix),
    limit: pageOf(query['max-uploads']),
  }
}

/** Greater than every UUID. */
const behindAllIds = '~'

/** Amazon S3 API, "GetObject": what a signed request may have put in the place of the object's own headers. */
export const overridden = (query: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) => {
      const header = name.startsWith('response-') ? name.slice('response-'.length) : ''
      return overridable.has(header) && typeof value === 'string' ? [[header, headerSafe(name, value)]] : []
    }),
  )

const overridable: ReadonlySet<string> = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
])

function headerSafe(name: string, value: string): string {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value
  throw new Fault('invalid', `${name} must be text that a header can hold`)
}

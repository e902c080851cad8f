// Objects: their keys, and what is kept of the headers that they came with. Source: Amazon S3 API, "PutObject".

import type { Selectable } from 'kysely'
import { Fault } from '#base/fault.ts'
import { objectKeyBytesMax, objectMetadataBytesMax } from '#base/limits-cos.ts'
import type { CosTables } from '#store/schema/cos.ts'

export type ObjectRow = Selectable<CosTables['cos_object']>
export type SegmentRow = Selectable<CosTables['cos_segment']>

export interface ObjectAddress {
  readonly bucket: string
  readonly key: string
}

/** `cos_object.facts`. Names of headers are lower-case. */
export interface ObjectFacts {
  readonly headers: Readonly<Record<string, string>>
  /** Without their `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>
  /** Of all bytes; null where the client has proven none, and for what was uploaded in parts. */
  readonly checksum: { readonly algorithm: string; readonly value: string } | null
}

/** Our own text, written by whoever inserts an object. */
export const factsOf = (row: Pick<ObjectRow, 'facts'>): ObjectFacts => JSON.parse(row.facts)

/** Amazon S3, "System-defined object metadata": what clients set and get back. */
export const contentHeaders = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
] as const

const metadataPrefix = 'x-amz-meta-'

export function factsOfHeaders(headers: Readonly<Record<string, string | undefined>>): ObjectFacts {
  const kept: Record<string, string> = {}
  for (const name of contentHeaders) {
    // How the body was sent is no property of the object.
    const value = name === 'content-encoding' ? withoutChunking(headers[name]) : headers[name]
    if (value) kept[name] = value
  }
  kept['content-type'] ??= 'binary/octet-stream'
  const metadata: Record<string, string> = Object.create(null)
  let bytes = 0
  for (const [name, value = ''] of Object.entries(headers)) {
    if (!name.startsWith(metadataPrefix)) continue
    metadata[name.slice(metadataPrefix.length)] = value
    bytes += name.length - metadataPrefix.length + Buffer.byteLength(value, 'latin1')
  }
  if (bytes > objectMetadataBytesMax) {
    throw new Fault('invalid', `user metadata is larger than ${objectMetadataBytesMax} bytes`, {
      reason: 'MetadataTooLarge',
    })
  }
  return { headers: kept, metadata, checksum: null }
}

const withoutChunking = (encoding: string | undefined): string | undefined =>
  encoding
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part.toLowerCase() !== 'aws-chunked')
    .join(',')

export const headersOf = ({ headers, metadata }: ObjectFacts): Record<string, string> => ({
  ...headers,
  ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`${metadataPrefix}${name}`, value])),
})

/** Any text is a name, `..` and `//` too: keys are rows and never paths. NUL is what no reader of a list could be told. */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > objectKeyBytesMax) {
    throw new Fault('invalid', `the key is longer than ${objectKeyBytesMax} bytes`, { reason: 'KeyTooLongError' })
  }
  if (key === '' || key.includes('\0')) throw new Fault('invalid', 'the key must be text without NUL')
}

export const noSuchKey = (key: string): Fault =>
  new Fault('not_found', 'the specified key does not exist', { reason: 'NoSuchKey', extra: { Key: key } })

export const quoted = (etag: string): string => `"${etag}"`

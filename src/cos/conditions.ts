// Conditional requests and ranges. Pure. Sources: RFC 9110, "Preconditions" and "Range"; Amazon S3 API, "GetObject",
// "PutObject", "CopyObject".

import { Fault } from '#base/fault.ts'

export interface Conditions {
  readonly ifMatch: string | undefined
  readonly ifNoneMatch: string | undefined
  readonly ifModifiedSince: string | undefined
  readonly ifUnmodifiedSince: string | undefined
}

type Headers = Readonly<Record<string, string | undefined>>

/** `prefix` is `x-amz-copy-source-` where the conditions are on what is copied. */
export const conditionsOf = (headers: Headers, prefix = ''): Conditions => ({
  ifMatch: headers[`${prefix}if-match`],
  ifNoneMatch: headers[`${prefix}if-none-match`],
  ifModifiedSince: headers[`${prefix}if-modified-since`],
  ifUnmodifiedSince: headers[`${prefix}if-unmodified-since`],
})

export interface Judged {
  readonly etag: string
  readonly modified_at: number
}

/** RFC 9110, "Precedence of Preconditions": what names a version counts before what names a time. */
export function judge(conditions: Conditions, { etag, modified_at }: Judged): 'go' | 'not-modified' | 'failed' {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions
  const modified = Math.floor(modified_at / 1000) * 1000
  if (ifMatch !== undefined) {
    if (!names(ifMatch, etag)) return 'failed'
  } else if (modified > timeOf(ifUnmodifiedSince, Number.POSITIVE_INFINITY)) return 'failed'
  if (ifNoneMatch !== undefined) return names(ifNoneMatch, etag) ? 'not-modified' : 'go'
  return modified <= timeOf(ifModifiedSince, Number.NEGATIVE_INFINITY) ? 'not-modified' : 'go'
}

/** Of a write, on what is there now: throws what the writer is told. */
export function checkWrite({ ifMatch, ifNoneMatch }: Conditions, present: Judged | null, missing: () => Fault): void {
  if (ifMatch !== undefined && !present) throw missing()
  if (ifMatch !== undefined && present && !names(ifMatch, present.etag)) throw preconditionFailed('If-Match')
  if (ifNoneMatch !== undefined && present && names(ifNoneMatch, present.etag))
    throw preconditionFailed('If-None-Match')
}

export const preconditionFailed = (condition: string): Fault =>
  new Fault('precondition', 'at least one of the preconditions that you specified did not hold', {
    extra: { Condition: condition },
  })

const names = (list: string, etag: string): boolean =>
  list
    .split(',')
    .map((one) => one.trim().replace(/^W\//, '').replaceAll('"', ''))
    .some((one) => one === '*' || one === etag)

/** A date that cannot be read is no condition: RFC 9110, "If-Modified-Since". */
function timeOf(text: string | undefined, otherwise: number): number {
  const at = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(at) ? otherwise : at
}

/** RFC 9110, "If-Range": an entity tag, or the very time. */
export const isOf = (ifRange: string, { etag, modified_at }: Judged): boolean =>
  ifRange.replaceAll('"', '') === etag || Date.parse(ifRange) === Math.floor(modified_at / 1000) * 1000

/** Both ends inclusive. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** Null where the whole is meant: no header, or one that is not a single range of bytes. */
export function rangeOf(header: string | undefined, sizeBytes: number): ByteRange | null {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return null
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null
  const range =
    first === ''
      ? { first: Math.max(sizeBytes - Number(last), 0), last: sizeBytes - 1 }
      : { first: Number(first), last: Math.min(last === '' ? Infinity : Number(last), sizeBytes - 1) }
  if (range.first < sizeBytes && range.last >= range.first) return range
  throw new Fault('invalid', 'the requested range is not satisfiable', {
    reason: 'InvalidRange',
    extra: { RangeRequested: header, ActualObjectSize: sizeBytes },
  })
}

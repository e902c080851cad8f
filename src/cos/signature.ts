// AWS Signature Version 4, seen from the side that checks it. Pure. Source: Amazon S3 API, "Authenticating Requests (AWS
// Signature Version 4)". Why it is not a library's: docs/decisions/0016-object-storage.md.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import { presignedSecondsMax, signatureSkewMs } from '#base/limits-cos.ts'

/** What a request is signed by and what it says, before anything of it is believed. */
export interface SignedRequest {
  readonly accessKeyId: string
  /** `day/region/service/aws4_request`. */
  readonly scope: string
  /** ISO 8601, basic: `20260102T030405Z`. */
  readonly time: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** Of a presigned URL; null where the signature is in the Authorization header. */
  readonly expiresSeconds: number | null
}

interface Signable {
  readonly method: string
  readonly path: string
  readonly search: string
  readonly headers: Readonly<Record<string, string | undefined>>
}

const algorithm = 'AWS4-HMAC-SHA256'

/** Null for a request that is not signed: it may carry a token. */
export function readSignature({ search, headers }: Signable): SignedRequest | null {
  const { authorization } = headers
  const query = new URLSearchParams(search)
  if (authorization?.startsWith('AWS ')) throw unsupported()
  if (authorization?.startsWith('AWS4-')) {
    const [, name, rest = ''] = /^(\S+)\s+(.*)$/s.exec(authorization) ?? []
    if (name !== algorithm) throw unsupported()
    const parts = new Map(rest.split(',').map((part) => part.trim().split('=', 2) as [string, string]))
    return checked({
      credential: parts.get('Credential') ?? '',
      time: headers['x-amz-date'] ?? isoOf(headers['date']),
      signedHeaders: parts.get('SignedHeaders') ?? '',
      signature: parts.get('Signature') ?? '',
      expires: null,
    })
  }
  if (authorization !== undefined) return null
  if (query.has('Signature') && query.has('AWSAccessKeyId')) throw unsupported()
  if (!query.has('X-Amz-Algorithm') && !query.has('X-Amz-Signature')) return null
  if (query.get('X-Amz-Algorithm') !== algorithm) throw badQuery('X-Amz-Algorithm only supports AWS4-HMAC-SHA256')
  return checked({
    credential: query.get('X-Amz-Credential') ?? '',
    time: query.get('X-Amz-Date') ?? '',
    signedHeaders: query.get('X-Amz-SignedHeaders') ?? '',
    signature: query.get('X-Amz-Signature') ?? '',
    expires: query.get('X-Amz-Expires') ?? '',
  })
}

const unsupported = (): Fault =>
  new Fault('invalid', 'the authorization mechanism is not supported: use AWS4-HMAC-SHA256 or an IAM token', {
    reason: 'InvalidRequest',
  })

const badQuery = (sentence: string): Fault =>
  new Fault('invalid', sentence, { reason: 'AuthorizationQueryParametersError' })

function isoOf(date: string | undefined): string {
  const at = Date.parse(date ?? '')
  return Number.isNaN(at) ? '' : new Date(at).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
}

function checked(said: {
  readonly credential: string
  readonly time: string
  readonly signedHeaders: string
  readonly signature: string
  readonly expires: string | null
}): SignedRequest {
  const wrong = (what: string): Fault =>
    said.expires === null
      ? new Fault('invalid', `the authorization header is malformed: ${what}`, {
          reason: 'AuthorizationHeaderMalformed',
        })
      : badQuery(what)
  const [accessKeyId = '', day = '', ...scope] = said.credential.split('/')
  if (accessKeyId === '' || !/^\d{8}$/.test(day) || scope.length !== 3 || scope[2] !== 'aws4_request') {
    throw wrong('Credential must be ACCESS_KEY_ID/DAY/REGION/s3/aws4_request')
  }
  if (scope[1] !== 's3') throw wrong(`the service must be s3, not ${JSON.stringify(scope[1])}`)
  if (millisOf(said.time) === null) throw wrong('the date must look like 20260102T030405Z')
  if (!said.time.startsWith(day)) throw wrong('the day of Credential is not that of the date')
  const signedHeaders = said.signedHeaders.split(';')
  if (!signedHeaders.includes('host')) throw wrong('SignedHeaders must name host')
  if (!/^[0-9a-f]{64}$/.test(said.signature)) throw wrong('Signature must be 64 hexadecimal digits')
  const expiresSeconds = said.expires === null ? null : /^\d{1,7}$/.test(said.expires) ? Number(said.expires) : 0
  if (expiresSeconds !== null && (expiresSeconds < 1 || expiresSeconds > presignedSecondsMax)) {
    throw wrong(`X-Amz-Expires must be a number of seconds from 1 to ${presignedSecondsMax}`)
  }
  const { time, signature } = said
  return { accessKeyId, scope: `${day}/${scope.join('/')}`, time, signedHeaders, signature, expiresSeconds }
}

function millisOf(time: string): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time)
  const at = parts ? Date.parse(time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')) : Number.NaN
  return Number.isNaN(at) ? null : at
}

/** Throws a Fault 'forbidden' for a request that was signed too long ago, or will be. */
export function checkTime({ time, expiresSeconds }: SignedRequest, now: number): void {
  const at = millisOf(time) ?? 0
  if (expiresSeconds === null && Math.abs(now - at) > signatureSkewMs) {
    throw new Fault('forbidden', "the difference between the request time and the server's time is too large", {
      reason: 'RequestTimeTooSkewed',
      extra: { RequestTime: time, ServerTime: new Date(now).toISOString() },
    })
  }
  if (expiresSeconds === null) return
  if (at - now > signatureSkewMs) throw new Fault('forbidden', 'the request is not valid yet')
  if (now > at + expiresSeconds * 1000) throw new Fault('forbidden', 'the request has expired')
}

/** Derived from the secret for one day, region and service; what signs the request and its chunks. */
export function signingKey(secret: string, scope: string): Buffer {
  return scope.split('/').reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secret}`))
}

/** Whether the key has signed this request with this payload hash. In constant time. */
export function isSignedBy(key: Buffer, signed: SignedRequest, request: Signable, payloadHash: string): boolean {
  const text = [algorithm, signed.time, signed.scope, sha256(canonicalRequest(signed, request, payloadHash))].join('\n')
  return sameText(hmac(key, text).toString('hex'), signed.signature)
}

export const sameText = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))

function canonicalRequest(signed: SignedRequest, request: Signable, payloadHash: string): string {
  const headers = signed.signedHeaders.map(
    (name) => `${name}:${(request.headers[name] ?? '').trim().replaceAll(/\s+/g, ' ')}\n`,
  )
  return [
    request.method,
    uriEncode(decode(request.path), '/'),
    canonicalQuery(request.search, signed.expiresSeconds !== null),
    headers.join(''),
    signed.signedHeaders.join(';'),
    payloadHash,
  ].join('\n')
}

function canonicalQuery(search: string, isPresigned: boolean): string {
  return search
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=')
      const [name, value] = at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
      return [name, value].map((part) => uriEncode(decode(part.replaceAll('+', ' ')), '')) as [string, string]
    })
    .filter(([name]) => !isPresigned || name !== 'X-Amz-Signature')
    .sort(([name, value], [other, otherValue]) => compare(name, other) || compare(value, otherValue))
    .map((pair) => pair.join('='))
    .join('&')
}

/** By code units, which encoded text has only of ASCII. */
const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new Fault('invalid', 'the request target is malformed', { reason: 'InvalidURI', cause })
  }
}

/** "UriEncode": everything but unreserved characters, in upper-case hexadecimal. */
export const uriEncode = (text: string, keep: '' | '/'): string =>
  encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', keep === '/' ? '/' : '%2F')

export const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

// Who asks object storage: a bearer, as everywhere, or whoever has signed the request with an HMAC key.

import type { Clock } from '#base/clock.ts'
import type { StreamBody } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import type { Caller, CredentialsPort } from '#iam/port.ts'
import { checksumHeader, checksumNames } from './checksums.ts'
import type { HmacKeys } from './hmac-keys.ts'
import { payloadOf, unsignedPayload } from './payload.ts'
import { checkTime, isSignedBy, readSignature } from './signature.ts'
import type { SignedRequest } from './signature.ts'

export const instanceHeader = 'ibm-service-instance-id'

/** A request as the edge has it. */
export interface Arriving {
  readonly method: string
  readonly path: string
  readonly search: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: AsyncIterable<Uint8Array>
  readonly remoteAddress: string
}

export interface Arrival {
  readonly caller: Caller
  /** With the service instance of the HMAC key, where the request names none. */
  readonly headers: Arriving['headers']
  readonly body: StreamBody
}

export type Identify = (arriving: Arriving, bearer: () => Promise<Caller>) => Promise<Arrival>

export function makeIdentify(parts: {
  readonly clock: Clock
  readonly hmacKeys: HmacKeys
  readonly credentials: CredentialsPort
}): Identify {
  const { clock, hmacKeys, credentials } = parts

  async function bySignature(arriving: Arriving, signed: SignedRequest): Promise<Arrival> {
    const { headers, remoteAddress } = arriving
    checkSigned(arriving, signed)
    const payloadHash = headers['x-amz-content-sha256'] ?? (signed.expiresSeconds === null ? null : unsignedPayload)
    if (payloadHash === null) throw new Fault('unprocessable', 'the header x-amz-content-sha256 is missing')
    const owner = await hmacKeys.find(signed.accessKeyId, signed.scope)
    const caller = owner && (await credentials.callerOf(owner.iamId, remoteAddress))
    if (!owner || !caller) {
      throw new Fault('forbidden', 'the access key id that you provided does not exist in our records', {
        reason: 'InvalidAccessKeyId',
        extra: { AWSAccessKeyId: signed.accessKeyId.slice(0, 128) },
      })
    }
    checkTime(signed, clock.now())
    if (!isSignedBy(owner.key, signed, arriving, payloadHash)) {
      const sentence = 'the request signature that we calculated does not match the signature that you provided'
      throw new Fault('forbidden', sentence, { reason: 'SignatureDoesNotMatch' })
    }
    const { time, scope, signature: seed } = signed
    return {
      caller,
      headers: { ...headers, [instanceHeader]: headers[instanceHeader] ?? owner.instanceId },
      body: bodyOf(arriving, { key: owner.key, time, scope, seed }),
    }
  }

  return async (arriving, bearer) => {
    const signed = readSignature(arriving)
    if (signed) return await bySignature(arriving, signed)
    return { caller: await bearer(), headers: arriving.headers, body: bodyOf(arriving, null) }
  }
}

/** What is not signed may have been added on the way: headers that mean something must all be. */
function checkSigned({ headers }: Arriving, { signedHeaders, expiresSeconds }: SignedRequest): void {
  const unsigned = Object.keys(headers).filter((name) => name.startsWith('x-amz-') && !signedHeaders.includes(name))
  // A presigned URL says by itself that its payload is not signed.
  const added = unsigned.filter((name) => expiresSeconds === null || name !== 'x-amz-content-sha256')
  if (added.length === 0) return
  throw new Fault('forbidden', 'there were headers present in the request which were not signed', {
    extra: { HeadersNotSigned: added.join(', ') },
  })
}

/** Amazon S3, "CompleteMultipartUpload": a checksum header there is about the object and not about the list of its parts. */
function bodyOf(arriving: Arriving, signing: Parameters<typeof payloadOf>[2]): StreamBody {
  const { method, search, body } = arriving
  const isCompletion = method === 'POST' && new URLSearchParams(search).has('uploadId')
  const about = isCompletion ? checksumNames.map((name) => [checksumHeader(name), undefined]) : []
  return payloadOf(body, { ...arriving.headers, ...Object.fromEntries(about) }, signing)
}

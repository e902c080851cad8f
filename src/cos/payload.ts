// The body of a request, as it is read: decoded if it comes in chunks, counted, and compared at its end with everything
// that the client has said of it: length, SHA-256, MD5, checksum.

import { createHash } from 'node:crypto'
import type { StreamBody } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { checksumHeader, checksumNames, checksumOfHeader, checksums } from './checksums.ts'
import type { ChecksumName } from './checksums.ts'
import { decodeChunks } from './chunks.ts'
import type { ChunkSigning } from './chunks.ts'

type Headers = Readonly<Record<string, string | undefined>>

export const unsignedPayload = 'UNSIGNED-PAYLOAD'
const signedChunks: ReadonlySet<string> = new Set([
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
])
const unsignedChunks = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'

/** `signing` is what chunks are signed with; null for a bearer, who signs none. */
export function payloadOf(
  source: AsyncIterable<Uint8Array>,
  headers: Headers,
  signing: Omit<ChunkSigning, 'hasTrailer'> | null,
): StreamBody {
  const said = headers['x-amz-content-sha256']
  const isChunked = said === unsignedChunks || (said !== undefined && signedChunks.has(said))
  if (said !== undefined && !isChunked && said !== unsignedPayload && !/^[0-9a-f]{64}$/.test(said)) {
    throw new Fault('invalid', 'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING value or a SHA-256')
  }
  const isSigned = isChunked && said !== unsignedChunks
  if (isSigned && !signing) throw new Fault('invalid', 'chunks are signed, but the request is not')
  const announcedBytes = lengthOf(headers, isChunked)
  const proof = proofOf(headers)
  let found: string | null = null

  async function* bytes(): AsyncGenerator<Uint8Array> {
    const sha256 = said !== undefined && /^[0-9a-f]{64}$/.test(said) ? createHash('sha256') : null
    const md5 = headers['content-md5'] === undefined ? null : createHash('md5')
    const running = proof && checksums[proof.name]()
    let value = proof?.value
    let count = 0
    const chunkSigning = isSigned && signing ? { ...signing, hasTrailer: said?.endsWith('-TRAILER') === true } : null
    const onTrailer = (name: string, text: string): void => {
      if (proof && value === undefined && name === checksumHeader(proof.name)) value = text
    }
    for await (const chunk of isChunked ? decodeChunks(source, chunkSigning, onTrailer) : source) {
      count += chunk.length
      if (announcedBytes !== null && count > announcedBytes) throw incomplete()
      sha256?.update(chunk)
      md5?.update(chunk)
      running?.update(chunk)
      yield chunk
    }
    if (announcedBytes !== null && count !== announcedBytes) throw incomplete()
    if (sha256 && sha256.digest('hex') !== said) {
      const sentence = 'the x-amz-content-sha256 header does not match what was sent'
      throw new Fault('invalid', sentence, { reason: 'XAmzContentSHA256Mismatch' })
    }
    if (md5 && md5.digest('base64') !== headers['content-md5']) throw badDigest('Content-MD5')
    if (!proof || !running) return
    found = await running.value()
    if (value === undefined) throw new Fault('invalid', `the trailing header ${checksumHeader(proof.name)} is missing`)
    if (found !== value) throw badDigest(proof.name.toUpperCase())
  }

  return {
    announcedBytes,
    checksum: () => (proof && found !== null ? { algorithm: proof.name, value: found } : null),
    [Symbol.asyncIterator]: bytes,
  }
}

const incomplete = (): Fault =>
  new Fault('invalid', 'the body is not as long as its Content-Length header says', { reason: 'IncompleteBody' })

const badDigest = (name: string): Fault =>
  new Fault('invalid', `the ${name} that was sent does not match what was received`, { reason: 'BadDigest' })

function lengthOf(headers: Headers, isChunked: boolean): number | null {
  const name = isChunked ? 'x-amz-decoded-content-length' : 'content-length'
  const text = headers[name]
  if (text === undefined && isChunked) {
    throw new Fault('invalid', `${name} is missing`, { reason: 'MissingContentLength' })
  }
  if (text === undefined) return headers['transfer-encoding'] === undefined ? 0 : null
  if (!/^\d{1,15}$/.test(text)) throw new Fault('invalid', `${name} must be a number of bytes`)
  return Number(text)
}

/** The value is absent where it comes in a trailing header. */
function proofOf(headers: Headers): { readonly name: ChecksumName; readonly value?: string } | null {
  const md5 = headers['content-md5']
  if (md5 !== undefined && Buffer.from(md5, 'base64').length !== 16) {
    throw new Fault('invalid', 'Content-MD5 must be the base64 of 16 bytes', { reason: 'InvalidDigest' })
  }
  const names = checksumNames.filter((name) => headers[checksumHeader(name)] !== undefined)
  const trailer = headers['x-amz-trailer']?.trim().toLowerCase()
  const inTrailer = trailer === undefined ? null : checksumOfHeader(trailer)
  if (trailer !== undefined && inTrailer === null) {
    throw new Fault('invalid', 'x-amz-trailer must name a checksum header', { reason: 'InvalidRequest' })
  }
  if (names.length + (inTrailer ? 1 : 0) > 1) {
    throw new Fault('invalid', 'expecting a single x-amz-checksum- header', { reason: 'InvalidRequest' })
  }
  if (inTrailer) return { name: inTrailer }
  const [name] = names
  const value = name && headers[checksumHeader(name)]
  return name && value !== undefined ? { name, value } : null
}

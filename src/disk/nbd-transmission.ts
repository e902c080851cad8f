// The bytes of the transmission phase (NBD protocol, "Transmission"): requests and replies. Pure.

import { nbdStringBytesMax } from '#base/limits.ts'
import type { Extent } from './device.ts'
import { command, commandFlag, extendedReplyMagic, extendedRequestMagic, extentState, nbdError } from './nbd-wire.ts'
import { replyFlag, replyType, requestMagic, simpleReplyMagic, structuredReplyMagic } from './nbd-wire.ts'
import type { NbdError } from './nbd-wire.ts'

/** How both sides have agreed to talk. Extended headers come with structured replies only. */
export interface Dialect {
  readonly structured: boolean
  readonly extended: boolean
}

const compactRequestBytes = 28
const extendedRequestBytes = 32
const simpleReplyBytes = 16
const chunkHeaderBytes = 20
const extendedChunkHeaderBytes = 32
const offsetBytes = 8

/** Room before the data of a READ that holds any kind of reply header and keeps the data aligned. */
export const replyRoomBytes = 64

/** The client's name for a request, returned as it came. */
export interface Cookie {
  readonly high: number
  readonly low: number
}

export interface Request {
  readonly flags: number
  readonly type: number
  readonly cookie: Cookie
  /** Exact up to 2^53; beyond it still larger than any device. */
  readonly offset: number
  /** The same. */
  readonly byteCount: number
}

export const requestBytes = ({ extended }: Dialect): number => (extended ? extendedRequestBytes : compactRequestBytes)

/** Null when the bytes at `at` are no request: the stream cannot be trusted after that. */
export function decodeRequest(bytes: Buffer, at: number, { extended }: Dialect): Request | null {
  if (bytes.readUInt32BE(at) !== (extended ? extendedRequestMagic : requestMagic)) return null
  return {
    flags: bytes.readUInt16BE(at + 4),
    type: bytes.readUInt16BE(at + 6),
    cookie: { high: bytes.readUInt32BE(at + 8), low: bytes.readUInt32BE(at + 12) },
    offset: readUInt64(bytes, at + 16),
    byteCount: extended ? readUInt64(bytes, at + 24) : bytes.readUInt32BE(at + 24),
  }
}

/** The bytes that follow a request on the wire, whether they are of use or not. */
export function payloadBytes({ type, flags, byteCount }: Request, { extended }: Dialect): number {
  // With extended headers the flag, and not the command, says whether the length is that of a payload.
  const hasPayload = extended ? (flags & commandFlag.payloadLength) !== 0 : type === command.write
  return hasPayload ? byteCount : 0
}

/** An acknowledgement, written to `bytes` at `at`. Returns its length. */
export function putDone(bytes: Buffer, at: number, { cookie }: Request, { extended }: Dialect): number {
  if (!extended) return putSimpleHeader(bytes, at, cookie, null)
  return putChunkHeader(bytes, at, { type: replyType.none, cookie, offset: 0, byteCount: 0, extended })
}

/** The longest acknowledgement. */
export const doneBytesMax = extendedChunkHeaderBytes

export function encodeDone(request: Request, dialect: Dialect): Buffer {
  const bytes = Buffer.alloc(doneBytesMax)
  return bytes.subarray(0, putDone(bytes, 0, request, dialect))
}

export function encodeError(request: Request, error: NbdError, sentence: string, dialect: Dialect): Buffer {
  if (dialect.structured) return encodeErrorChunk(request, error, sentence, dialect)
  const bytes = Buffer.alloc(simpleReplyBytes)
  putSimpleHeader(bytes, 0, request.cookie, error)
  return bytes
}

/** "Structured replies": an error with a sentence for the user, as the only and last chunk. */
function encodeErrorChunk(
  { cookie, offset }: Request,
  error: NbdError,
  sentence: string,
  { extended }: Dialect,
): Buffer {
  const message = Buffer.from(sentence, 'utf8').subarray(0, nbdStringBytesMax)
  const bytes = Buffer.alloc(extendedChunkHeaderBytes + 6 + message.length)
  const chunk = { type: replyType.error, cookie, offset, byteCount: 6 + message.length, extended }
  const at = putChunkHeader(bytes, 0, chunk)
  bytes.writeUInt32BE(nbdError[error], at)
  bytes.writeUInt16BE(message.length, at + 4)
  bytes.set(message, at + 6)
  return bytes.subarray(0, at + 6 + message.length)
}

/** What precedes the data of a READ. One content chunk, so "don't fragment" is always honoured. */
export function readHeaderBytes({ structured, extended }: Dialect): number {
  if (!structured) return simpleReplyBytes
  return (extended ? extendedChunkHeaderBytes : chunkHeaderBytes) + offsetBytes
}

/** Writes it to `bytes` at `at`. */
export function putReadHeader(bytes: Buffer, at: number, request: Request, { structured, extended }: Dialect): void {
  const { cookie, offset } = request
  if (!structured) return void putSimpleHeader(bytes, at, cookie, null)
  const chunk = { type: replyType.offsetData, cookie, offset, byteCount: offsetBytes + request.byteCount, extended }
  writeUInt64(bytes, at + putChunkHeader(bytes, at, chunk), offset)
}

/**
 * Completes the reply to a READ in place: `buffer` has `replyRoomBytes` of room and then the data, and what is returned
 * is the part of it to send.
 */
export function finishReadReply(buffer: Buffer, request: Request, dialect: Dialect): Buffer {
  const start = replyRoomBytes - readHeaderBytes(dialect)
  putReadHeader(buffer, start, request, dialect)
  return buffer.subarray(start)
}

/** The status of base:allocation: what is a hole reads as zeros. */
export function encodeBlockStatus(
  { cookie, offset }: Request,
  contextId: number,
  extents: readonly Extent[],
  { extended }: Dialect,
): Buffer {
  const entryBytes = extended ? 16 : 8
  const byteCount = (extended ? 8 : 4) + entryBytes * extents.length
  const bytes = Buffer.alloc(extendedChunkHeaderBytes + byteCount)
  const type = extended ? replyType.blockStatusExtended : replyType.blockStatus
  const start = putChunkHeader(bytes, 0, { type, cookie, offset, byteCount, extended })
  let at = bytes.writeUInt32BE(contextId, start)
  if (extended) at = bytes.writeUInt32BE(extents.length, at)
  for (const extent of extents) {
    const state = extent.hole ? extentState.hole | extentState.zero : 0
    if (extended) writeUInt64(bytes, at, extent.byteCount)
    else bytes.writeUInt32BE(extent.byteCount, at)
    if (extended) writeUInt64(bytes, at + 8, state)
    else bytes.writeUInt32BE(state, at + 4)
    at += entryBytes
  }
  return bytes.subarray(0, at)
}

function putSimpleHeader(bytes: Buffer, at: number, cookie: Cookie, error: NbdError | null): number {
  bytes.writeUInt32BE(simpleReplyMagic, at)
  bytes.writeUInt32BE(error === null ? 0 : nbdError[error], at + 4)
  bytes.writeUInt32BE(cookie.high, at + 8)
  bytes.writeUInt32BE(cookie.low, at + 12)
  return simpleReplyBytes
}

interface ChunkHeader {
  readonly type: number
  readonly cookie: Cookie
  /** Of the request; only extended headers have it. */
  readonly offset: number
  readonly byteCount: number
  readonly extended: boolean
}

/** Every reply here has one chunk, which is therefore the last. Returns the length of the header. */
function putChunkHeader(bytes: Buffer, at: number, header: ChunkHeader): number {
  const { type, cookie, offset, byteCount, extended } = header
  bytes.writeUInt32BE(extended ? extendedReplyMagic : structuredReplyMagic, at)
  bytes.writeUInt16BE(replyFlag.done, at + 4)
  bytes.writeUInt16BE(type, at + 6)
  bytes.writeUInt32BE(cookie.high, at + 8)
  bytes.writeUInt32BE(cookie.low, at + 12)
  if (!extended) {
    bytes.writeUInt32BE(byteCount, at + 16)
    return chunkHeaderBytes
  }
  writeUInt64(bytes, at + 16, offset)
  writeUInt64(bytes, at + 24, byteCount)
  return extendedChunkHeaderBytes
}

const readUInt64 = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

function writeUInt64(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32) >>> 0, at)
  bytes.writeUInt32BE(value >>> 0, at + 4)
}

/** Whether its data are what a request is about, on their way in or out. */
export const isTransfer = ({ type }: Request): boolean => type === command.read || type === command.write

export const changesData = ({ type }: Request): boolean =>
  type === command.write || type === command.writeZeroes || type === command.trim

/** The data that a request has in memory, on their way in or out. */
export const transferBytes = (request: Request): number => (isTransfer(request) ? request.byteCount : 0)

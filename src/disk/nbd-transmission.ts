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
  return putChunkHeader(bytes, at, { type: replyType.none, cookie, offset: 0, byteCount: 0, extended, isLast: true })
}

/** The longest acknowledgement. */
export const doneBytesMax = extendedChunkHeaderBytes

export function encodeDone(request: Request, dialect: Dialect): Buffer {
  const bytes = Buffer.alloc(doneBytesMax)
  return bytes.subarray(0, putDone(bytes, 0, request, dialect))
}

export interface Refusal {
  readonly error: NbdError
  /** For the user, where the dialect has room for it. */
  readonly sentence: string
}

export function encodeError(request: Request, { error, sentence }: Refusal, dialect: Dialect): Buffer {
  if (dialect.structured) return encodeErrorChunk(request, { error, sentence, at: null }, dialect)
  const bytes = Buffer.alloc(simpleReplyBytes)
  putSimpleHeader(bytes, 0, request.cookie, error)
  return bytes
}

interface ErrorChunk extends Refusal {
  /** Where in the device the error is; null for all of the request. */
  readonly at: number | null
}

/** "Structured replies": an error with a sentence for the user, as the last chunk and mostly the only one. */
function encodeErrorChunk(request: Request, { error, sentence, at }: ErrorChunk, { extended }: Dialect): Buffer {
  const message = Buffer.from(sentence, 'utf8').subarray(0, nbdStringBytesMax)
  const byteCount = 6 + message.length + (at === null ? 0 : offsetBytes)
  const bytes = Buffer.alloc(extendedChunkHeaderBytes + byteCount)
  const type = at === null ? replyType.error : replyType.errorOffset
  const { cookie, offset } = request
  const start = putChunkHeader(bytes, 0, { type, cookie, offset, byteCount, extended, isLast: true })
  bytes.writeUInt32BE(nbdError[error], start)
  bytes.writeUInt16BE(message.length, start + 4)
  bytes.set(message, start + 6)
  if (at !== null) writeUInt64(bytes, start + 6 + message.length, at)
  return bytes.subarray(0, start + byteCount)
}

/** What precedes the data of a READ. */
export function readHeaderBytes({ structured, extended }: Dialect): number {
  if (!structured) return simpleReplyBytes
  return (extended ? extendedChunkHeaderBytes : chunkHeaderBytes) + offsetBytes
}

/** Writes it to `bytes` at `at`, for all of the data in one chunk. */
export function putReadHeader(bytes: Buffer, at: number, request: Request, dialect: Dialect): void {
  if (!dialect.structured) return void putSimpleHeader(bytes, at, request.cookie, null)
  putDataHeader(bytes, at, { request, from: 0, byteCount: request.byteCount }, dialect)
}

/** Some of the data of a READ. */
interface Piece {
  readonly request: Request
  /** Counted from the request's own offset. */
  readonly from: number
  readonly byteCount: number
}

function putDataHeader(bytes: Buffer, at: number, { request, from, byteCount }: Piece, { extended }: Dialect): void {
  const { cookie, offset } = request
  const isLast = from + byteCount === request.byteCount
  const chunk = { type: replyType.offsetData, cookie, offset, byteCount: offsetBytes + byteCount, extended, isLast }
  writeUInt64(bytes, at + putChunkHeader(bytes, at, chunk), offset + from)
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

/** Whether pieces of a READ may leave as chunks of their own, after which there can still be an error. */
const mayFragment = ({ flags }: Request, { structured }: Dialect): boolean =>
  structured && (flags & commandFlag.df) === 0

/** The same for a piece of the data, counted from the request's own offset. Pieces leave in their order, and all of them. */
export function finishReadPiece(buffer: Buffer, request: Request, from: number, dialect: Dialect): Buffer {
  const byteCount = buffer.length - replyRoomBytes
  if (mayFragment(request, dialect)) {
    const start = replyRoomBytes - readHeaderBytes(dialect)
    putDataHeader(buffer, start, { request, from, byteCount }, dialect)
    return buffer.subarray(start)
  }
  return from === 0 ? finishReadReply(buffer, request, dialect) : buffer.subarray(replyRoomBytes)
}

/**
 * The end of a READ whose piece at `from` could not be had. Null where all of the data have been announced already: then the
 * server "MUST initiate a hard disconnect".
 */
export function encodePieceError(request: Request, from: number, refusal: Refusal, dialect: Dialect): Buffer | null {
  if (from === 0) return encodeError(request, refusal, dialect)
  if (!mayFragment(request, dialect)) return null
  return encodeErrorChunk(request, { ...refusal, at: request.offset + from }, dialect)
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
  const start = putChunkHeader(bytes, 0, { type, cookie, offset, byteCount, extended, isLast: true })
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
  readonly isLast: boolean
}

/** Returns the length of the header. */
function putChunkHeader(bytes: Buffer, at: number, header: ChunkHeader): number {
  const { type, cookie, offset, byteCount, extended, isLast } = header
  bytes.writeUInt32BE(extended ? extendedReplyMagic : structuredReplyMagic, at)
  bytes.writeUInt16BE(isLast ? replyFlag.done : 0, at + 4)
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

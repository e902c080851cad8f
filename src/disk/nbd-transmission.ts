// The bytes of the transmission phase (NBD protocol, "Transmission"): requests and replies. Pure.

import { nbdStringBytesMax } from '#base/limits.ts'
import type { Extent } from './device.ts'
import { extentState, nbdError, replyFlag, replyType } from './nbd-wire.ts'
import { requestMagic, simpleReplyMagic, structuredReplyMagic } from './nbd-wire.ts'
import type { NbdError } from './nbd-wire.ts'

export const requestBytes = 28
const simpleReplyBytes = 16
const chunkHeaderBytes = 20

/** Room before the data of a READ that holds either kind of reply header and keeps the data aligned. */
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
  readonly byteCount: number
}

/** Null when the bytes are no request: the stream cannot be trusted after that. */
export function decodeRequest(bytes: Buffer): Request | null {
  if (bytes.readUInt32BE(0) !== requestMagic) return null
  return {
    flags: bytes.readUInt16BE(4),
    type: bytes.readUInt16BE(6),
    cookie: { high: bytes.readUInt32BE(8), low: bytes.readUInt32BE(12) },
    offset: bytes.readUInt32BE(16) * 2 ** 32 + bytes.readUInt32BE(20),
    byteCount: bytes.readUInt32BE(24),
  }
}

export function encodeSimpleReply(cookie: Cookie, error: NbdError | null): Buffer {
  const bytes = Buffer.allocUnsafe(simpleReplyBytes)
  writeSimpleHeader(bytes, 0, cookie, error)
  return bytes
}

/** "Structured replies": an error with a sentence for the user, as the only and last chunk. */
export function encodeErrorChunk(cookie: Cookie, error: NbdError, sentence: string): Buffer {
  const message = Buffer.from(sentence, 'utf8').subarray(0, nbdStringBytesMax)
  const bytes = Buffer.alloc(chunkHeaderBytes + 6 + message.length)
  writeChunkHeader(bytes, 0, { type: replyType.error, cookie, byteCount: 6 + message.length })
  bytes.writeUInt32BE(nbdError[error], chunkHeaderBytes)
  bytes.writeUInt16BE(message.length, chunkHeaderBytes + 4)
  bytes.set(message, chunkHeaderBytes + 6)
  return bytes
}

/**
 * Completes the reply to a READ in place: `buffer` has `replyRoomBytes` of room and then the data, and what is returned
 * is the part of it to send. One content chunk, so "don't fragment" is always honoured.
 */
export function finishReadReply(buffer: Buffer, request: Request, structured: boolean): Buffer {
  if (!structured) {
    const start = replyRoomBytes - simpleReplyBytes
    writeSimpleHeader(buffer, start, request.cookie, null)
    return buffer.subarray(start)
  }
  const start = replyRoomBytes - chunkHeaderBytes - 8
  const byteCount = 8 + buffer.length - replyRoomBytes
  writeChunkHeader(buffer, start, { type: replyType.offsetData, cookie: request.cookie, byteCount })
  writeOffset(buffer, replyRoomBytes - 8, request.offset)
  return buffer.subarray(start)
}

/** NBD_REPLY_TYPE_BLOCK_STATUS for base:allocation: what is a hole reads as zeros. */
export function encodeBlockStatus(cookie: Cookie, contextId: number, extents: readonly Extent[]): Buffer {
  const byteCount = 4 + 8 * extents.length
  const bytes = Buffer.alloc(chunkHeaderBytes + byteCount)
  writeChunkHeader(bytes, 0, { type: replyType.blockStatus, cookie, byteCount })
  bytes.writeUInt32BE(contextId, chunkHeaderBytes)
  let at = chunkHeaderBytes + 4
  for (const extent of extents) {
    bytes.writeUInt32BE(extent.byteCount, at)
    bytes.writeUInt32BE(extent.hole ? extentState.hole | extentState.zero : 0, at + 4)
    at += 8
  }
  return bytes
}

function writeSimpleHeader(bytes: Buffer, at: number, cookie: Cookie, error: NbdError | null): void {
  bytes.writeUInt32BE(simpleReplyMagic, at)
  bytes.writeUInt32BE(error === null ? 0 : nbdError[error], at + 4)
  bytes.writeUInt32BE(cookie.high, at + 8)
  bytes.writeUInt32BE(cookie.low, at + 12)
}

interface ChunkHeader {
  readonly type: number
  readonly cookie: Cookie
  readonly byteCount: number
}

/** Every reply here has one chunk, which is therefore the last. */
function writeChunkHeader(bytes: Buffer, at: number, { type, cookie, byteCount }: ChunkHeader): void {
  bytes.writeUInt32BE(structuredReplyMagic, at)
  bytes.writeUInt16BE(replyFlag.done, at + 4)
  bytes.writeUInt16BE(type, at + 6)
  bytes.writeUInt32BE(cookie.high, at + 8)
  bytes.writeUInt32BE(cookie.low, at + 12)
  bytes.writeUInt32BE(byteCount, at + 16)
}

function writeOffset(bytes: Buffer, at: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(offset / 2 ** 32), at)
  bytes.writeUInt32BE(offset % 2 ** 32, at + 4)
}

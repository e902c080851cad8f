// The bytes of option haggling (NBD protocol, "Fixed newstyle negotiation" and "Option types"): what a client asks before
// transmission, and what it is answered. Pure; negotiation.ts decides.

import { nbdStringBytesMax } from '#base/limits.ts'
import { allocationContext, info, option, optionMagic, optionReply, optionReplyMagic } from './nbd-wire.ts'

export const clientFlagsBytes = 4
export const optionHeaderBytes = 16

export interface OptionHeader {
  readonly option: number
  readonly dataBytes: number
}

/** Null when the bytes are no option. */
export function decodeOptionHeader(bytes: Buffer): OptionHeader | null {
  if (bytes.readBigUInt64BE(0) !== optionMagic) return null
  return { option: bytes.readUInt32BE(8), dataBytes: bytes.readUInt32BE(12) }
}

/** The data of NBD_OPT_INFO and NBD_OPT_GO. */
export interface InfoRequest {
  readonly exportName: string
  readonly wanted: readonly number[]
}

/** The data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. */
export interface ContextRequest {
  readonly exportName: string
  readonly queries: readonly string[]
}

/** Null when the data are not what the option demands. */
export function decodeInfoRequest(data: Buffer): InfoRequest | null {
  const cursor = new Cursor(data)
  const exportName = cursor.string()
  const count = cursor.uint16()
  if (exportName === null || count === null || cursor.left !== count * 2) return null
  const wanted = Array.from({ length: count }, () => cursor.uint16() ?? 0)
  return { exportName, wanted }
}

/** Null when the data are not what the option demands. */
export function decodeContextRequest(data: Buffer): ContextRequest | null {
  const cursor = new Cursor(data)
  const exportName = cursor.string()
  const count = cursor.uint32()
  if (exportName === null || count === null) return null
  const queries: string[] = []
  while (queries.length < count) {
    const query = cursor.string()
    if (query === null) return null
    queries.push(query)
  }
  return cursor.left === 0 ? { exportName, queries } : null
}

/** A name that takes the whole data, as in NBD_OPT_EXPORT_NAME. Null when it is too long. */
export function decodeName(data: Buffer): string | null {
  return data.length <= nbdStringBytesMax ? data.toString('utf8') : null
}

/** Reads fields one after another; each is null where the data end too early. */
class Cursor {
  readonly #data: Buffer
  #at = 0

  constructor(data: Buffer) {
    this.#data = data
  }

  get left(): number {
    return this.#data.length - this.#at
  }

  uint16(): number | null {
    if (this.left < 2) return null
    this.#at += 2
    return this.#data.readUInt16BE(this.#at - 2)
  }

  uint32(): number | null {
    if (this.left < 4) return null
    this.#at += 4
    return this.#data.readUInt32BE(this.#at - 4)
  }

  /** A length and that many bytes. NBD protocol, "Values": strings have at most 4096 bytes. */
  string(): string | null {
    const byteCount = this.uint32()
    if (byteCount === null || byteCount > nbdStringBytesMax || byteCount > this.left) return null
    this.#at += byteCount
    return this.#data.toString('utf8', this.#at - byteCount, this.#at)
  }
}

export function encodeOptionReply(to: number, type: number, data: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(20 + data.length)
  bytes.writeBigUInt64BE(optionReplyMagic, 0)
  bytes.writeUInt32BE(to, 8)
  bytes.writeUInt32BE(type, 12)
  bytes.writeUInt32BE(data.length, 16)
  bytes.set(data, 20)
  return bytes
}

/** All error replies may carry a sentence for the user. */
export const encodeOptionError = (to: number, type: number, sentence: string): Buffer =>
  encodeOptionReply(to, type, Buffer.from(sentence, 'utf8').subarray(0, nbdStringBytesMax))

export function encodeListEntry(exportName: string): Buffer {
  const name = Buffer.from(exportName, 'utf8')
  const data = Buffer.alloc(4 + name.length)
  data.writeUInt32BE(name.length, 0)
  data.set(name, 4)
  return encodeOptionReply(option.list, optionReply.server, data)
}

export interface ExportInfo {
  readonly sizeBytes: number
  readonly flags: number
}

export function encodeExportInfo(to: number, { sizeBytes, flags }: ExportInfo): Buffer {
  const data = Buffer.alloc(12)
  data.writeUInt16BE(info.export, 0)
  data.writeBigUInt64BE(BigInt(sizeBytes), 2)
  data.writeUInt16BE(flags, 10)
  return encodeOptionReply(to, optionReply.info, data)
}

export function encodeNameInfo(to: number, exportName: string): Buffer {
  const name = Buffer.from(exportName, 'utf8')
  const data = Buffer.alloc(2 + name.length)
  data.writeUInt16BE(info.name, 0)
  data.set(name, 2)
  return encodeOptionReply(to, optionReply.info, data)
}

export interface BlockSizes {
  readonly min: number
  readonly preferred: number
  readonly max: number
}

export function encodeBlockSizeInfo(to: number, { min, preferred, max }: BlockSizes): Buffer {
  const data = Buffer.alloc(14)
  data.writeUInt16BE(info.blockSize, 0)
  data.writeUInt32BE(min, 2)
  data.writeUInt32BE(preferred, 6)
  data.writeUInt32BE(max, 10)
  return encodeOptionReply(to, optionReply.info, data)
}

export function encodeAllocationContext(to: number, contextId: number): Buffer {
  const name = Buffer.from(allocationContext, 'utf8')
  const data = Buffer.alloc(4 + name.length)
  data.writeUInt32BE(contextId, 0)
  data.set(name, 4)
  return encodeOptionReply(to, optionReply.metaContext, data)
}

/** The answer to NBD_OPT_EXPORT_NAME, which has no reply header. */
export function encodeExportNameAnswer({ sizeBytes, flags }: ExportInfo, withZeroes: boolean): Buffer {
  const bytes = Buffer.alloc(withZeroes ? 134 : 10)
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 0)
  bytes.writeUInt16BE(flags, 8)
  return bytes
}

// The two copies of a LUKS2 header: 4096 bytes of binary header and a JSON area, the primary at the beginning of the
// image and the secondary right after it. Source: "LUKS2 On-Disk Format Specification", section 2. A copy counts only
// when its checksum is right, so that a write that was torn in one copy leaves the other.

import { hash, timingSafeEqual } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import { luks2HeaderBytesMax } from '#base/limits-luks2.ts'

export interface Luks2Header {
  readonly sequenceId: bigint
  readonly uuid: string
  readonly label: string
  /** Of one copy: binary header and JSON area. */
  readonly headerBytes: number
  readonly json: string
}

/** What this file and its neighbours throw when the bytes are not an image that we open. */
export const luks2Fault = (what: string): Fault => new Fault('unprocessable', `LUKS2 header ${what}`)

export const binaryHeaderBytes = 4096

/** Both copies, one after the other. Each has a salt of its own, so that equal contents give different checksums. */
export function encodeLuks2Header(header: Luks2Header, salts: readonly [Uint8Array, Uint8Array]): Uint8Array {
  const both = Buffer.alloc(2 * header.headerBytes)
  encodeCopy(both.subarray(0, header.headerBytes), header, { magic: primaryMagic, offset: 0, salt: salts[0] })
  const secondary = { magic: secondaryMagic, offset: header.headerBytes, salt: salts[1] }
  encodeCopy(both.subarray(header.headerBytes), header, secondary)
  return both
}

/** The valid copy with the highest sequence id, or a Fault when none is valid. */
export function decodeLuks2Header(image: Uint8Array): Luks2Header {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.length)
  const primary = decodeCopy(bytes, primaryMagic, 0)
  // A torn primary cannot say where the secondary is: it is at one of a few places.
  const offsets = primary === null ? headerSizes : [primary.headerBytes]
  const secondary = offsets.map((offset) => decodeCopy(bytes, secondaryMagic, offset)).find((copy) => copy !== null)

  const newest = primary !== null && secondary !== undefined && secondary.sequenceId > primary.sequenceId
  const chosen = newest ? secondary : (primary ?? secondary)
  if (chosen === undefined) throw luks2Fault('has no valid copy')
  if (!isUuid(chosen.uuid)) throw luks2Fault('has no UUID')
  return chosen
}

interface Placement {
  readonly magic: Buffer
  readonly offset: number
  readonly salt: Uint8Array
}

const primaryMagic = Buffer.from('LUKS\xba\xbe', 'latin1')
const secondaryMagic = Buffer.from('SKUL\xba\xbe', 'latin1')
const version = 2
const checksumBytes = 32

/** The specification allows 16 KiB to 4 MiB in powers of two; more than `luks2HeaderBytesMax` is not read. */
const headerSizes = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
  .map((kib) => kib * 1024)
  .filter((size) => size <= luks2HeaderBytesMax)

/** Where each field begins. Numbers are big-endian; texts end with a zero byte. */
const at = {
  magic: 0,
  version: 6,
  headerBytes: 8,
  sequenceId: 16,
  label: 24,
  checksumAlgorithm: 72,
  salt: 104,
  uuid: 168,
  subsystem: 208,
  offset: 256,
  checksum: 448,
} as const
const labelBytes = 48
const checksumAlgorithmBytes = 32
const saltBytes = 64
const uuidBytes = 40

function encodeCopy(copy: Buffer, header: Luks2Header, { magic, offset, salt }: Placement): void {
  const json = Buffer.from(header.json)
  assert(headerSizes.includes(header.headerBytes), 'a LUKS2 header has one of the sizes of the specification')
  assert(json.length < copy.length - binaryHeaderBytes, 'LUKS2 metadata and a zero byte fit their area')
  assert(Buffer.byteLength(header.label) < labelBytes, 'a LUKS2 label and a zero byte have at most 48 bytes')
  assert(salt.length === saltBytes, 'the salt of a LUKS2 header has 64 bytes')
  magic.copy(copy, at.magic)
  copy.writeUInt16BE(version, at.version)
  copy.writeBigUInt64BE(BigInt(header.headerBytes), at.headerBytes)
  copy.writeBigUInt64BE(header.sequenceId, at.sequenceId)
  copy.write(header.label, at.label)
  copy.write('sha256', at.checksumAlgorithm)
  copy.set(salt, at.salt)
  copy.write(header.uuid, at.uuid)
  copy.writeBigUInt64BE(BigInt(offset), at.offset)
  json.copy(copy, binaryHeaderBytes)
  // Over the whole copy with the checksum field still zero.
  hash('sha256', copy, 'buffer').copy(copy, at.checksum)
}

/** Null for whatever is not a valid copy at this offset. */
function decodeCopy(image: Buffer, magic: Buffer, offset: number): Luks2Header | null {
  const binary = image.subarray(offset, offset + binaryHeaderBytes)
  if (binary.length < binaryHeaderBytes || !binary.subarray(0, magic.length).equals(magic)) return null
  if (binary.readUInt16BE(at.version) !== version) return null
  if (binary.readBigUInt64BE(at.offset) !== BigInt(offset)) return null
  if (text(binary, at.checksumAlgorithm, checksumAlgorithmBytes) !== 'sha256') return null
  const size = binary.readBigUInt64BE(at.headerBytes)
  const headerBytes = headerSizes.find((known) => BigInt(known) === size)
  if (headerBytes === undefined || image.length < offset + headerBytes) return null

  const copy = Buffer.from(image.subarray(offset, offset + headerBytes))
  const checksum = Buffer.from(copy.subarray(at.checksum, at.checksum + checksumBytes))
  copy.fill(0, at.checksum, at.checksum + 64)
  if (!timingSafeEqual(hash('sha256', copy, 'buffer'), checksum)) return null
  return {
    sequenceId: binary.readBigUInt64BE(at.sequenceId),
    uuid: text(binary, at.uuid, uuidBytes),
    label: text(binary, at.label, labelBytes),
    headerBytes,
    json: text(copy, binaryHeaderBytes, headerBytes - binaryHeaderBytes),
  }
}

/** Up to the first zero byte. Whatever is not UTF-8 becomes a replacement character, which no check accepts later. */
function text(bytes: Buffer, offset: number, byteCount: number): string {
  const field = bytes.subarray(offset, offset + byteCount)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? byteCount : end)
}

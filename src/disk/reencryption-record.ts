// The record of a re-encryption in an image, byte for byte as docs/formats.md has it.

import { hash } from 'node:crypto'
import { assert } from '#base/assert.ts'

export const recordBytes = 4096

/** The chunk that begins at the watermark, as the log has it. */
export interface MovedChunk {
  readonly byteCount: number
  readonly sum: Buffer
}

export interface ReencryptionRecord {
  /** Of two records the one with the higher number counts. */
  readonly sequence: number
  readonly watermarkBytes: number
  /** Null while none is being moved. */
  readonly chunk: MovedChunk | null
  /** Everything is under the newer key: what is left is to put its header in place. */
  readonly isWhole: boolean
  readonly headerBytes: number
  readonly headerSum: Buffer
}

const magic = Buffer.from('KWREENC1')
const at = { sequence: 8, watermark: 16, chunkBytes: 24, isWhole: 28, chunkSum: 32, headerSum: 64, headerBytes: 96 }
const signedBytes = 128
const sumBytes = 32

export const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer')

export function encodeRecord(record: ReencryptionRecord): Buffer {
  const bytes = Buffer.alloc(recordBytes)
  magic.copy(bytes)
  bytes.writeBigUInt64BE(BigInt(record.sequence), at.sequence)
  bytes.writeBigUInt64BE(BigInt(record.watermarkBytes), at.watermark)
  bytes.writeUInt32BE(record.chunk?.byteCount ?? 0, at.chunkBytes)
  bytes.writeUInt32BE(record.isWhole ? 1 : 0, at.isWhole)
  record.chunk?.sum.copy(bytes, at.chunkSum)
  assert(record.headerSum.length === sumBytes, 'a sum has 32 bytes')
  record.headerSum.copy(bytes, at.headerSum)
  bytes.writeUInt32BE(record.headerBytes, at.headerBytes)
  sha256(bytes.subarray(0, signedBytes)).copy(bytes, signedBytes)
  return bytes
}

/** Null for whatever is not a whole record. */
export function decodeRecord(bytes: Buffer): ReencryptionRecord | null {
  if (!bytes.subarray(0, magic.length).equals(magic)) return null
  if (!sha256(bytes.subarray(0, signedBytes)).equals(bytes.subarray(signedBytes, signedBytes + sumBytes))) return null
  const byteCount = bytes.readUInt32BE(at.chunkBytes)
  const sum = Buffer.from(bytes.subarray(at.chunkSum, at.chunkSum + sumBytes))
  return {
    sequence: Number(bytes.readBigUInt64BE(at.sequence)),
    watermarkBytes: Number(bytes.readBigUInt64BE(at.watermark)),
    chunk: byteCount === 0 ? null : { byteCount, sum },
    isWhole: bytes.readUInt32BE(at.isWhole) === 1,
    headerBytes: bytes.readUInt32BE(at.headerBytes),
    headerSum: Buffer.from(bytes.subarray(at.headerSum, at.headerSum + sumBytes)),
  }
}

// What an image says of its own re-encryption, in the space between its header and its data (docs/formats.md, "Volume image
// that is being re-encrypted"): how far it has come, the header that it will have, and the newest chunk as it will be. A chunk
// is written here before it changes in its place, so that a crash at any point leaves each sector under one key that is
// known: `recover` finishes the chunk that was being moved, if it had been written down whole, and it had not been begun if not.

import { open } from 'node:fs/promises'
import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { storedRuns } from './copy-stored.ts'
import type { ByteRun } from './copy-stored.ts'
import { fileArea } from './image-area.ts'
import type { ImageArea } from './image-area.ts'
import { decodeRecord, encodeRecord, recordBytes, sha256 } from './reencryption-record.ts'
import type { MovedChunk, ReencryptionRecord } from './reencryption-record.ts'

const MiB = 1024 * 1024
const recordsOffsetBytes = MiB
const headerOffsetBytes = 2 * MiB
const headerBytesMax = MiB
const chunkOffsetBytes = 4 * MiB
/** What is moved at a time, and held up by it: long enough that three synchronisations cost less than the copying. */
export const chunkBytesMax = 4 * MiB

/** Two places by turns. */
const recordOffset = (sequence: number): number => recordsOffsetBytes + (sequence % 2) * recordBytes

export class ReencryptionLog {
  readonly #image: ImageArea
  #record: ReencryptionRecord

  private constructor(image: ImageArea, record: ReencryptionRecord) {
    this.#image = image
    this.#record = record
  }

  /** Sectors before this are under the newer key. */
  get watermarkBytes(): number {
    return this.#record.watermarkBytes
  }

  /** Null where the image is not between two keys. Nothing is changed. */
  static async find(image: ImageArea): Promise<ReencryptionLog | null> {
    const record = await newestRecord(image)
    return record && new ReencryptionLog(image, record)
  }

  /** The image is between two keys from here on. All space that the log will need is taken, so that it cannot be wanting later. */
  static async begin(image: ImageArea, header: Uint8Array): Promise<ReencryptionLog> {
    assert(header.length <= headerBytesMax, 'a header fits its place in the log')
    const zeros = new Uint8Array(MiB)
    for (let at = recordsOffsetBytes; at < chunkOffsetBytes + chunkBytesMax; at += MiB) {
      await image.write(zeros, at)
    }
    await image.write(header, headerOffsetBytes)
    await image.flush()
    const sums = { headerBytes: header.length, headerSum: sha256(header) }
    const log = new ReencryptionLog(image, { sequence: 0, watermarkBytes: 0, chunk: null, isWhole: false, ...sums })
    await log.#write({})
    return log
  }

  /** What the image will have when all of it is under the newer key. */
  async header(): Promise<Uint8Array> {
    const { headerBytes, headerSum } = this.#record
    const header = await this.#image.read(headerBytes, headerOffsetBytes)
    if (sha256(header).equals(headerSum)) return header
    throw new Fault('unprocessable', 'the log of a re-encryption is damaged: its header is another')
  }

  /** Finishes what a crash interrupted. False when the re-encryption has come to its end with that. */
  async recover(): Promise<boolean> {
    const { chunk, isWhole } = this.#record
    if (isWhole) {
      await this.#putHeader()
      return false
    }
    if (!chunk) return true
    const bytes = await this.#image.read(chunk.byteCount, chunkOffsetBytes)
    // Where it was not written down whole, nothing of it was written in its place.
    if (sha256(bytes).equals(chunk.sum)) await this.#putChunk(bytes, chunk, storedRuns(bytes))
    else await this.#write({ chunk: null })
    return true
  }

  /** The sectors from the watermark on, as they will be. On failure nobody knows what the image says: it is opened anew. */
  async move(bytes: Uint8Array, runs: readonly ByteRun[]): Promise<void> {
    assert(bytes.length <= chunkBytesMax, 'a chunk fits its place in the log')
    const chunk: MovedChunk = { byteCount: bytes.length, sum: sha256(bytes) }
    await this.#image.write(bytes, chunkOffsetBytes)
    await this.#write({ chunk })
    await this.#putChunk(bytes, chunk, runs)
  }

  /** The sectors up to here were never stored, and are under either key what they are. */
  async pass(toBytes: number): Promise<void> {
    await this.#write({ watermarkBytes: toBytes, chunk: null })
  }

  /** All is under the newer key: its header takes the place of the older one, of which nothing stays. */
  async end(): Promise<void> {
    await this.#write({ isWhole: true })
    await this.#putHeader()
  }

  async #putChunk(bytes: Uint8Array, { byteCount }: MovedChunk, runs: readonly ByteRun[]): Promise<void> {
    const { watermarkBytes } = this.#record
    for (const { from, to } of runs) {
      await this.#image.write(bytes.subarray(from, to), luks2DataOffsetBytes + watermarkBytes + from)
    }
    await this.#image.flush()
    await this.#write({ watermarkBytes: watermarkBytes + byteCount, chunk: null })
  }

  async #putHeader(): Promise<void> {
    const header = await this.header()
    await this.#image.write(header, 0)
    await this.#image.flush()
    // The newest record goes last, and before what it speaks of: until then all of this is done again.
    for (const sequence of [this.#record.sequence + 1, this.#record.sequence]) {
      await this.#image.write(new Uint8Array(recordBytes), recordOffset(sequence))
      await this.#image.flush()
    }
    await this.#image.clear(header.length, luks2DataOffsetBytes)
    await this.#image.flush()
  }

  /** Into the place of the last but one, so that a torn write harms what is not needed. */
  async #write(change: Partial<ReencryptionRecord>): Promise<void> {
    const record = { ...this.#record, ...change, sequence: this.#record.sequence + 1 }
    await this.#image.write(encodeRecord(record), recordOffset(record.sequence))
    await this.#image.flush()
    this.#record = record
  }
}

/** Whether an image that nobody has open is between two keys. */
export async function isBetweenKeys(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    return (await newestRecord(fileArea(file.fd, () => file.datasync()))) !== null
  } finally {
    await file.close()
  }
}

async function newestRecord(image: ImageArea): Promise<ReencryptionRecord | null> {
  const bytes = await image.read(2 * recordBytes, recordsOffsetBytes)
  const found = [0, recordBytes].flatMap((at) => decodeRecord(bytes.subarray(at, at + recordBytes)) ?? [])
  return found.toSorted((a, b) => b.sequence - a.sequence)[0] ?? null
}

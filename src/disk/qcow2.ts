// Reads disk images of the form qcow2, versions 2 and 3, as far as an image that stands alone needs it: what refers to
// another file is refused, since the file would be one of this host. Everything in such a file was written by a stranger, so
// each offset is checked, and no cluster or table is read more often than the file could have them. Source: QEMU,
// docs/interop/qcow2.txt.

import { createZstdDecompress, inflateRaw } from 'node:zlib'
import { promisify } from 'node:util'
import { corrupted, isEncryptedItself, notEncrypted } from './import-faults.ts'
import type { FileKey, ImportSource, StagedFile } from './import-source.ts'
import { qcow2Magic } from './port.ts'
import { openQcow2Key } from './qcow2-key.ts'

const inflate = promisify(inflateRaw)

const headerBytes = 112
const versionTwoBytes = 72
const entryBytes = 8
/** As QEMU has it. */
const l1BytesMax = 32 * 1024 * 1024
const clusterBits = { min: 9, max: 21 }
/** Incompatible features, by their bits; the first two say how the file was closed. */
const features = { dirty: 1n, corrupt: 2n, externalData: 4n, compression: 8n }
const offsetMask = 0x00ff_ffff_ffff_fe00n
const isCompressed = 1n << 62n
const isZero = 1n
/** Pieces are of whole clusters, and no smaller than this. */
const pieceBytesMin = 1024 * 1024

interface Header {
  readonly clusterBytes: number
  readonly bits: number
  readonly virtualBytes: number
  readonly l1Offset: number
  readonly l1Entries: number
  readonly isZstd: boolean
  /** 0 for none, 2 for LUKS. */
  readonly encryption: number
  /** Where its extensions begin. */
  readonly headerBytes: number
}

export const isQcow2 = (start: Buffer): boolean => start.length >= 4 && start.readUInt32BE(0) === qcow2Magic

export function parseQcow2Header(start: Buffer): Header {
  if (start.length < headerBytes || !isQcow2(start)) throw corrupted('it has no header of qcow2')
  const version = start.readUInt32BE(4)
  if (version !== 2 && version !== 3) throw corrupted(`version ${version} of qcow2 is not known`)
  if (start.readBigUInt64BE(8) !== 0n) throw corrupted('it has a backing file')
  const bits = start.readUInt32BE(20)
  if (bits < clusterBits.min || bits > clusterBits.max) throw corrupted('its clusters have no size of qcow2')
  const compression = version === 3 ? readFeatures(start) : 0
  const clusterBytes = 2 ** bits
  const virtualBytes = number(start.readBigUInt64BE(24))
  const l1Entries = start.readUInt32BE(36)
  const l2Entries = clusterBytes / entryBytes
  if (l1Entries * entryBytes > l1BytesMax) throw corrupted('its table of tables is too large')
  if (l1Entries < Math.ceil(virtualBytes / clusterBytes / l2Entries))
    throw corrupted('its table of tables is too short')
  const l1Offset = number(start.readBigUInt64BE(40))
  const encryption = start.readUInt32BE(32)
  const length = version === 3 ? start.readUInt32BE(100) : versionTwoBytes
  return {
    clusterBytes,
    bits,
    virtualBytes,
    l1Offset,
    l1Entries,
    isZstd: compression === 1,
    encryption,
    headerBytes: length,
  }
}

function readFeatures(start: Buffer): number {
  const incompatible = start.readBigUInt64BE(72)
  if (incompatible & features.externalData) throw corrupted('its data lie in another file')
  if (incompatible & features.corrupt) throw corrupted('it is marked as corrupt')
  if (incompatible & ~(features.dirty | features.compression))
    throw corrupted('it has features that are not known here')
  if (!(incompatible & features.compression)) return 0
  const compression = start.readUInt32BE(100) > 104 ? start.readUInt8(104) : 0
  if (compression > 1) throw corrupted('its compression is not known')
  return compression
}

function number(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupted('it has numbers that no file reaches')
  return Number(value)
}

export async function openQcow2(file: StagedFile, start: Buffer, key: FileKey | null): Promise<ImportSource> {
  const header = parseQcow2Header(start)
  if (header.encryption !== 0 && !key) throw isEncryptedItself()
  if (header.encryption === 0 && key) throw notEncrypted()
  const { clusterBytes, virtualBytes } = header
  const l1 = await file.read(header.l1Offset, header.l1Entries * entryBytes)
  const tables = new Tables(file, header, l1)
  const dataBudget = new Budget(file.sizeBytes)
  const decryption = key && (await openQcow2Key(file, start, header, key))

  async function readCluster(entry: bigint, target: Buffer): Promise<boolean> {
    if (entry & isCompressed) {
      // QEMU writes no such thing.
      if (decryption) throw corrupted('it is encrypted and compressed')
      await readCompressed(file, header, entry, target)
      return true
    }
    const offset = number(entry & offsetMask)
    if (entry & isZero || offset === 0) return false
    dataBudget.spend(clusterBytes)
    // The last cluster of a file may be cut where the disk ends.
    const there = Math.max(0, Math.min(target.length, file.sizeBytes - offset))
    if (there === 0) throw corrupted('a cluster lies beyond its end')
    ;(await file.read(offset, there)).copy(target)
    decryption?.decrypt(target.subarray(0, there), offset)
    return true
  }

  return {
    virtualBytes,
    pieceBytes: Math.max(pieceBytesMin, clusterBytes),
    async read(target, offset) {
      let hasData = false
      for (let at = 0; at < target.length; at += clusterBytes) {
        const index = (offset + at) / clusterBytes
        const absent = tables.absentFrom(index)
        if (absent > 0) {
          at += (absent - 1) * clusterBytes
          continue
        }
        const entry = await tables.entry(index)
        const cluster = target.subarray(at, Math.min(at + clusterBytes, target.length))
        if (entry !== 0n) hasData = (await readCluster(entry, cluster)) || hasData
      }
      return hasData
    },
    [Symbol.dispose]: () => decryption?.[Symbol.dispose](),
  }
}

/** The table of the second level that was used last: they are read in their order. */
class Tables {
  readonly #file: StagedFile
  readonly #header: Header
  readonly #l1: Buffer
  readonly #budget: Budget
  #index = -1
  #table: Buffer | null = null

  constructor(file: StagedFile, header: Header, l1: Buffer) {
    this.#file = file
    this.#header = header
    this.#l1 = l1
    this.#budget = new Budget(file.sizeBytes)
  }

  /** How many clusters from this one on have no table of theirs: up to where the next table begins. */
  absentFrom(cluster: number): number {
    const perTable = this.#header.clusterBytes / entryBytes
    const offset = this.#l1.readBigUInt64BE(Math.floor(cluster / perTable) * entryBytes) & offsetMask
    return offset === 0n ? perTable - (cluster % perTable) : 0
  }

  async entry(cluster: number): Promise<bigint> {
    const { clusterBytes } = this.#header
    const perTable = clusterBytes / entryBytes
    const index = Math.floor(cluster / perTable)
    if (index !== this.#index) {
      this.#table = await this.#read(index)
      this.#index = index
    }
    return this.#table?.readBigUInt64BE((cluster % perTable) * entryBytes) ?? 0n
  }

  async #read(index: number): Promise<Buffer | null> {
    const offset = number(this.#l1.readBigUInt64BE(index * entryBytes) & offsetMask)
    if (offset === 0) return null
    this.#budget.spend(this.#header.clusterBytes)
    return await this.#file.read(offset, this.#header.clusterBytes)
  }
}

/** What a file can have of something, when each byte of it is used once. */
class Budget {
  #leftBytes: number

  constructor(bytes: number) {
    // The last cluster may be cut.
    this.#leftBytes = bytes + 2 ** clusterBits.max
  }

  spend(byteCount: number): void {
    this.#leftBytes -= byteCount
    if (this.#leftBytes < 0) throw corrupted('it uses the same clusters more than once')
  }
}

const sectorBytes = 512n

async function readCompressed(file: StagedFile, header: Header, entry: bigint, target: Buffer): Promise<void> {
  const offsetBits = BigInt(62 - (header.bits - 8))
  const offset = entry & ((1n << offsetBits) - 1n)
  const sectors = ((entry & (isCompressed - 1n)) >> offsetBits) + 1n
  const from = number(offset)
  const there = Math.min(number(sectors * sectorBytes - (offset % sectorBytes)), file.sizeBytes - from)
  if (there <= 0) throw corrupted('a cluster lies beyond its end')
  const data = await decompressed(header, await file.read(from, there))
  if (data.length < target.length) throw corrupted('a compressed cluster is too short')
  data.copy(target, 0, 0, target.length)
}

async function decompressed({ isZstd, clusterBytes }: Header, data: Buffer): Promise<Buffer> {
  try {
    return isZstd ? await firstOf(data, clusterBytes) : await inflate(data, { maxOutputLength: clusterBytes })
  } catch (cause) {
    throw corrupted('a compressed cluster does not open', cause)
  }
}

/** What follows the frame of one cluster is the next one's, and would be taken for more of it. */
async function firstOf(data: Buffer, byteCount: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  const stream = createZstdDecompress()
  stream.end(data)
  // Reading no further ends the stream.
  for await (const part of stream as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    if (length >= byteCount) break
  }
  return Buffer.concat(parts)
}

// Writes a disk as qcow2, version 3, from its beginning to its end: data and tables in the order in which they come, and the
// header last, so that a file that was cut short is none. What is not written is not stored. With a key it is encrypted as
// QEMU does it: a LUKS1 header in clusters of its own, and each sector's tweak is where it lies in the file. Source: QEMU,
// docs/interop/qcow2.txt.

import type { FileHandle } from 'node:fs/promises'
import { luks1Bytes } from '#crypto/luks1.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import type { SectorCipher } from '#crypto/sector-cipher.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import type { DiskWriter } from './image-export.ts'
import { keepRoom } from './room.ts'

const magic = 0x514649fb
const version = 3
const headerBytes = 104
const clusterBits = 16
const clusterBytes = 2 ** clusterBits
const entryBytes = 8
const entriesPerTable = clusterBytes / entryBytes
/** Of 16 bits each, as `refcountOrder` says. */
const refcountsPerBlock = clusterBytes / 2
const refcountOrder = 4
const byLuks = 2
const encryptionHeader = 0x0537be77
/** Bit 63: the cluster has no other user. */
const isOwn = 1n << 63n
const sectorBytes = 512

export interface FileEncryption {
  /** What `formatLuks1` gave. */
  readonly header: Uint8Array
  /** Stays the caller's. */
  readonly volumeKey: SecretBytes
}

export function qcow2Writer(
  file: FileHandle,
  virtualBytes: number,
  encryption: FileEncryption | null,
): DiskWriter & Disposable {
  const cipher = encryption && makeSectorCipher(encryption.volumeKey, sectorBytes)
  const out = new Clusters(file)
  const l1 = Buffer.alloc(Math.ceil(virtualBytes / clusterBytes / entriesPerTable) * entryBytes)
  const luksAt = clusterBytes
  let table: { readonly index: number; readonly entries: Buffer } | null = null
  // The header has its place, and the one of LUKS.
  out.skip(1 + (encryption ? Math.ceil(luks1Bytes / clusterBytes) : 0))

  async function endTable(): Promise<void> {
    if (!table) return
    const at = await out.append(table.entries)
    l1.writeBigUInt64BE(BigInt(at) | isOwn, table.index * entryBytes)
    table = null
  }

  return {
    pieceBytes: clusterBytes,
    async write(piece, offset) {
      const index = offset / clusterBytes
      const tableIndex = Math.floor(index / entriesPerTable)
      if (table && table.index !== tableIndex) await endTable()
      table ??= { index: tableIndex, entries: Buffer.alloc(clusterBytes) }
      const { entries } = table
      const at = await out.append(piece, cipher)
      entries.writeBigUInt64BE(BigInt(at) | isOwn, (index % entriesPerTable) * entryBytes)
    },
    async finish() {
      await endTable()
      const l1At = await out.append(l1)
      const { refcountsAt, refcountClusters } = await out.finish()
      if (encryption) await out.put(encryption.header, luksAt)
      const header = Buffer.alloc(headerBytes + 32)
      header.writeUInt32BE(magic, 0)
      header.writeUInt32BE(version, 4)
      header.writeUInt32BE(clusterBits, 20)
      header.writeBigUInt64BE(BigInt(virtualBytes), 24)
      header.writeUInt32BE(encryption ? byLuks : 0, 32)
      header.writeUInt32BE(l1.length / entryBytes, 36)
      header.writeBigUInt64BE(BigInt(l1At), 40)
      header.writeBigUInt64BE(BigInt(refcountsAt), 48)
      header.writeUInt32BE(refcountClusters, 56)
      header.writeUInt32BE(refcountOrder, 96)
      header.writeUInt32BE(headerBytes, 100)
      if (encryption) {
        header.writeUInt32BE(encryptionHeader, headerBytes)
        header.writeUInt32BE(2 * entryBytes, headerBytes + 4)
        header.writeBigUInt64BE(BigInt(luksAt), headerBytes + 8)
        header.writeBigUInt64BE(BigInt(luks1Bytes), headerBytes + 16)
      }
      await out.put(header, 0)
    },
    [Symbol.dispose]: () => cipher?.[Symbol.dispose](),
  }
}

/** The file, growing by whole clusters. */
class Clusters {
  readonly #file: FileHandle
  readonly #takeRoom: (byteCount: number) => void
  #count = 0

  constructor(file: FileHandle) {
    this.#file = file
    this.#takeRoom = keepRoom(file.fd)
  }

  skip(clusters: number): void {
    this.#count += clusters
  }

  /** Where the bytes lie now. They are encrypted in place for that. */
  async append(bytes: Buffer, cipher: SectorCipher | null = null): Promise<number> {
    const at = this.#count * clusterBytes
    this.#count += Math.ceil(bytes.length / clusterBytes)
    cipher?.encrypt(bytes, at / sectorBytes)
    await this.put(bytes, at)
    return at
  }

  async put(bytes: Uint8Array, at: number): Promise<void> {
    this.#takeRoom(bytes.length)
    for (let done = 0; done < bytes.length; ) {
      done += (await this.#file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
    }
  }

  /** Counts of all clusters, those of the counts too: each has one user. */
  async finish(): Promise<{ readonly refcountsAt: number; readonly refcountClusters: number }> {
    const plan = planRefcounts(this.#count)
    const table = Buffer.alloc(plan.tables * clusterBytes)
    const total = this.#count + plan.blocks + plan.tables
    for (let block = 0; block < plan.blocks; block++) {
      const counts = Buffer.alloc(clusterBytes)
      const counted = Math.min(refcountsPerBlock, total - block * refcountsPerBlock)
      for (let i = 0; i < counted; i++) counts.writeUInt16BE(1, i * 2)
      table.writeBigUInt64BE(BigInt(await this.append(counts)), block * entryBytes)
    }
    const refcountsAt = await this.append(table)
    await this.#file.truncate(this.#count * clusterBytes)
    return { refcountsAt, refcountClusters: plan.tables }
  }
}

function planRefcounts(clusters: number): { readonly blocks: number; readonly tables: number } {
  for (let plan = { blocks: 1, tables: 1 }; ; ) {
    const blocks = Math.ceil((clusters + plan.blocks + plan.tables) / refcountsPerBlock)
    const tables = Math.ceil((blocks * entryBytes) / clusterBytes)
    if (blocks === plan.blocks && tables === plan.tables) return plan
    plan = { blocks, tables }
  }
}

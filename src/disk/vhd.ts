// Reads and writes disk images of the form VHD, fixed and dynamic; one that refers to a parent is refused. A dynamic disk is a
// footer, its copy at the end, and a table of blocks of two megabytes, each behind a map of its sectors. Everything in a file
// that is read was written by a stranger. Source: Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0.

import type { FileHandle } from 'node:fs/promises'
import type { DiskWriter } from './image-export.ts'
import { corrupted } from './import-faults.ts'
import type { ImportSource, StagedFile } from './import-source.ts'
import { keepRoom } from './room.ts'

const cookie = 'conectix'
const footerBytes = 512
const sectorBytes = 512
const dynamicCookie = 'cxsparse'
const dynamicBytes = 1024
const kinds = { fixed: 2, dynamic: 3 } as const
const absent = 0xffff_ffff
/** Specification, "Dynamic Disk Header Format": its default, and the only one that is written. */
const blockBytes = 2 * 1024 * 1024
const blockBytesMax = 64 * 1024 * 1024
const tableBytesMax = 16 * 1024 * 1024
const pieceBytes = 1024 * 1024

/** Of the disk in the file. */
export async function openVhd(file: StagedFile): Promise<ImportSource> {
  if (file.sizeBytes < footerBytes) throw corrupted('it has no footer of VHD')
  const footer = await file.read(file.sizeBytes - footerBytes, footerBytes)
  if (footer.toString('latin1', 0, cookie.length) !== cookie) throw corrupted('it has no footer of VHD')
  if (footer.readUInt32BE(64) !== checksum(footer, 64)) throw corrupted('its footer has another checksum')
  const virtualBytes = whole(footer.readBigUInt64BE(48))
  if (virtualBytes % sectorBytes !== 0) throw corrupted('its disk ends within a sector')
  const kind = footer.readUInt32BE(60)
  if (kind === kinds.fixed) return openFixed(file, virtualBytes)
  if (kind === kinds.dynamic) return await openDynamic(file, virtualBytes, whole(footer.readBigUInt64BE(16)))
  throw corrupted('it is a VHD of another kind than fixed or dynamic')
}

function openFixed(file: StagedFile, virtualBytes: number): ImportSource {
  if (virtualBytes > file.sizeBytes - footerBytes) throw corrupted('it ends before its data')
  return {
    virtualBytes,
    pieceBytes,
    async read(target, offset) {
      ;(await file.read(offset, target.length)).copy(target)
      return true
    },
    [Symbol.dispose]: () => undefined,
  }
}

async function openDynamic(file: StagedFile, virtualBytes: number, headerAt: number): Promise<ImportSource> {
  const header = await file.read(headerAt, dynamicBytes)
  if (header.toString('latin1', 0, dynamicCookie.length) !== dynamicCookie) throw corrupted('it has no dynamic header')
  if (header.readUInt32BE(36) !== checksum(header, 36)) throw corrupted('its dynamic header has another checksum')
  const blocks = header.readUInt32BE(28)
  const size = header.readUInt32BE(32)
  if (size < sectorBytes || size > blockBytesMax || (size & (size - 1)) !== 0)
    throw corrupted('its blocks have no size')
  if (blocks < Math.ceil(virtualBytes / size) || blocks * 4 > tableBytesMax) throw corrupted('its table has no size')
  const table = await file.read(whole(header.readBigUInt64BE(16)), blocks * 4)
  const mapBytes = Math.ceil(size / sectorBytes / 8 / sectorBytes) * sectorBytes
  // Blocks that share their bytes would make a large disk of a small file.
  let leftBytes = file.sizeBytes

  async function readBlock(index: number, target: Buffer, within: number): Promise<boolean> {
    const at = table.readUInt32BE(index * 4)
    if (at === absent) return false
    leftBytes -= target.length
    if (leftBytes < 0) throw corrupted('it uses the same blocks more than once')
    const start = at * sectorBytes
    const map = await file.read(start, mapBytes)
    const data = await file.read(start + mapBytes + within, target.length)
    let hasData = false
    for (let sector = 0; sector < target.length / sectorBytes; sector++) {
      const bit = within / sectorBytes + sector
      if (((map[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) === 0) continue
      data.copy(target, sector * sectorBytes, sector * sectorBytes, (sector + 1) * sectorBytes)
      hasData = true
    }
    return hasData
  }

  return {
    virtualBytes,
    pieceBytes,
    async read(target, offset) {
      let hasData = false
      for (let at = 0; at < target.length; ) {
        const within = (offset + at) % size
        const byteCount = Math.min(size - within, target.length - at)
        const part = target.subarray(at, at + byteCount)
        hasData = (await readBlock(Math.floor((offset + at) / size), part, within)) || hasData
        at += byteCount
      }
      return hasData
    },
    [Symbol.dispose]: () => undefined,
  }
}

/** A dynamic one. Its disk is one of whole blocks. */
export function vhdWriter(file: FileHandle, virtualBytes: number, uuid: string, now: number): DiskWriter & Disposable {
  const blocks = Math.ceil(virtualBytes / blockBytes)
  const table = Buffer.alloc(Math.ceil((blocks * 4) / sectorBytes) * sectorBytes, 0xff)
  const map = Buffer.alloc(blockBytes / sectorBytes / 8, 0xff)
  const tableAt = footerBytes + dynamicBytes
  const takeRoom = keepRoom(file.fd)
  let end = tableAt + table.length

  async function put(bytes: Buffer, at: number): Promise<void> {
    takeRoom(bytes.length)
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
    }
  }

  return {
    pieceBytes: blockBytes,
    async write(piece, offset) {
      table.writeUInt32BE(end / sectorBytes, (offset / blockBytes) * 4)
      await put(map, end)
      await put(piece, end + map.length)
      end += map.length + piece.length
    },
    async finish() {
      const footer = footerOf(virtualBytes, uuid, now)
      await put(table, tableAt)
      await put(dynamicHeader(tableAt, blocks), footerBytes)
      await put(footer, end)
      await put(footer, 0)
    },
    [Symbol.dispose]: () => undefined,
  }
}

/** Specification, "Hard Disk Footer Format": seconds since 2000. */
const epochMs = Date.UTC(2000, 0, 1)

function footerOf(virtualBytes: number, uuid: string, now: number): Buffer {
  const footer = Buffer.alloc(footerBytes)
  footer.write(cookie, 0, 'latin1')
  footer.writeUInt32BE(2, 8)
  footer.writeUInt32BE(0x0001_0000, 12)
  footer.writeBigUInt64BE(BigInt(footerBytes), 16)
  footer.writeUInt32BE(Math.max(0, Math.floor((now - epochMs) / 1000)), 24)
  footer.write('kwrd', 28, 'latin1')
  footer.writeUInt32BE(0x0001_0000, 32)
  footer.writeBigUInt64BE(BigInt(virtualBytes), 40)
  footer.writeBigUInt64BE(BigInt(virtualBytes), 48)
  footer.writeUInt32BE(largestGeometry, 56)
  footer.writeUInt32BE(kinds.dynamic, 60)
  footer.write(uuid.replaceAll('-', ''), 68, 'hex')
  footer.writeUInt32BE(checksum(footer, 64), 64)
  return footer
}

/** Of 65535 cylinders, 16 heads and 255 sectors: whoever reads that takes the size instead, which no geometry gives exactly. */
const largestGeometry = 0xffff_10ff

function dynamicHeader(tableAt: number, blocks: number): Buffer {
  const header = Buffer.alloc(dynamicBytes)
  header.write(dynamicCookie, 0, 'latin1')
  header.fill(0xff, 8, 16)
  header.writeBigUInt64BE(BigInt(tableAt), 16)
  header.writeUInt32BE(0x0001_0000, 24)
  header.writeUInt32BE(blocks, 28)
  header.writeUInt32BE(blockBytes, 32)
  header.writeUInt32BE(checksum(header, 36), 36)
  return header
}

/** One's complement of the sum of all bytes but its own. */
function checksum(bytes: Buffer, at: number): number {
  let sum = 0
  for (const [i, byte] of bytes.entries()) if (i < at || i >= at + 4) sum += byte
  return ~sum >>> 0
}

function whole(value: bigint): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw corrupted('it has numbers that no file reaches')
}

// Copies the data of an image as they lie there: ciphertext, and of that only what was ever stored. Sectors of zeros were
// not (encrypted.ts), so holes stay holes whatever the file system says of them.

import { write as writeFd, writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { sectorBytes } from '#base/limits.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { BufferPool } from './buffer-pool.ts'
import type { BlockDevice } from './device.ts'
import { translated } from './image-file.ts'
import { keepRoom } from './room.ts'

const writeAsync = promisify(writeFd)

/** What is in memory of a copy, and what one trip through the thread pool brings. */
export const copyPieceBytes = 1024 * 1024

export type CopySource = Pick<BlockDevice, 'read' | 'extents' | 'sizeBytes'>
export type CopyWriter = (source: Uint8Array, offset: number) => Promise<void>
/** Makes of sectors what is to be stored in the copy, in place. */
export type SectorChange = (sectors: Uint8Array, offset: number) => void

export interface CopyRange {
  readonly offset: number
  readonly byteCount: number
}

/** Writes the data area of an image in the making. In the thread pool: what a copy writes, disks may take their time for. */
export function writerOf(fd: number): CopyWriter {
  const takeRoom = keepRoom(fd)
  return (source, offset) =>
    translated(async () => {
      takeRoom(source.length)
      const position = luks2DataOffsetBytes + offset
      for (let done = 0; done < source.length; ) {
        done += (await writeAsync(fd, source, done, source.length - done, position + done)).bytesWritten
      }
    })
}

/** The same at once, for a thread that may wait for a disk. */
export function writerAtOnceOf(fd: number): CopyWriter {
  const takeRoom = keepRoom(fd)
  return (source, offset) =>
    translated(async () => {
      takeRoom(source.length)
      const position = luks2DataOffsetBytes + offset
      for (let done = 0; done < source.length; ) {
        done += writeSync(fd, source, done, source.length - done, position + done)
      }
    })
}

const buffers = new BufferPool()

/** Copies a range of whole sectors. */
export async function copyStored(source: CopySource, write: CopyWriter, range: CopyRange, change?: SectorChange) {
  const end = range.offset + range.byteCount
  const buffer = buffers.take(Math.min(copyPieceBytes, range.byteCount))
  try {
    for (let offset = range.offset; offset < end; offset += copyPieceBytes) {
      const piece = buffer.subarray(0, Math.min(copyPieceBytes, end - offset))
      await source.read(piece, offset)
      for (const { from, to } of storedRuns(piece)) {
        const run = piece.subarray(from, to)
        change?.(run, offset + from)
        await write(run, offset + from)
      }
    }
  } finally {
    buffers.give(buffer)
  }
}

export interface ByteRun {
  readonly from: number
  readonly to: number
}

const zeroSector = Buffer.alloc(sectorBytes)

/** Where in `data` sectors are stored. */
export function storedRuns(data: Buffer): ByteRun[] {
  const runs: ByteRun[] = []
  const isHole = (at: number): boolean => data[at] === 0 && zeroSector.equals(data.subarray(at, at + sectorBytes))
  for (let at = 0; at < data.length; ) {
    const from = at
    const hole = isHole(at)
    while (at < data.length && isHole(at) === hole) at += sectorBytes
    if (!hole) runs.push({ from, to: at })
  }
  return runs
}

/** The stored ranges of an image from its beginning to its end, as the file system knows them. */
async function* storedRanges(source: CopySource): AsyncGenerator<CopyRange> {
  for (let offset = 0; offset < source.sizeBytes; ) {
    for (const { byteCount, hole } of await source.extents(offset, source.sizeBytes - offset)) {
      if (!hole) yield { offset, byteCount }
      offset += byteCount
    }
    // There may be millions of them.
    await nextTurn()
  }
}

/** The same in pieces of at most `pieceBytes`. */
export async function* storedPieces(source: CopySource, pieceBytes = copyPieceBytes): AsyncGenerator<CopyRange> {
  for await (const { offset, byteCount } of storedRanges(source)) {
    const end = offset + byteCount
    for (let at = offset; at < end; ) {
      const next = Math.min(end, at - (at % pieceBytes) + pieceBytes)
      yield { offset: at, byteCount: next - at }
      at = next
    }
  }
}

/** Bytes that are stored, holes left out. */
export async function storedBytesOf(source: CopySource): Promise<number> {
  let sum = 0
  for await (const { byteCount } of storedRanges(source)) sum += byteCount
  return sum
}

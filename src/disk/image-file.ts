// The data area of an image in a local file, as a device of bytes. Hot data are read and written synchronously, since a
// trip through the thread pool costs ten times what the page cache does; whatever must wait for a disk (cold reads and
// fdatasync) goes through the pool, so that one volume's disk does not stop the others of the process.

import { close, fdatasync, ftruncateSync, fstatSync, openSync, read as readFd, readSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { DeviceFault } from './device.ts'
import type { BlockDevice, Extent } from './device.ts'
import { GroupCommit } from './group-commit.ts'
import { linux } from './system.ts'

const readAsync = promisify(readFd)
const fdatasyncAsync = promisify(fdatasync)
const closeAsync = promisify(close)

/** More extents than this in one answer would hold up other requests; the caller asks again from where it ended. */
const extentsMax = 1024
const zeros = Buffer.alloc(1024 * 1024)

export interface ImageFileOptions {
  readonly path: string
  /** Where the data area begins in the file. */
  readonly dataOffsetBytes: number
  /** Size of the data area; a shorter file is extended by a hole. */
  readonly sizeBytes: number
  /** Extents are reported in whole sectors. */
  readonly sectorBytes: number
}

export function openImageFile(options: ImageFileOptions): BlockDevice {
  const fd = openSync(options.path, 'r+')
  const fileBytes = options.dataOffsetBytes + options.sizeBytes
  if (fstatSync(fd).size < fileBytes) ftruncateSync(fd, fileBytes)
  return imageFile(fd, options)
}

/** Owns the open file. */
function imageFile(fd: number, { dataOffsetBytes, sizeBytes, sectorBytes }: ImageFileOptions): BlockDevice {
  const commits = new GroupCommit(() => fdatasyncAsync(fd))
  const readHot = hotReader(fd)
  const pending = new Set<Promise<void>>()

  /** Remembers work in the thread pool: the file may not be closed, and its number reused, underneath it. */
  async function tracked(work: Promise<void>): Promise<void> {
    pending.add(work)
    try {
      await work
    } finally {
      pending.delete(work)
    }
  }

  async function readCold(target: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await readAsync(fd, target, done, target.length - done, position + done)
      if (bytesRead === 0) throw new DeviceFault('EIO', 'the image file ends before its data area')
      done += bytesRead
    }
  }

  function writeHot(source: Uint8Array, position: number): void {
    for (let done = 0; done < source.length; ) {
      done += writeSync(fd, source, done, source.length - done, position + done)
    }
  }

  function writeZeros(position: number, byteCount: number): void {
    for (let done = 0; done < byteCount; done += zeros.length) {
      writeHot(zeros.subarray(0, Math.min(zeros.length, byteCount - done)), position + done)
    }
  }

  async function trim(offset: number, byteCount: number): Promise<void> {
    const position = dataOffsetBytes + offset
    if (linux?.punchHole(fd, position, byteCount)) return
    await translated(async () => writeZeros(position, byteCount))
  }

  return {
    sizeBytes,
    async read(target, offset) {
      const position = dataOffsetBytes + offset
      if (readHot(target, position)) return
      await translated(() => tracked(readCold(target, position)))
    },
    async write(source, offset) {
      await translated(async () => writeHot(source, dataOffsetBytes + offset))
    },
    zero: trim,
    trim,
    flush: () => translated(() => commits.commit()),
    async extents(offset, byteCount) {
      return extentsOf(fd, { start: dataOffsetBytes + offset, byteCount, sectorBytes })
    },
    async close() {
      await Promise.allSettled(pending)
      await commits.settle()
      await closeAsync(fd)
    },
  }
}

/**
 * Fills a buffer without waiting for a disk, or says that it could not. File systems that cannot tell what is cached
 * (tmpfs, where everything is) and platforms that cannot ask are read at once, which is right for hot data and tolerable
 * for cold.
 */
function hotReader(fd: number): (target: Uint8Array, position: number) => boolean {
  const system = linux
  const probe = new Uint8Array(512)
  // Reading it at once puts it into the page cache, so that being asked about it the system must know it.
  const isProbeRead = readAtOnce(fd, probe, 0)
  if (system === null || !isProbeRead || system.readCached(fd, probe, 0) !== probe.length)
    return (target, position) => readAtOnce(fd, target, position)
  return (target, position) => system.readCached(fd, target, position) === target.length
}

function readAtOnce(fd: number, target: Uint8Array, position: number): boolean {
  try {
    return readSync(fd, target, 0, target.length, position) === target.length
  } catch {
    // The thread pool reads again and reports.
    return false
  }
}

/** Turns what the file system reports into what an NBD client may be told. */
async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DeviceFault) throw error
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // NBD protocol, "Error values": EDQUOT and EFBIG should be mapped to NBD_ENOSPC.
    const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
    throw new DeviceFault(isFull ? 'ENOSPC' : 'EIO', `the file system answered ${String(code)}`, error)
  }
}

function extentsOf(fd: number, range: { start: number; byteCount: number; sectorBytes: number }): Extent[] {
  const { start, byteCount, sectorBytes } = range
  if (!linux) return [{ byteCount, hole: false }]
  const extents: Extent[] = []
  const end = start + byteCount
  let at = start
  while (at < end && extents.length < extentsMax) {
    const next = nextBoundary(fd, at, { end, sectorBytes })
    extents.push({ byteCount: next.to - at, hole: next.hole })
    at = next.to
  }
  return extents
}

/**
 * Where the run that `at` lies in ends, and what it is. A file system with blocks smaller than a sector may report holes
 * that begin or end inside one: a sector that is not all hole is stored.
 */
function nextBoundary(
  fd: number,
  at: number,
  { end, sectorBytes }: { end: number; sectorBytes: number },
): { to: number; hole: boolean } {
  const data = linux?.nextData(fd, at) ?? null
  const hole = linux?.nextHole(fd, at) ?? null
  // No data follow: then `at` itself is in a hole that lasts to the end of the file; anything else is a failure.
  if (data === null) return { to: end, hole: hole === at }
  const holeEnd = Math.min(data - (data % sectorBytes), end)
  if (holeEnd > at) return { to: holeEnd, hole: true }
  const from = Math.max(data, at)
  const dataEnd = linux?.nextHole(fd, from) ?? end
  return { to: Math.min(Math.ceil(dataEnd / sectorBytes) * sectorBytes, end), hole: false }
}

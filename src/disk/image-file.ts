// The data area of an image in a local file, as a device of bytes. Hot data are read and written synchronously, since a
// trip through the thread pool costs ten times what the page cache does; whatever must wait for a disk (cold reads and
// fdatasync) goes through the pool, so that one volume's disk does not stop the others of the process.

import { close, fdatasync, ftruncateSync, fstatSync, openSync, read as readFd, readSync, writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DeviceFault } from './device.ts'
import type { BlockDevice, Extent } from './device.ts'
import { GroupCommit } from './group-commit.ts'
import { SharedCommit } from './shared-commit.ts'
import { keepRoom } from './room.ts'
import { linux } from './system.ts'
import type { Linux } from './system.ts'

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

export interface ImageFile extends BlockDevice {
  /** For other threads of this process, as long as this one is open: the file, and where all its flushes meet. */
  readonly fd: number
  readonly commitMemory: SharedArrayBuffer
}

/** `system` is null where Linux's own calls are not to be had; everything works without them, and holes stay unseen. */
export function openImageFile(options: ImageFileOptions, system: Linux | null = linux): ImageFile {
  const fd = openSync(options.path, 'r+')
  const fileBytes = options.dataOffsetBytes + options.sizeBytes
  if (fstatSync(fd).size < fileBytes) ftruncateSync(fd, fileBytes)
  const shared = new SharedCommit()
  const commits = new GroupCommit(() => shared.sync(() => fdatasyncAsync(fd)))
  const file = imageFile({ ...options, fd, system, flush: () => translated(() => commits.commit()) })
  return {
    ...file,
    fd,
    commitMemory: shared.memory,
    async close() {
      await file.close()
      await commits.settle()
      await closeAsync(fd)
    },
  }
}

export interface FileParts extends Omit<ImageFileOptions, 'path'> {
  readonly fd: number
  readonly system: Linux | null
  flush(): Promise<void>
}

/** The data area of a file that somebody else opened and will close; `close` waits for what is under way. */
export function imageFile({ fd, system, flush, ...options }: FileParts): BlockDevice {
  const { dataOffsetBytes, sizeBytes, sectorBytes } = options
  const readHot = hotReader(fd, system)
  const takeRoom = keepRoom(fd)
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
    takeRoom(source.length)
    if (system?.write(fd, source, position) === source.length) return
    for (let done = 0; done < source.length; ) {
      done += writeSync(fd, source, done, source.length - done, position + done)
    }
  }

  async function writeZeros(position: number, byteCount: number): Promise<void> {
    for (let done = 0; done < byteCount; done += zeros.length) {
      // Others, and above all a fence, get their turn.
      if (done > 0) await nextTurn()
      writeHot(zeros.subarray(0, Math.min(zeros.length, byteCount - done)), position + done)
    }
  }

  async function trim(offset: number, byteCount: number): Promise<void> {
    const position = dataOffsetBytes + offset
    if (system?.punchHole(fd, position, byteCount)) return
    await translated(() => writeZeros(position, byteCount))
  }

  return {
    sizeBytes,
    writesAtOnce: true,
    readNow: (target, offset) => readHot(target, dataOffsetBytes + offset),
    writeNow(source, offset) {
      try {
        writeHot(source, dataOffsetBytes + offset)
      } catch (error) {
        throw faultOf(error)
      }
      return true
    },
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
    flush,
    async extents(offset, byteCount) {
      if (!system) return [{ byteCount, hole: false }]
      return extentsOf(fd, { start: dataOffsetBytes + offset, byteCount, sectorBytes }, system)
    },
    async close() {
      await Promise.allSettled(pending)
    },
  }
}

/**
 * Fills a buffer without waiting for a disk, or says that it could not. File systems that cannot tell what is cached
 * (tmpfs, where everything is) and platforms that cannot ask are read at once, which is right for hot data and tolerable
 * for cold.
 */
function hotReader(fd: number, system: Linux | null): (target: Uint8Array, position: number) => boolean {
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
export async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw faultOf(error)
  }
}

function faultOf(error: unknown): DeviceFault {
  if (error instanceof DeviceFault) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  // NBD protocol, "Error values": EDQUOT and EFBIG should be mapped to NBD_ENOSPC.
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
  return new DeviceFault(isFull ? 'ENOSPC' : 'EIO', `the file system answered ${String(code)}`, error)
}

interface FileRange {
  readonly start: number
  readonly byteCount: number
  readonly sectorBytes: number
}

function extentsOf(fd: number, { start, byteCount, sectorBytes }: FileRange, system: Linux): Extent[] {
  const extents: Extent[] = []
  const end = start + byteCount
  for (let at = start; at < end && extents.length < extentsMax; ) {
    const run = runAt(fd, at, system)
    const to = Math.min(roundEnd(run, sectorBytes), end)
    // A hole of less than a sector: the sector is stored.
    const sectorEnd = to > at ? to : at + sectorBytes
    extents.push({ byteCount: sectorEnd - at, hole: run.hole && to > at })
    at = sectorEnd
  }
  return extents
}

interface Run {
  readonly to: number
  readonly hole: boolean
}

/** What the byte at `at` is, and where that ends as the file system sees it. */
function runAt(fd: number, at: number, system: Linux): Run {
  const data = system.nextData(fd, at)
  const hole = system.nextHole(fd, at)
  // No data follow: then `at` itself is in a hole that lasts to the end of the file; anything else is a failure.
  if (data === null) return { to: Number.POSITIVE_INFINITY, hole: hole === at }
  return data > at ? { to: data, hole: true } : { to: hole ?? Number.POSITIVE_INFINITY, hole: false }
}

/**
 * A file system with blocks smaller than a sector may report holes that begin or end inside one: a sector that is not
 * all hole is stored, so that holes shrink and data grow to whole sectors.
 */
function roundEnd({ to, hole }: Run, sectorBytes: number): number {
  if (to === Number.POSITIVE_INFINITY) return to
  return (hole ? Math.floor(to / sectorBytes) : Math.ceil(to / sectorBytes)) * sectorBytes
}

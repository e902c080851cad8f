// What Linux offers and node:fs does not, through node:ffi. All of it is optional: on a Node without ffi, or another
// platform, `linux` is null and its users take the portable way. Calls block the thread; all but `sync` are short.
//
// Pointers are passed as numbers of the addresses of buffers that the caller keeps alive for the length of the call.

import { throughFfi } from './ffi.ts'
import type { Ffi } from './ffi.ts'

// linux/falloc.h, unistd.h, sys/uio.h, linux/fs.h, sys/file.h, sys/prctl.h, sys/resource.h
const fallocKeepSize = 0x01
const fallocPunchHole = 0x02
const seekData = 3
const seekHole = 4
const readNoWait = 0x08n
const lockSharing = 1
const lockExclusive = 2
const lockNonBlocking = 4
const prSetDumpable = 4
const rlimitCore = 4

export interface Linux {
  /** Replaces a range by a hole; false when the file system cannot. */
  punchHole(fd: number, offset: number, byteCount: number): boolean
  /** Offset of the first stored byte or of the first hole at or after `offset`; null when there is none, or on failure. */
  nextData(fd: number, offset: number): number | null
  nextHole(fd: number, offset: number): number | null
  /** Reads what the page cache holds and returns how many bytes that were; -1 when it is nothing, or on failure. */
  readCached(fd: number, target: Uint8Array, offset: number): number
  /** Writes and returns how many bytes that were; -1 on failure, about which node:fs knows more. */
  write(fd: number, source: Uint8Array, offset: number): number
  /** fdatasync. False when a write was lost, or the disk is full. */
  sync(fd: number): boolean
  /** Takes the one exclusive lock of an open file; false when another open file has it. */
  lock(fd: number): boolean
  /** Takes one of the shared locks of an open file; false when another open file has the exclusive one. */
  lockShared(fd: number): boolean
  /** Forbids core files of this process and reading its memory by others of the same user; false if refused. */
  forbidCoreFiles(): boolean
}

function bind({ dlopen, getRawPointer }: Ffi): Linux {
  const { functions: c } = dlopen(null, {
    fallocate: { return: 'int32', arguments: ['int32', 'int32', 'int64', 'int64'] },
    lseek: { return: 'int64', arguments: ['int32', 'int64', 'int32'] },
    // Only calls whose arguments are all pointers take V8's fast way; in a register a number looks the same.
    preadv2: { return: 'int32', arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'pointer'] },
    pwrite: { return: 'int32', arguments: ['pointer', 'pointer', 'pointer', 'pointer'] },
    fdatasync: { return: 'int32', arguments: ['pointer'] },
    flock: { return: 'int32', arguments: ['int32', 'int32'] },
    prctl: { return: 'int32', arguments: ['int32', 'uint64', 'uint64', 'uint64', 'uint64'] },
    setrlimit: { return: 'int32', arguments: ['int32', 'uint64'] },
  })
  const seek = (fd: number, offset: number, whence: number): number | null => {
    const found = Number(c.lseek(fd, BigInt(offset), whence))
    return found < 0 ? null : found
  }
  // struct iovec { void *iov_base; size_t iov_len }. Longer than the 64 bytes up to which V8 may move an array.
  const vector = new BigUint64Array(16)
  const vectorPointer = getRawPointer(vector)
  return {
    punchHole: (fd, offset, byteCount) =>
      c.fallocate(fd, fallocPunchHole | fallocKeepSize, BigInt(offset), BigInt(byteCount)) === 0,
    nextData: (fd, offset) => seek(fd, offset, seekData),
    nextHole: (fd, offset) => seek(fd, offset, seekHole),
    readCached(fd, target, offset) {
      vector[0] = getRawPointer(target)
      vector[1] = BigInt(target.length)
      return c.preadv2(BigInt(fd), vectorPointer, 1n, BigInt(offset), readNoWait)
    },
    write: (fd, source, offset) => c.pwrite(BigInt(fd), getRawPointer(source), BigInt(source.length), BigInt(offset)),
    sync: (fd) => c.fdatasync(BigInt(fd)) === 0,
    lock: (fd) => c.flock(fd, lockExclusive | lockNonBlocking) === 0,
    lockShared: (fd) => c.flock(fd, lockSharing | lockNonBlocking) === 0,
    forbidCoreFiles() {
      const noBytes = new BigUint64Array(16)
      const isLimited = c.setrlimit(rlimitCore, getRawPointer(noBytes)) === 0
      return c.prctl(prSetDumpable, 0n, 0n, 0n, 0n) === 0 && isLimited
    },
  }
}

export const linux: Linux | null = throughFfi(bind)

// What Linux offers and node:fs does not, through node:ffi. All of it is optional: on a Node without ffi, or another
// platform, `linux` is null and its users take the portable way. Calls block, so only such that do not wait are here.
//
// Pointers are passed as numbers of the addresses of buffers that the caller keeps alive for the length of the call.

// linux/falloc.h, unistd.h, sys/uio.h, sys/file.h, sys/prctl.h, sys/resource.h
const fallocKeepSize = 0x01
const fallocPunchHole = 0x02
const seekData = 3
const seekHole = 4
const readNoWait = 0x08
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
  /** Takes the one exclusive lock of an open file; false when another open file has it. */
  lock(fd: number): boolean
  /** Forbids core files of this process and reading its memory by others of the same user; false if refused. */
  forbidCoreFiles(): boolean
}

type Ffi = typeof import('node:ffi')

function bind({ dlopen, getRawPointer }: Ffi): Linux {
  const { functions: c } = dlopen(null, {
    fallocate: { return: 'int32', arguments: ['int32', 'int32', 'int64', 'int64'] },
    lseek: { return: 'int64', arguments: ['int32', 'int64', 'int32'] },
    preadv2: { return: 'int64', arguments: ['int32', 'uint64', 'int32', 'int64', 'int32'] },
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
      return Number(c.preadv2(fd, vectorPointer, 1, BigInt(offset), readNoWait))
    },
    lock: (fd) => c.flock(fd, lockExclusive | lockNonBlocking) === 0,
    forbidCoreFiles() {
      const noBytes = new BigUint64Array(16)
      const isLimited = c.setrlimit(rlimitCore, getRawPointer(noBytes)) === 0
      return c.prctl(prSetDumpable, 0n, 0n, 0n, 0n) === 0 && isLimited
    },
  }
}

function load(): Linux | null {
  if (process.platform !== 'linux') return null
  // Not an import: that would fail to link before Node 26.1, where node:ffi is missing. This gives undefined there.
  const ffi: Ffi | undefined = process.getBuiltinModule('node:ffi')
  try {
    return ffi ? bind(ffi) : null
  } catch {
    return null
  }
}

export const linux: Linux | null = load()

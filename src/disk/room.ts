// Images are sparse and share their file system with the control plane's database. A tenant who writes it full must not
// keep the owner of a key from disabling it, so image writes end while there is still room for that: the tenant gets
// ENOSPC a little earlier. Overwrites end too, since nobody can say what a file system needs for one.

import { statfsSync } from 'node:fs'
import { DeviceFault } from './device.ts'

const MiB = 1024 * 1024
/** What is left to the database: a key's disabling needs kilobytes, a day of everything else megabytes. */
const reserveBytesMax = 256 * MiB
const reserveShare = 1 / 20
/** How much one writer may write before it looks again, when there is plenty. */
const strideBytesMax = 4 * MiB
/** Writers that may be between two looks at once, so that all of them together do not reach the reserve. */
const writers = 32

/** Room on the file system of an open file, beyond the reserve; negative when that has been touched. */
export function roomBytes(fd: number): number {
  const { bavail, blocks, bsize } = statfsSync(`/proc/self/fd/${fd}`)
  return bavail * bsize - Math.min(reserveBytesMax, blocks * bsize * reserveShare)
}

/** To be told of each write before it happens; throws a DeviceFault when there is no room left for it. */
export function keepRoom(fd: number, room: (fd: number) => number = roomBytes): (byteCount: number) => void {
  let strideBytes = 0
  return (byteCount) => {
    strideBytes -= byteCount
    if (strideBytes >= 0) return
    const free = known(() => room(fd))
    if (free < byteCount) throw new DeviceFault('ENOSPC', 'the file system has no more room for volumes')
    strideBytes = Math.min(strideBytesMax, free / writers)
  }
}

/** Where it cannot be asked (no /proc), the file system itself refuses when it is full. */
function known(ask: () => number): number {
  try {
    return ask()
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

// The whole file of an image, header and all that is around the data, for whoever changes more of it than sectors. In the
// thread pool: what is written here, disks may take their time for.

import { read as readFd, write as writeFd } from 'node:fs'
import { promisify } from 'node:util'
import { translated } from './image-file.ts'
import { linux } from './system.ts'

const readAsync = promisify(readFd)
const writeAsync = promisify(writeFd)

/** Rejects with a DeviceFault. */
export interface ImageArea {
  /** Past the end of the file there are zeros. */
  read(byteCount: number, position: number): Promise<Buffer>
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Zeros, which take up no room where holes can be punched. */
  clear(from: number, to: number): Promise<void>
  /** Everything that was written to the file, in whatever way, is on its disk. */
  flush(): Promise<void>
}

const zerosBytes = 1024 * 1024

export function fileArea(fd: number, flush: () => Promise<void>): ImageArea {
  const write = (bytes: Uint8Array, position: number): Promise<void> =>
    translated(async () => {
      for (let done = 0; done < bytes.length; ) {
        done += (await writeAsync(fd, bytes, done, bytes.length - done, position + done)).bytesWritten
      }
    })
  return {
    async read(byteCount, position) {
      const bytes = Buffer.alloc(byteCount)
      await translated(async () => {
        for (let done = 0; done < byteCount; ) {
          const { bytesRead } = await readAsync(fd, bytes, done, byteCount - done, position + done)
          if (bytesRead === 0) return
          done += bytesRead
        }
      })
      return bytes
    },
    write,
    async clear(from, to) {
      if (linux?.punchHole(fd, from, to - from)) return
      const zeros = new Uint8Array(zerosBytes)
      for (let at = from; at < to; at += zerosBytes) await write(zeros.subarray(0, to - at), at)
    },
    flush: () => translated(flush),
  }
}

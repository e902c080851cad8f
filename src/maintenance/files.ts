// Files as a backup needs them: read in order, and written so that a name appears only when what it names is whole.

import { open, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Fault } from '#base/fault.ts'
import type { ByteSource } from '#crypto/backup-stream.ts'

export interface FileSource extends ByteSource, AsyncDisposable {
  readonly byteCount: number
}

export async function openFile(path: string): Promise<FileSource> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (cause) {
    throw new Fault('unavailable', `file ${path} cannot be read`, { cause })
  }
  const { size } = await file.stat()
  return {
    byteCount: size,
    async read(count) {
      const bytes = Buffer.alloc(count)
      let filled = 0
      while (filled < count) {
        const { bytesRead } = await file.read(bytes, filled, count - filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return bytes.subarray(0, filled)
    },
    [Symbol.asyncDispose]: () => file.close(),
  }
}

/** `first`, then all of `rest`. */
export function joined(first: Uint8Array, rest: ByteSource): ByteSource {
  let head = first
  return {
    async read(count) {
      const mine = head.subarray(0, count)
      head = head.subarray(mine.length)
      return mine.length === count ? mine : Buffer.concat([mine, await rest.read(count - mine.length)])
    },
  }
}

/** Ours alone, on disk when this resolves, and under its name only then; nothing is left when `parts` throws. */
export async function writeWhole(path: string, parts: AsyncIterable<Uint8Array>): Promise<void> {
  const partial = `${path}.partial`
  try {
    const file = await open(partial, 'w', 0o600)
    try {
      for await (const part of parts) await file.write(part)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(partial, { force: true })
    throw cause instanceof Fault ? cause : new Fault('unavailable', `file ${path} cannot be written`, { cause })
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  await folder.sync()
  await folder.close()
}

// The bytes of objects: files of the data folder, named by ids of ours and never by anything that a client has said. A file
// is written whole, made durable and given its name before any row speaks of it; it is removed after the row has gone, and
// not while somebody reads it. What a crash leaves in between, `sweep` removes.

import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '#base/fault.ts'
import { isUuid, makeUuid } from '#base/id.ts'
import { objectReadBytes } from '#base/limits-cos.ts'
import type { Random } from '#base/random.ts'

/** A file that no row knows yet: disposed of, it is gone again, unless it was kept. */
export interface FreshFile extends AsyncDisposable {
  readonly id: string
  readonly sizeBytes: number
  readonly md5: Buffer
  /** To be called once the row that knows it has been committed. */
  keep(): void
}

/** Part of a file. */
export interface Piece {
  readonly fileId: string
  readonly offset: number
  readonly byteCount: number
}

export interface ObjectFiles {
  write(source: AsyncIterable<Uint8Array>, bytesMax: number): Promise<FreshFile>
  /** Keeps files from being removed, until the returned function is called. */
  hold(fileIds: readonly string[]): () => void
  read(pieces: readonly Piece[]): AsyncGenerator<Uint8Array>
  /** Removes files that no row knows any more: at once, or when their readers have done. */
  discard(fileIds: readonly string[]): Promise<void>
  /** Removes what is left over; `known` tells which of some files rows know of. */
  sweep(known: (fileIds: readonly string[]) => Promise<ReadonlySet<string>>): Promise<void>
}

export function makeObjectFiles(dataFolder: string, random: Random): ObjectFiles {
  const root = join(dataFolder, 'objects')
  const fresh = new Set<string>()
  const held = new Map<string, number>()
  const doomed = new Set<string>()
  const folderOf = (id: string): string => join(root, id.slice(0, 2))
  const pathOf = (id: string): string => join(folderOf(id), id)

  const remove = async (id: string): Promise<void> => {
    // A file that cannot be removed now is left to the sweep.
    for (const path of [pathOf(id), `${pathOf(id)}.new`]) await rm(path, { force: true }).catch(() => {})
  }

  async function fill(id: string, source: AsyncIterable<Uint8Array>, bytesMax: number) {
    await mkdir(folderOf(id), { recursive: true, mode: 0o700 })
    const md5 = createHash('md5')
    let sizeBytes = 0
    await using file = await open(`${pathOf(id)}.new`, 'wx', 0o600)
    for await (const bytes of source) {
      sizeBytes += bytes.length
      if (sizeBytes > bytesMax) throw tooLarge(bytesMax)
      md5.update(bytes)
      await writeAll(file, bytes)
    }
    await file.sync()
    await rename(`${pathOf(id)}.new`, pathOf(id))
    await syncFolder(folderOf(id))
    return { sizeBytes, md5: md5.digest() }
  }

  return {
    async write(source, bytesMax) {
      const id = makeUuid(random)
      fresh.add(id)
      let isKept = false
      const end = async (): Promise<void> => {
        if (!isKept) await remove(id)
        fresh.delete(id)
      }
      try {
        const { sizeBytes, md5 } = await fill(id, source, bytesMax)
        return { id, sizeBytes, md5, keep: () => void (isKept = true), [Symbol.asyncDispose]: end }
      } catch (error) {
        await end()
        throw storageFault(error)
      }
    },

    hold(fileIds) {
      for (const id of fileIds) held.set(id, (held.get(id) ?? 0) + 1)
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        for (const id of fileIds) {
          const left = (held.get(id) ?? 1) - 1
          if (left > 0) held.set(id, left)
          else held.delete(id)
          if (left === 0 && doomed.delete(id)) void remove(id)
        }
      }
    },

    async *read(pieces) {
      for (const { fileId, offset, byteCount } of pieces) {
        await using file = await open(pathOf(fileId), 'r')
        for (let at = 0; at < byteCount; ) {
          const buffer = Buffer.allocUnsafe(Math.min(objectReadBytes, byteCount - at))
          const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + at)
          if (bytesRead === 0) throw new Error(`object file ${fileId} is shorter than its row says`)
          at += bytesRead
          yield buffer.subarray(0, bytesRead)
        }
      }
    },

    async discard(fileIds) {
      for (const id of fileIds) {
        if (held.has(id)) doomed.add(id)
        else await remove(id)
      }
    },

    async sweep(known) {
      for (const folder of await entries(root)) {
        const ids = (await entries(join(root, folder)))
          .map((name) => name.replace(/\.new$/, ''))
          .filter((id) => isUuid(id) && !fresh.has(id) && !held.has(id))
        // Asked after it was looked whether they are fresh: one that has been kept meanwhile is known by now.
        for (let at = 0; at < ids.length; at += idsPerQuestion) {
          const some = ids.slice(at, at + idsPerQuestion)
          const rows = await known(some)
          for (const id of some) if (!rows.has(id)) await remove(id)
        }
      }
    },
  }
}

const idsPerQuestion = 200

const tooLarge = (bytesMax: number): Fault =>
  new Fault('too_large', 'your proposed upload exceeds the maximum allowed size', {
    extra: { MaxSizeAllowed: bytesMax },
  })

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at)
    at += bytesWritten
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

async function entries(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

const fullDisk: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/** A disk that is full or fails is the operator's matter; the client may try again. */
function storageFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return fullDisk.has(code)
    ? new Fault('unavailable', 'the disk of object storage is full or fails', { cause: error })
    : error
}

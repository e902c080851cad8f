// Files on their way to becoming images, and images on their way out: in the data folder for as long as that takes, in the
// clear unless the file has a key of its own, readable for nobody else. What a crash leaves of them is removed before
// anything starts.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { Fault } from '#base/fault.ts'
import { exportPath, fileMode, folderMode, stagedPath, stagingFolder } from './folders.ts'
import { keepRoom } from './room.ts'

const zeroPiece = Buffer.alloc(64 * 1024)

export interface Staged {
  readonly sha256: string
}

/** Writes what is read; runs of zeros are left as holes. Reading begins when there is a file to write. */
export async function stage(
  dataFolder: string,
  imageId: string,
  read: () => Promise<AsyncIterable<Uint8Array>>,
  limits: { readonly bytesMax: number; readonly signal: AbortSignal },
): Promise<Staged> {
  await mkdir(stagingFolder(dataFolder), { recursive: true, mode: folderMode })
  const path = stagedPath(dataFolder, imageId)
  await rm(path, { force: true })
  await using file = await open(path, 'wx', fileMode)
  const takeRoom = keepRoom(file.fd)
  const sha256 = createHash('sha256')
  let sizeBytes = 0
  for await (const bytes of await read()) {
    limits.signal.throwIfAborted()
    if (sizeBytes + bytes.length > limits.bytesMax) {
      throw new Fault('too_large', `the file has more than ${limits.bytesMax} bytes`, { reason: 'cos_file_too_large' })
    }
    sha256.update(bytes)
    for (let at = 0; at < bytes.length; at += zeroPiece.length) {
      const piece = bytes.subarray(at, at + zeroPiece.length)
      if (zeroPiece.subarray(0, piece.length).equals(piece)) continue
      takeRoom(piece.length)
      await writeFully(file, piece, sizeBytes + at)
    }
    sizeBytes += bytes.length
  }
  await file.truncate(sizeBytes)
  return { sha256: sha256.digest('hex') }
}

async function writeFully(file: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    done += (await file.write(piece, done, piece.length - done, position + done)).bytesWritten
  }
}

export const unstage = (dataFolder: string, imageId: string): Promise<void> =>
  rm(stagedPath(dataFolder, imageId), { force: true })

/** What is read of a file on its way out, and so what is in memory of it, twice. */
const sendBytes = 256 * 1024

/** Gives a file that was made to whoever wants its bytes; it ends with `work`, whatever comes of that. */
export async function withExported<Sent>(
  dataFolder: string,
  exportId: string,
  signal: AbortSignal,
  work: (file: AsyncIterable<Uint8Array>) => Promise<Sent>,
): Promise<Sent> {
  const file = createReadStream(exportPath(dataFolder, exportId), { highWaterMark: sendBytes, signal })
  try {
    return await work(file)
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    file.destroy()
  }
}

export const removeExported = (dataFolder: string, exportId: string): Promise<void> =>
  rm(exportPath(dataFolder, exportId), { force: true })

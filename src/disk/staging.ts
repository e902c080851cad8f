// Files on their way to becoming images: plaintext that a client had stored elsewhere, in the data folder for as long as a
// disk process takes to encrypt it, readable for nobody else. What a crash leaves of them is removed before anything starts.

import { createHash } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { Fault } from '#base/fault.ts'
import { folderMode, stagedPath, stagingFolder } from './folders.ts'
import { fileMode } from './image.ts'
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

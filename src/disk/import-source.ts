// A file that a client had stored, as a disk: raw, qcow2 or VHD. Which of them was said when the file was named; that it is
// so is checked, since a raw disk may hold anything, the beginning of another form too.

import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import { corrupted, notEncrypted } from './import-faults.ts'
import type { ImageFormat } from './port.ts'
import { isQcow2, openQcow2 } from './qcow2.ts'
import { linux } from './system.ts'
import { openVhd } from './vhd.ts'

export interface StagedFile {
  readonly sizeBytes: number
  /** All of it, or a Fault where the file ends before. */
  read(offset: number, byteCount: number): Promise<Buffer>
}

/** What opens a file that has a key of its own. Stays the caller's. */
export interface FileKey {
  readonly passphrase: SecretBytes
  /** Throws where the right to use it has ended. */
  check(): void
}

export interface ImportSource {
  readonly virtualBytes: number
  /** What is read at once: whole sectors, from multiples of it. */
  readonly pieceBytes: number
  /** Fills the target, which is zeros, up to the end of the disk. False where nothing is stored: it still is. */
  read(target: Buffer, offset: number): Promise<boolean>
  /** Wipes the key of the file, if it has one. Its end may come twice. */
  [Symbol.dispose](): void
}

const startBytes = 4096
const rawPieceBytes = 1024 * 1024

export async function withImportSource<Result>(
  { path, format, key }: { readonly path: string; readonly format: ImageFormat; readonly key: FileKey | null },
  work: (source: ImportSource) => Promise<Result>,
): Promise<Result> {
  const file = await open(path, 'r')
  try {
    const { size: sizeBytes } = await file.stat()
    const staged: StagedFile = {
      sizeBytes,
      async read(offset, byteCount) {
        if (offset + byteCount > sizeBytes) throw corrupted('it ends before its data')
        const buffer = Buffer.alloc(byteCount)
        await readFully(file, buffer, offset)
        return buffer
      },
    }
    using source = await sourceOf(file, staged, { format, key })
    return await work(source)
  } finally {
    await file.close()
  }
}

async function sourceOf(
  file: FileHandle,
  staged: StagedFile,
  { format, key }: { readonly format: ImageFormat; readonly key: FileKey | null },
): Promise<ImportSource> {
  const start = await staged.read(0, Math.min(startBytes, staged.sizeBytes))
  if (format === 'qcow2') return await openQcow2(staged, start, key)
  if (key) throw notEncrypted()
  if (format === 'vhd') return await openVhd(staged)
  if (isQcow2(start)) throw corrupted('it is qcow2, and was named as raw')
  return {
    virtualBytes: staged.sizeBytes,
    pieceBytes: rawPieceBytes,
    async read(target, offset) {
      const data = linux ? linux.nextData(file.fd, offset) : offset
      if (data === null || data >= offset + target.length) return false
      await readFully(file, target, offset)
      return true
    },
    [Symbol.dispose]: () => undefined,
  }
}

async function readFully(file: FileHandle, target: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file.read(target, done, target.length - done, offset + done)
    if (bytesRead === 0) throw corrupted('it ends before its data')
    done += bytesRead
  }
}

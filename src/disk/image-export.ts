// An image becomes a disk file of a form that others read, piece by piece and only where something is stored. In the clear it
// is in memory alone where the file has a key of its own.

import { open } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sectorBytes } from '#base/limits.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import { formatLuks1 } from '#crypto/luks1.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import { volumeKeyBytes } from '#crypto/xts-engine.ts'
import type { CopyRun } from './copy-run.ts'
import { storedBytesOf, storedPieces, storedRuns } from './copy-stored.ts'
import type { ImageSource } from './image-source.ts'
import { fileMode } from './folders.ts'
import type { ExportFormat } from './port.ts'
import { qcow2Writer } from './qcow2-writer.ts'
import { vhdWriter } from './vhd.ts'

/** A file in the making. */
export interface DiskWriter {
  /** What is written at once, from multiples of it: the last piece of a disk too. */
  readonly pieceBytes: number
  /** In ascending order; the piece is the writer's to change. What is not written reads as zeros. */
  write(piece: Buffer, offset: number): Promise<void>
  finish(): Promise<void>
}

export interface ImageExport {
  readonly image: ImageSource
  /** Of the image. Stays the caller's. */
  readonly volumeKey: SecretBytes
  readonly path: string
  readonly format: ExportFormat
  /** What opens the file, where it is to be encrypted. Stays the caller's. */
  readonly passphrase: SecretBytes | null
  readonly random: Random
  readonly now: number
}

export async function exportImage(wanted: ImageExport, run: CopyRun): Promise<void> {
  const { image, path } = wanted
  run.expect(await storedBytesOf(image))
  await using file = await open(path, 'wx', fileMode)
  using cipher = makeSectorCipher(wanted.volumeKey, sectorBytes)
  // Under a key whose lease has ended nothing more is decrypted; the copy of it goes with the cipher.
  run.endWith(cipher)
  using fileKey = wanted.passphrase && SecretBytes.random(wanted.random, volumeKeyBytes)
  if (fileKey) run.endWith(fileKey)
  using writer =
    wanted.format === 'vhd'
      ? vhdWriter(file, image.sizeBytes, makeUuid(wanted.random), wanted.now)
      : qcow2Writer(file, image.sizeBytes, encryptionOf(wanted, fileKey))
  const { pieceBytes } = writer
  const buffer = Buffer.alloc(pieceBytes)
  let written = -1
  try {
    for await (const { offset, byteCount } of storedPieces(image, pieceBytes)) {
      run.check()
      run.advance(byteCount)
      const at = offset - (offset % pieceBytes)
      // Two stored ranges may share a piece, which is read whole.
      if (at === written) continue
      written = at
      buffer.fill(0)
      const there = buffer.subarray(0, Math.min(pieceBytes, image.sizeBytes - at))
      await image.read(there, at)
      // Between this and the last use, nobody can take the key away.
      run.check()
      const runs = storedRuns(there)
      for (const { from, to } of runs) cipher.decrypt(there.subarray(from, to), (at + from) / sectorBytes)
      if (runs.length > 0) await writer.write(buffer, at)
      await nextTurn()
    }
    run.check()
    await writer.finish()
    await file.sync()
    run.check()
  } finally {
    buffer.fill(0)
  }
}

function encryptionOf({ passphrase, random }: ImageExport, volumeKey: SecretBytes | null) {
  if (!passphrase || !volumeKey) return null
  return { volumeKey, header: formatLuks1({ passphrase, volumeKey, uuid: makeUuid(random), random }) }
}

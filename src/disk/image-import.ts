// A disk image in the clear becomes one of ours, piece by piece through the one encryption path. Sectors of zeros stay holes,
// as those of a volume that were never written (encrypted.ts), so that a small file of a large disk stays small.

import { open } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sectorBytes } from '#base/limits.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import type { CopyRun } from './copy-run.ts'
import { storedRuns, writerOf } from './copy-stored.ts'
import { fileMode } from './folders.ts'
import { sizeUnsupported } from './import-faults.ts'
import { withImportSource } from './import-source.ts'
import type { ImportSpec } from './port.ts'

/** What is encrypted before anything else has its turn. */
const turnBytes = 256 * 1024

export interface Encryption {
  readonly source: string
  readonly path: string
  /** Stays the caller's. */
  readonly volumeKey: SecretBytes
  /** Of the file, where it has one. Stays the caller's. */
  readonly passphrase: SecretBytes | null
}

/** Writes the data area; gives the capacity that the image is to have. */
export function encryptFile(of: Encryption, wanted: ImportSpec, run: CopyRun): Promise<number> {
  const key = of.passphrase && { passphrase: of.passphrase, check: () => run.check() }
  return withImportSource({ path: of.source, format: wanted.format, key }, async (source) => {
    run.endWith(source)
    const { virtualBytes, pieceBytes } = source
    const capacityBytes = capacityFor(virtualBytes, wanted.capacityBytes)
    run.expect(virtualBytes)
    using cipher = makeSectorCipher(of.volumeKey, sectorBytes)
    // Under a key whose lease has ended nothing more is encrypted; the copy of it goes with the cipher.
    run.endWith(cipher)
    await using file = await open(of.path, 'wx', fileMode)
    const write = writerOf(file.fd)
    const buffer = Buffer.alloc(pieceBytes)
    try {
      for (let offset = 0; offset < virtualBytes; offset += pieceBytes) {
        run.check()
        const byteCount = Math.min(pieceBytes, virtualBytes - offset)
        if (await source.read(buffer.subarray(0, byteCount), offset)) {
          const sectors = Math.ceil(byteCount / sectorBytes)
          await encryptPiece(buffer.subarray(0, sectors * sectorBytes), offset)
          buffer.fill(0)
        }
        run.advance(byteCount)
        // What is not stored takes no time to read, and others are waiting.
        await nextTurn()
      }
    } finally {
      buffer.fill(0)
    }
    return capacityBytes

    async function encryptPiece(piece: Buffer, offset: number): Promise<void> {
      for (let at = 0; at < piece.length; at += turnBytes) {
        const part = piece.subarray(at, at + turnBytes)
        for (const { from, to } of storedRuns(part)) {
          const sectors = part.subarray(from, to)
          // Between this and the last use, nobody can take the key away.
          run.check()
          cipher.encrypt(sectors, (offset + at + from) / sectorBytes)
          await write(sectors, offset + at + from)
        }
      }
    }
  })
}

/** VPC docs, "Custom image requirements": of 10 to 250 GB; what is smaller is rounded up. */
function capacityFor(virtualBytes: number, { min, max, step }: ImportSpec['capacityBytes']): number {
  if (virtualBytes === 0) throw sizeUnsupported('the disk in the image file has no bytes')
  if (virtualBytes > max) {
    throw sizeUnsupported(`the disk in the image file has ${virtualBytes} bytes, and may have ${max}`)
  }
  return Math.max(min, Math.ceil(virtualBytes / step) * step)
}

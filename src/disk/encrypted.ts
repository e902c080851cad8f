// The one encryption path: sectors as LUKS2 and dm-crypt store them, in a store that has nothing but ciphertext.
//
// A ciphertext sector of zeros was never written (it would be the encryption of one plaintext in 2^32768) and reads as
// zeros; so an image starts sparse, and a trimmed sector reads as zeros through us. Other tools know no such rule: they
// would decrypt a hole to noise. Where the client was promised zeros (`zero`), zeros are therefore encrypted and stored;
// only a trim, which promises nothing, may leave a hole.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SectorCipher } from '#crypto/sector-cipher.ts'
import { Fenced } from './device.ts'
import type { BlockDevice } from './device.ts'

/** Fits the second-level cache of a core together with the plaintext it is made from. */
const pieceBytes = 256 * 1024
/** Zeroing more than this lets other requests go in between. */
const zeroTurnBytes = 4 * 1024 * 1024

export interface EncryptedDevice extends BlockDevice {
  /** Destroys the key at once. Whatever is under way ends as Fenced; a second call does nothing. */
  wipe(): void
}

export function encrypted(store: BlockDevice, cipher: SectorCipher): EncryptedDevice {
  const { sectorBytes } = cipher
  const zeroSector = Buffer.alloc(sectorBytes)
  const spare: Uint8Array[] = []
  let wiped = false

  /** The cipher, unless its key has been destroyed, perhaps while this request waited for the disk. */
  function liveCipher(): SectorCipher {
    if (wiped) throw new Fenced()
    return cipher
  }

  function wipe(): void {
    if (wiped) return
    wiped = true
    cipher[Symbol.dispose]()
  }

  function isNeverWritten(data: Uint8Array, at: number): boolean {
    // A glance at both ends settles nearly every case.
    if (data[at] !== 0 || data[at + sectorBytes - 1] !== 0) return false
    return zeroSector.equals(data.subarray(at, at + sectorBytes))
  }

  /** Decrypts runs of sectors that were written, a piece at a time, and leaves the others, which are zeros already. */
  function decryptWritten(data: Uint8Array, offset: number): void {
    const firstSector = offset / sectorBytes
    let at = 0
    while (at < data.length) {
      const isHole = isNeverWritten(data, at)
      let end = at + sectorBytes
      while (end < data.length && end - at < pieceBytes && isNeverWritten(data, end) === isHole) end += sectorBytes
      if (!isHole) liveCipher().decrypt(data.subarray(at, end), firstSector + at / sectorBytes)
      at = end
    }
  }

  /** Encrypts a copy of up to one piece of plaintext and stores it. */
  async function writePiece(plaintext: Uint8Array, offset: number): Promise<void> {
    const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(pieceBytes)
    try {
      const piece = buffer.subarray(0, plaintext.length)
      piece.set(plaintext)
      liveCipher().encrypt(piece, offset / sectorBytes)
      await store.write(piece, offset)
    } finally {
      spare.push(buffer)
    }
  }

  return {
    sizeBytes: store.sizeBytes,
    writesAtOnce: store.writesAtOnce,
    readNow(target, offset) {
      liveCipher()
      // Piece by piece, so that what is decrypted still lies in the cache of the core that has read it.
      for (let at = 0; at < target.length; at += pieceBytes) {
        const piece = at === 0 && target.length <= pieceBytes ? target : target.subarray(at, at + pieceBytes)
        if (!store.readNow(piece, offset + at)) return false
        decryptWritten(piece, offset + at)
      }
      return true
    },
    writeNow(source, offset) {
      if (!store.writesAtOnce) return false
      for (let at = 0; at < source.length; at += pieceBytes) {
        const piece = at === 0 && source.length <= pieceBytes ? source : source.subarray(at, at + pieceBytes)
        liveCipher().encrypt(piece, (offset + at) / sectorBytes)
        store.writeNow(piece, offset + at)
      }
      return true
    },
    async read(target, offset) {
      liveCipher()
      await store.read(target, offset)
      decryptWritten(target, offset)
    },
    async write(source, offset) {
      for (let at = 0; at < source.length; at += pieceBytes) {
        await writePiece(source.subarray(at, Math.min(at + pieceBytes, source.length)), offset + at)
      }
    },
    async zero(offset, byteCount) {
      const zeros = new Uint8Array(Math.min(pieceBytes, byteCount))
      for (let at = 0; at < byteCount; at += pieceBytes) {
        if (at > 0 && at % zeroTurnBytes === 0) await nextTurn()
        await writePiece(zeros.subarray(0, Math.min(pieceBytes, byteCount - at)), offset + at)
      }
    },
    async trim(offset, byteCount) {
      liveCipher()
      await store.trim(offset, byteCount)
    },
    flush: () => store.flush(),
    async extents(offset, byteCount) {
      liveCipher()
      return store.extents(offset, byteCount)
    },
    wipe,
    close() {
      wipe()
      return store.close()
    },
  }
}

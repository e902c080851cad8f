// What stands behind a sector cipher: AES-256-XTS with one key over a run of data units of one size. The portable
// engine is here; the one on OpenSSL's own interface is evp-xts.ts. An engine trusts its caller (sector-cipher.ts),
// which has checked lengths and ranges.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { SecretBytes } from './secret-bytes.ts'

export type Direction = 'encrypt' | 'decrypt'

export interface XtsEngine {
  /** In place. Each unit's tweak is the previous unit's plus `unitBytes` / 512. */
  apply(direction: Direction, data: Uint8Array, unitBytes: number, firstTweak: bigint): void
  /** Wipes the engine's copy of the key. */
  [Symbol.dispose](): void
}

export const volumeKeyBytes = 64
export const tweakBytes = 16
/** The unit in which plain64 counts, whatever the sector size is. */
export const tweakUnitBytes = 512

/** The engine copies the key; the caller still owns `volumeKey`. */
export function portableXts(volumeKey: SecretBytes): XtsEngine {
  const key = volumeKey.use(SecretBytes.copyOf)
  const iv = new Uint8Array(tweakBytes)
  const tweak = new Tweak(iv.buffer)
  return {
    apply(direction, data, unitBytes, firstTweak) {
      const make = direction === 'encrypt' ? createCipheriv : createDecipheriv
      tweak.set(firstTweak)
      key.use((bytes) => {
        for (let offset = 0; offset < data.length; offset += unitBytes) {
          // XTS gives back every byte at once; `final` would add none. Node frees the object's key schedule with it.
          data.set(make('aes-256-xts', bytes, iv).update(data.subarray(offset, offset + unitBytes)), offset)
          tweak.advance(unitBytes / tweakUnitBytes)
        }
      })
    },
    [Symbol.dispose]: () => key[Symbol.dispose](),
  }
}

/** A 64-bit little-endian number in the first half of 16 bytes of memory that the cipher reads; the rest is zero. */
export class Tweak {
  readonly #view: DataView
  // Two halves, because a bigint for each sector would be garbage for each sector.
  #low = 0
  #high = 0

  constructor(memory: ArrayBuffer) {
    this.#view = new DataView(memory, 0, tweakBytes)
  }

  set(value: bigint): void {
    this.#low = Number(value & 0xffff_ffffn)
    this.#high = Number(value >> 32n)
    this.#write()
  }

  advance(step: number): void {
    const low = this.#low + step
    this.#low = low >>> 0
    if (low > 0xffff_ffff) this.#high = (this.#high + 1) >>> 0
    this.#write()
  }

  #write(): void {
    this.#view.setUint32(0, this.#low, true)
    this.#view.setUint32(4, this.#high, true)
  }
}

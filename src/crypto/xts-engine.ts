// What stands behind a sector cipher: AES-256-XTS with one key over a run of data units of one size. The portable
// engines are here; the one on OpenSSL's own interface is evp-xts.ts. An engine trusts its caller (sector-cipher.ts),
// which has checked lengths and ranges.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { SecretBytes } from './secret-bytes.ts'
import { makeXorFunctions } from './wasm-xor.ts'

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
export const portableXts = (volumeKey: SecretBytes): XtsEngine => bulkXts(volumeKey) ?? unitXts(volumeKey)

/** What goes through AES in one call. Fits the second-level cache of a core together with its tweaks. */
const chunkBytes = 64 * 1024
const blockBytes = 16
const dataAt = 0
const tweaksAt = chunkBytes
const seedsAt = 2 * chunkBytes
/** Of 64 KiB each: data, tweaks, and the first tweaks of units of 512 bytes. */
const wasmPages = 3

/**
 * Many units per call: AES over all blocks of a chunk in electronic code book mode, whose objects live as long as the key,
 * and XTS's tweaks before and after it. Null where there is no WebAssembly to make the tweaks.
 */
function bulkXts(volumeKey: SecretBytes): XtsEngine | null {
  const xor = makeXorFunctions(wasmPages)
  if (!xor) return null
  const { memory, expand, add } = xor
  const ecb = (key: Uint8Array) => createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
  const { encryptor, decryptor, tweaker } = volumeKey.use((key) => ({
    encryptor: ecb(key.subarray(0, 32)),
    decryptor: createDecipheriv('aes-256-ecb', key.subarray(0, 32), null).setAutoPadding(false),
    tweaker: ecb(key.subarray(32)),
  }))
  const seeds = new Uint8Array((chunkBytes / tweakUnitBytes + 1) * tweakBytes)
  let isOpen = true

  function seed(units: number, unitBytes: number, firstTweak: bigint): void {
    const running = new Tweak(seeds.buffer)
    running.set(firstTweak)
    for (let unit = 1; unit <= units; unit += 1) {
      // The running number is in the first place, a copy of each in its own.
      seeds.copyWithin(unit * tweakBytes, 0, tweakBytes)
      running.advance(unitBytes / tweakUnitBytes)
    }
    memory.set(tweaker.update(seeds.subarray(tweakBytes, (units + 1) * tweakBytes)), seedsAt)
  }

  return {
    apply(direction, data, unitBytes, firstTweak) {
      assert(isOpen, 'a cipher is not used after its end')
      const aes = direction === 'encrypt' ? encryptor : decryptor
      const tweakStep = BigInt(unitBytes / tweakUnitBytes)
      let tweak = firstTweak
      for (let offset = 0; offset < data.length; offset += chunkBytes) {
        const chunk = data.subarray(offset, Math.min(offset + chunkBytes, data.length))
        const units = chunk.length / unitBytes
        seed(units, unitBytes, tweak)
        memory.set(chunk, dataAt)
        expand(dataAt, tweaksAt, seedsAt, units, unitBytes / blockBytes)
        memory.set(aes.update(memory.subarray(dataAt, dataAt + chunk.length)), dataAt)
        add(dataAt, tweaksAt, chunk.length / blockBytes)
        chunk.set(memory.subarray(dataAt, dataAt + chunk.length))
        tweak += BigInt(units) * tweakStep
      }
    },
    [Symbol.dispose]() {
      if (!isOpen) return
      isOpen = false
      memory.fill(0)
      // Node frees a cipher's key schedule, cleansed, with its last call.
      for (const cipher of [encryptor, decryptor, tweaker]) cipher.final()
    },
  }
}

/** One call for each unit: slow, and right by construction. */
export function unitXts(volumeKey: SecretBytes): XtsEngine {
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

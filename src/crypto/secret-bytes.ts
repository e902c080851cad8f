// Key material with one owner and an end. Whoever holds a SecretBytes disposes of it (`using`), and what was inside is
// overwritten then. A garbage-collected runtime cannot promise that no copy was ever made elsewhere; this class makes
// none, hands the bytes out only for the length of a call, and shows a placeholder wherever values are printed.

import { timingSafeEqual } from 'node:crypto'
import { assert } from '#base/assert.ts'
import type { Random } from '#base/random.ts'

export class SecretBytes {
  readonly #bytes: Uint8Array
  #disposed = false

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Takes the array over: the caller forgets it, and it is overwritten when the secret is disposed of. */
  static own(bytes: Uint8Array): SecretBytes {
    return new SecretBytes(bytes)
  }

  /** The caller still owns `bytes` and wipes them when they are secret too. */
  static copyOf(bytes: Uint8Array): SecretBytes {
    const copy = allocate(bytes.length)
    copy.set(bytes)
    return new SecretBytes(copy)
  }

  static random(random: Random, count: number): SecretBytes {
    const fresh = random.bytes(count)
    assert(fresh.length === count, 'a source of chance gives as many bytes as asked for')
    const secret = SecretBytes.copyOf(fresh)
    fresh.fill(0)
    return secret
  }

  get byteCount(): number {
    return this.#bytes.length
  }

  /** Lends the bytes for the length of the call. `fn` keeps no reference and copies only into something it wipes. */
  use<T>(fn: (bytes: Uint8Array) => T): T {
    assert(!this.#disposed, 'a secret is not used after its end')
    return fn(this.#bytes)
  }

  /** Takes as long whatever the bytes are; only the lengths show. */
  equals(other: SecretBytes): boolean {
    return this.use((mine) => other.use((theirs) => mine.length === theirs.length && timingSafeEqual(mine, theirs)))
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#bytes.fill(0)
  }

  toString(): string {
    return placeholder
  }

  toJSON(): string {
    return placeholder
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return placeholder
  }
}

const placeholder = '[secret bytes]'

// V8 keeps typed arrays of up to 64 bytes inside its heap and leaves copies behind when the collector moves them.
// Memory that begins as an ArrayBuffer lies outside and stays where it is.
const allocate = (count: number): Uint8Array => new Uint8Array(new ArrayBuffer(count))

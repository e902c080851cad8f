// Memory for payloads, used again and again: fresh pages cost more than the encryption of what is put into them. A pool
// belongs to one volume, so that the bytes of one never lie in the buffers of another.

import { RequestMemory } from './request-memory.ts'

/** What a pool keeps for later; more than this is left to the collector. */
const keptBytesMax = 16 * 1024 * 1024
const smallestBytes = 8 * 1024

export class BufferPool {
  readonly #memory: RequestMemory
  readonly #spare = new Map<number, Buffer[]>()
  #keptBytes = 0
  #isUsed = false

  /** What is kept counts in `memory`, which pools share. */
  constructor(memory = new RequestMemory()) {
    this.#memory = memory
  }

  /** A buffer of at least `byteCount` bytes with anything in it. The caller gives it back. */
  take(byteCount: number): Buffer {
    this.#isUsed = true
    const size = sizeClass(byteCount)
    const buffer = this.#spare.get(size)?.pop()
    if (!buffer) return Buffer.allocUnsafeSlow(size)
    this.#keptBytes -= size
    this.#memory.letGo(size)
    return buffer
  }

  /** Takes back a buffer of `take`, whole. Nobody refers to it any more. */
  give(buffer: Buffer): void {
    const size = buffer.length
    if (this.#keptBytes + size > keptBytesMax || !this.#memory.tryKeep(size)) return
    this.#keptBytes += size
    const list = this.#spare.get(size)
    if (list) list.push(buffer)
    else this.#spare.set(size, [buffer])
  }

  /** Keeps nothing. */
  empty(): void {
    this.#spare.clear()
    this.#memory.letGo(this.#keptBytes)
    this.#keptBytes = 0
  }

  /** Empties it where nothing was taken since this was last called. */
  emptyIfUnused(): void {
    if (!this.#isUsed) this.empty()
    this.#isUsed = false
  }
}

/** The next power of two, or the next quarter of one: a request of 1 MiB and its header do not take two. */
function sizeClass(byteCount: number): number {
  if (byteCount <= smallestBytes) return smallestBytes
  const power = 2 ** Math.floor(Math.log2(byteCount - 1))
  const step = power / 4
  return Math.ceil(byteCount / step) * step
}

// Bytes of a socket, taken in the pieces that the protocol has and not in those that the network made. While nobody asks,
// the socket is paused, so a client that sends ahead waits in its own kernel.

import type { Readable } from 'node:stream'

/** The peer has gone, or we have hung up. Ends a session without a word. */
export class Disconnected extends Error {
  override readonly name = 'Disconnected'

  constructor() {
    super('the connection has ended')
  }
}

/** What is read ahead while nobody asks. */
const readAheadBytesMax = 128 * 1024

export class ByteReader {
  readonly #socket: Readable
  readonly #chunks: Buffer[] = []
  readonly #onData = (chunk: Buffer): void => this.#push(chunk)
  readonly #onEnd = (): void => this.#end()
  #bufferedBytes = 0
  #ended = false
  #wake: (() => void) | null = null

  constructor(socket: Readable) {
    this.#socket = socket
    socket.on('data', this.#onData)
    socket.once('end', this.#onEnd)
    socket.once('close', this.#onEnd)
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** The next bytes as one piece, which is valid until the next call. Rejects with Disconnected. */
  async take(byteCount: number): Promise<Buffer> {
    const first = this.#chunks[0]
    if (first && first.length >= byteCount) return this.#shift(first, byteCount)
    const bytes = Buffer.allocUnsafe(byteCount)
    await this.fill(bytes)
    return bytes
  }

  /** Fills `target` with the next bytes. Rejects with Disconnected. */
  async fill(target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const first = this.#chunks[0] ?? (await this.#more())
      const piece = this.#shift(first, Math.min(first.length, target.length - done))
      target.set(piece, done)
      done += piece.length
    }
  }

  /** Throws the next bytes away as they come. Rejects with Disconnected. */
  async skip(byteCount: number): Promise<void> {
    for (let left = byteCount; left > 0; ) {
      const first = this.#chunks[0] ?? (await this.#more())
      left -= this.#shift(first, Math.min(first.length, left)).length
    }
  }

  /** Leaves the socket to somebody else, paused. */
  detach(): void {
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
    this.#socket.pause()
  }

  /** Leaves the socket to somebody else and returns what was read of it. It reads no more within this turn. */
  takeRest(): Buffer {
    this.detach()
    for (;;) {
      // What arrived while the socket was paused waits in it.
      const more: unknown = this.#socket.read()
      if (!Buffer.isBuffer(more)) break
      this.#chunks.push(more)
    }
    this.#bufferedBytes = 0
    return Buffer.concat(this.#chunks.splice(0))
  }

  #shift(first: Buffer, byteCount: number): Buffer {
    if (first.length === byteCount) this.#chunks.shift()
    else this.#chunks[0] = first.subarray(byteCount)
    this.#bufferedBytes -= byteCount
    return first.subarray(0, byteCount)
  }

  async #more(): Promise<Buffer> {
    for (;;) {
      const first = this.#chunks[0]
      if (first) return first
      if (this.#ended) throw new Disconnected()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#socket.resume()
      })
    }
  }

  #push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bufferedBytes += chunk.length
    if (this.#bufferedBytes >= readAheadBytesMax) this.#socket.pause()
    this.#rouse()
  }

  #end(): void {
    this.#ended = true
    this.#rouse()
  }

  #rouse(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}

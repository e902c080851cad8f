// The end of what a machine has printed, in memory and nowhere else: what it prints comes from disks that are encrypted, and
// would lie in the data folder in the clear.

import type { ConsoleLog } from './port.ts'

export class ConsoleBuffer {
  readonly #bytesMax: number
  #pieces: Buffer[] = []
  #byteCount = 0
  #skippedBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  append(piece: Uint8Array): void {
    const last = this.#pieces.at(-1)
    // Machines print a few bytes at a time: thousands of small buffers would cost more than what is in them.
    if (last && last.length + piece.length <= pieceBytes)
      this.#pieces[this.#pieces.length - 1] = Buffer.concat([last, piece])
    else this.#pieces.push(Buffer.from(piece))
    this.#byteCount += piece.length
    while (this.#byteCount > this.#bytesMax) this.#skip(this.#byteCount - this.#bytesMax)
  }

  read(): ConsoleLog {
    return { text: Buffer.concat(this.#pieces).toString('utf8'), skippedBytes: this.#skippedBytes }
  }

  #skip(wanted: number): void {
    const [first = Buffer.alloc(0)] = this.#pieces
    const byteCount = Math.min(wanted, first.length)
    if (byteCount === first.length) this.#pieces.shift()
    else this.#pieces[0] = first.subarray(byteCount)
    this.#byteCount -= byteCount
    this.#skippedBytes += byteCount
  }
}

const pieceBytes = 4096

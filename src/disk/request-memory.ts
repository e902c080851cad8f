// The memory that all connections of a process share for their requests. What one may take depends on what is left: no
// more than leaves as much free as it then holds. So one alone has half of it, n greedy ones have a share of n + 1 each,
// and whoever comes next always finds something. Nobody waits here: who gets nothing has its own piece (in-flight.ts).

import { diskRequestBytesMax, diskSpareBytesMax } from '#base/limits.ts'

export class RequestMemory {
  readonly #bytesMax: number
  #usedBytes = 0
  #spareBytes = 0

  constructor(bytesMax = diskRequestBytesMax) {
    this.#bytesMax = bytesMax
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Takes room for a connection that holds `heldBytes` already, or says no. */
  tryTake(heldBytes: number, byteCount: number): boolean {
    const freeBytes = this.#bytesMax - this.#usedBytes
    if (heldBytes + byteCount > freeBytes - byteCount) return false
    this.#usedBytes += byteCount
    return true
  }

  giveBack(byteCount: number): void {
    this.#usedBytes -= byteCount
  }

  /** Whether a buffer may be kept for later, by whichever volume. */
  tryKeep(byteCount: number): boolean {
    if (this.#spareBytes + byteCount > diskSpareBytesMax) return false
    this.#spareBytes += byteCount
    return true
  }

  /** A buffer that was kept is in use again, or gone. */
  letGo(byteCount: number): void {
    this.#spareBytes -= byteCount
  }
}

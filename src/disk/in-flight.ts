// How much of a connection's work is in memory. Requests wait here before they are read in, and with them the socket. They
// wait for their own connection only: one that has nothing in memory may always take a piece, so that no connection can
// keep another from going on, however long its client takes.

import { nbdPieceBytes } from '#base/limits.ts'
import type { RequestMemory } from './request-memory.ts'

/** A request's room in memory. */
export interface Place {
  /** How much of the request may be in memory at a time. Less than all of it only where it is the connection's only one. */
  readonly byteCount: number
  leave(): void
}

export class InFlight {
  readonly #bytesMax: number
  readonly #memory: RequestMemory
  #count = 0
  /** Of the shared memory. */
  #bytes = 0
  #wake: (() => void) | null = null
  #idle: (() => void) | null = null

  constructor(bytesMax: number, memory: RequestMemory) {
    this.#bytesMax = bytesMax
    this.#memory = memory
  }

  /** Waits until there is room. One waits at a time. */
  async enter(payloadBytes: number): Promise<Place> {
    // A small request costs more memory than its payload: promises, headers, a place in the reply queue.
    const cost = Math.max(payloadBytes, nbdPieceBytes)
    for (;;) {
      if (this.#bytes + cost <= this.#bytesMax && this.#memory.tryTake(this.#bytes, cost)) {
        this.#bytes += cost
        return this.#place(cost, cost)
      }
      if (this.#count === 0) return this.#place(nbdPieceBytes, 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async idle(): Promise<void> {
    if (this.#count === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }

  #place(byteCount: number, sharedBytes: number): Place {
    this.#count += 1
    return { byteCount, leave: () => this.#leave(sharedBytes) }
  }

  #leave(sharedBytes: number): void {
    this.#count -= 1
    this.#bytes -= sharedBytes
    this.#memory.giveBack(sharedBytes)
    const wake = this.#wake
    this.#wake = null
    wake?.()
    if (this.#count === 0) this.#idle?.()
  }
}

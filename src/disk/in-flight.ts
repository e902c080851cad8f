// How much of a connection's work is in memory. Requests wait here before they are read in, and with them the socket.

/** A small request costs more memory than its payload: promises, headers, a place in the reply queue. */
const requestCostBytesMin = 64 * 1024

export class InFlight {
  readonly #bytesMax: number
  #bytes = 0
  #wake: (() => void) | null = null
  #idle: (() => void) | null = null

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Waits until there is room; a request that is alone always has room. One waits at a time. */
  async enter(payloadBytes: number): Promise<void> {
    const cost = costOf(payloadBytes)
    while (this.#bytes > 0 && this.#bytes + cost > this.#bytesMax) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    this.#bytes += cost
  }

  leave(payloadBytes: number): void {
    this.#bytes -= costOf(payloadBytes)
    const wake = this.#wake
    this.#wake = null
    wake?.()
    if (this.#bytes === 0) this.#idle?.()
  }

  async idle(): Promise<void> {
    if (this.#bytes === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }
}

const costOf = (payloadBytes: number): number => Math.max(payloadBytes, requestCostBytesMin)

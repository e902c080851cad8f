// Clients that keep us waiting in the middle of a request: they neither take their replies nor send the rest of what they
// have announced, while we hold memory or a thread for them. Such a client is cut.

import type { Clock } from '#base/clock.ts'
import { nbdStallBytesMin, nbdStallMs } from '#base/limits.ts'

export interface StallParts {
  readonly clock: Clock
  /** Bytes that came from the client and that its kernel or ours has taken, since the beginning. */
  moved(): number
  cut(): void
}

/**
 * For connections of the event loop. Nothing is measured per request; while there is something to wait for, one look in
 * `nbdStallMs` compares how much has moved since the one before.
 */
export class StallWatch {
  readonly #parts: StallParts
  /** What we wait for the client with at this moment. */
  #waits = 0
  /** Counts the moments at which we waited for nothing. */
  #calm = 0
  #isWatching = false
  #cancel: () => void = () => undefined

  constructor(parts: StallParts) {
    this.#parts = parts
  }

  begin(): void {
    this.#waits += 1
    if (!this.#isWatching) this.#lookLater()
  }

  end(): void {
    this.#waits -= 1
    if (this.#waits === 0) this.#calm += 1
  }

  /** Waits for the client meanwhile. */
  async while<Result>(work: Promise<Result>): Promise<Result> {
    this.begin()
    try {
      return await work
    } finally {
      this.end()
    }
  }

  close(): void {
    this.#cancel()
  }

  #lookLater(): void {
    const { clock, moved, cut } = this.#parts
    this.#isWatching = true
    const [calm, movedBefore] = [this.#calm, moved()]
    this.#cancel = clock.after(nbdStallMs, () => {
      this.#isWatching = false
      if (this.#waits === 0) return
      if (this.#calm === calm && moved() - movedBefore < nbdStallBytesMin) cut()
      else this.#lookLater()
    })
  }
}

/** For a thread that waits with its client: how long it has waited, and what came of it. */
export class Patience {
  #waitedMs = 0
  #movedBytes = 0

  /** Notes a wait and its fruit. False when the client has moved too little for too long. */
  lasts(waitedMs: number, movedBytes: number): boolean {
    this.#waitedMs += waitedMs
    this.#movedBytes += movedBytes
    if (this.#waitedMs < nbdStallMs) return true
    if (this.#movedBytes < nbdStallBytesMin) return false
    this.#waitedMs = 0
    this.#movedBytes = 0
    return true
  }
}

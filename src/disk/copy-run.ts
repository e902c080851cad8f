// One copy of an image that is being made: how far it has come, and whether it shall go on.

import type { Fault } from '#base/fault.ts'
import type { CopyProgress } from './port.ts'

export class CopyRun {
  readonly #abortion = new AbortController()
  #doneBytes = 0
  #totalBytes = 0

  get signal(): AbortSignal {
    return this.#abortion.signal
  }

  get progress(): CopyProgress {
    // What is written meanwhile was not counted before.
    return { doneBytes: Math.min(this.#doneBytes, this.#totalBytes), totalBytes: this.#totalBytes }
  }

  expect(totalBytes: number): void {
    this.#totalBytes = totalBytes
  }

  advance(byteCount: number): void {
    this.#doneBytes += byteCount
  }

  /** Has something end with the run, when that is aborted. Its end may come twice. */
  endWith(secret: Disposable): void {
    this.signal.addEventListener('abort', () => secret[Symbol.dispose](), { once: true })
  }

  /** Whoever listens to the signal has acted when this returns. The first reason counts. */
  abort(reason: Fault): void {
    this.#abortion.abort(reason)
  }

  /** Throws the reason of the end, if there is one. */
  check(): void {
    this.signal.throwIfAborted()
  }
}

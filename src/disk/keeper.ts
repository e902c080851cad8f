// Copies chunks of a volume for the snapshot that is being made of it: those that somebody is about to change, in whatever
// thread that happens, and in the background all others.

import { copyStored, writerOf } from './copy-stored.ts'
import type { CopySource, CopyWriter } from './copy-stored.ts'
import { DeviceFault } from './device.ts'
import type { CopyTarget, Preservation } from './preservation.ts'

export class Keeper {
  readonly #source: CopySource
  readonly #preservation: Preservation
  #writer: { readonly round: number; readonly write: CopyWriter } | null = null

  readonly #writerOf: (fd: number) => CopyWriter

  /** `source` holds ciphertext. `toTarget` gives what writes the copy's file. */
  constructor(source: CopySource, preservation: Preservation, toTarget = writerOf) {
    this.#source = source
    this.#preservation = preservation
    this.#writerOf = toTarget
  }

  /** Copies whatever of these whole chunks is not copied yet. The caller has a claim on them. Fails only the snapshot. */
  async keep(offset: number, byteCount: number): Promise<void> {
    const preservation = this.#preservation
    for (const run of preservation.pendingRuns(offset, byteCount)) {
      const target = preservation.target()
      if (!target) return
      try {
        await copyStored(this.#source, this.#writerFor(target), run)
      } catch (error) {
        if (!(error instanceof DeviceFault)) throw error
        return preservation.fail(error.code)
      }
      preservation.markKept(run.offset, run.byteCount)
    }
  }

  #writerFor({ fd, round }: CopyTarget): CopyWriter {
    if (this.#writer?.round !== round) this.#writer = { round, write: this.#writerOf(fd) }
    return this.#writer.write
  }
}

// Memory for sectors that were written and are not on the disk yet, over all volumes of a process and by the rule of
// request-memory.ts. Whatever others hold, a batch has one piece of its own.

import { tagBatchBytesMax, tagBatchPieceBytes } from '#base/limits.ts'
import { RequestMemory } from './request-memory.ts'

/** Pieces that nobody holds and that are kept: fresh memory costs more than what is put into it. */
const sparePiecesMax = 64

export class BatchMemory {
  readonly #shared: RequestMemory
  readonly #spare: Buffer[] = []

  constructor(bytesMax = tagBatchBytesMax) {
    this.#shared = new RequestMemory(bytesMax)
  }

  /** Null when a batch that holds so many pieces has enough. */
  take(heldPieces: number): Buffer | null {
    const isOwn = heldPieces === 0
    if (!isOwn && !this.#shared.tryTake(heldPieces * tagBatchPieceBytes, tagBatchPieceBytes)) return null
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(tagBatchPieceBytes)
  }

  /** All the pieces of a batch. */
  give(pieces: readonly Buffer[]): void {
    if (pieces.length > 1) this.#shared.giveBack((pieces.length - 1) * tagBatchPieceBytes)
    this.#spare.push(...pieces.slice(0, Math.max(0, sparePiecesMax - this.#spare.length)))
  }
}

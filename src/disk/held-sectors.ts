// Sectors of a volume that are in memory and count, whatever the disk has: those that were written since the last commit,
// and those that a commit is bringing to the disk.

import type { BatchMemory } from './batch-memory.ts'
import { WriteBatch } from './write-batch.ts'
import type { BatchSize } from './write-batch.ts'

export class HeldSectors {
  readonly #size: BatchSize
  readonly #memory: BatchMemory
  #filling: WriteBatch
  /** After a failure for ever, and then it still answers reads. */
  #committing: WriteBatch | null = null

  constructor(size: BatchSize, memory: BatchMemory) {
    this.#size = size
    this.#memory = memory
    this.#filling = new WriteBatch(size, memory)
  }

  /** What is written goes here. */
  get filling(): WriteBatch {
    return this.#filling
  }

  has(sector: number): boolean {
    return this.#filling.has(sector) || (this.#committing?.has(sector) ?? false)
  }

  /** What a sector that is held will be on the disk; null for a hole. */
  data(sector: number): Uint8Array | null {
    return this.#filling.has(sector) ? this.#filling.data(sector) : (this.#committing?.data(sector) ?? null)
  }

  /** Of those that are held now: what becomes of them meanwhile does not change the copies. */
  copy(first: number, end: number): Map<number, Uint8Array | null> {
    const copies = new Map<number, Uint8Array | null>()
    if (this.#filling.isEmpty && !this.#committing) return copies
    for (let sector = first; sector < end; sector += 1) {
      if (this.has(sector)) copies.set(sector, this.data(sector)?.slice() ?? null)
    }
    return copies
  }

  within(first: number, end: number): number[] {
    const all = [...this.#filling.sectors(), ...(this.#committing?.sectors() ?? [])]
    return all.filter((sector) => sector >= first && sector < end)
  }

  /** What is to be committed; null when nothing was written. From now on another batch is filled. */
  take(): WriteBatch | null {
    if (this.#filling.isEmpty) return null
    const batch = this.#filling
    this.#committing = batch
    this.#filling = new WriteBatch(this.#size, this.#memory)
    return batch
  }

  /** What was taken is on the disk. */
  letGo(): void {
    this.#committing?.clear()
    this.#committing = null
  }

  /** For the end: nothing that is held is asked for any more. */
  drop(): void {
    this.letGo()
    this.#filling.clear()
  }
}

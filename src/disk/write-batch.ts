// Sectors that were written and are not on the disk yet, in memory until a commit takes all of them at once. A sector that is
// written again takes the place of the one before.

import { sectorBytes, tagBatchPieceBytes } from '#base/limits.ts'
import type { BatchMemory } from './batch-memory.ts'

/** A sector that was cut out of the volume. */
const hole = -1
const sectorsPerPiece = tagBatchPieceBytes / sectorBytes

export interface BatchSize {
  /** Of sectors with data. */
  readonly dataMax: number
  /** Of these and holes. */
  readonly sectorsMax: number
}

export interface BatchRun {
  readonly firstSector: number
  readonly sectorCount: number
  /** Null for a hole. */
  readonly data: Uint8Array | null
}

export class WriteBatch {
  readonly #size: BatchSize
  readonly #memory: BatchMemory
  readonly #slots = new Map<number, number>()
  readonly #pieces: Buffer[] = []
  #used = 0

  constructor(size: BatchSize, memory: BatchMemory) {
    this.#size = size
    this.#memory = memory
  }

  get isEmpty(): boolean {
    return this.#slots.size === 0
  }

  /** Whether there is room for one more sector. */
  hasRoom(): boolean {
    if (this.#slots.size >= this.#size.sectorsMax || this.#used >= this.#size.dataMax) return false
    if (this.#used < this.#pieces.length * sectorsPerPiece) return true
    const piece = this.#memory.take(this.#pieces.length)
    if (piece) this.#pieces.push(piece)
    return piece !== null
  }

  /** There is room. */
  put(sector: number, data: Uint8Array): void {
    const known = this.#slots.get(sector) ?? hole
    const slot = known === hole ? this.#used++ : known
    this.#slots.set(sector, slot)
    this.#at(slot, 1)?.set(data)
  }

  /** There is room. */
  cut(sector: number): void {
    this.#slots.set(sector, hole)
  }

  has(sector: number): boolean {
    return this.#slots.has(sector)
  }

  /** Null for a hole. The sector is in the batch. */
  data(sector: number): Uint8Array | null {
    return this.#at(this.#slots.get(sector) ?? hole, 1)
  }

  sectors(): number[] {
    return [...this.#slots.keys()].sort((a, b) => a - b)
  }

  /** The sectors in order, neighbours in the volume and in memory together. */
  *runs(sectors: readonly number[]): Generator<BatchRun> {
    for (let at = 0; at < sectors.length; ) {
      const firstSector = sectors[at] ?? 0
      const slot = this.#slots.get(firstSector) ?? hole
      const most = slot === hole ? sectorsPerPiece : sectorsPerPiece - (slot % sectorsPerPiece)
      let sectorCount = 1
      while (sectorCount < most && this.#slots.get(firstSector + sectorCount) === following(slot, sectorCount)) {
        sectorCount += 1
      }
      yield { firstSector, sectorCount, data: this.#at(slot, sectorCount) }
      at += sectorCount
    }
  }

  /** Empty again; its memory is for others. */
  clear(): void {
    this.#slots.clear()
    this.#used = 0
    this.#memory.give(this.#pieces.splice(0))
  }

  /** Slots that follow each other in one piece. */
  #at(slot: number, count: number): Uint8Array | null {
    const from = (slot % sectorsPerPiece) * sectorBytes
    return this.#pieces[Math.floor(slot / sectorsPerPiece)]?.subarray(from, from + count * sectorBytes) ?? null
  }
}

const following = (slot: number, count: number): number => (slot === hole ? hole : slot + count)

// What a snapshot in the making asks of everybody who writes: a chunk that it has not copied yet is copied before it
// changes. Which chunks have been, and where the copy lies, stands in memory that all threads of the volume share.
// Changes of a chunk's mark happen under a claim on the chunk (range-lock.ts), the beginning under a claim on everything,
// so that whoever has a claim may rely on what it has read.

import type { DeviceFaultCode } from './device.ts'

/** The least that is copied for a write. More would make the write wait longer, less make more marks. */
const chunkBytesMin = 64 * 1024
/** Marks take 2 MiB at most; larger volumes have larger chunks. */
const chunksMax = 2 ** 24

/** Words of the head. */
const state = 0
/** The descriptor of the copy's file. */
const target = 1
/** The number of the snapshot since the volume was opened: a descriptor may come again. */
const round = 2
const headWords = 3

const resting = 0
const copying = 1
const failures: readonly DeviceFaultCode[] = ['EIO', 'ENOSPC']
const failed = 2

export interface CopyTarget {
  readonly fd: number
  readonly round: number
}

export class Preservation {
  readonly memory: SharedArrayBuffer
  readonly chunkBytes: number
  readonly #sizeBytes: number
  readonly #words: Int32Array

  /** Another thread's is made over the first one's memory. */
  constructor(sizeBytes: number, memory?: SharedArrayBuffer) {
    this.#sizeBytes = sizeBytes
    this.chunkBytes = chunkBytesFor(sizeBytes)
    const chunkCount = Math.ceil(sizeBytes / this.chunkBytes)
    this.memory = memory ?? new SharedArrayBuffer((headWords + Math.ceil(chunkCount / 32)) * 4)
    this.#words = new Int32Array(this.memory)
  }

  /** From the end of the caller's claim on everything, nothing changes that has not been copied to `fd`. */
  begin(fd: number): void {
    this.#words.fill(0, headWords)
    Atomics.add(this.#words, round, 1)
    Atomics.store(this.#words, target, fd)
    Atomics.store(this.#words, state, copying)
  }

  /** Nobody begins to copy a chunk after this. Who had begun holds a claim. A failure is remembered. */
  end(): void {
    Atomics.compareExchange(this.#words, state, copying, resting)
  }

  /** The copy is lost, and writes go on: the volume is worth more than its snapshot. */
  fail(code: DeviceFaultCode): void {
    Atomics.compareExchange(this.#words, state, copying, failed + failures.indexOf(code))
  }

  get failure(): DeviceFaultCode | null {
    return failures[Atomics.load(this.#words, state) - failed] ?? null
  }

  /** Null while nothing is being copied. */
  target(): CopyTarget | null {
    if (Atomics.load(this.#words, state) !== copying) return null
    return { fd: Atomics.load(this.#words, target), round: Atomics.load(this.#words, round) }
  }

  /** Whether a chunk that the bytes lie in would have to be copied before they change. */
  isPending(offset: number, byteCount: number): boolean {
    if (Atomics.load(this.#words, state) !== copying) return false
    const end = offset + byteCount
    for (let at = this.chunkStart(offset); at < end; at += this.chunkBytes) if (!this.#isKept(at)) return true
    return false
  }

  /** The chunks among these that are not copied yet, neighbours together. */
  pendingRuns(offset: number, byteCount: number): { readonly offset: number; readonly byteCount: number }[] {
    const runs: { offset: number; byteCount: number }[] = []
    const end = offset + byteCount
    for (let start = offset; start < end; start = this.chunkEnd(start)) {
      if (this.#isKept(start)) continue
      const chunkBytes = this.chunkEnd(start) - start
      const last = runs.at(-1)
      if (last && last.offset + last.byteCount === start) last.byteCount += chunkBytes
      else runs.push({ offset: start, byteCount: chunkBytes })
    }
    return runs
  }

  /** Of whole chunks. */
  markKept(offset: number, byteCount: number): void {
    for (let start = offset; start < offset + byteCount; start = this.chunkEnd(start)) {
      const { word, bit } = this.#placeOf(start)
      Atomics.or(this.#words, word, bit)
    }
  }

  chunkStart(offset: number): number {
    return offset - (offset % this.chunkBytes)
  }

  /** The end of the chunk that begins at `start`. */
  chunkEnd(start: number): number {
    return Math.min(start + this.chunkBytes, this.#sizeBytes)
  }

  #isKept(offset: number): boolean {
    const { word, bit } = this.#placeOf(offset)
    return (Atomics.load(this.#words, word) & bit) !== 0
  }

  #placeOf(offset: number): { word: number; bit: number } {
    const chunk = Math.floor(offset / this.chunkBytes)
    return { word: headWords + Math.floor(chunk / 32), bit: 1 << (chunk % 32) }
  }
}

function chunkBytesFor(sizeBytes: number): number {
  let chunkBytes = chunkBytesMin
  while (sizeBytes / chunkBytes > chunksMax) chunkBytes *= 2
  return chunkBytes
}

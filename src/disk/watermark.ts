// How far the re-encryption of a volume has come, where all threads that serve it can see it. A volume has two places for
// keys: sectors before the watermark are under the newer key, all others under the older one, and when the last sector has
// been passed the places change their parts. The watermark moves under a claim on what it passes, the parts change under a
// claim on everything (range-lock.ts), so that whoever has a claim may rely on what it has read.

/** Of the two places for keys. */
export type Side = 0 | 1
export const otherSide = (side: Side): Side => (side === 0 ? 1 : 0)

const older = 0
const steps = 1
/** How often a key has come to its place. */
const arrivals = 2
const words = 3

/** Fits the largest volumes into a word. */
export const watermarkStepBytes = 64 * 1024

export class Watermark {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array

  /** Another thread's is made over the first one's memory. */
  constructor(memory = new SharedArrayBuffer(words * 4)) {
    this.memory = memory
    this.#words = new Int32Array(memory)
  }

  get older(): Side {
    return Atomics.load(this.#words, older) === 0 ? 0 : 1
  }

  /** 0 while there is one key; else sectors before this are under the newer one. */
  get bytes(): number {
    return Atomics.load(this.#words, steps) * watermarkStepBytes
  }

  get arrivals(): number {
    return Atomics.load(this.#words, arrivals)
  }

  /** There is a newer key, and every thread has been given its own loan of it. */
  arrive(): void {
    Atomics.add(this.#words, arrivals, 1)
  }

  /** Past the end of the volume, it may be anything. */
  moveTo(bytes: number): void {
    Atomics.store(this.#words, steps, Math.ceil(bytes / watermarkStepBytes))
  }

  /** The newer key is the only one: it is now the older. */
  change(): void {
    Atomics.store(this.#words, older, otherSide(this.older))
    Atomics.store(this.#words, steps, 0)
  }
}

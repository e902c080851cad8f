// A small fuzzer that is guided by coverage: an input that reaches code which none before it has reached is kept and
// changed further. What it keeps lies in test/corpus and is tried first by every run.

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import type { Profiler } from 'node:inspector'
import { join } from 'node:path'
import type { Chance } from '../../src/disk/testing/seeded.ts'

const corpusFolder = join(import.meta.dirname, '../corpus')
const inputBytesMax = 64 * 1024

export interface Target {
  readonly name: string
  /** Ends of the names of the files whose coverage guides. */
  readonly files: readonly string[]
  /** Inputs to begin with. */
  readonly seeds: readonly Uint8Array[]
  /** Words that the format knows. */
  readonly words: readonly Uint8Array[]
  /** Throws when something is wrong. */
  run(input: Buffer): void | Promise<void>
}

export interface Budget {
  readonly chance: Chance
  readonly rounds: number
  /** Whether to write what was found interesting into the corpus. */
  readonly keep: boolean
}

/** Returns how many inputs reached something new. Rejects with the input that broke the target. */
export async function fuzz(target: Target, { chance, rounds, keep }: Budget): Promise<number> {
  using coverage = new Coverage(target.files)
  const pool: Buffer[] = []
  let newCount = 0

  async function attempt(input: Buffer, isKnown: boolean): Promise<void> {
    try {
      await target.run(Buffer.from(input))
    } catch (cause) {
      throw new Error(`${target.name} breaks on ${input.toString('base64')}`, { cause })
    }
    if (!coverage.hasGrown()) return
    pool.push(input)
    if (isKnown) return
    newCount += 1
    if (keep) save(target.name, input)
  }

  for (const seed of target.seeds) await attempt(Buffer.from(seed), true)
  for (const known of corpusOf(target.name)) await attempt(known, true)
  for (let round = 0; round < rounds; round += 1) {
    await attempt(mutate(chance.pick(pool), { chance, pool, words: target.words }), false)
  }
  return newCount
}

function corpusOf(name: string): Buffer[] {
  try {
    const folder = join(corpusFolder, name)
    return readdirSync(folder)
      .toSorted()
      .map((file) => readFileSync(join(folder, file)))
  } catch {
    return []
  }
}

function save(name: string, input: Buffer): void {
  mkdirSync(join(corpusFolder, name), { recursive: true })
  writeFileSync(join(corpusFolder, name, createHash('sha256').update(input).digest('hex').slice(0, 16)), input)
}

interface Ingredients {
  readonly chance: Chance
  readonly pool: readonly Buffer[]
  readonly words: readonly Uint8Array[]
}

/** One to four changes. */
function mutate(input: Buffer, ingredients: Ingredients): Buffer {
  const { chance } = ingredients
  let bytes = Buffer.from(input)
  for (let left = 1 + chance.below(4); left > 0; left -= 1) bytes = changeOnce(bytes, ingredients)
  return bytes.subarray(0, inputBytesMax)
}

function changeOnce(bytes: Buffer, { chance, pool, words }: Ingredients): Buffer<ArrayBuffer> {
  const changed = Buffer.from(bytes)
  const at = chance.below(bytes.length + 1)
  const splice = (from: number, to: number, piece: Uint8Array): Buffer<ArrayBuffer> =>
    Buffer.concat([bytes.subarray(0, from), piece, bytes.subarray(to)])
  switch (chance.below(8)) {
    case 0:
      if (at < bytes.length) changed[at] = (changed[at] ?? 0) ^ (1 << chance.below(8))
      return changed
    case 1:
      if (at < bytes.length) changed[at] = chance.pick([0, 1, 0x7f, 0x80, 0xff, chance.below(256)])
      return changed
    case 2:
      return splice(at, Math.min(bytes.length, at + chance.below(16)), Buffer.alloc(0))
    case 3:
      return splice(at, at, chance.bytes(1 + chance.below(16)))
    case 4: {
      if (at + 4 > bytes.length) return changed
      changed.writeUInt32BE(chance.pick([0, 1, 4096, 4097, 0x7fff_ffff, 0xffff_ffff, chance.below(65_536)]), at)
      return changed
    }
    case 5:
      return words.length > 0 ? splice(at, at, chance.pick(words)) : changed
    case 6: {
      const word = words.length > 0 ? chance.pick(words) : Buffer.alloc(1)
      return splice(at, Math.min(bytes.length, at + word.length), word)
    }
    default: {
      const other = chance.pick(pool)
      const from = chance.below(other.length + 1)
      return splice(at, at, other.subarray(from, from + chance.below(512)))
    }
  }
}

/** Which blocks of some files have run, by V8's own count. */
class Coverage {
  readonly #session = new Session()
  readonly #files: readonly string[]
  readonly #seen = new Set<string>()

  constructor(files: readonly string[]) {
    this.#files = files
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Whether something has run since the last call that never had before. */
  hasGrown(): boolean {
    const before = this.#seen.size
    for (const script of this.#take()) {
      if (!this.#files.some((file) => script.url.endsWith(file))) continue
      for (const { ranges } of script.functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count > 0) this.#seen.add(`${script.scriptId}:${startOffset}-${endOffset}`)
        }
      }
    }
    return this.#seen.size > before
  }

  [Symbol.dispose](): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }

  /** The session of a thread with itself answers before `post` returns. */
  #take(): readonly Profiler.ScriptCoverage[] {
    let taken: readonly Profiler.ScriptCoverage[] = []
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error
      taken = result
    })
    return taken
  }
}

// What a disk may hold after the power was cut: a log of what was written to a file, and every state that is legal at some
// point of it. Before the last flush nothing is lost; after it any unit of any write may be there or not, in any order.

import type { Linux } from '../system.ts'
import type { Chance } from './seeded.ts'

export type Entry =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'punch'; readonly offset: number; readonly byteCount: number }
  /** Everything before it is durable. */
  | { readonly kind: 'flush' }

/** Linux's calls, which are made, and noted. */
export function recording(linux: Linux, log: Entry[]): Linux {
  return {
    ...linux,
    write(fd, source, offset) {
      log.push({ kind: 'write', offset, bytes: Buffer.from(source) })
      return linux.write(fd, source, offset)
    },
    punchHole(fd, offset, byteCount) {
      const isDone = linux.punchHole(fd, offset, byteCount)
      if (isDone) log.push({ kind: 'punch', offset, byteCount })
      return isDone
    },
  }
}

export interface Cut {
  /** Entries that had begun when the power was cut. */
  readonly at: number
  /** What the disk writes whole or not at all. */
  readonly unitBytes: number
  /** Whether a unit of what was not flushed has reached the disk. */
  keeps(): boolean
}

export const cuts = (chance: Chance, at: number): Cut[] => [
  { at, unitBytes: 4096, keeps: () => true },
  { at, unitBytes: 4096, keeps: () => false },
  { at, unitBytes: 4096, keeps: () => chance.below(2) === 0 },
  { at, unitBytes: 512, keeps: () => chance.below(2) === 0 },
]

export const lastFlush = (log: readonly Entry[], at: number): number =>
  log.slice(0, at).findLastIndex(({ kind }) => kind === 'flush')

/** The data area after a cut. File systems punch whole blocks, so a hole is torn at 4096 bytes at the least. */
export function stateAfter(log: readonly Entry[], cut: Cut, area: { offset: number; byteCount: number }): Buffer {
  const state = Buffer.alloc(area.byteCount)
  const flushed = lastFlush(log, cut.at)
  for (const [index, entry] of log.slice(0, cut.at).entries()) {
    if (entry.kind === 'flush') continue
    const isWrite = entry.kind === 'write'
    const byteCount = isWrite ? entry.bytes.length : entry.byteCount
    const unitBytes = isWrite ? cut.unitBytes : 4096
    for (let at = 0; at < byteCount; at += unitBytes) {
      if (index > flushed && !cut.keeps()) continue
      const to = entry.offset - area.offset + at
      if (isWrite) state.set(entry.bytes.subarray(at, at + unitBytes), to)
      else state.fill(0, to, to + unitBytes)
    }
  }
  return state
}

// Random requests to a device whose writes are noted, and what a volume may hold when the power was cut in the middle of them.

import assert from 'node:assert/strict'
import type { BlockDevice } from '../device.ts'
import { lastFlush } from './power-cut.ts'
import type { Cut, Entry } from './power-cut.ts'
import type { Chance } from './seeded.ts'

export const sectorBytes = 4096

export interface Step {
  /** Entries of the log before it and after it. */
  readonly from: number
  readonly to: number
  /** What became of the sectors that it touched; null for a hole. */
  readonly sectors: ReadonlyMap<number, Buffer | null>
  readonly isFlush: boolean
}

export interface Story {
  readonly sizeBytes: number
  readonly log: readonly Entry[]
  readonly steps: readonly Step[]
}

/** `between` is called before each request. */
export async function tell<Log extends { readonly length: number }>(
  chance: Chance,
  device: BlockDevice,
  log: Log,
  between: () => Promise<void> = async () => undefined,
): Promise<Omit<Story, 'log'> & { readonly log: Log }> {
  const { sizeBytes } = device
  const model = Buffer.alloc(sizeBytes)
  const steps: Step[] = []
  for (let left = 30; left > 0; left -= 1) {
    await between()
    const from = log.length
    const offset = chance.below(sizeBytes)
    const byteCount = Math.min(1 + chance.below(chance.pick([600, 9000, 40_000, 400_000])), sizeBytes - offset)
    const kind = chance.pick(['write', 'write', 'write', 'zero', 'trim', 'flush'])
    if (kind === 'flush') await device.flush()
    if (kind === 'zero') {
      await device.zero(offset, byteCount)
      model.fill(0, offset, offset + byteCount)
    }
    if (kind === 'write') {
      const data = chance.bytes(byteCount)
      await device.write(data, offset)
      model.set(data, offset)
    }
    const first = Math.floor(offset / sectorBytes)
    const end = Math.ceil((offset + byteCount) / sectorBytes)
    const sectors = new Map<number, Buffer | null>()
    if (kind === 'trim') {
      await device.trim(offset, byteCount)
      const [whole, wholeEnd] = [Math.ceil(offset / sectorBytes), Math.floor((offset + byteCount) / sectorBytes)]
      for (let sector = whole; sector < wholeEnd; sector += 1) sectors.set(sector, null)
      if (wholeEnd > whole) model.fill(0, whole * sectorBytes, wholeEnd * sectorBytes)
    } else if (kind !== 'flush') {
      for (let sector = first; sector < end; sector += 1) sectors.set(sector, Buffer.from(sectorOf(model, sector)))
    }
    steps.push({ from, to: log.length, sectors, isFlush: kind === 'flush' })
  }
  return { sizeBytes, log, steps }
}

const sectorOf = (bytes: Buffer, sector: number): Buffer =>
  bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes)

/** What each sector may be after a cut: what the last flushed step made of it, and whatever was begun since. */
export function allowed(
  { sizeBytes, steps }: Omit<Story, 'log'>,
  at: number,
  isFlushed: (step: Step, index: number) => boolean,
): (Buffer | null)[][] {
  const may: (Buffer | null)[][] = Array.from({ length: sizeBytes / sectorBytes }, () => [null])
  for (const [index, step] of steps.entries()) {
    if (step.from >= at) break
    for (const [sector, bytes] of step.sectors) {
      if (isFlushed(step, index)) may[sector] = [bytes]
      else may[sector]?.push(bytes)
    }
  }
  return may
}

/** What was read after a cut. */
export function judge(found: Buffer, story: Story, cut: Cut): void {
  const flushed = lastFlush(story.log, cut.at)
  for (const [sector, may] of allowed(story, cut.at, ({ to }) => to <= flushed).entries()) {
    const is = sectorOf(found, sector)
    const states = may.map((bytes) => bytes ?? Buffer.alloc(sectorBytes))
    if (states.some((bytes) => is.equals(bytes))) continue
    assert.equal(cut.unitBytes, 512, `sector ${sector} is neither old nor new`)
    // Torn: a mixture of them. Where the sector was a hole, the part of it that stayed one is noise.
    if (may.includes(null)) continue
    for (let at = 0; at < sectorBytes; at += 512) {
      const unit = is.subarray(at, at + 512)
      assert.ok(
        states.some((bytes) => unit.equals(bytes.subarray(at, at + 512))),
        `sector ${sector} is torn badly`,
      )
    }
  }
}

// Power cuts under a volume whose sectors have tags: two files and a remembered root, cut at any moment, also while a cut is
// being recovered from. What was flushed is there, each sector that was not is an old or a new one, and a sector that the
// disk has torn is an error and nothing else.
//
// KEYWARD_TEST_POWER_CUTS sets the number of seeds, KEYWARD_TEST_SEED runs one again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceFault } from './device.ts'
import { blankDisk, fileNames, openDisk } from './testing/authenticated-disk.ts'
import type { AuthenticatedDisk, DiskEvent, DiskState, FileName } from './testing/authenticated-disk.ts'
import { cuts, stateAfter } from './testing/power-cut.ts'
import type { Cut, Entry } from './testing/power-cut.ts'
import { allowed, sectorBytes, tell } from './testing/power-story.ts'
import type { Step } from './testing/power-story.ts'
import { chanceOf, seedsOf } from './testing/seeded.ts'
import type { Chance } from './testing/seeded.ts'

const seeds = seedsOf('KEYWARD_TEST_POWER_CUTS', 6)
const sizeBytes = 150 * sectorBytes

/** What is on the disk, and remembered, when the power is cut after some events. */
function cutState(start: DiskState, log: readonly DiskEvent[], cut: Cut): DiskState {
  const happened = log.slice(0, cut.at)
  const fileAfter = (file: FileName): Uint8Array => {
    const whole: Entry = { kind: 'write', offset: 0, bytes: Buffer.from(start.files[file]) }
    const own = happened.flatMap((event) => (event.file === file ? [event.entry] : []))
    const entries: Entry[] = [whole, { kind: 'flush' }, ...own]
    return stateAfter(entries, { ...cut, at: entries.length }, { offset: 0, byteCount: start.files[file].length })
  }
  const remembered = happened.findLast((event) => event.file === null)
  return {
    files: { image: fileAfter('image'), tags: fileAfter('tags') },
    remembered: remembered?.remembered ?? start.remembered,
  }
}

async function readSectors({ device }: AuthenticatedDisk): Promise<(Buffer | null)[]> {
  const found: (Buffer | null)[] = []
  for (let offset = 0; offset < sizeBytes; offset += sectorBytes) {
    const sector = Buffer.alloc(sectorBytes)
    try {
      await device.read(sector, offset)
      found.push(sector)
    } catch (error) {
      assert.ok(error instanceof DeviceFault && error.code === 'EIO')
      found.push(null)
    }
  }
  return found
}

/** What was found of each sector; null for one that the disk has torn. */
async function judge(steps: readonly Step[], at: number, state: DiskState, unitBytes: number) {
  const flushed = steps.findLastIndex(({ isFlush, to }) => isFlush && to <= at)
  const log: DiskEvent[] = []
  const disk = await openDisk(state, log)
  const found = await readSectors(disk)
  for (const [sector, may] of allowed({ sizeBytes, steps }, at, (_, index) => index < flushed).entries()) {
    const is = found[sector]
    if (is && may.some((bytes) => is.equals(bytes ?? Buffer.alloc(sectorBytes)))) continue
    assert.equal(is, null, `sector ${sector} is neither old nor new`)
    assert.ok(unitBytes === 512 && may.length > 1, `sector ${sector} is lost`)
  }
  const after = disk.copy()
  await disk.device.close()
  return { found, log, after }
}

/** What was read after a cut stays, whatever happens to the work of recovering from it. */
async function judgeAgain(chance: Chance, state: DiskState, before: Awaited<ReturnType<typeof judge>>, torn: boolean) {
  const states = [before.after]
  for (let at = 0; at <= before.log.length; at += 1) {
    const cut = chance.pick(cuts(chance, at).filter((one) => one.unitBytes === 4096))
    states.push(cutState(state, before.log, cut))
  }
  for (const one of states) {
    const disk = await openDisk(one)
    const found = await readSectors(disk)
    await disk.device.close()
    if (!torn)
      assert.ok(
        found.every((sector, at) => sector && before.found[at]?.equals(sector)),
        'it reads as it did',
      )
  }
}

test(`flushed sectors with tags survive a power cut at any moment (${seeds.length} seeds)`, async () => {
  let [cutCount, commits] = [0, 0]
  for (const seed of seeds) {
    const chance = chanceOf(seed)
    const log: DiskEvent[] = []
    const start = blankDisk(sizeBytes)
    const disk = await openDisk(start, log)
    const { steps } = await tell(chance, disk.device, log)
    await disk.device.close()
    commits += log.filter(({ file }) => file === null).length
    const stride = 1 + chance.below(4)
    for (let at = 0; at <= log.length; at += stride) {
      for (const cut of cuts(chance, at)) {
        try {
          const state = cutState(start, log, cut)
          const judged = await judge(steps, at, state, cut.unitBytes)
          if (chance.below(4) === 0) await judgeAgain(chance, state, judged, cut.unitBytes === 512)
        } catch (cause) {
          throw new Error(`KEYWARD_TEST_SEED=${seed}: a cut after ${at} of ${log.length} events`, { cause })
        }
        cutCount += 1
      }
    }
  }
  assert.ok(cutCount > seeds.length * 100 && commits > seeds.length * 10, `${cutCount} cuts, ${commits} commits`)
  assert.equal(fileNames.length, 2)
})

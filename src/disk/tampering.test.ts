// What somebody with write access to a host's disks may do to a volume whose sectors have tags: bits are flipped, sectors
// exchanged, holes made and filled, and sectors, tags, both, or all of it put back as they once were; while the volume is
// closed, and while it is open. Nothing is ever read but what was written: whatever counts and was changed is found.
//
// KEYWARD_TEST_TAMPERINGS sets the number of seeds, KEYWARD_TEST_SEED runs one again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceFault } from './device.ts'
import { pageBytes, pageOffset, places, tagBytes, tagsPerPage, topLevel } from './tag-layout.ts'
import { TagsLost } from './tag-recovery.ts'
import { blankDisk, openDisk, rootsBytes } from './testing/authenticated-disk.ts'
import type { DiskState } from './testing/authenticated-disk.ts'
import { sectorBytes } from './testing/power-story.ts'
import { chanceOf, seedsOf } from './testing/seeded.ts'
import type { Chance } from './testing/seeded.ts'

const seeds = seedsOf('KEYWARD_TEST_TAMPERINGS', 4)
/** Two pages of tags. */
const sectorCount = 300
const sizeBytes = sectorCount * sectorBytes

type Files = DiskState['files']

/** Some generations of a volume, each flushed, the last of them with what is in it. */
async function history(chance: Chance) {
  const model = Buffer.alloc(sizeBytes)
  const disk = await openDisk(blankDisk(sizeBytes))
  const states: DiskState[] = []
  for (let left = 3 + chance.below(4); left > 0; left -= 1) {
    for (let writes = 1 + chance.below(6); writes > 0; writes -= 1) {
      const sector = chance.below(sectorCount)
      const byteCount = Math.min(1 + chance.below(60), sectorCount - sector) * sectorBytes
      const offset = sector * sectorBytes
      if (chance.below(6) === 0) {
        await disk.device.trim(offset, byteCount)
        model.fill(0, offset, offset + byteCount)
      } else {
        const data = chance.bytes(byteCount)
        await disk.device.write(data, offset)
        model.set(data, offset)
      }
    }
    await disk.device.flush()
    states.push(disk.copy())
  }
  return { disk, model, states }
}

interface Scene {
  readonly chance: Chance
  readonly files: Files
  /** An earlier state, all of it acknowledged. */
  readonly past: Files
}

const sectorIn = (image: Uint8Array, sector: number): Uint8Array =>
  image.subarray(sector * sectorBytes, (sector + 1) * sectorBytes)

const copiesOf = (tags: Uint8Array, level: number, index: number): Uint8Array =>
  tags.subarray(pageOffset(level, index), pageOffset(level, index) + places * pageBytes)

const tagsOf = (tags: Uint8Array, sector: number): Uint8Array[] =>
  Array.from({ length: places }, (_, place) => {
    const at = place * pageBytes + (sector % tagsPerPage) * tagBytes
    return copiesOf(tags, 0, Math.floor(sector / tagsPerPage)).subarray(at, at + tagBytes)
  })

function flip({ chance }: Scene, bytes: Uint8Array): void {
  const at = chance.below(bytes.length)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << chance.below(8))
}

function exchange(a: Uint8Array, b: Uint8Array): void {
  const kept = a.slice()
  a.set(b)
  b.set(kept)
}

function putBackSector({ files, past }: Scene, sector: number): void {
  sectorIn(files.image, sector).set(sectorIn(past.image, sector))
}

function putBackPages({ files, past }: Scene, sector: number, fromLevel: number, toLevel: number): void {
  for (let level = fromLevel; level <= toLevel; level += 1) {
    const index = Math.floor(sector / tagsPerPage ** (level + 1))
    copiesOf(files.tags, level, index).set(copiesOf(past.tags, level, index))
  }
}

const anySector = ({ chance }: Scene): number => chance.below(sectorCount)

/** Each by its name, so that a failure says what was done. */
const tamperings: Readonly<Record<string, (scene: Scene) => void>> = {
  'a bit of a sector is flipped': (scene) => flip(scene, sectorIn(scene.files.image, anySector(scene))),
  'many bits are flipped': (scene) => {
    for (let left = 200; left > 0; left -= 1) flip(scene, scene.files.image)
  },
  'a bit of the tags is flipped': (scene) => flip(scene, scene.files.tags.subarray(rootsBytes)),
  'a bit of a root is flipped': (scene) => flip(scene, scene.files.tags.subarray(0, rootsBytes)),
  'two sectors are exchanged': (scene) =>
    exchange(sectorIn(scene.files.image, anySector(scene)), sectorIn(scene.files.image, anySector(scene))),
  'two sectors are exchanged with their tags': (scene) => {
    const [a, b] = [anySector(scene), anySector(scene)]
    exchange(sectorIn(scene.files.image, a), sectorIn(scene.files.image, b))
    for (let place = 0; place < places; place += 1) {
      const [one, other] = [tagsOf(scene.files.tags, a)[place], tagsOf(scene.files.tags, b)[place]]
      if (one && other) exchange(one, other)
    }
  },
  'a sector is cut out': (scene) => sectorIn(scene.files.image, anySector(scene)).fill(0),
  'a sector is cut out with its tags': (scene) => {
    const sector = anySector(scene)
    sectorIn(scene.files.image, sector).fill(0)
    for (const tag of tagsOf(scene.files.tags, sector)) tag.fill(0)
  },
  'a hole is filled': (scene) => sectorIn(scene.files.image, anySector(scene)).set(scene.chance.bytes(sectorBytes)),
  'a sector is put back': (scene) => putBackSector(scene, anySector(scene)),
  'many sectors are put back': (scene) => {
    for (let left = 100; left > 0; left -= 1) putBackSector(scene, anySector(scene))
  },
  'a tag is put back': (scene) => {
    const sector = anySector(scene)
    const before = tagsOf(scene.past.tags, sector)
    for (const [place, tag] of tagsOf(scene.files.tags, sector).entries()) tag.set(before[place] ?? [])
  },
  'a page of tags is put back': (scene) => putBackPages(scene, anySector(scene), 0, 0),
  'a sector is put back with its page of tags': (scene) => {
    const sector = anySector(scene)
    putBackSector(scene, sector)
    putBackPages(scene, sector, 0, 0)
  },
  'a sector is put back with all pages above it': (scene) => {
    const sector = anySector(scene)
    putBackSector(scene, sector)
    putBackPages(scene, sector, 0, topLevel)
  },
  'the image is put back': ({ files, past }) => files.image.set(past.image),
  'the tags are put back': ({ files, past }) => files.tags.set(past.tags),
  'the roots are put back': ({ files, past }) => files.tags.set(past.tags.subarray(0, rootsBytes)),
  'everything is put back': ({ files, past }) => {
    files.image.set(past.image)
    files.tags.set(past.tags)
  },
  'everything is put back, and the newest root stays': ({ files, past }) => {
    files.image.set(past.image)
    files.tags.set(past.tags.subarray(rootsBytes), rootsBytes)
  },
  'all tags are destroyed': ({ files }) => files.tags.fill(0),
}

interface Verdict {
  /** Sectors that were refused. */
  readonly refused: ReadonlySet<number>
  readonly isLost: boolean
}

/** Reads the volume; whatever it gives out is what was written. */
async function read(state: DiskState, model: Buffer, live?: Awaited<ReturnType<typeof openDisk>>): Promise<Verdict> {
  const refused = new Set<number>()
  let disk = live
  try {
    disk ??= await openDisk(state)
  } catch (error) {
    assert.ok(error instanceof TagsLost, `opening: ${String(error)}`)
    return { refused, isLost: true }
  }
  for (let sector = 0; sector < sectorCount; sector += 1) {
    const data = Buffer.alloc(sectorBytes)
    try {
      await disk.device.read(data, sector * sectorBytes)
      assert.ok(data.equals(sectorIn(model, sector)), `sector ${sector} is another, and nobody was told`)
    } catch (error) {
      if (!(error instanceof DeviceFault)) throw error
      assert.equal(error.code, 'EIO')
      refused.add(sector)
    }
  }
  assert.deepEqual(new Set(disk.bad), refused, 'every refused sector is reported, and no other')
  if (!live) await disk.device.close()
  return { refused, isLost: false }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** Every sector of the image that is not what it was is refused. */
function requireFound(before: Files, after: Files, { refused, isLost }: Verdict): boolean {
  let isFound = true
  for (let sector = 0; sector < sectorCount; sector += 1) {
    const isChanged = !same(sectorIn(before.image, sector), sectorIn(after.image, sector))
    if (isChanged && !isLost && !refused.has(sector)) isFound = false
  }
  return isFound
}

test(`whatever is changed, exchanged or put back is found (${seeds.length} seeds)`, async () => {
  const [done, found] = [new Set<string>(), new Set<string>()]
  for (const seed of seeds) {
    const chance = chanceOf(seed)
    const { disk, model, states } = await history(chance)
    const now = disk.copy()
    const past = states[chance.below(states.length - 1)]
    assert.ok(past)
    for (const [name, tamper] of Object.entries(tamperings)) {
      for (const isOpen of [false, true]) {
        const live = isOpen ? await openDisk(now) : null
        // What is in memory of the tags already is no less to be checked than what is not.
        if (live && chance.below(2) === 0) await live.device.read(Buffer.alloc(sizeBytes), 0)
        const state = live ? { ...now, files: live.files } : disk.copy()
        tamper({ chance, files: state.files, past: past.files })
        try {
          const verdict = await read(state, model, live ?? undefined)
          assert.ok(requireFound(now.files, state.files, verdict), 'a sector was changed, and nobody was told')
          const isChanged = !same(now.files.image, state.files.image) || !same(now.files.tags, state.files.tags)
          if (isChanged && !isOpen && name === 'everything is put back') assert.ok(verdict.isLost, 'it does not open')
          // A change of tags may hit a page that no longer counts, and then it changes nothing.
          if (isChanged) done.add(name)
          if (verdict.isLost || verdict.refused.size > 0) found.add(name)
          if (!isChanged) assert.ok(!verdict.isLost && verdict.refused.size === 0, 'what is as it was is no alarm')
        } catch (cause) {
          throw new Error(`KEYWARD_TEST_SEED=${seed}: ${name}, ${isOpen ? 'open' : 'closed'}`, { cause })
        }
        await live?.device.close()
      }
    }
    await disk.device.close()
  }
  // One seed alone may miss one of them.
  if (seeds.length < 4) return
  assert.equal(done.size, Object.keys(tamperings).length, 'every kind has changed something')
  // A root that is flipped, put back or left alone may be one of the two that no longer count.
  assert.ok(found.size >= done.size - 2, [...done].filter((name) => !found.has(name)).join(', '))
})

test('a sector that was found bad is good again when it is written again', async () => {
  const disk = await openDisk(blankDisk(sizeBytes))
  const data = Buffer.alloc(4 * sectorBytes, 7)
  await disk.device.write(data, 0)
  await disk.device.flush()
  disk.files.image[sectorBytes] = (disk.files.image[sectorBytes] ?? 0) ^ 1
  const found = Buffer.alloc(sectorBytes)
  await assert.rejects(disk.device.read(found, sectorBytes), { code: 'EIO' })
  // Part of it: what is kept of the rest is not to be believed.
  await assert.rejects(disk.device.write(Buffer.alloc(100), sectorBytes + 50), { code: 'EIO' })
  assert.deepEqual(disk.bad, [1, 1])
  await disk.device.read(found, 2 * sectorBytes)
  await disk.device.write(Buffer.alloc(sectorBytes, 9), sectorBytes)
  await disk.device.flush()
  assert.ok(disk.mended.includes(1))
  await disk.device.read(found, sectorBytes)
  assert.ok(found.equals(Buffer.alloc(sectorBytes, 9)))
  await disk.device.close()
})

// Power cuts, played through: what was flushed is there, and each sector that was not is an old or a new one, whatever the
// disk made of the writes in between (docs/formats.md, "Volume image"). And the making of an image, which is there whole
// or not at all.
//
// KEYWARD_TEST_POWER_CUTS sets the number of seeds, KEYWARD_TEST_SEED runs one again.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import { aligned } from './aligned.ts'
import { checked } from './checked.ts'
import { encrypted } from './encrypted.ts'
import { imageFile } from './image-file.ts'
import { linux } from './system.ts'
import { memoryDevice } from './testing/memory-device.ts'
import { needs, succeed } from './testing/outside-tools.ts'
import { cuts, recording, stateAfter } from './testing/power-cut.ts'
import type { Cut, Entry } from './testing/power-cut.ts'
import { judge, sectorBytes, tell } from './testing/power-story.ts'
import type { Story } from './testing/power-story.ts'
import { chanceOf, seedsOf } from './testing/seeded.ts'

const seeds = seedsOf('KEYWARD_TEST_POWER_CUTS', 10)
const sizeBytes = 150 * sectorBytes
const dataOffsetBytes = 64 * 1024
const key = randomBytes(64)

const cipher = () => makeSectorCipher(SecretBytes.own(new Uint8Array(key)), sectorBytes)

async function judgeCut(story: Story, cut: Cut): Promise<void> {
  const store = memoryDevice({ sizeBytes })
  store.bytes.set(stateAfter(story.log, cut, { offset: dataOffsetBytes, byteCount: sizeBytes }))
  const device = encrypted(checked(store, sectorBytes), cipher())
  const found = Buffer.alloc(sizeBytes)
  await device.read(found, 0)
  await device.close()
  judge(found, story, cut)
}

test(`what was flushed survives a power cut at any moment (${seeds.length} seeds)`, { skip: !linux }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kw-'))
  assert.ok(linux)
  let cutCount = 0
  for (const seed of seeds) {
    const chance = chanceOf(seed)
    const log: Entry[] = []
    const fd = openSync(join(folder, String(seed)), 'w+')
    ftruncateSync(fd, dataOffsetBytes + sizeBytes)
    const flush = async (): Promise<void> => void log.push({ kind: 'flush' })
    const parts = { fd, dataOffsetBytes, sizeBytes, sectorBytes, system: recording(linux, log), flush }
    const layers = encrypted(checked(imageFile(parts), sectorBytes), cipher())
    const story = await tell(chance, aligned(checked(layers, sectorBytes), sectorBytes), log)
    await layers.close()
    closeSync(fd)
    for (const entry of log) assert.ok(entry.kind === 'flush' || entry.offset >= dataOffsetBytes, 'headers stay')
    for (let at = 0; at <= log.length; at += 1) {
      for (const cut of cuts(chance, at)) {
        await judgeCut(story, cut).catch((cause: unknown) => {
          throw new Error(`KEYWARD_TEST_SEED=${seed}: a cut after ${at} of ${log.length} entries`, { cause })
        })
        cutCount += 1
      }
    }
  }
  await rm(folder, { recursive: true })
  assert.ok(cutCount > seeds.length * 100, `${cutCount} cuts`)
})

test(
  'an image that is being made is absent or whole, and stays once it was acknowledged',
  needs('strace'),
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kw-'))
    const trace = join(folder, 'trace')
    const maker = [
      `import { createImage } from ${JSON.stringify(new URL('image.ts', import.meta.url).href)}`,
      `import { sweepLeftovers } from ${JSON.stringify(new URL('folders.ts', import.meta.url).href)}`,
      `import { systemRandom as random } from '#base/random.ts'`,
      `import { SecretBytes } from '#crypto/secret-bytes.ts'`,
      `const dataFolder = ${JSON.stringify(join(folder, 'data'))}`,
      'await sweepLeftovers(dataFolder)',
      'const dataKey = SecretBytes.random(random, 32)',
      `await createImage(dataFolder, { volumeId: 'v', capacityBytes: 1 << 20, dataKey, random })`,
    ]
    const calls = 'trace=write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat'
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module-typescript']
    await succeed('strace', '-f', '-y', '-o', trace, '-e', calls, ...node, '-e', maker.join('\n'))
    // One call at a time: each is awaited. What a call is about is in its arguments.
    const lines = (await readFile(trace, 'utf8')).split('\n')
    const at = (call: RegExp, path: string): number[] =>
      lines.flatMap((line, index) => {
        const begun = /^\d+ +(\w+)\((.*)/.exec(line)
        return begun && call.test(begun[1] ?? '') && new RegExp(`${path}[>"]`).test(begun[2] ?? '') ? [index] : []
      })
    const [last, first] = [(found: number[]) => found.at(-1) ?? -1, (found: number[]) => found[0] ?? -1]
    const image = 'volumes/v/volume.luks'
    const contents = last(at(/write|truncate/, `${image}.new`))
    const contentsSynced = last(at(/sync/, `${image}.new`))
    const renamed = first(at(/^rename/, image))
    assert.ok(contents >= 0 && contents < contentsSynced, 'the contents are durable')
    assert.ok(contentsSynced < renamed, 'before the image has its name')
    for (const path of ['data/volumes/v', 'data/volumes', 'data']) {
      const [made, synced] = [last(at(/^mkdir/, path)), last(at(/sync/, join(folder, path)))]
      assert.ok(synced > made && synced >= 0, `${path} is durable`)
    }
    for (const path of ['data/volumes/v', 'data/volumes'])
      assert.ok(last(at(/sync/, join(folder, path))) > renamed, path)
    await rm(folder, { recursive: true })
  },
)

// A volume that is re-encrypted while it is written, and the power that is cut at every step of it: what was flushed is there,
// each other sector is an old or a new one, and whoever goes on from there comes to an end at which the newer key alone
// opens everything. And two threads that read and write all the while.
//
// KEYWARD_TEST_POWER_CUTS sets the number of seeds, KEYWARD_TEST_SEED runs one again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { systemClock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import { aligned } from './aligned.ts'
import { checked } from './checked.ts'
import { CopyRun } from './copy-run.ts'
import type { BlockDevice } from './device.ts'
import { encrypted } from './encrypted.ts'
import { Pace } from './pace.ts'
import { RangeLock } from './range-lock.ts'
import { ReencryptionLog } from './reencryption-log.ts'
import { memoryImage } from './testing/memory-image.ts'
import { cuts, stateAfter } from './testing/power-cut.ts'
import type { Entry } from './testing/power-cut.ts'
import { judge, sectorBytes, tell } from './testing/power-story.ts'
import { chanceOf, seedsOf } from './testing/seeded.ts'
import { borrowedTwoKeys, TwoKeyCipher } from './two-keys.ts'
import { VolumeReencryption } from './volume-reencryption.ts'
import { watermarkStepBytes } from './watermark.ts'

const seeds = seedsOf('KEYWARD_TEST_POWER_CUTS', 1)
const chunkBytes = watermarkStepBytes
const sizeBytes = 9 * chunkBytes + 3 * sectorBytes
// Of whole blocks, as headers are: holes are punched behind it.
const header = Buffer.alloc(72 * 4096, 'the header that the image will have. ')

const keyOf = (fill: number): SecretBytes => SecretBytes.own(Uint8Array.from({ length: 64 }, (_, i) => i + fill))
const cipherOf = (fill: number) => makeSectorCipher(keyOf(fill), sectorBytes)
const [older, newer] = [1, 100]

interface World {
  /** As two threads have it. */
  readonly devices: readonly BlockDevice[]
  readonly reencryption: VolumeReencryption
  readonly cipher: TwoKeyCipher
  run(): CopyRun
  readonly isStopped: () => boolean
}

async function makeWorld(image: ReturnType<typeof memoryImage>): Promise<World> {
  const lock = new RangeLock()
  const cipher = new TwoKeyCipher(cipherOf(older))
  const log = await ReencryptionLog.find(image.area)
  if (log) cipher.take(cipherOf(newer), log.watermarkBytes)
  const { loan, watermark } = cipher.lend().view
  const ciphers = [cipher, borrowedTwoKeys({ loan, watermark }, sectorBytes)]
  const devices = ciphers.map((each) => {
    const layers = encrypted(checked(image.store, sectorBytes), each)
    return aligned(checked(layers, sectorBytes), sectorBytes, new RangeLock(lock.memory))
  })
  let stopped = false
  const parts = { store: image.store, area: image.area, cipher, lock, log, isBeingCopied: () => false }
  const reencryption = new VolumeReencryption(
    { ...parts, mayWork: () => !stopped, onDone: async () => undefined, onBroken: () => (stopped = true) },
    chunkBytes,
  )
  return { devices, reencryption, cipher, run: () => new CopyRun(), isStopped: () => stopped }
}

const pace = () => new Pace(null, systemClock)

async function toTheEnd({ reencryption, run }: World): Promise<void> {
  using key = keyOf(newer)
  if (!reencryption.isUnderWay) await reencryption.begin(header, key, run())
  await reencryption.carryOn(run(), pace(), () => 0)
}

/** What the newer key alone gives. */
async function readWith(image: ReturnType<typeof memoryImage>, fill: number): Promise<Buffer> {
  const found = Buffer.alloc(sizeBytes)
  await encrypted(checked(image.store, sectorBytes), cipherOf(fill)).read(found, 0)
  return found
}

const first = (devices: readonly BlockDevice[]): BlockDevice => devices[0] ?? assert.fail()

test(`a re-encryption loses and mixes nothing, whenever the power is cut (${seeds.length} seeds)`, async () => {
  let cutCount = 0
  for (const seed of seeds) {
    const chance = chanceOf(seed)
    const log: Entry[] = []
    const image = memoryImage(sizeBytes, { log })
    const world = await makeWorld(image)
    // The volume has had a life before; some of it was never written.
    const done: Promise<void>[] = []
    let requests = 0
    const story = await tell(chance, first(world.devices), log, async () => {
      requests += 1
      if (requests === 3) done.push(toTheEnd(world))
      for (let turns = chance.below(9); turns > 0; turns -= 1) await image.turn()
    })
    await Promise.all(done)
    for (let at = 0; at <= log.length; at += 1 + chance.below(5)) {
      for (const cut of cuts(chance, at)) {
        const area = { offset: 0, byteCount: luks2DataOffsetBytes + sizeBytes }
        const after = memoryImage(sizeBytes, { bytes: stateAfter(log, cut, area) })
        try {
          await judgeCut(after, (found) => judge(found, story, cut))
        } catch (cause) {
          throw new Error(`KEYWARD_TEST_SEED=${seed}: a cut after ${at} of ${log.length} entries`, { cause })
        }
        cutCount += 1
      }
    }
  }
  assert.ok(cutCount > seeds.length * 50, `${cutCount} cuts`)
})

/** Opens what a cut has left as the volume does, sees that it is right, and goes on to the end, where it is right again. */
async function judgeCut(image: ReturnType<typeof memoryImage>, isRight: (found: Buffer) => void): Promise<void> {
  const hasEnded = header.equals(image.bytes.subarray(0, header.length))
  const log = await ReencryptionLog.find(image.area)
  const isBetween = log !== null && (await log.recover())
  if (hasEnded && !isBetween) return isRight(await readWith(image, newer))
  if (log !== null && !isBetween) return isRight(await readWith(image, newer))
  const world = await makeWorld(image)
  const found = Buffer.alloc(sizeBytes)
  await first(world.devices).read(found, 0)
  isRight(found)
  await toTheEnd(world)
  assert.ok((await readWith(image, newer)).equals(found), 'the newer key opens all of it')
  assert.ok(header.equals(image.bytes.subarray(0, header.length)))
  const between = image.bytes.subarray(header.length, luks2DataOffsetBytes)
  assert.ok(between.equals(Buffer.alloc(between.length)), 'nothing of the log is left')
  assert.equal(await ReencryptionLog.find(image.area), null)
}

const operation = fc.record({
  thread: fc.nat(1),
  kind: fc.constantFrom('write', 'write', 'zero', 'trim', 'read'),
  offset: fc.nat(sizeBytes - 1),
  byteCount: fc.integer({ min: 1, max: 200_000 }),
  pause: fc.nat(6),
})

test('two threads read and write a volume while it is re-encrypted, twice', async () => {
  const delays = fc.infiniteStream(fc.nat(3))
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 15, maxLength: 40, size: 'max' }),
      fc.nat(9),
      delays,
      async (operations, begin, delay) => {
        const image = memoryImage(sizeBytes, { turns: () => Number(delay.next().value) })
        const world = await makeWorld(image)
        const model = Buffer.alloc(sizeBytes)
        const work: Promise<unknown>[] = []
        for (const [number, { thread, kind, offset, byteCount, pause }] of operations.entries()) {
          if (number === begin) work.push(toTheEnd(world))
          const device = world.devices[thread] ?? assert.fail()
          const length = Math.min(byteCount, sizeBytes - offset)
          // Claims are granted in the order in which they are asked for, so that the model may follow at once.
          if (kind === 'write') {
            const data = Buffer.alloc(length, 1 + (number % 250))
            work.push(device.write(data, offset))
            model.set(data, offset)
          }
          if (kind === 'zero') {
            work.push(device.zero(offset, length))
            model.fill(0, offset, offset + length)
          }
          if (kind === 'trim') {
            work.push(device.trim(offset, length))
            const [from, to] = [Math.ceil(offset / sectorBytes), Math.floor((offset + length) / sectorBytes)]
            if (to > from) model.fill(0, from * sectorBytes, to * sectorBytes)
          }
          if (kind === 'read') {
            const expected = Buffer.from(model.subarray(offset, offset + length))
            const target = Buffer.alloc(length)
            work.push(device.read(target, offset).then(() => assert.ok(target.equals(expected), `read ${number}`)))
          }
          for (let left = pause; left > 0; left -= 1) await image.turn()
        }
        await Promise.all(work)
        assert.ok((await readWith(image, newer)).equals(model))
        // Back to the first key: the places have changed their parts.
        using key = keyOf(older)
        await world.reencryption.begin(header, key, world.run())
        await world.reencryption.carryOn(world.run(), pace(), () => 0)
        assert.ok((await readWith(image, older)).equals(model))
        const target = Buffer.alloc(sizeBytes)
        await world.devices[1]?.read(target, 0)
        assert.ok(target.equals(model))
      },
    ),
    { numRuns: 25 },
  )
})

test('a re-encryption whose image cannot be written stops the volume; one that is given up between chunks does not', async () => {
  const image = memoryImage(sizeBytes)
  const world = await makeWorld(image)
  await first(world.devices).write(Buffer.alloc(sizeBytes, 7), 0)
  using key = keyOf(newer)
  const run = world.run()
  await world.reencryption.begin(header, key, run)
  const going = world.reencryption.carryOn(run, pace(), () => 0)
  while (run.progress.doneBytes < 2 * chunkBytes) await image.turn()
  const reason = new Fault('conflict', 'enough')
  run.abort(reason)
  await assert.rejects(going, reason)
  assert.ok(!world.isStopped() && world.reencryption.isUnderWay)
  await first(world.devices).write(Buffer.alloc(9, 8), chunkBytes)

  image.failWrites()
  await assert.rejects(
    world.reencryption.carryOn(world.run(), pace(), () => 0),
    { name: 'DeviceFault' },
  )
  assert.ok(world.isStopped())
})

test('a log that is damaged is no log: its header is not taken for one', async () => {
  const image = memoryImage(sizeBytes)
  const log = await ReencryptionLog.begin(image.area, header)
  assert.deepEqual(await log.header(), header)
  image.bytes.fill(0, 2 * 1024 * 1024, 2 * 1024 * 1024 + 9)
  await assert.rejects(log.header(), { code: 'unprocessable' })
  image.bytes.fill(1, 1024 * 1024 + 100, 1024 * 1024 + 5000)
  assert.equal(await ReencryptionLog.find(image.area), null)
})

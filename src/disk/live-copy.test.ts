// The copy of a device that is written all the while, in one process: requests of two threads' worth of layers over the
// same shared memory, in random order and with random delays.

import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { Fault } from '#base/fault.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { aligned } from './aligned.ts'
import { checked } from './checked.ts'
import { CopyRun } from './copy-run.ts'
import type { BlockDevice } from './device.ts'
import { Keeper } from './keeper.ts'
import { LiveCopy, reflink } from './live-copy.ts'
import { Preservation } from './preservation.ts'
import { preservingClaims } from './preserving-claims.ts'
import { RangeLock } from './range-lock.ts'
import { memoryDevice } from './testing/memory-device.ts'

const blockBytes = 4096
const sizeBytes = 12 * 64 * 1024 + 3 * blockBytes
const places = sizeBytes / blockBytes

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kw-live-'))
})
after(() => rm(folder, { recursive: true, force: true }))

/** Remembers what the device held when the copy began. */
class Witness extends Preservation {
  readonly #device: { readonly bytes: Uint8Array }
  seen = new Uint8Array()

  constructor(device: { readonly bytes: Uint8Array }) {
    super(sizeBytes)
    this.#device = device
  }

  override begin(fd: number): void {
    super.begin(fd)
    this.seen = this.#device.bytes.slice()
  }
}

interface World {
  readonly live: LiveCopy
  readonly witness: Witness
  /** As two threads have them. */
  readonly devices: readonly BlockDevice[]
}

function makeWorld(turns: () => number): World {
  const below = memoryDevice({ sizeBytes, turns })
  for (let place = 0; place < places; place += 1) {
    if (place % 5 !== 0) below.bytes.fill(place + 1, place * blockBytes, (place + 1) * blockBytes)
  }
  const lock = new RangeLock()
  const witness = new Witness(below)
  const keeper = new Keeper(below, witness)
  const other = new Preservation(sizeBytes, witness.memory)
  const claims = [
    preservingClaims(lock, witness, keeper),
    preservingClaims(new RangeLock(lock.memory), other, new Keeper(below, other)),
  ]
  const devices = claims.map((each) => aligned(checked(below, blockBytes), blockBytes, each))
  const live = new LiveCopy({
    path: '',
    source: below,
    lock,
    preservation: witness,
    keeper,
    isBetweenKeys: () => false,
  })
  return { live, witness, devices }
}

const operation = fc.record({
  thread: fc.nat(1),
  kind: fc.constantFrom('write', 'zero', 'trim'),
  offset: fc.nat(sizeBytes - 1),
  byteCount: fc.integer({ min: 1, max: 200_000 }),
  pause: fc.nat(6),
})

test('LiveCopy copies one moment of a device that two threads change', async () => {
  const delays = fc.infiniteStream(fc.nat(3))
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 30 }), fc.nat(29), delays, async (operations, begin, delay) => {
      const { live, witness, devices } = makeWorld(() => Number(delay.next().value))
      const path = join(folder, 'copy')
      const file = await open(path, 'w+')
      const work: Promise<unknown>[] = []
      for (const [number, { thread, kind, offset, byteCount, pause }] of operations.entries()) {
        if (number === begin % operations.length) work.push(live.copy(file.fd, new CopyRun()))
        const device = devices[thread] ?? assert.fail()
        const length = Math.min(byteCount, sizeBytes - offset)
        if (kind === 'write') work.push(device.write(new Uint8Array(length).fill(200 + (number % 50)), offset))
        if (kind === 'zero') work.push(device.zero(offset, length))
        if (kind === 'trim') work.push(device.trim(offset, length))
        for (let left = pause; left > 0; left -= 1) await nextTurn()
      }
      if (operations.length === 0) work.push(live.copy(file.fd, new CopyRun()))
      await Promise.all(work)
      await file.truncate(luks2DataOffsetBytes + sizeBytes)
      const copied = (await readFile(path)).subarray(luks2DataOffsetBytes)
      await file.close()
      assert.equal(Buffer.compare(copied, witness.seen), 0)
    }),
    { numRuns: 30 },
  )
})

test('a copy that cannot be written fails, and the device goes on', async () => {
  const { live, witness, devices } = makeWorld(() => 1)
  const file = await open(join(folder, 'copy'), 'r')
  const writes = devices.map((device, i) => device.write(Buffer.alloc(100_000, i + 1), i * 300_000))
  await assert.rejects(live.copy(file.fd, new CopyRun()), { name: 'DeviceFault', code: 'EIO' })
  await Promise.all(writes)
  await file.close()
  assert.equal(witness.target(), null)
  const target = Buffer.alloc(100_000)
  await devices[0]?.read(target, 300_000)
  assert.deepEqual(target, Buffer.alloc(100_000, 2))
})

test('a copy that is given up ends, and the device goes on', async () => {
  const { live, witness, devices } = makeWorld(() => 1)
  const path = join(folder, 'given-up')
  const file = await open(path, 'w+')
  const run = new CopyRun()
  const copy = live.copy(file.fd, run)
  while (run.progress.doneBytes === 0) await nextTurn()
  const reason = new Fault('conflict', 'enough')
  run.abort(reason)
  assert.equal(witness.target(), null, 'at once')
  await assert.rejects(copy, reason)
  await file.close()
  await devices[1]?.write(Buffer.alloc(10, 9), sizeBytes - 10)
  const again = await open(path, 'w+')
  await live.copy(again.fd, new CopyRun())
  await again.close()
})

test('reflink() leaves nothing behind where the file system does not', async () => {
  const to = '/dev/shm/kw-reflink-test'
  assert.equal(await reflink(join(folder, 'copy'), to), false)
  await assert.rejects(readFile(to), { code: 'ENOENT' })
})

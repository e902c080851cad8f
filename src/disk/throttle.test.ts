import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeFakeClock } from './testing/fake-clock.ts'
import { memoryDevice } from './testing/memory-device.ts'
import { Throttle, throttled } from './throttle.ts'

const settled = async (promises: Promise<unknown>[]): Promise<number> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  const pending = Symbol('pending')
  const states = await Promise.all(promises.map((promise) => Promise.race([promise, Promise.resolve(pending)])))
  return states.filter((state) => state !== pending).length
}

function scene(limits: { iopsMax?: number; bandwidthBytesPerSecondMax?: number }) {
  const clock = makeFakeClock()
  const throttle = new Throttle()
  throttle.limit(limits)
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve))
  const memory = memoryDevice({ sizeBytes: 1 << 20 })
  return { clock, throttle, memory, device: throttled(memory, throttle, { nowMs: clock.monotonicMs, sleep }) }
}

test('a second of requests goes at once, and then one whenever it has been earned', async () => {
  const { clock, device } = scene({ iopsMax: 10 })
  const reads = Array.from({ length: 25 }, () => device.read(new Uint8Array(512), 0))
  assert.equal(await settled(reads), 10)
  clock.pass(100)
  assert.equal(await settled(reads), 11)
  clock.pass(900)
  assert.equal(await settled(reads), 20)
  clock.pass(500)
  assert.equal(await settled(reads), 25)
})

test('bytes are counted over reads, writes and zeroing, and not over flushes and trims', async () => {
  const { clock, device } = scene({ bandwidthBytesPerSecondMax: 4096 })
  const first = [device.write(new Uint8Array(2048), 0), device.zero(0, 2048)]
  assert.equal(await settled(first), 2)
  const second = device.read(new Uint8Array(4096), 0)
  const free = [device.flush(), device.trim(0, 4096), device.extents(0, 4096)]
  assert.equal(await settled(free), 3)
  clock.pass(999)
  assert.equal(await settled([second]), 0)
  clock.pass(1)
  assert.equal(await settled([second]), 1)
})

test('what an idle volume saves is a second at most', async () => {
  const { clock, device } = scene({ iopsMax: 10 })
  clock.pass(60_000)
  const reads = Array.from({ length: 15 }, () => device.read(new Uint8Array(512), 0))
  assert.equal(await settled(reads), 10)
})

test('a request that cannot be served at once pays only when it is', async () => {
  const { device, throttle, clock } = scene({ iopsMax: 2 })
  // The device below never serves at once.
  for (let count = 0; count < 5; count += 1) assert.equal(device.readNow(new Uint8Array(512), 0), false)
  const reads = Array.from({ length: 3 }, () => device.read(new Uint8Array(512), 0))
  assert.equal(await settled(reads), 2)
  assert.equal(throttle.tryTake(512, clock.monotonicMs()), false)
})

test('threads that share the memory share the account, and limits can be changed and lifted', () => {
  const here = new Throttle()
  here.limit({ iopsMax: 4 })
  const there = new Throttle(here.memory)
  assert.deepEqual(
    [here, there, here, there, here].map((side) => side.tryTake(512, 5000)),
    [true, true, true, true, false],
  )
  there.limit({ iopsMax: 8 })
  assert.equal(here.tryTake(512, 5125), true)
  assert.equal(here.tryTake(512, 5125), false)
  here.limit({})
  assert.equal(there.tryTake(1 << 20, 5125), true)
})

import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { leaseMs, leaseRenewMs } from '#base/limits.ts'
import { makeLog } from '#base/log.ts'
import { makeTestClock } from '#kms/testing/world.ts'
import { watch } from './deadline.ts'

const never = () => new Promise<never>(() => {})

function watched() {
  const clock = makeTestClock()
  const killed: number[] = []
  const images = { createVolume: never, deleteVolume: never, createSnapshot: never, createVolumeFrom: never }
  const imports = { describeImage: never, importStaged: never, exportStaged: never, cancelExport: never }
  const reencryptions = { reencryptVolume: never, limitReencryption: never }
  const copies = { ...images, ...imports, ...reencryptions }
  const remote = { ...copies, copyProgress: never, addExport: never, removeExport: never, connect: never }
  const stop = watch({
    remote: { ...remote, hello: never, fence: never },
    ended: never(),
    clock,
    log: makeLog('silent'),
    kill: () => void killed.push(clock.monotonicMs()),
  })
  const pass = async (ms: number) => {
    clock.advance(ms)
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  }
  return { killed, pass, stop, startedMs: clock.monotonicMs() }
}

test('a process that is silent for a lease is killed', async () => {
  const { killed, pass, startedMs } = watched()
  await pass(leaseRenewMs)
  await pass(leaseMs - 1)
  deepEqual(killed, [])
  await pass(1)
  deepEqual(killed, [startedMs + leaseRenewMs + leaseMs])
})

test('a process that is told to end is asked no more, and its silence says nothing', async () => {
  for (const asked of [true, false]) {
    const { killed, pass, stop } = watched()
    if (asked) await pass(leaseRenewMs)
    stop()
    await pass(leaseRenewMs)
    await pass(leaseMs)
    deepEqual(killed, [])
  }
})

import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '#base/clock.ts'
import { machineReadsPerTurn } from '#base/limits-compute.ts'
import { pace } from './paced.ts'

test('who has much to say is heard a little at a time, and in the end all of it', async () => {
  const timers: (() => void)[] = []
  const clock: Clock = {
    now: () => 0,
    monotonicMs: () => 0,
    after: (_ms, callback) => (timers.push(callback), () => {}),
  }
  const source = Readable.from(Array.from({ length: machineReadsPerTurn * 3 + 1 }, (_, i) => Buffer.from([i])))
  const heard: number[] = []
  source.on('data', ([byte = -1]: Buffer) => heard.push(byte))
  pace(source, clock)
  for (const turns of [1, 2, 3]) {
    for (let i = 0; i < 20; i++) await turn()
    assert.equal(heard.length, turns * machineReadsPerTurn)
    assert.equal(timers.length, 1, 'one turn at a time')
    timers.pop()?.()
  }
  for (let i = 0; i < 20; i++) await turn()
  assert.deepEqual(
    heard,
    Array.from({ length: machineReadsPerTurn * 3 + 1 }, (_, i) => i),
  )
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { nbdInFlightBytesMax, nbdPieceBytes, nbdStallBytesMin, nbdStallMs } from '#base/limits.ts'
import { InFlight } from './in-flight.ts'
import type { Place } from './in-flight.ts'
import { RequestMemory } from './request-memory.ts'
import { silence } from './lane-replies.ts'
import { socketCalls, descriptorOf } from './socket-calls.ts'
import { Patience } from './stall.ts'
import { socketPair } from './testing/socket-pair.ts'

const MiB = 1024 * 1024

describe('RequestMemory', () => {
  test('one alone has half of it, and n greedy ones a share of n + 1 each', () => {
    for (const count of [1, 2, 7, 64]) {
      const memory = new RequestMemory(256 * MiB)
      const held = Array.from({ length: count }, () => 0)
      for (let isFull = false; !isFull; ) {
        isFull = true
        for (const [index, bytes] of held.entries()) {
          if (!memory.tryTake(bytes, 64 * 1024)) continue
          held[index] = bytes + 64 * 1024
          isFull = false
        }
      }
      const share = (256 * MiB) / (count + 1)
      for (const bytes of held) assert.ok(Math.abs(bytes - share) <= 64 * 1024 * count, `${bytes} of ${share}`)
      assert.ok(memory.tryTake(0, 64 * 1024), 'whoever comes next finds something')
    }
  })
})

describe('InFlight', () => {
  test('whoever has nothing in memory may always take a piece, and nobody waits for another connection', async () => {
    const memory = new RequestMemory(MiB)
    assert.ok(memory.tryTake(0, MiB / 2))
    assert.ok(memory.tryTake(0, MiB / 4))
    const connections = Array.from({ length: 100 }, () => new InFlight(nbdInFlightBytesMax, memory))
    const places = await Promise.all(connections.map((inFlight) => inFlight.enter(32 * MiB)))
    for (const place of places) assert.equal(place.byteCount, nbdPieceBytes)
    const second: Place[] = []
    const waiting = connections.map(async (inFlight) => second.push(await inFlight.enter(MiB)))
    await new Promise(setImmediate)
    assert.equal(second.length, 0)
    for (const place of places) place.leave()
    await Promise.all(waiting)
    assert.equal(second.length, 100)
    for (const place of second) place.leave()
    assert.equal(memory.usedBytes, (MiB * 3) / 4)
    await Promise.all(connections.map((inFlight) => inFlight.idle()))
  })
})

describe('Patience', () => {
  test('ends when too little has moved in what was waited, however the waits were cut', () => {
    const [step, least] = [nbdStallMs / 10, nbdStallBytesMin]
    const steps = (bytes: number, count: number): boolean[] => {
      const patience = new Patience()
      return Array.from({ length: count }, () => patience.lasts(step, bytes))
    }
    assert.equal(steps(0, 10).indexOf(false), 9)
    assert.equal(steps(1, 10).indexOf(false), 9, 'a byte now and then is not enough')
    assert.equal(steps(least / 10 + 1, 1000).indexOf(false), -1)
    const patience = new Patience()
    assert.ok(patience.lasts(nbdStallMs, least), 'what comes late comes')
    assert.equal(patience.lasts(nbdStallMs, least - 1), false)
  })
})

test('a thread that waits for a client hears of its silence, and gives up on one that takes nothing', {
  skip: socketCalls === null && 'node:ffi is not in this Node',
}, async () => {
  const calls = socketCalls
  assert.ok(calls)
  await using pair = await socketPair()
  const fd = calls.duplicate(descriptorOf(pair.server) ?? -1)
  assert.ok(fd !== null)
  pair.server.pause()
  pair.client.pause()
  calls.setPatience(fd, 20)
  const bytes = Buffer.alloc(4 * MiB)
  assert.equal(calls.receive(fd, calls.addressOf(bytes), 10), silence)
  assert.equal(calls.send(fd, calls.addressOf(bytes), bytes.length), false)
  calls.shutDown(fd)
  assert.equal(calls.receive(fd, calls.addressOf(bytes), 10), 0)
  calls.close(fd)
})

// Snapshots of several volumes at one moment: one client writes a growing number to each volume in turn, the next only when
// the one before was acknowledged. In the snapshots no number may be missing that another volume's shows to have come before.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, test } from 'node:test'
import { systemClock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { Moments, momentOf } from './moments.ts'
import type { VolumeSpec } from './port.ts'
import { needs, nbdsh, startPython } from './testing/outside-tools.ts'
import { closeImage, connectTo, imageOf, makeVolume, MiB, pool } from './testing/server-fixture.ts'
import { startPool, stopPool } from './testing/server-fixture.ts'
import { attach, fill, refused, rounds, specLike } from './testing/snapshot-fixture.ts'

before(() => startPool(2))
after(stopPool)

/** Enough for both processes of the pool to have some. */
const volumeCount = 4

const counters = async (volumes: readonly VolumeSpec[]): Promise<number[]> => {
  const shown: number[] = []
  for (const volume of volumes) {
    shown.push(Number(await nbdsh(await attach(volume), 'print(int.from_bytes(h.pread(8, 4096), "big"))')))
    await closeImage(volume)
  }
  return shown
}

/** Writes 1, 1, 1, 1, 2, 2 and so on to the volumes in turn, and says each round that is acknowledged. */
const writeInTurn = (uris: readonly string[]): string[] => [
  `others = [nbd.NBD() for _ in range(${uris.length - 1})]`,
  `for other, uri in zip(others, ${JSON.stringify(uris.slice(1))}):`,
  '  other.set_uri_allow_local_file(True)',
  '  other.connect_uri(uri)',
  'n = 0',
  'try:',
  '  while True:',
  '    n += 1',
  '    for each in [h] + others:',
  '      each.pwrite(n.to_bytes(8, "big") + bytes(4088), 4096)',
  '    print(n, flush=True)',
  'except BrokenPipeError:',
  '  pass',
]

test('a group of snapshots holds one moment of all of its volumes', needs('nbdsh'), async () => {
  const volumes = await Promise.all(Array.from({ length: volumeCount }, () => makeVolume(32 * MiB)))
  const uris: string[] = []
  for (const volume of volumes) uris.push((await connectTo(volume)).unixUri)
  for (const [i, uri] of uris.entries()) await nbdsh(uri, ...fill(8 + 4 * i))
  const writer = startPython(uris[0] ?? '', ...writeInTurn(uris))
  await writer.spoken()
  for (let round = 0; round < rounds * 2; round += 1) {
    await sleep(50)
    const snapshots = volumes.map((volume) => specLike(volume))
    const members = volumes.map((source, i) => ({ source, snapshot: snapshots[i] ?? source }))
    const before = Number(writer.line())
    const taken = await pool.port.createSnapshots(members)
    assert.ok(taken.every(({ storedBytes }) => storedBytes > 0))
    assert.deepEqual(await pool.port.createSnapshots(members), taken, 'what is there stays')
    const shown = await counters(snapshots)
    assert.ok(
      shown.every((n) => n >= before),
      `${shown}: ${before} had been acknowledged`,
    )
    for (const [i, n] of shown.entries()) {
      const earlier = shown.slice(0, i)
      assert.ok(
        earlier.every((one) => one >= n),
        `${shown}: ${n} without what came before it`,
      )
    }
    assert.ok(Math.max(...shown) - Math.min(...shown) <= 1, `${shown}`)
    for (const { volumeId } of snapshots) await pool.port.deleteVolume(volumeId)
  }
  const last = Number(writer.line())
  await sleep(100)
  assert.ok(Number(writer.line()) > last, 'writing goes on')
  await writer.stop()
})

test('all of a group are taken, or none', needs('nbdsh'), async () => {
  const volumes = [await makeVolume(), await makeVolume(), await makeVolume()]
  const [first, second, third] = volumes.map((volume) => specLike(volume))
  const [a, b, c] = volumes
  assert.ok(first && second && third && a && b && c)
  const gone = specLike(a)
  const members = [
    { source: a, snapshot: first },
    { source: b, snapshot: second },
  ]
  await assert.rejects(
    pool.port.createSnapshots([...members, { source: gone, snapshot: third }]),
    refused('not_found'),
    'the cause is told, not that the others waited for nothing',
  )
  for (const { volumeId } of [first, second, third]) assert.equal(await pool.port.describeImage(volumeId), null)
  assert.ok(!existsSync(dirname(imageOf(first))))

  // What is left of another moment is not taken for one of this.
  await pool.port.createSnapshot(a, first)
  await nbdsh((await connectTo(a)).unixUri, 'h.pwrite((7).to_bytes(8, "big"), 4096)')
  await pool.port.createSnapshots(members)
  assert.deepEqual(await counters([first, second]), [7, 0])
})

test('whoever does not come keeps nobody waiting', async () => {
  const moments = new Moments()
  moments.begin('m', 2)
  const moment = momentOf({ moments, clock: systemClock }, 'm')
  const waiting = moment.held()
  moments.end('m')
  const isOver = (error: unknown): boolean => error instanceof Fault && error.code === 'unavailable'
  await assert.rejects(waiting, isOver)
  await assert.rejects(moment.held(), isOver)
})

test('nobody is held for longer than the bound', async () => {
  const rung: (() => void)[] = []
  const clock = { ...systemClock, after: (_ms: number, ring: () => void) => (rung.push(ring), () => undefined) }
  const moments = new Moments()
  moments.begin('m', 2)
  const waiting = momentOf({ moments, clock }, 'm').held()
  for (const ring of rung) ring()
  await assert.rejects(waiting, /not every volume was held in time/)
})

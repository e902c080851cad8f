// The test of every way to make a snapshot: four clients write all the while, and the snapshot holds one moment of each.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { VolumeSpec } from '../port.ts'
import { nbdsh, startPython } from './outside-tools.ts'
import { closeImage, connectTo, makeVolume, MiB, pool } from './server-fixture.ts'
import { attach, checkGenerations, fill, opens, rounds, specLike, writeGenerations } from './snapshot-fixture.ts'
import type { Stamps } from './snapshot-fixture.ts'

/** `inspect` sees each snapshot before anything else does. */
export async function seeOneMoment(inspect: (snapshot: VolumeSpec) => Promise<void>): Promise<void> {
  const volume = await makeVolume(160 * MiB)
  const { unixUri, tlsUri } = await connectTo(volume)
  await nbdsh(unixUri, ...fill(128))
  const sets: readonly Stamps[] = [
    { offset: 8 * MiB, unitBytes: 4096, count: 1024 },
    { offset: 64 * MiB, unitBytes: 512, count: 4096 },
    { offset: 90 * MiB, unitBytes: 65_536, count: 256 },
    { offset: 130 * MiB, unitBytes: 1 * MiB, count: 16 },
  ]
  // Where the stamps will be, nothing is yet.
  for (const { offset, unitBytes, count: places } of sets)
    await nbdsh(unixUri, `h.zero(${unitBytes * (places + 1)}, ${offset})`)
  const writers = sets.map((stamps, i) => startPython(i === 1 ? tlsUri : unixUri, ...writeGenerations(stamps)))
  for (const writer of writers) await writer.spoken()

  for (let round = 0; round < rounds; round += 1) {
    await sleep(100)
    const snapshot = specLike(volume)
    const before = writers.map((writer) => Number(writer.line()))
    const { storedBytes } = await pool.port.createSnapshot(volume, snapshot)
    const later = writers.map((writer) => Number(writer.line()))
    assert.ok(storedBytes > 32 * MiB && storedBytes <= 160 * MiB)
    await inspect(snapshot)
    const uri = await attach(snapshot)
    for (const [i, stamps] of sets.entries()) {
      const newest = Number(await nbdsh(uri, ...checkGenerations(stamps)))
      assert.ok(newest >= (before[i] ?? 0), `${newest} was acknowledged before`)
      assert.ok(newest <= (later[i] ?? 0) + 1, `${newest} came after`)
    }
    await closeImage(snapshot)
    assert.ok(await opens(snapshot, snapshot))
    assert.ok(!(await opens(snapshot, volume)))
    assert.ok(!(await opens(volume, snapshot)))
    await pool.port.deleteVolume(snapshot.volumeId)
  }
  for (const writer of writers) await writer.stop()
  // The source has all of it.
  for (const [i, stamps] of sets.entries()) {
    const newest = Number(await nbdsh(unixUri, ...checkGenerations(stamps)))
    assert.ok(newest >= Number(writers[i]?.line()))
  }
}

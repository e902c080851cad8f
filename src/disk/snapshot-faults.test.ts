// Snapshots and copies when something goes wrong on purpose: keys are taken away, images are removed, processes are killed.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { VolumeSpec } from './port.ts'
import { fenceAll } from './testing/fake-kms.ts'
import { nbdsh, needs, startPython } from './testing/outside-tools.ts'
import { closeImage, connectTo, diskProcesses, imageOf, kms, makeVolume, MiB } from './testing/server-fixture.ts'
import { nextRestart, pool, startPool, stopPool } from './testing/server-fixture.ts'
import { attach, checkGenerations, fill, opens, refused, rounds } from './testing/snapshot-fixture.ts'
import { specLike, writeGenerations } from './testing/snapshot-fixture.ts'

before(() => startPool(2))
after(stopPool)

interface Making {
  readonly source: VolumeSpec
  readonly image: VolumeSpec
  readonly made: Promise<unknown>
}

const ways: Record<string, (source: VolumeSpec, image: VolumeSpec) => Promise<unknown>> = {
  snapshot: (source, image) => pool.port.createSnapshot(source, image),
  're-encrypted copy': (source, image) => pool.port.createVolumeFrom(image, source, { reencrypt: true }),
}

/** Something large that is being made, and has come some way; null where that takes no time. */
async function startMaking(way: string): Promise<Making | null> {
  const source = await makeVolume(320 * MiB)
  await nbdsh((await connectTo(source)).unixUri, ...fill(320))
  if (way !== 'snapshot') await closeImage(source)
  const image = specLike(source)
  const made = ways[way]?.(source, image) ?? assert.fail()
  const over = made.then(
    () => true,
    () => true,
  )
  while (!(await Promise.race([over, nextTurn(false)]))) {
    const progress = await pool.port.copyProgress(image.volumeId)
    if (!progress || progress.doneBytes === 0) continue
    assert.ok(progress.totalBytes >= 320 * MiB && progress.doneBytes <= progress.totalBytes)
    return { source, image, made }
  }
  return null
}

for (const way of Object.keys(ways)) {
  for (const whose of ['source', 'image'] as const) {
    test(`a ${way} ends with the key of its ${whose}, and leaves nothing`, needs('nbdsh'), async (t) => {
      const making = await startMaking(way)
      if (!making) return t.skip('the file system clones')
      const { volumeCrn } = making[whose]
      const leaseIds = kms.leaseIds(volumeCrn)
      kms.disable(volumeCrn)
      const acks = await fenceAll(pool.holders(), leaseIds)
      assert.equal(acks.length, leaseIds.length)
      await assert.rejects(making.made, refused('conflict'))
      assert.ok(!existsSync(dirname(imageOf(making.image))))
      assert.equal(await pool.port.copyProgress(making.image.volumeId), null)
      kms.enable(volumeCrn)
      await ways[way]?.(making.source, making.image)
      await nbdsh(await attach(making.image), 'assert h.pread(8, 7 << 20) == (7).to_bytes(8, "big")')
      await nbdsh(await attach(making.source), 'assert h.pread(8, 7 << 20) == (7).to_bytes(8, "big")')
    })
  }

  test(`a ${way} that is removed while it is made is not made`, needs('nbdsh'), async (t) => {
    const making = await startMaking(way)
    if (!making) return t.skip('the file system clones')
    const { source, image, made } = making
    await pool.port.deleteVolume(image.volumeId)
    await assert.rejects(made, refused('conflict'))
    assert.ok(!existsSync(dirname(imageOf(image))))
    await nbdsh(await attach(source), 'assert h.pread(8, 7 << 20) == (7).to_bytes(8, "big")')
  })
}

test(
  'a crash leaves a snapshot whole or not at all, and its volume as it was',
  needs('nbdsh', 'cryptsetup'),
  async () => {
    const volume = await makeVolume(64 * MiB)
    await nbdsh((await connectTo(volume)).unixUri, ...fill(64))
    const stamps = { offset: 8 * MiB, unitBytes: 4096, count: 1024, options: 'nbd.CMD_FLAG_FUA' }
    for (let round = 0; round < rounds; round += 1) {
      const uri = await attach(volume)
      await nbdsh(uri, `h.zero(${4096 * 1025}, ${8 * MiB})`)
      const writer = startPython(uri, ...writeGenerations(stamps))
      await writer.spoken()
      const [snapshot, copy] = [specLike(volume), specLike(volume, 'volume')]
      const restarted = nextRestart()
      const attempts = Promise.allSettled([pool.port.createSnapshot(volume, snapshot)])
      await sleep(randomInt(150))
      for (const pid of await diskProcesses()) process.kill(pid, 'SIGKILL')
      const [attempt] = await attempts
      await restarted
      while (pool.holders().length < 2) await sleep(5)
      const acknowledged = Number(writer.line())
      await writer.stop()
      if (attempt.status === 'fulfilled') assert.ok(existsSync(imageOf(snapshot)))
      if (existsSync(imageOf(snapshot))) assert.ok(await opens(snapshot, snapshot))
      const newest = Number(await nbdsh(await attach(volume), ...checkGenerations(stamps)))
      assert.ok(newest >= acknowledged)
      await pool.port.createSnapshot(volume, snapshot)
      await nbdsh(await attach(snapshot), ...checkGenerations(stamps))
      await closeImage(snapshot)
      const restartedAgain = nextRestart()
      const copying = Promise.allSettled([pool.port.createVolumeFrom(copy, snapshot, { reencrypt: true })])
      await sleep(randomInt(150))
      for (const pid of await diskProcesses()) process.kill(pid, 'SIGKILL')
      await copying
      await restartedAgain
      while (pool.holders().length < 2) await sleep(5)
      await pool.port.createVolumeFrom(copy, snapshot, { reencrypt: true })
      await nbdsh(await attach(copy), ...checkGenerations(stamps))
      for (const { volumeId } of [snapshot, copy]) await pool.port.deleteVolume(volumeId)
    }
  },
)

// Snapshots and copies as their users meet them: real processes, libnbd writing all the while, and cryptsetup to judge what
// opens what.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { nbdsh, needs, startPython, succeed } from './testing/outside-tools.ts'
import { seeOneMoment } from './testing/one-moment.ts'
import { closeImage, connectTo, folder, imageOf, kms, makeVolume, MiB, pool } from './testing/server-fixture.ts'
import { startPool, stopPool } from './testing/server-fixture.ts'
import { attach, fill, opens, refused, specLike, volumeKeyOf } from './testing/snapshot-fixture.ts'

before(() => startPool(2))
after(stopPool)

test('a snapshot of a volume that is written holds one moment of it', needs('nbdsh', 'cryptsetup'), () =>
  seeOneMoment(async () => undefined),
)

test('what cannot be is refused, and what is there already stays', needs('nbdsh'), async () => {
  const volume = await makeVolume()
  await nbdsh((await connectTo(volume)).unixUri, 'h.pwrite(b"first" * 1000, 0)')
  const [snapshot, nowhere] = [specLike(volume), specLike(volume)]
  await assert.rejects(pool.port.createSnapshot(nowhere, snapshot), refused('not_found'))
  await assert.rejects(pool.port.createVolumeFrom(snapshot, nowhere, { reencrypt: false }), refused('not_found'))
  const small = { ...snapshot, capacityBytes: volume.capacityBytes - 4096 }
  await assert.rejects(pool.port.createSnapshot(volume, small), refused('invalid'))
  await assert.rejects(pool.port.createSnapshot(volume, { ...snapshot, volumeId: '../x' }), refused('invalid'))
  assert.ok(!existsSync(dirname(imageOf(snapshot))), 'nothing is left of what was refused')

  const taken = await pool.port.createSnapshot(volume, snapshot)
  const { ino, mtimeMs } = await stat(imageOf(snapshot))
  await nbdsh((await connectTo(volume)).unixUri, 'h.pwrite(b"later" * 1000, 4 << 20)')
  assert.deepEqual(await pool.port.createSnapshot(volume, snapshot), taken)
  const again = await stat(imageOf(snapshot))
  assert.deepEqual([again.ino, again.mtimeMs], [ino, mtimeMs])
  assert.equal(await pool.port.copyProgress(snapshot.volumeId), null)
  await closeImage(volume)
  await pool.port.createVolumeFrom(specLike(volume, 'volume'), volume, { reencrypt: false })
  assert.deepEqual(kms.leaseIds(snapshot.volumeCrn), [])
})

for (const reencrypt of [false, true]) {
  const how = reencrypt ? 'under a new volume key' : 'under the same volume key'
  test(`a volume from a snapshot has its contents ${how}`, needs('nbdsh', 'cryptsetup', 'nbdcopy'), async () => {
    const volume = await makeVolume(64 * MiB)
    const { unixUri } = await connectTo(volume)
    await nbdsh(unixUri, ...fill(9), 'h.pwrite(b"end", h.get_size() - 3)', 'h.zero(1 << 20, 30 << 20)')
    const snapshot = specLike(volume)
    await pool.port.createSnapshot(volume, snapshot)
    const copy = { ...specLike(volume, 'volume'), capacityBytes: 80 * MiB }
    await pool.port.createVolumeFrom(copy, snapshot, { reencrypt })

    assert.equal((await volumeKeyOf(copy)) === (await volumeKeyOf(snapshot)), !reencrypt)
    assert.equal(await volumeKeyOf(snapshot), await volumeKeyOf(volume))
    for (const other of [volume, snapshot]) {
      assert.ok(!(await opens(copy, other)))
      assert.ok(!(await opens(other, copy)))
    }
    const [before, later] = [join(folder, 'before'), join(folder, 'after')]
    await succeed('nbdcopy', unixUri, before)
    await succeed('nbdcopy', await attach(copy), later)
    const contents = await readFile(later)
    assert.ok(contents.subarray(0, 64 * MiB).equals(await readFile(before)))
    assert.ok(contents.subarray(64 * MiB).equals(Buffer.alloc(16 * MiB)))
    // Ten stored megabytes and a sector: holes have stayed holes.
    const { storedBytes } = await pool.port.createSnapshot(snapshot, copy)
    assert.equal(storedBytes, 10 * MiB + 4096)
    assert.equal((await stat(imageOf(copy))).size, luks2DataOffsetBytes + 80 * MiB)
    const images = await Promise.all(
      [volume, copy].map(async (of) => (await readFile(imageOf(of))).subarray(luks2DataOffsetBytes)),
    )
    assert.equal(images[0]?.subarray(0, 4096).equals(images[1]?.subarray(0, 4096) ?? Buffer.alloc(0)), !reencrypt)
    await closeImage(copy)
  })
}

test('a volume that is written is not copied as if it were not', needs('nbdsh'), async () => {
  const volume = await makeVolume()
  const writer = startPython((await connectTo(volume)).unixUri, 'print(1, flush=True)', 'while True: h.pwrite(b"x", 0)')
  await writer.spoken()
  await assert.rejects(
    pool.port.createVolumeFrom(specLike(volume, 'volume'), volume, { reencrypt: false }),
    refused('conflict'),
  )
  await writer.stop()
})

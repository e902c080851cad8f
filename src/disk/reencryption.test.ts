// Volumes that are re-encrypted in their place as their users meet it: real processes, clients that go on all the while, keys
// that are taken away, processes that are killed, and cryptsetup to judge what opens what.
//
// KEYWARD_TEST_CRASHES sets the number of kills.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import type { VolumeSpec } from './port.ts'
import { fenceAll } from './testing/fake-kms.ts'
import { nbdsh, needs, startPython } from './testing/outside-tools.ts'
import { closeImage, connectTo, diskProcesses, imageOf, kms, makeVolume, MiB } from './testing/server-fixture.ts'
import { nextRestart, pool, startPool, stopPool } from './testing/server-fixture.ts'
import { checkGenerations, fill, opens, refused, specLike } from './testing/snapshot-fixture.ts'
import { volumeKeyOf, writeGenerations } from './testing/snapshot-fixture.ts'

const kills = Number(process.env['KEYWARD_TEST_CRASHES'] ?? 3)

before(() => startPool(1))
after(stopPool)

interface Moving {
  /** As it was, as the disk is told of it meanwhile, and as it will be. */
  readonly from: VolumeSpec
  readonly between: VolumeSpec
  readonly to: VolumeSpec
}

function toAnotherKey(from: VolumeSpec): Moving {
  const newer = { keyCrn: 'crn:another-root-key', wrappedDataKey: kms.wrapNewKey(from.volumeCrn) }
  return { from, between: { ...from, newer }, to: { ...from, ...newer } }
}

const tell = ({ between }: Moving): Promise<void> =>
  pool.port.addExport({ attachmentId: between.volumeId, volume: between })

/** Fulfilled when it has come at least so far; false when it is over before. */
async function comesTo(doneBytes: number, { from }: Moving, going: Promise<void>): Promise<boolean> {
  const over = going.then(
    () => true,
    () => true,
  )
  while (!(await Promise.race([over, nextTurn(false)]))) {
    if (((await pool.port.copyProgress(from.volumeId))?.doneBytes ?? 0) >= doneBytes) return true
  }
  return false
}

/** Closed, the image opens with its newer key and in no way with its older one. */
async function isUnderNewerKey({ from, to }: Moving, before: { readonly key: string; readonly image: Buffer }) {
  await closeImage(from)
  assert.ok(await opens(to, to))
  assert.ok(!(await opens(to, from)))
  assert.notEqual(await volumeKeyOf(to), before.key)
  const image = await readFile(imageOf(to))
  // Of the older key slot, and of every sector that was stored, nothing is left.
  for (let at = 32_768; at < 32_768 + 256_000; at += 4096) {
    assert.equal(image.indexOf(before.image.subarray(at, at + 64)), -1, `key material of ${at}`)
  }
  for (let at = luks2DataOffsetBytes; at < image.length; at += 4096) {
    const was = before.image.subarray(at, at + 4096)
    const isStored = was.some((byte) => byte !== 0)
    assert.ok(!isStored || !image.subarray(at, at + 4096).equals(was), `sector ${at}`)
  }
}

async function lookAt(volume: VolumeSpec): Promise<{ key: string; image: Buffer }> {
  await closeImage(volume)
  const seen = { key: await volumeKeyOf(volume), image: await readFile(imageOf(volume)) }
  await pool.port.addExport({ attachmentId: volume.volumeId, volume })
  return seen
}

const stamps = { offset: 40 * MiB, unitBytes: 4096, count: 1024 }

test('a volume is re-encrypted under its clients', needs('nbdsh', 'cryptsetup'), async () => {
  const volume = await makeVolume(64 * MiB)
  const moving = toAnotherKey(volume)
  await nbdsh((await connectTo(volume)).unixUri, ...fill(24), 'h.pwrite(b"the last sector", h.get_size() - 15)')
  const seen = await lookAt(volume)
  const { unixUri, tlsUri } = await connectTo(volume)
  const writer = startPython(unixUri, ...writeGenerations(stamps))
  // A client of the first moment, in pieces that lie across whatever is being moved.
  const reader = startPython(
    tlsUri,
    'first = h.pread(24 << 20, 0)',
    'print(1, flush=True)',
    'while True:',
    '  assert h.pread(24 << 20, 0) == first, "other bytes"',
    '  print(2, flush=True)',
  )
  await Promise.all([writer.spoken(), reader.spoken()])
  await tell(moving)
  await pool.port.reencryptVolume(moving.between, null)
  const generation = Number(writer.line())
  const afterwards = async (): Promise<void> => {
    while (Number(writer.line()) < generation + 100) await sleep(10)
  }
  await afterwards()
  assert.equal(reader.line(), '2')
  assert.equal(kms.leaseIds(volume.volumeCrn).length, 1, 'one key is in use')
  assert.equal(await pool.port.copyProgress(volume.volumeId), null)

  // Once more: who has been lent keys is lent another.
  const again = toAnotherKey(moving.to)
  await tell(again)
  await pool.port.reencryptVolume(again.between, null)
  const later = Number(writer.line())
  while (Number(writer.line()) < later + 100) await sleep(10)
  await Promise.all([writer.stop(), reader.stop()])
  assert.ok(Number(await nbdsh(unixUri, ...checkGenerations(stamps))) >= later)
  assert.match(await nbdsh(unixUri, 'print(h.pread(15, h.get_size() - 15))'), /the last sector/)
  await pool.port.addExport({ attachmentId: volume.volumeId, volume: again.to })
  await isUnderNewerKey({ ...again, from: volume }, seen)
  assert.ok(!(await opens(again.to, moving.to)))
})

test(
  'a volume that nobody has open is re-encrypted; said again, that is all',
  needs('nbdsh', 'cryptsetup'),
  async () => {
    const volume = await makeVolume(20 * MiB)
    await nbdsh((await connectTo(volume)).unixUri, ...fill(9), 'h.zero(1 << 20, 12 << 20)')
    const seen = await lookAt(volume)
    const moving = toAnotherKey(volume)
    await closeImage(volume)
    await Promise.all([
      pool.port.reencryptVolume(moving.between, null),
      pool.port.reencryptVolume(moving.between, null),
    ])
    await pool.port.reencryptVolume(moving.between, 1)
    // Who does not know yet that it is done opens it all the same, and so does who knows.
    for (const spec of [moving.between, moving.to]) {
      await pool.port.addExport({ attachmentId: volume.volumeId, volume: spec })
      const { unixUri } = await connectTo(volume)
      const lines = ['print(int.from_bytes(h.pread(8, 8 << 20), "big"), h.pread(1 << 20, 12 << 20) == bytes(1 << 20))']
      assert.match(await nbdsh(unixUri, ...lines), /^8 True/)
      await closeImage(volume)
    }
    await isUnderNewerKey(moving, seen)
  },
)

for (const which of ['older', 'newer'] as const) {
  test(
    `the end of the ${which} key fences a volume that is between two keys`,
    needs('nbdsh', 'cryptsetup'),
    async () => {
      const volume = await makeVolume(48 * MiB)
      const moving = toAnotherKey(volume)
      await nbdsh((await connectTo(volume)).unixUri, ...fill(48))
      const seen = await lookAt(volume)
      await tell(moving)
      const client = startPython(
        (await connectTo(volume)).unixUri,
        'print(1, flush=True)',
        'while True: h.pread(512, 0)',
      )
      await client.spoken()
      // Two chunks, and then it waits.
      const going = pool.port.reencryptVolume(moving.between, MiB)
      assert.ok(await comesTo(4 * MiB, moving, going))
      const key = which === 'older' ? moving.from.wrappedDataKey : moving.to.wrappedDataKey
      const ended = kms.disableKey(key)
      const refusal = assert.rejects(going, refused('conflict'))
      assert.equal((await fenceAll(pool.holders(), ended)).length, ended.length)
      await refusal
      await client.stop()
      await assert.rejects(nbdsh((await connectTo(volume)).unixUri, 'h.pread(512, 0)'))
      await assert.rejects(pool.port.reencryptVolume(moving.between, null), refused('conflict'))

      kms.enableKey(key)
      const { unixUri } = await connectTo(volume)
      const numbers = 'print(all(int.from_bytes(h.pread(8, i << 20), "big") == i for i in range(48)))'
      assert.match(await nbdsh(unixUri, numbers), /True/)
      const further = pool.port.reencryptVolume(moving.between, MiB)
      await pool.port.limitReencryption(volume.volumeId, null)
      await further
      assert.match(await nbdsh(unixUri, numbers), /True/)
      await isUnderNewerKey(moving, seen)
    },
  )
}

test('what is between two keys is not copied, opened with one, or begun under a copy', needs('nbdsh'), async () => {
  const volume = await makeVolume(32 * MiB)
  await nbdsh((await connectTo(volume)).unixUri, ...fill(32))
  const moving = toAnotherKey(volume)
  await tell(moving)
  const going = pool.port.reencryptVolume(moving.between, MiB)
  going.catch(() => undefined)
  assert.ok(await comesTo(4 * MiB, moving, going))
  await assert.rejects(pool.port.createSnapshot(moving.between, specLike(volume)), refused('conflict'))
  await assert.rejects(
    pool.port.createVolumeFrom(specLike(volume, 'volume'), moving.between, { reencrypt: false }),
    refused('conflict'),
  )
  const restarted = nextRestart()
  for (const pid of await diskProcesses()) process.kill(pid, 'SIGKILL')
  await assert.rejects(going)
  await restarted
  await assert.rejects(
    pool.port.createVolumeFrom(specLike(volume, 'volume'), moving.between, { reencrypt: false }),
    refused('conflict'),
  )
  await pool.port.addExport({ attachmentId: volume.volumeId, volume })
  await assert.rejects(nbdsh((await connectTo(volume)).unixUri, 'h.pread(1, 0)'), /server policy/)
  await pool.port.deleteVolume(volume.volumeId)
})

test(
  `a re-encryption goes on where a kill has interrupted it, and loses nothing (${kills} kills)`,
  needs('nbdsh'),
  async () => {
    const volume = await makeVolume(96 * MiB)
    const moving = toAnotherKey(volume)
    const bulk = { offset: 0, unitBytes: 65_536, count: 512, options: 'nbd.CMD_FLAG_FUA' }
    await nbdsh((await connectTo(volume)).unixUri, ...fill(96))
    await nbdsh((await connectTo(volume)).unixUri, `h.zero(${65_536 * 513}, 0)`)
    const seen = await lookAt(volume)
    await tell(moving)
    let floor = 0
    for (let left = kills; left > 0; left -= 1) {
      const writer = startPython((await connectTo(volume)).unixUri, ...writeGenerations(bulk))
      const going = pool.port.reencryptVolume(moving.between, 48 * MiB).catch(() => undefined)
      await writer.spoken()
      await sleep(randomInt(150))
      const restarted = nextRestart()
      for (const pid of await diskProcesses()) process.kill(pid, 'SIGKILL')
      await going
      await writer.stop()
      const acknowledged = Number(writer.line())
      await restarted
      await tell(moving)
      const found = Number(await nbdsh((await connectTo(volume)).unixUri, ...checkGenerations(bulk)))
      assert.ok(found >= acknowledged, `${found} is older than ${acknowledged}`)
      // Another client begins at one again.
      await nbdsh((await connectTo(volume)).unixUri, `h.zero(${65_536 * 513}, 0, nbd.CMD_FLAG_FUA)`)
      floor = acknowledged
    }
    assert.ok(floor > 0)
    await pool.port.reencryptVolume(moving.between, null)
    await isUnderNewerKey(moving, seen)
  },
)

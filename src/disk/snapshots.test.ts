// Snapshots and copies as their users meet them: real processes, libnbd writing all the while, and cryptsetup to judge what
// opens what.

import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '#base/fault.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import type { VolumeSpec } from './port.ts'
import { fenceAll } from './testing/fake-kms.ts'
import { nbdsh, needs, run, startPython, succeed } from './testing/outside-tools.ts'
import {
  closeImage,
  connectTo,
  diskProcesses,
  folder,
  imageOf,
  kms,
  makeVolume,
  MiB,
  nextRestart,
  passphraseFile,
  pool,
  startPool,
  stopPool,
} from './testing/server-fixture.ts'

before(startPool)
after(stopPool)

let count = 0
/** More of them find rarer moments. */
const rounds = Number(process.env['KEYWARD_SNAPSHOT_ROUNDS'] ?? 2)

/** A specification of something that has no image yet. */
function specLike({ as, capacityBytes, keyCrn }: VolumeSpec, what = 'snapshot'): VolumeSpec {
  const volumeId = `r006-${what}-${(count += 1)}`
  const volumeCrn = `crn:v1:bluemix:public:is:us-south:a/${'b'.repeat(32)}::${what}:${volumeId}`
  return { volumeId, volumeCrn, capacityBytes, keyCrn, as, wrappedDataKey: kms.wrapNewKey(volumeCrn) }
}

/** Makes the image an export and reads it through the front door. */
async function attach(volume: VolumeSpec): Promise<string> {
  await pool.port.addExport({ attachmentId: volume.volumeId, volume })
  return (await connectTo(volume)).unixUri
}

const opens = async (image: VolumeSpec, key: VolumeSpec): Promise<boolean> => {
  const asked = ['--test-passphrase', '--key-file', await passphraseFile(key), imageOf(image)]
  return (await run('cryptsetup', 'open', ...asked)).code === 0
}

/** The volume key, as cryptsetup finds it. */
async function volumeKeyOf(volume: VolumeSpec): Promise<string> {
  const file = join(folder, `volume-key-${randomBytes(4).toString('hex')}`)
  const key = ['--key-file', await passphraseFile(volume)]
  await succeed('cryptsetup', 'luksDump', '-q', '--dump-volume-key', '--volume-key-file', file, ...key, imageOf(volume))
  return (await readFile(file)).toString('hex')
}

const refused = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

interface Stamps {
  /** Where they are, beginning with the one that names the newest generation. */
  readonly offset: number
  readonly unitBytes: number
  /** A power of two. */
  readonly count: number
  readonly options?: string
}

/**
 * A client that writes numbered generations, one after the other: generation n goes to a place of its own, and when that is
 * acknowledged, to the first place. It prints each that is acknowledged.
 */
const writeGenerations = ({ offset, unitBytes, count: places, options = '0' }: Stamps): string[] => [
  'generation = 0',
  'try:',
  '  while True:',
  '    generation += 1',
  `    stamp = generation.to_bytes(8, "big") * ${unitBytes / 8}`,
  `    h.pwrite(stamp, ${offset} + ${unitBytes} * (1 + generation * 37 % ${places}), ${options})`,
  `    h.pwrite(stamp, ${offset}, ${options})`,
  '    print(generation, flush=True)',
  'except (nbd.Error, BrokenPipeError): pass',
]

/** Checks that the volume holds what generations 1 to n left, for the n that its first place names; prints n. */
const checkGenerations = ({ offset, unitBytes, count: places }: Stamps): string[] => [
  'def read(place):',
  `  stamp = h.pread(${unitBytes}, ${offset} + ${unitBytes} * place)`,
  '  found = int.from_bytes(stamp[:8], "big")',
  `  assert stamp == found.to_bytes(8, "big") * ${unitBytes / 8}, ("torn", place)`,
  '  return found',
  'newest = read(0)',
  `expected = {1 + g * 37 % ${places}: g for g in range(max(1, newest - ${places} + 1), newest + 1)}`,
  // The next generation may have come to its place before the moment of the snapshot, and not to the first one.
  `following = 1 + (newest + 1) * 37 % ${places}`,
  `for place in range(1, ${places} + 1):`,
  '  found = read(place)',
  '  allowed = [expected.get(place, 0)] + ([newest + 1] if place == following else [])',
  '  assert found in allowed, ("place", place, "has", found, "not", allowed, "newest", newest)',
  'print(newest)',
]

const fill = (mib: number): string[] => [
  'import os',
  'piece = os.urandom(1 << 20)',
  `for i in range(${mib}): h.pwrite(i.to_bytes(8, "big") + piece[8:], i << 20)`,
]

test('a snapshot of a volume that is written holds one moment of it', needs('nbdsh', 'cryptsetup'), async () => {
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
})

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
    const [there, here] = [await stat(imageOf(volume)), await stat(imageOf(copy))]
    assert.ok(here.blocks <= there.blocks + 64, `${here.blocks} blocks, of ${there.blocks}`)
    assert.equal(here.size, luks2DataOffsetBytes + 80 * MiB)
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

interface Making {
  readonly source: VolumeSpec
  readonly image: VolumeSpec
  readonly made: Promise<unknown>
}

const ways: Record<string, (source: VolumeSpec, image: VolumeSpec) => Promise<unknown>> = {
  snapshot: (source, image) => pool.port.createSnapshot(source, image),
  're-encrypted copy': (source, image) => pool.port.createVolumeFrom(image, source, { reencrypt: true }),
}

/** Something large that is being made, and has come some way. */
async function startMaking(way: string): Promise<Making> {
  const source = await makeVolume(320 * MiB)
  await nbdsh((await connectTo(source)).unixUri, ...fill(320))
  if (way !== 'snapshot') await closeImage(source)
  const image = specLike(source)
  const made = ways[way]?.(source, image) ?? assert.fail()
  made.catch(() => undefined)
  for (;;) {
    const progress = await pool.port.copyProgress(image.volumeId)
    if (progress && progress.doneBytes > 0) {
      assert.ok(progress.totalBytes >= 320 * MiB && progress.doneBytes <= progress.totalBytes)
      return { source, image, made }
    }
  }
}

for (const way of Object.keys(ways)) {
  for (const whose of ['source', 'image'] as const) {
    test(`a ${way} ends with the key of its ${whose}, and leaves nothing`, needs('nbdsh'), async () => {
      const making = await startMaking(way)
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

  test(`a ${way} that is removed while it is made is not made`, needs('nbdsh'), async () => {
    const { source, image, made } = await startMaking(way)
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

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { BlockDevice } from './device.ts'
import { openImageFile } from './image-file.ts'
import { linux } from './system.ts'
import type { Linux } from './system.ts'

const sectorBytes = 4096
const dataOffsetBytes = 64 * 1024
const sizeBytes = 64 * sectorBytes

async function withImage(
  system: Linux | null,
  work: (device: BlockDevice, path: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kw-'))
  const path = join(folder, 'image')
  try {
    await (await open(path, 'w')).close()
    const device = openImageFile({ path, dataOffsetBytes, sizeBytes, sectorBytes }, system)
    await work(device, path)
    await device.close()
  } finally {
    await rm(folder, { recursive: true })
  }
}

const read = async (device: BlockDevice, offset: number, byteCount: number): Promise<Buffer> => {
  const target = Buffer.alloc(byteCount, 0xff)
  await device.read(target, offset)
  return target
}

for (const [name, system] of [
  ['with Linux’s own calls', linux],
  ['the portable way', null],
] as const) {
  describe(`openImageFile(), ${name}`, () => {
    test('extends a short file and stores behind the header', async () => {
      await withImage(system, async (device, path) => {
        assert.equal((await stat(path)).size, dataOffsetBytes + sizeBytes)
        const data = randomBytes(3 * sectorBytes)
        await device.write(data, sectorBytes)
        await device.flush()
        assert.ok((await read(device, sectorBytes, data.length)).equals(data))
        const file = await open(path)
        const stored = Buffer.alloc(data.length)
        await file.read(stored, 0, stored.length, dataOffsetBytes + sectorBytes)
        await file.close()
        assert.ok(stored.equals(data))
      })
    })

    test('reads zeros where nothing was written and where it was trimmed', async () => {
      await withImage(system, async (device) => {
        await device.write(randomBytes(4 * sectorBytes), 0)
        await device.trim(sectorBytes, 2 * sectorBytes)
        assert.ok((await read(device, sectorBytes, 2 * sectorBytes)).equals(Buffer.alloc(2 * sectorBytes)))
        assert.ok((await read(device, 40 * sectorBytes, sectorBytes)).equals(Buffer.alloc(sectorBytes)))
      })
    })

    test('reports extents that add up', async () => {
      await withImage(system, async (device) => {
        await device.write(randomBytes(2 * sectorBytes), 8 * sectorBytes)
        const extents = await device.extents(0, sizeBytes)
        const expected = [
          { byteCount: 8 * sectorBytes, hole: true },
          { byteCount: 2 * sectorBytes, hole: false },
          { byteCount: 54 * sectorBytes, hole: true },
        ]
        assert.deepEqual(extents, system ? expected : [{ byteCount: sizeBytes, hole: false }])
      })
    })

    test('an image that has shrunk is a fault, not a shorter answer', async () => {
      await withImage(system, async (device, path) => {
        const file = await open(path, 'r+')
        await file.truncate(dataOffsetBytes + sectorBytes)
        await file.close()
        await assert.rejects(read(device, 0, 2 * sectorBytes), { name: 'DeviceFault', code: 'EIO' })
      })
    })
  })
}

test('a full disk is ENOSPC, whatever else it is called', { skip: process.platform !== 'linux' }, async () => {
  // /dev/full answers every write so.
  const device = openImageFile({ path: '/dev/full', dataOffsetBytes: 0, sizeBytes: 0, sectorBytes }, null)
  await assert.rejects(device.write(new Uint8Array(sectorBytes), 0), { name: 'DeviceFault', code: 'ENOSPC' })
  await device.close()
})

test('holes smaller than a sector count as stored', async () => {
  // A file system with blocks of 1 KiB: data in the first KiB of sectors 0 and 2, and in the last of sector 5.
  const data = [
    [0, 1024],
    [8192, 9216],
    [23_552, 24_576],
  ].map(([from, to]) => [dataOffsetBytes + (from ?? 0), dataOffsetBytes + (to ?? 0)] as const)
  const inside = (at: number): boolean => data.some(([from, to]) => at >= from && at < to)
  const nextData = (_: number, at: number): number | null =>
    inside(at) ? at : (data.find(([from]) => from > at)?.[0] ?? null)
  const nextHole = (_: number, at: number): number => (inside(at) ? (data.find(([, to]) => to > at)?.[1] ?? at) : at)
  const system: Linux = {
    nextData,
    nextHole,
    punchHole: () => false,
    readCached: () => -1,
    write: () => -1,
    sync: () => true,
    lock: () => true,
    lockShared: () => true,
    forbidCoreFiles: () => true,
  }
  await withImage(system, async (device) => {
    const extents = await device.extents(0, 8 * sectorBytes)
    assert.deepEqual(
      extents.map(({ byteCount, hole }) => [byteCount / sectorBytes, hole]),
      [
        [1, false],
        [1, true],
        [1, false],
        [2, true],
        [1, false],
        [2, true],
      ],
    )
  })
})

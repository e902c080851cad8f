// Files become images: made by qemu-img, in every form that it has, read back through NBD; and files that strangers made
// are refused, whatever they say of themselves.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { needs, run, succeed } from './testing/outside-tools.ts'
import type { ImageFormat, ImportSpec, VolumeSpec } from './port.ts'
import { folder, imageOf, kms, MiB, pool, startPool, stopPool } from './testing/server-fixture.ts'
import { attach, opens, specLike } from './testing/snapshot-fixture.ts'

before(() => startPool(2))
after(stopPool)

const as = { kind: 'service', serviceName: 'server-protect', accountId: 'b'.repeat(32) } as const
const fresh = (): VolumeSpec => specLike({ as, capacityBytes: 0, keyCrn: 'crn:root-key' } as VolumeSpec, 'image')
const wanted = (format: ImageFormat, wrappedPassphrase: Uint8Array | null = null): ImportSpec => ({
  format,
  wrappedPassphrase,
  capacityBytes: { min: 4 * MiB, max: 64 * MiB, step: MiB },
  fileBytesMax: 80 * MiB,
})

const importFile = (image: VolumeSpec, path: string, format: ImageFormat = 'qcow2') =>
  pool.port.importImage(image, wanted(format), async () => createReadStream(path))

/** Random data with holes of all sizes, of no round size. */
async function rawDisk(): Promise<{ readonly path: string; readonly bytes: Buffer }> {
  const bytes = Buffer.alloc(9 * MiB + 512 * 3)
  for (const [at, length] of [
    [0, 512],
    [100_000, 300_000],
    [3 * MiB, 5000],
    [bytes.length - 700, 700],
  ] as const) {
    randomBytes(length).copy(bytes, at)
  }
  bytes.fill('text that compresses', 5 * MiB, 6 * MiB)
  const path = join(folder, `disk-${randomBytes(4).toString('hex')}.raw`)
  await writeFile(path, bytes)
  return { path, bytes }
}

async function contentsOf(image: VolumeSpec): Promise<Buffer> {
  const path = join(folder, `contents-${image.volumeId}`)
  const capacityBytes = (await stat(imageOf(image))).size - luks2DataOffsetBytes
  await succeed('nbdcopy', await attach({ ...image, capacityBytes }), path)
  return await readFile(path)
}

const staged = async (): Promise<string[]> => {
  const path = join(folder, 'data', 'run', 'imports')
  return existsSync(path) ? await readdir(path) : []
}

const forms: readonly (readonly [string, readonly string[]])[] = [
  ['as it is', []],
  ['compressed', ['-c']],
  ['compressed by zstd', ['-c', '-o', 'compression_type=zstd']],
  ['in small clusters', ['-o', 'cluster_size=512']],
  ['in large clusters, compressed', ['-c', '-o', 'cluster_size=2M']],
  ['of version 2', ['-o', 'compat=0.10']],
  ['with all its room', ['-o', 'preallocation=metadata']],
]

for (const [name, options] of forms) {
  test(`qcow2 ${name} becomes an image under its own key`, needs('qemu-img', 'nbdcopy', 'cryptsetup'), async () => {
    const { path, bytes } = await rawDisk()
    const file = `${path}.qcow2`
    await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', ...options, path, file)
    const image = fresh()
    const made = await importFile(image, file)
    assert.equal(made.capacityBytes, 10 * MiB)
    assert.ok(made.storedBytes < 3 * MiB, 'holes have stayed holes')
    assert.deepEqual(await staged(), [])
    const data = await contentsOf(image)
    assert.ok(data.subarray(0, bytes.length).equals(bytes))
    assert.ok(data.subarray(bytes.length).equals(Buffer.alloc(data.length - bytes.length)))
    assert.ok(!(await readFile(imageOf(image))).includes('text that compresses'))
    await pool.port.removeExport(image.volumeId, image.volumeId)
    assert.ok(await opens(image, image))
    assert.deepEqual(kms.leaseIds(image.volumeCrn), [])
  })
}

for (const subformat of ['dynamic', 'fixed']) {
  test(`a ${subformat} VHD becomes an image`, needs('qemu-img', 'nbdcopy'), async () => {
    const { path, bytes } = await rawDisk()
    const file = `${path}.vhd`
    const exactly = `subformat=${subformat},force_size=on`
    await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'vpc', '-o', exactly, path, file)
    const image = fresh()
    await importFile(image, file, 'vhd')
    assert.ok((await contentsOf(image)).subarray(0, bytes.length).equals(bytes))
    await pool.port.removeExport(image.volumeId, image.volumeId)

    const good = await readFile(file)
    const footerAt = good.length - 512
    for (const at of [0, 17, 49, 60, 64, 100]) {
      const bad = Buffer.from(good)
      bad[footerAt + at] = (bad[footerAt + at] ?? 0) ^ 0x40
      await writeFile(`${path}.bad`, bad)
      await assert.rejects(importFile(fresh(), `${path}.bad`, 'vhd'), refusal('image_data_corrupted'), String(at))
    }
    for (const bytesLeft of [0, 511, 512, 4096]) {
      await writeFile(`${path}.bad`, good.subarray(good.length - bytesLeft))
      await assert.rejects(importFile(fresh(), `${path}.bad`, 'vhd'), refusal('image_data_corrupted'))
    }
    assert.deepEqual(await staged(), [])
  })
}

test('every byte of a dynamic header and its table may be wrong: no crash, no hang', needs('qemu-img'), async () => {
  const { path } = await rawDisk()
  const file = `${path}.vhd`
  await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'vpc', '-o', 'force_size=on', path, file)
  const good = await readFile(file)
  const summed = (bytes: Buffer): Buffer => {
    const header = bytes.subarray(512, 1536)
    header.writeUInt32BE(0, 36)
    header.writeUInt32BE(~header.reduce((sum, byte) => sum + byte, 0) >>> 0, 36)
    return bytes
  }
  for (const at of [512, 528, 535, 540, 543, 544, 546, 547, 1536, 1539]) {
    const bad = Buffer.from(good)
    bad[at] = 0x7f
    await writeFile(`${path}.bad`, summed(bad))
    const image = fresh()
    const outcome = await importFile(image, `${path}.bad`, 'vhd').catch((error: unknown) => error)
    const isRefused = outcome instanceof Fault && outcome.code === 'unprocessable'
    assert.ok(!(outcome instanceof Error) || isRefused, `${at}: ${outcome}`)
    await pool.port.deleteVolume(image.volumeId)
  }
})

test('a raw disk becomes an image, once', needs('nbdcopy'), async () => {
  const { path, bytes } = await rawDisk()
  const image = fresh()
  const made = await importFile(image, path, 'raw')
  assert.match(made.sha256 ?? '', /^[0-9a-f]{64}$/)
  const { ino } = await stat(imageOf(image))
  const again = await pool.port.importImage(image, wanted('raw'), () => Promise.reject(new Error('is not read again')))
  assert.deepEqual(again, { ...made, sha256: null })
  assert.equal((await stat(imageOf(image))).ino, ino)
  assert.ok((await contentsOf(image)).subarray(0, bytes.length).equals(bytes))

  const volume = { ...specLike(image, 'volume'), capacityBytes: 16 * MiB }
  await pool.port.createVolumeFrom(volume, image, { reencrypt: true }).catch((error: unknown) => {
    assert.ok(error instanceof Fault && error.code === 'conflict', 'an image that is open is not copied')
  })
  await pool.port.removeExport(image.volumeId, image.volumeId)
  await pool.port.createVolumeFrom(volume, image, { reencrypt: true })
  assert.ok((await contentsOf(volume)).subarray(0, bytes.length).equals(bytes))
})

test('a small disk gets room to the least, a large one is refused', needs('qemu-img'), async () => {
  const small = join(folder, 'small.raw')
  await writeFile(small, 'boot')
  const image = fresh()
  assert.equal((await importFile(image, small, 'raw')).capacityBytes, 4 * MiB)
  assert.equal((await stat(imageOf(image))).size, luks2DataOffsetBytes + 4 * MiB)

  const large = join(folder, 'large.qcow2')
  await succeed('qemu-img', 'create', '-f', 'qcow2', large, String(64 * MiB + 512))
  await assert.rejects(importFile(fresh(), large), refusal('image_provisioned_size_unsupported'))
  const empty = join(folder, 'empty.raw')
  await writeFile(empty, '')
  await assert.rejects(importFile(fresh(), empty, 'raw'), refusal('image_provisioned_size_unsupported'))
  const long = join(folder, 'long.raw')
  await writeFile(long, Buffer.alloc(81 * MiB))
  await assert.rejects(importFile(fresh(), long, 'raw'), refusal('cos_file_too_large'))
})

const refusal = (reason: string) => (error: unknown) => {
  assert.ok(error instanceof Fault, String(error))
  assert.equal(error.reason, reason, error.message)
  return true
}

/** A change of a good file: where, and to what. */
const patches: readonly (readonly [string, (file: Buffer) => Buffer])[] = [
  ['names a backing file', (file) => put64(file, 8, 0x200n)],
  ['has its data in another file', (file) => put64(file, 72, 4n)],
  ['is marked as corrupt', (file) => put64(file, 72, 2n)],
  ['has unknown features', (file) => put64(file, 72, 1n << 40n)],
  ['has clusters of no size', (file) => put32(file, 20, 60)],
  ['has a table that is too long', (file) => put32(file, 36, 0xffff_ffff)],
  ['has a table that is too short', (file) => put32(file, 36, 0)],
  ['has a table beyond its end', (file) => put64(file, 40, 1n << 50n)],
  ['has a table beyond all numbers', (file) => put64(file, 40, 0xffff_ffff_ffff_ffffn)],
  ['is of another version', (file) => put32(file, 4, 9)],
  ['is no qcow2 at all', (file) => file.fill(0, 0, 4)],
  ['is cut in its header', (file) => file.subarray(0, 50)],
  ['is cut in its tables', (file) => file.subarray(0, 200_000)],
]

const put64 = (file: Buffer, at: number, value: bigint): Buffer => {
  file.writeBigUInt64BE(value, at)
  return file
}
const put32 = (file: Buffer, at: number, value: number): Buffer => {
  file.writeUInt32BE(value, at)
  return file
}

test(
  'a file that refers elsewhere or contradicts itself is refused, and nothing is left',
  needs('qemu-img'),
  async () => {
    const { path } = await rawDisk()
    const good = `${path}.qcow2`
    await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', path, good)
    for (const [name, patch] of patches) {
      const bad = `${path}.bad`
      await writeFile(bad, patch(Buffer.from(await readFile(good))))
      const image = fresh()
      await assert.rejects(importFile(image, bad), refusal('image_data_corrupted'), name)
      assert.ok(!existsSync(dirname(imageOf(image))), name)
      assert.deepEqual(kms.leaseIds(image.volumeCrn), [])
    }
    await assert.rejects(importFile(fresh(), good, 'raw'), refusal('image_data_corrupted'), 'qcow2 that is named raw')
    assert.deepEqual(await staged(), [])
  },
)

const passphrase = 'a passphrase of many words'

/** Encrypted by qemu-img; with its own two seconds of stretching, or with as little as it takes. */
async function encrypted(path: string, ...options: readonly string[]): Promise<string> {
  const file = `${path}-${randomBytes(4).toString('hex')}.qcow2`
  const luks = 'encrypt.format=luks,encrypt.key-secret=key'
  const secret = ['--object', `secret,id=key,data=${passphrase}`]
  const all = [luks, ...options].join(',')
  const convert = ['convert', '-f', 'raw', '-O', 'qcow2', ...secret, '-o', all, path, file]
  // It measures the machine, and fails on one that is too busy to be measured.
  for (let attempt = 1; attempt < 20; attempt++) {
    const { code, err } = await run('qemu-img', ...convert)
    if (code === 0) return file
    if (!err.includes('CPU usage')) break
  }
  await succeed('qemu-img', ...convert)
  return file
}

const quick = 'encrypt.iter-time=10'
const importEncrypted = (image: VolumeSpec, path: string, wrapped: Uint8Array | null, format: ImageFormat = 'qcow2') =>
  pool.port.importImage(image, wanted(format, wrapped), async () => createReadStream(path))

for (const [name, options] of [
  ['with its own two seconds', []],
  ['in small clusters, with another hash', [quick, 'cluster_size=512', 'encrypt.hash-alg=sha512']],
  ['of version 2, in large clusters', [quick, 'compat=0.10', 'cluster_size=2M']],
] as const) {
  test(`qcow2 that is encrypted ${name} becomes an image under its own key`, needs('qemu-img', 'nbdcopy'), async () => {
    const { path, bytes } = await rawDisk()
    const image = fresh()
    await importEncrypted(image, await encrypted(path, ...options), kms.wrapPassphrase(passphrase))
    const data = await contentsOf(image)
    assert.ok(data.subarray(0, bytes.length).equals(bytes))
    await pool.port.removeExport(image.volumeId, image.volumeId)
    assert.ok(await opens(image, image))
    assert.deepEqual([kms.leaseIds(image.volumeCrn), await staged()], [[], []])
  })
}

test('an encrypted file does not open with another key, and says which is at fault', needs('qemu-img'), async () => {
  const { path } = await rawDisk()
  const file = await encrypted(path, quick)
  const plain = `${path}.qcow2`
  await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', path, plain)
  const image = fresh()
  const right = kms.wrapPassphrase(passphrase)
  const torn = (await readFile(file)).subarray(0, 300_000)
  await writeFile(`${file}.torn`, torn)
  const other = await encrypted(path, quick, 'encrypt.cipher-alg=aes-128')
  const bytes = await readFile(file)
  for (const [name, at] of [
    ['pointer', 112],
    ['offset', 120],
    ['length', 128],
  ] as const) {
    const bad = Buffer.from(bytes)
    bad.writeUInt32BE(0xffff_ff00, at)
    await writeFile(`${file}.${name}`, bad)
  }
  for (const [path, wrapped, reason] of [
    [file, kms.wrapPassphrase('another passphrase'), 'encrypted_data_key_invalid'],
    [file, kms.wrapPassphrase(`${passphrase}\n`), 'encrypted_data_key_invalid'],
    [file, image.wrappedDataKey, 'encrypted_data_key_invalid'],
    [file, new Uint8Array(40), 'encrypted_data_key_invalid'],
    [file, null, 'cos_image_encrypted'],
    [plain, right, 'cos_image_not_encrypted'],
    [`${file}.torn`, right, 'image_data_corrupted'],
    [`${file}.pointer`, right, 'image_data_corrupted'],
    [`${file}.offset`, right, 'image_data_corrupted'],
    [`${file}.length`, right, 'image_data_corrupted'],
    [other, right, 'image_data_corrupted'],
  ] as const) {
    await assert.rejects(importEncrypted(image, path, wrapped), refusal(reason), `${path} ${reason}`)
    assert.ok(!existsSync(dirname(imageOf(image))))
  }
  assert.deepEqual([kms.leaseIds(image.volumeCrn), await staged()], [[], []])
})

test('a small file does not become a large image by naming its clusters again', needs('qemu-img'), async () => {
  const { path } = await rawDisk()
  const file = `${path}.qcow2`
  await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', path, file)
  const bytes = await readFile(file)
  const l2 = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(40))) & 0x00ff_ffff_ffff_fe00n)
  const first = bytes.readBigUInt64BE(l2)
  for (let i = 0; i < 64 * 16; i++) bytes.writeBigUInt64BE(first, l2 + 8 * i)
  put64(bytes, 24, BigInt(64 * MiB))
  await writeFile(file, bytes)
  await assert.rejects(importFile(fresh(), file), refusal('image_data_corrupted'))
})

test('every byte of the header and the first table may be wrong: no crash, no hang', needs('qemu-img'), async () => {
  const { path } = await rawDisk()
  const file = `${path}.qcow2`
  await succeed('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', path, file)
  const good = await readFile(file)
  const l1 = Number(good.readBigUInt64BE(40))
  for (const at of [4, 11, 15, 20, 23, 27, 31, 35, 36, 39, 44, 47, 72, 76, 79, 103, 104, l1, l1 + 4, l1 + 7]) {
    for (const value of [0xff, 0x7f]) {
      const bad = Buffer.from(good)
      bad[at] = value
      await writeFile(`${path}.bad`, bad)
      const image = fresh()
      const outcome = await importFile(image, `${path}.bad`).catch((error: unknown) => error)
      assert.ok(
        !(outcome instanceof Error) || (outcome instanceof Fault && outcome.code === 'unprocessable'),
        `${at}: ${outcome}`,
      )
      await pool.port.deleteVolume(image.volumeId)
    }
  }
})

test('an image that is removed or loses its key while it is made is not made', async () => {
  const image = fresh()
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(MiB, 1)
    await pool.port.deleteVolume(image.volumeId)
    yield Buffer.alloc(MiB, 2)
  }
  await assert.rejects(
    pool.port.importImage(image, wanted('raw'), async () => slow()),
    (error: unknown) => error instanceof Fault && error.code === 'conflict',
  )
  const other = fresh()
  kms.disable(other.volumeCrn)
  const read = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(MiB, 1)
  }
  await assert.rejects(
    pool.port.importImage(other, wanted('raw'), async () => read()),
    (error: unknown) => error instanceof Fault && error.code === 'conflict',
  )
  await assert.rejects(
    pool.port.importImage(fresh(), wanted('raw'), () => Promise.reject(new Fault('forbidden', 'no'))),
    (error: unknown) => error instanceof Fault && error.code === 'forbidden',
  )
  for (const gone of [image, other]) assert.ok(!existsSync(imageOf(gone)))
  assert.deepEqual(await staged(), [])
})

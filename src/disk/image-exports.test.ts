// Images become files that qemu-img reads byte for byte and finds nothing wrong with: in the clear, and with a key of their
// own. An export ends when it is cancelled or its image's key is taken, and nothing of it stays.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { needs, run, succeed } from './testing/outside-tools.ts'
import type { ExportWanted, VolumeSpec } from './port.ts'
import { folder, kms, MiB, pool, startPool, stopPool } from './testing/server-fixture.ts'
import { refused, specLike } from './testing/snapshot-fixture.ts'

before(() => startPool(2))
after(stopPool)

const as = { kind: 'service', serviceName: 'server-protect', accountId: 'b'.repeat(32) } as const
const capacityBytes = 640 * MiB
const mark = 'what the disk of the image holds'

/** Data here and there, beyond what one table of clusters covers, with an end of its own. */
function disk(): Buffer {
  const bytes = Buffer.alloc(capacityBytes)
  const places = [0, 70_000, 3 * MiB, 512 * MiB - 100, 600 * MiB]
  for (const at of places) randomBytes(200_000).copy(bytes, at)
  bytes.write(mark, 5 * MiB)
  randomBytes(5000).copy(bytes, bytes.length - 5000)
  return bytes
}

async function makeImage(bytes: Buffer): Promise<VolumeSpec> {
  const image = { ...specLike({ as, capacityBytes, keyCrn: 'crn:root-key' } as VolumeSpec, 'image'), capacityBytes }
  const path = join(folder, `${image.volumeId}.raw`)
  await writeFile(path, bytes)
  const sizes = { min: MiB, max: 1024 * MiB, step: MiB }
  const wanted = { format: 'raw', capacityBytes: sizes, wrappedPassphrase: null, fileBytesMax: 1024 * MiB } as const
  await pool.port.importImage(image, wanted, async () => createReadStream(path))
  return image
}

let count = 0
const exportOf = (more: Partial<ExportWanted> = {}): ExportWanted => ({
  exportId: `export-${(count += 1)}`,
  format: 'qcow2',
  wrappedPassphrase: null,
  ...more,
})

async function exported(image: VolumeSpec, wanted: ExportWanted): Promise<string> {
  const path = join(folder, wanted.exportId)
  const size = await pool.port.exportImage(image, wanted, async (file) => {
    const bytes = Buffer.concat(await Array.fromAsync(file))
    await writeFile(path, bytes)
    return bytes.length
  })
  assert.ok(size < 5 * MiB, `${size} bytes: what is not stored is not exported`)
  return path
}

const left = async (): Promise<string[]> => await readdir(join(folder, 'data', 'run', 'exports'))

test('an image is exported as qcow2 in the clear', needs('qemu-img'), async () => {
  const bytes = disk()
  const image = await makeImage(bytes)
  const path = await exported(image, exportOf())
  await succeed('qemu-img', 'check', '-f', 'qcow2', path)
  const raw = `${path}.raw`
  await succeed('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', path, raw)
  assert.ok((await readFile(raw)).equals(bytes))
  assert.deepEqual(await left(), [])
  assert.deepEqual(kms.leaseIds(image.volumeCrn), [])
})

test(
  'an image is exported with a passphrase, which opens the file and nothing else does',
  needs('qemu-img'),
  async () => {
    const bytes = disk()
    const image = await makeImage(bytes)
    const passphrase = randomBytes(32).toString('hex')
    const path = await exported(image, exportOf({ wrappedPassphrase: kms.wrapPassphrase(passphrase) }))
    assert.ok(!(await readFile(path)).includes(mark))
    const open = (secret: string) => [
      '--object',
      `secret,id=key,data=${secret}`,
      '--image-opts',
      `driver=qcow2,encrypt.format=luks,encrypt.key-secret=key,file.filename=${path}`,
    ]
    await succeed('qemu-img', 'check', ...open(passphrase))
    const raw = `${path}.raw`
    await succeed('qemu-img', 'convert', ...open(passphrase), '-O', 'raw', raw)
    assert.ok((await readFile(raw)).equals(bytes))
    assert.notEqual((await run('qemu-img', 'check', ...open('another'))).code, 0)
    assert.deepEqual(await left(), [])
    assert.deepEqual(kms.leaseIds(image.volumeCrn), [])
  },
)

test('an image is exported as VHD, and comes back', needs('qemu-img'), async () => {
  const bytes = disk()
  const image = await makeImage(bytes)
  const path = join(folder, 'exported.vhd')
  await pool.port.exportImage(image, exportOf({ format: 'vhd' }), async (file) => {
    await writeFile(path, Buffer.concat(await Array.fromAsync(file)))
  })
  const raw = `${path}.raw`
  await succeed('qemu-img', 'convert', '-f', 'vpc', '-O', 'raw', path, raw)
  assert.ok((await readFile(raw)).equals(bytes))
})

test('an empty disk is exported', needs('qemu-img'), async () => {
  const image = await makeImage(Buffer.alloc(capacityBytes))
  const path = await exported(image, exportOf())
  await succeed('qemu-img', 'check', '-f', 'qcow2', path)
  assert.match(await succeed('qemu-img', 'info', path), /virtual size: 640 MiB/)
})

test('an export that is cancelled, whose key is taken or whose passphrase does not open is not made', async () => {
  const image = await makeImage(disk())
  const wanted = exportOf()
  const cancelled = pool.port.exportImage(image, wanted, async (file) => {
    await pool.port.cancelExport(image.volumeId, wanted.exportId)
    return await Array.fromAsync(file)
  })
  await assert.rejects(cancelled, refused('conflict'))
  await pool.port.cancelExport(image.volumeId, 'none')
  const never = async (): Promise<never> => Promise.reject(new Error('is not asked for'))
  const foreign = exportOf({ wrappedPassphrase: image.wrappedDataKey })
  await assert.rejects(pool.port.exportImage(image, foreign, never), refused('unprocessable'))
  const refusal = new Fault('forbidden', 'no')
  await assert.rejects(
    pool.port.exportImage(image, exportOf(), async () => Promise.reject(refusal)),
    refused('forbidden'),
  )
  kms.disable(image.volumeCrn)
  await assert.rejects(pool.port.exportImage(image, exportOf(), never), refused('conflict'))
  assert.deepEqual(await left(), [])
  assert.ok(!existsSync(join(folder, 'data', 'run', 'exports', wanted.exportId)))
})

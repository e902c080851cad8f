// The data plane as its users meet it: a real pool with real processes, and the clients that other people wrote (libnbd's
// nbdinfo, nbdcopy and nbdsh; qemu-io and qemu-img; cryptsetup as the oracle for what lies on the disk).

import assert from 'node:assert/strict'
import { createDecipheriv, randomBytes } from 'node:crypto'
import { mkdtemp, open, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '#base/fault.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { needs, run, succeed, python, nbdsh, nbdshUnconnected } from './testing/outside-tools.ts'
import type { VolumeSpec } from './port.ts'
import { deriveKey } from './psk.ts'
import { flags, go, option, provoke } from './testing/raw-client.ts'
import {
  accessSecret,
  closeImage,
  connectTo,
  folder,
  imageOf,
  keyFile,
  kms,
  makeVolume,
  MiB,
  passphraseFile,
  pool,
  startPool,
  stopPool,
} from './testing/server-fixture.ts'

before(() => startPool(2))
after(stopPool)

describe('clients', () => {
  test('nbdinfo is told the same over TLS and through the unix socket', needs('nbdinfo'), async () => {
    const volume = await makeVolume()
    const { tlsUri, unixUri } = await connectTo(volume)
    for (const uri of [tlsUri, unixUri]) {
      const info = JSON.parse(await succeed('nbdinfo', '--json', uri))
      const [first] = info.exports
      assert.equal(info.structured, true)
      assert.equal(first['export-name'], volume.volumeId)
      assert.equal(first['export-size'], volume.capacityBytes)
      assert.equal(first['block_size_maximum'], 32 * MiB)
      assert.equal(first['can_multi_conn'], true)
      assert.deepEqual(first.contexts, ['base:allocation'])
      const list = JSON.parse(await succeed('nbdinfo', '--list', '--json', uri))
      assert.equal(list.exports.length, 1)
    }
  })

  test('nbdcopy brings data in over TLS with several connections and out again', needs('nbdcopy'), async () => {
    const { tlsUri, unixUri } = await connectTo(await makeVolume())
    const [source, target] = [join(folder, 'source'), join(folder, 'target')]
    await writeFile(source, randomBytes(8 * MiB))
    await succeed('nbdcopy', '--connections=4', '--flush', source, tlsUri)
    await succeed('nbdcopy', '--connections=4', unixUri, target)
    assert.ok((await readFile(source)).equals(await readFile(target)))
  })

  test('qemu reads and writes over TLS with a pre-shared key', needs('qemu-img', 'qemu-io'), async () => {
    const volume = await makeVolume()
    const way = await connectTo(volume)
    const keys = await mkdtemp(join(folder, 'qemu-'))
    await writeFile(join(keys, 'keys.psk'), `${way.pskIdentity}:${way.pskKey}\n`)
    const credentials = `tls-creds-psk,id=tls,dir=${keys},endpoint=client,username=${way.pskIdentity}`
    const target = `driver=nbd,server.type=inet,server.host=127.0.0.1,server.port=${way.port},export=${volume.volumeId},tls-creds=tls`
    const source = join(folder, 'qemu-source')
    await writeFile(source, Buffer.concat([randomBytes(2 * MiB), Buffer.alloc(5 * MiB), randomBytes(MiB)]))
    const opts = ['--object', credentials, '--image-opts']
    await succeed('qemu-img', 'convert', '-n', '--object', credentials, '--target-image-opts', source, target)
    await succeed('qemu-img', 'compare', ...opts, `driver=raw,file.filename=${source}`, target)
    const commands = ['write -P 7 1000 5000', 'write -z 8192 8192', 'discard 1M 1M', 'read -P 7 1000 5000', 'flush']
    const out = await succeed('qemu-io', ...opts, target, ...commands.flatMap((command) => ['-c', command]))
    assert.doesNotMatch(out, /error|failed/i)
  })

  test('requests that no volume can serve are refused and leave the connection usable', needs('nbdsh'), async () => {
    const { unixUri } = await connectTo(await makeVolume(64 * MiB))
    await nbdsh(
      unixUri,
      'h.set_strict_mode(0)',
      'size = h.get_size()',
      'def refused(what, errno):',
      '  try: what()',
      '  except nbd.Error as e: assert e.errno == errno, (e.errno, errno)',
      '  else: assert False',
      'refused(lambda: h.pwrite(bytes(512), size), "ENOSPC")',
      'refused(lambda: h.pwrite(bytes(512), size - 511), "ENOSPC")',
      'refused(lambda: h.zero(512, size), "ENOSPC")',
      'refused(lambda: h.pread(512, size), "EINVAL")',
      'refused(lambda: h.trim(512, size), "EINVAL")',
      'refused(lambda: h.pread(0, 0), "EINVAL")',
      'refused(lambda: h.pwrite(bytes(33 << 20), 0), "EINVAL")',
      'refused(lambda: h.zero(512, 0, nbd.CMD_FLAG_FAST_ZERO), "ENOTSUP")',
      'refused(lambda: h.pread(512, 0, nbd.CMD_FLAG_NO_HOLE), "EINVAL")',
      'refused(lambda: h.block_status(512, 0, lambda *a: 0), "EINVAL")',
      'h.pwrite(b"x" * 513, 100, nbd.CMD_FLAG_FUA)',
      'assert h.pread(515, 99) == b"\\0" + b"x" * 513 + b"\\0"',
      'h.cache(4096, 0)',
      'h.flush()',
    )
  })

  test('without structured replies everything works too', needs('nbdsh'), async () => {
    const { socket } = await connectTo(await makeVolume())
    const { code, err } = await nbdshUnconnected(
      'h.set_request_structured_replies(False)',
      `h.connect_uri("nbd+unix:///?socket=${socket}")`,
      'assert not h.get_structured_replies_negotiated() and not h.can_df()',
      'h.pwrite(b"abc" * 5000, 777)',
      'assert h.pread(15000, 777) == b"abc" * 5000',
    )
    assert.equal(code, 0, err)
  })

  test('nbdinfo maps what is stored', needs('nbdinfo', 'nbdsh'), async () => {
    const { unixUri } = await connectTo(await makeVolume())
    await nbdsh(unixUri, 'h.pwrite(bytes(65536), 1 << 20)', 'h.flush()')
    const map = await succeed('nbdinfo', '--map', unixUri)
    const rows = map
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).slice(0, 3).map(Number))
    assert.deepEqual(rows, [
      [0, MiB, 3],
      [MiB, 65_536, 0],
      [MiB + 65_536, 7 * MiB - 65_536, 3],
    ])
  })

  test('holes are reported until they are written', needs('nbdsh'), async () => {
    const { socket } = await connectTo(await makeVolume())
    const script = [
      'h.add_meta_context("base:allocation")',
      `h.connect_uri("nbd+unix:///?socket=${socket}")`,
      'def map():',
      '  got = []',
      '  h.block_status(h.get_size(), 0, lambda context, offset, entries, error: got.extend(entries) or 0)',
      '  return got',
      `assert map() == [${8 * MiB}, 3], map()`,
      'h.pwrite(bytes(65536), 1 << 20)',
      `assert map() == [${MiB}, 3, 65536, 0, ${7 * MiB - 65536}, 3], map()`,
      'h.trim(65536, 1 << 20)',
      `assert map() == [${8 * MiB}, 3], map()`,
      'assert h.pread(65536, 1 << 20) == bytes(65536)',
    ]
    const { code, err } = await nbdshUnconnected(...script)
    assert.equal(code, 0, err)
  })
})

describe('admission', () => {
  const refused = async (uri: string): Promise<string> => {
    const { code, err } = await run('nbdinfo', uri)
    assert.notEqual(code, 0)
    return err
  }

  test('a secret admits to its own export only, and only until it expires', needs('nbdinfo'), async () => {
    const [mine, theirs] = [await makeVolume(), await makeVolume()]
    const { tlsUri, port, pskIdentity, pskKey } = await connectTo(mine)
    await succeed('nbdinfo', tlsUri)
    assert.match(await refused(tlsUri.replace(`/${mine.volumeId}?`, `/${theirs.volumeId}?`)), /export|server/i)
    assert.match(await refused(tlsUri.replace(`/${mine.volumeId}?`, '/?')), /export|server/i)
    await refused((await connectTo(mine, -1000)).tlsUri)

    const uriOf = async (identity: string, key: string): Promise<string> =>
      `nbds://${identity}@127.0.0.1:${port}/${mine.volumeId}?tls-psk-file=${await keyFile(identity, key)}`
    const later = pskIdentity.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10))
    await refused(await uriOf(later, pskKey))
    await refused(await uriOf(pskIdentity, randomBytes(32).toString('hex')))
    await refused(await uriOf('nobody', pskKey))
    const unknown = 'r006-unknown.4000000000'
    await refused(await uriOf(unknown, deriveKey(accessSecret, unknown).toString('hex')))
    await succeed('nbdinfo', tlsUri)
  })

  test('without TLS the port says nothing', needs('nbdinfo'), async () => {
    const { port } = await connectTo(await makeVolume())
    await refused(`nbd://127.0.0.1:${port}/`)
    const answer = await provoke({ port, host: '127.0.0.1' }, flags, option(3, 0), go, option(2, 0))
    assert.equal(answer.toString('latin1').split('this server talks over TLS only').length, 3)
    const { code } = await run('nbdinfo', '--list', `nbd://127.0.0.1:${port}/`)
    assert.notEqual(code, 0)
  })

  test('an attachment is unknown before it is added and after it is removed', async () => {
    const volume = await makeVolume()
    const { unixUri } = await connectTo(volume)
    await pool.port.removeExport(volume.volumeId, volume.volumeId)
    await pool.port.removeExport(volume.volumeId, volume.volumeId)
    await refused(unixUri)
    await assert.rejects(connectTo(volume), (error) => error instanceof Fault && error.code === 'not_found')
  })

  test('sockets, folders and images are their owner’s alone', async () => {
    const volume = await makeVolume()
    const { socket } = await connectTo(volume)
    assert.equal((await stat(socket)).mode & 0o777, 0o600)
    assert.equal((await stat(join(socket, '..'))).mode & 0o777, 0o700)
    assert.equal((await stat(imageOf(volume))).mode & 0o777, 0o600)
    assert.equal((await stat(join(imageOf(volume), '..'))).mode & 0o777, 0o700)
  })
})

describe('images', () => {
  test('cryptsetup opens the image and finds what we wrote', needs('nbdsh', 'cryptsetup'), async () => {
    const volume = await makeVolume()
    const { unixUri } = await connectTo(volume)
    await nbdsh(
      unixUri,
      'h.pwrite(b"the quick brown fox." * 1000, 8192 + 5)',
      'h.pwrite(b"y" * 4096, 1 << 20)',
      'h.zero(8192, 1 << 20)',
      'h.flush()',
    )
    await closeImage(volume)
    const expected = Buffer.alloc(8192 + 5 + 20_000)
    expected.fill('the quick brown fox.', 8192 + 5)

    const image = imageOf(volume)
    const passphrase = await passphraseFile(volume)
    assert.equal((await stat(image)).size, luks2DataOffsetBytes + volume.capacityBytes)
    await succeed('cryptsetup', 'open', '--test-passphrase', '--key-file', passphrase, image)
    assert.match(await succeed('cryptsetup', 'luksDump', image), /sector: 4096/)
    assert.deepEqual(await plaintext(volume, 8192, 20_480), Buffer.concat([expected.subarray(8192), Buffer.alloc(475)]))
    // Zeros that were promised are zeros for cryptsetup too, not a hole that it would decrypt to noise.
    assert.deepEqual(await plaintext(volume, MiB, 8192), Buffer.alloc(8192))

    // An independent reader of our ciphertext: cryptsetup decrypts it all and encrypts it under a key of its own.
    await succeed(
      'cryptsetup',
      'reencrypt',
      '--batch-mode',
      '--force-offline-reencrypt',
      '--key-file',
      passphrase,
      image,
    )
    assert.deepEqual((await plaintext(volume, 8192, 20_480)).subarray(0, 20_005), expected.subarray(8192))
    assert.deepEqual(await plaintext(volume, MiB, 8192), Buffer.alloc(8192))
  })

  /** Decrypts part of an image with the key that cryptsetup finds in it. */
  async function plaintext(volume: VolumeSpec, offset: number, byteCount: number): Promise<Buffer> {
    const keyPath = join(folder, `volume-key-${randomBytes(4).toString('hex')}`)
    const dump = ['luksDump', '--batch-mode', '--dump-volume-key', '--volume-key-file', keyPath]
    await succeed('cryptsetup', ...dump, '--key-file', await passphraseFile(volume), imageOf(volume))
    const key = await readFile(keyPath)
    const file = await open(imageOf(volume))
    const data = Buffer.alloc(byteCount)
    await file.read(data, 0, byteCount, luks2DataOffsetBytes + offset)
    await file.close()
    const sectors: Buffer[] = []
    for (let at = 0; at < byteCount; at += 4096) {
      const tweak = Buffer.alloc(16)
      tweak.writeBigUInt64LE(BigInt((offset + at) / 512))
      sectors.push(createDecipheriv('aes-256-xts', key, tweak).update(data.subarray(at, at + 4096)))
    }
    return Buffer.concat(sectors)
  }

  test('creating again changes nothing, deleting cuts clients and leaves nothing', needs('nbdsh'), async () => {
    const volume = await makeVolume()
    const { unixUri } = await connectTo(volume)
    await nbdsh(unixUri, 'h.pwrite(b"stay", 0)', 'h.flush()')
    await pool.port.createVolume({ ...volume, wrappedDataKey: kms.wrapNewKey(volume.volumeCrn) })
    const client = python(unixUri, 'assert h.pread(4, 0) == b"stay"', 'while True: h.pread(4096, 0)')
    while (kms.leaseIds(volume.volumeCrn).length === 0) await sleep(5)
    await pool.port.deleteVolume(volume.volumeId)
    assert.notEqual((await client).code, 0)
    await pool.port.deleteVolume(volume.volumeId)
    const left = await readdir(join(folder, 'data', 'volumes'))
    assert.ok(!left.includes(volume.volumeId) && !left.some((name) => name.startsWith('.deleted')))
    assert.deepEqual(kms.leaseIds(volume.volumeCrn), [])
  })

  test('an image that was never written is made anew when its key is another one', needs('nbdsh'), async () => {
    const volume = await makeVolume()
    await pool.port.createVolume(volume)
    const replaced = { ...volume, wrappedDataKey: kms.wrapNewKey(volume.volumeCrn) }
    await pool.port.createVolume(replaced)
    await pool.port.addExport({ attachmentId: volume.volumeId, volume: replaced })
    await nbdsh((await connectTo(volume)).unixUri, 'assert h.pread(512, 0) == bytes(512)')
  })

  test('a volume that has grown shows its new size when it is opened again', needs('nbdsh'), async () => {
    const volume = await makeVolume()
    await nbdsh((await connectTo(volume)).unixUri, 'h.pwrite(b"old", 0)')
    await closeImage(volume)
    await pool.port.addExport({ attachmentId: volume.volumeId, volume: { ...volume, capacityBytes: 16 * MiB } })
    await nbdsh(
      (await connectTo(volume)).unixUri,
      `assert h.get_size() == ${16 * MiB}`,
      'assert h.pread(3, 0) == b"old"',
    )
  })

  test('a name that leads out of its folder is refused', async () => {
    const volume = { ...(await makeVolume()), volumeId: '../../outside' }
    await assert.rejects(pool.port.createVolume(volume), (error) => error instanceof Fault && error.code === 'invalid')
  })
})

// The data plane as its users meet it: a real pool with real processes, a key manager that can take keys away, and the
// clients that other people wrote (libnbd's nbdinfo, nbdcopy and nbdsh; qemu-io and qemu-img; cryptsetup as the oracle for
// what lies on the disk). A test whose tool is not installed is skipped, and says so.

import assert from 'node:assert/strict'
import { fork, spawn } from 'node:child_process'
import { createDecipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { accessSync } from 'node:fs'
import { mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before as beforeAll, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeLog } from '#base/log.ts'
import { verifyFenceAck } from '#crypto/fence-ack.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { fenceAll, makeFakeKms } from './fake-kms.ts'
import { startDiskPool } from './pool.ts'
import type { DiskPool } from './pool.ts'
import type { Connection, VolumeSpec } from './port.ts'
import { deriveKey } from './psk.ts'

const MiB = 1024 * 1024
const accessSecret = randomBytes(32)
const kms = makeFakeKms()
const known = new Map<string, VolumeSpec>()
let folder: string
let pool: DiskPool
let restarted = Promise.withResolvers<void>()

const needs = (...tools: string[]): { skip: string | false } => {
  const missing = tools.filter((tool) => !isInstalled(tool))
  return { skip: missing.length > 0 && `not installed: ${missing.join(', ')}` }
}

function isInstalled(tool: string): boolean {
  return ['/usr/bin', '/usr/sbin'].some((place) => {
    try {
      accessSync(join(place, tool))
      return true
    } catch {
      return false
    }
  })
}

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs a tool of the system. The time limit turns a hang into a failure. */
async function run(tool: string, ...args: string[]): Promise<Ran> {
  const child = spawn(tool, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    env: { PATH: '/usr/bin:/usr/sbin' },
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const [code] = await once(child, 'close')
  return { code: typeof code === 'number' ? code : null, out, err }
}

async function succeed(tool: string, ...args: string[]): Promise<string> {
  const { code, out, err } = await run(tool, ...args)
  assert.equal(code, 0, `${tool} ${args.join(' ')}: ${err}${out}`)
  return out
}

const python = (uri: string, ...lines: string[]): Promise<Ran> =>
  nbdshUnconnected('h.set_uri_allow_local_file(True)', `h.connect_uri(${JSON.stringify(uri)})`, ...lines)

const nbdshUnconnected = (...lines: string[]): Promise<Ran> => run('/usr/bin/nbdsh', '-c', lines.join('\n'))

async function nbdsh(uri: string, ...lines: string[]): Promise<string> {
  const { code, out, err } = await python(uri, ...lines)
  assert.equal(code, 0, err)
  return out
}

let count = 0

/** A volume with an image and one attachment of the same name. */
async function makeVolume(capacityBytes = 8 * MiB): Promise<VolumeSpec> {
  const volumeId = `r006-${(count += 1)}`
  const volumeCrn = `crn:v1:bluemix:public:is:us-south:a/${'b'.repeat(32)}::volume:${volumeId}`
  const as = { kind: 'service', serviceName: 'server-protect', accountId: 'b'.repeat(32) } as const
  const wrappedDataKey = kms.wrapNewKey(volumeCrn)
  const volume = { volumeId, volumeCrn, capacityBytes, keyCrn: 'crn:root-key', wrappedDataKey, as }
  await pool.port.createVolume(volume)
  await pool.port.addExport({ attachmentId: volumeId, volume })
  known.set(volumeId, volume)
  return volume
}

interface Way extends Connection {
  /** The URI over TLS with its key file. */
  readonly tlsUri: string
  readonly socket: string
  readonly port: number
}

async function connectTo(volume: VolumeSpec, lifetimeMs = 600_000): Promise<Way> {
  const connection = await pool.port.connect(volume.volumeId, volume.volumeId, lifetimeMs)
  const { pskIdentity, pskKey, uri, unixUri } = connection
  const tlsUri = `${uri}?tls-psk-file=${await keyFile(pskIdentity, pskKey)}`
  const socket = new URL(unixUri).searchParams.get('socket') ?? ''
  return { ...connection, tlsUri, socket, port: Number(/:(\d+)\//.exec(uri)?.[1]) }
}

async function keyFile(identity: string, key: string): Promise<string> {
  const path = join(folder, `psk-${randomBytes(4).toString('hex')}`)
  await writeFile(path, `${identity}:${key}\n`, { mode: 0o600 })
  return path
}

const imageOf = (volume: VolumeSpec): string => join(folder, 'data', 'volumes', volume.volumeId, 'volume.luks')

async function passphraseFile(volume: VolumeSpec): Promise<string> {
  const path = join(folder, `passphrase-${volume.volumeId}`)
  await writeFile(path, kms.unwrap(volume.volumeCrn, volume.wrappedDataKey), { mode: 0o600 })
  return path
}

/** Detaches, so that the image is closed and other tools may have it. */
async function closeImage(volume: VolumeSpec): Promise<void> {
  await pool.port.removeExport(volume.volumeId, volume.volumeId)
  assert.deepEqual(kms.leaseIds(volume.volumeCrn), [])
}

async function diskProcesses(): Promise<number[]> {
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  const pids = children.split(' ').filter(Boolean).map(Number)
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return pids.filter((_, index) => lines[index]?.includes('disk/process.ts'))
}

const greeting = Buffer.from('NBDMAGICIHAVEOPT')
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const option = (code: number, length: number, data = Buffer.alloc(0)): Buffer =>
  Buffer.concat([Buffer.from('IHAVEOPT'), u32(code), u32(length), data])
const flags = u32(3)
const go = option(7, 6, Buffer.alloc(6))
const request = (type: number, length: number, magic = 0x25609513): Buffer =>
  Buffer.concat([u32(magic), Buffer.from([0, 0, 0, type]), Buffer.alloc(16), u32(length)])

/** Sends pieces to a socket and returns what came back by the time the server hung up. */
async function provoke(at: { path: string } | { port: number; host: string }, ...pieces: Buffer[]): Promise<Buffer> {
  const socket = connect(at)
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  socket.on('error', () => undefined)
  for (const piece of pieces) socket.write(piece)
  await once(socket, 'close')
  return Buffer.concat(received)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kw-'))
  pool = await startDiskPool({
    dataFolder: join(folder, 'data'),
    host: '127.0.0.1',
    tcpPort: 0,
    processCount: 2,
    accessSecret,
    log: makeLog('silent'),
    clock: systemClock,
    kms,
    onRestart: () => restarted.resolve(),
  })
})

after(async () => {
  await pool.close()
  assert.deepEqual(await diskProcesses(), [])
  await rm(folder, { recursive: true, force: true })
})

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

describe('revocation', () => {
  test('a fence cuts clients at work and is signed; enabling the key ends it', needs('nbdsh'), async () => {
    const volume = await makeVolume()
    const { tlsUri, unixUri, socket } = await connectTo(volume)
    await nbdsh(unixUri, 'h.pwrite(b"before" * 1000, 0)', 'h.flush()')
    const loop = [
      'print("started", flush=True)',
      'while True: h.pwrite(b"z" * 65536, 1 << 20); h.pread(65536, 1 << 20)',
    ]
    const clients = [python(unixUri, ...loop), python(tlsUri, ...loop)]
    while (kms.leaseIds(volume.volumeCrn).length === 0) await sleep(5)
    await sleep(300)

    const leaseIds = kms.leaseIds(volume.volumeCrn)
    kms.disable(volume.volumeCrn)
    const acks = await fenceAll(pool.holders(), leaseIds)
    assert.equal(acks.length, 1)
    for (const ack of acks) {
      const holder = pool.holders().find(({ holderId }) => holderId === ack.holderId)
      assert.equal(ack.resourceCrn, volume.volumeCrn)
      assert.ok(holder && verifyFenceAck(holder.publicKey, ack, ack.signature))
    }
    for (const client of await Promise.all(clients)) assert.notEqual(client.code, 0)
    const again = await fenceAll(pool.holders(), leaseIds)
    assert.equal(again.length, 1, 'a fence that is repeated is acknowledged again')

    for (const uri of [tlsUri, unixUri]) assert.notEqual((await run('nbdinfo', uri)).code, 0)
    const answer = await provoke({ path: socket }, flags, go, option(2, 0))
    assert.match(answer.toString('latin1'), /the root key of this volume is disabled/)
    kms.enable(volume.volumeCrn)
    await nbdsh(tlsUri, 'assert h.pread(6000, 0) == b"before" * 1000')
  })

  test('the key is leased for the first client and given back after the last', needs('nbdsh'), async () => {
    const volume = await makeVolume()
    const { unixUri } = await connectTo(volume)
    assert.deepEqual(kms.leaseIds(volume.volumeCrn), [])
    await nbdsh(unixUri, 'h.pread(512, 0)')
    await closeImage(volume)
  })
})

describe('processes', () => {
  test('flushed data survive kill -9, and the same URI works again', needs('nbdsh'), async () => {
    const volume = await makeVolume()
    const { tlsUri } = await connectTo(volume)
    await nbdsh(tlsUri, 'h.pwrite(b"durable!" * 4096, 12345)', 'h.flush()', 'h.pwrite(b"fua", 0, nbd.CMD_FLAG_FUA)')
    const before = new Set(pool.holders().map(({ holderId }) => holderId))
    restarted = Promise.withResolvers()
    const killed = await diskProcesses()
    for (const pid of killed) process.kill(pid, 'SIGKILL')
    await restarted.promise
    while (pool.holders().length < 2) await sleep(5)
    assert.ok(pool.holders().every(({ holderId }) => !before.has(holderId)))
    await pool.port.addExport({ attachmentId: volume.volumeId, volume })
    await nbdsh(tlsUri, 'assert h.pread(32768, 12345) == b"durable!" * 4096', 'assert h.pread(3, 0) == b"fua"')
  })

  test('a disk process ends with its parent', async () => {
    const child = fork(new URL('process.ts', import.meta.url), {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: 'ignore',
    })
    const settings = { holderId: 'h', dataFolder: join(folder, 'other'), host: '127.0.0.1', tcpPort: 0 }
    child.send({ ...settings, accessSecret, logLevel: 'silent' })
    child.send({ call: 1, method: 'hello', args: [] })
    await once(child, 'message')
    child.disconnect()
    const [code] = await once(child, 'exit')
    assert.equal(code, 0)
  })

  test('a data folder with too long a path is refused in words', async () => {
    const dataFolder = join(folder, 'x'.repeat(100))
    const options = { dataFolder, host: '127.0.0.1', tcpPort: 0, processCount: 1, accessSecret, kms }
    const start = startDiskPool({ ...options, log: makeLog('silent'), clock: systemClock, onRestart: () => undefined })
    await assert.rejects(start, /path of the data folder is too long/)
  })
})

describe('hostile clients', () => {
  test('whatever they send, the server hangs up and serves others', needs('nbdinfo'), async () => {
    const volume = await makeVolume()
    const { unixUri, socket, port } = await connectTo(volume)
    const attacks: Buffer[][] = [
      [randomBytes(4096)],
      [u32(0xffff_ffff)],
      [flags, randomBytes(64)],
      [flags, option(7, 0xffff_ffff)],
      [flags, option(99, 0x7fff_ffff)],
      [flags, option(2, 0)],
      [flags, ...Array.from({ length: 100 }, () => option(99, 0))],
      [flags, option(1, 5000, Buffer.alloc(5000))],
      [flags, option(1, 7, Buffer.from('unknown'))],
    ]
    const transmissions: Buffer[][] = [
      [flags, go, randomBytes(28)],
      [flags, go, request(0, 512, 0x12560953)],
      [flags, go, request(2, 0)],
    ]
    for (const attack of attacks) {
      for (const at of [{ path: socket }, { port, host: '127.0.0.1' }]) {
        const answer = await provoke(at, ...attack)
        assert.ok(answer.subarray(0, 16).equals(greeting))
      }
    }
    for (const attack of transmissions) await provoke({ path: socket }, ...attack)
    // Plain text that follows the request for TLS would be taken for the client's own words inside it.
    await provoke({ port, host: '127.0.0.1' }, flags, Buffer.concat([option(5, 0), option(3, 0)]))
    await provoke({ port, host: '127.0.0.1' }, flags, option(5, 0), randomBytes(500))
    await succeed('nbdinfo', unixUri)
    assert.equal((await diskProcesses()).length, 2)
  })

  test('clients that vanish in mid-request leave nothing behind', needs('nbdinfo'), async () => {
    const volume = await makeVolume()
    const { unixUri, socket } = await connectTo(volume)
    for (const half of [flags, Buffer.concat([flags, go, request(1, 32 * MiB), Buffer.alloc(MiB)])]) {
      const client = connect({ path: socket })
      client.on('error', () => undefined)
      client.write(half)
      await once(client, 'data')
      await sleep(20)
      client.destroy()
    }
    // A client that asks for far more than it reads holds no more memory than it is allowed.
    const greedy = connect({ path: socket })
    greedy.on('error', () => undefined)
    greedy.write(Buffer.concat([flags, go, ...Array.from({ length: 3000 }, () => request(0, 8 * MiB))]))
    await sleep(200)
    greedy.destroy()
    await succeed('nbdinfo', unixUri)
    await closeImage(volume)
  })
})

// The data plane when something goes wrong on purpose: keys are taken away under running clients, processes are killed,
// clients lie.

import assert from 'node:assert/strict'
import { fork, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { existsSync } from 'node:fs'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '#base/clock.ts'
import { systemRandom } from '#base/random.ts'
import { makeLog } from '#base/log.ts'
import { verifyFenceAck } from '#crypto/fence-ack.ts'
import { luks2DataOffsetBytes, openLuks2 } from '#crypto/luks2.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { fenceAll, makeFakeKms } from './testing/fake-kms.ts'
import type { FakeKms } from './testing/fake-kms.ts'
import { needs, run, succeed, python, nbdsh } from './testing/outside-tools.ts'
import { startDiskPool } from './pool.ts'
import { countInMemory } from './testing/process-memory.ts'
import { flags, go, greeting, option, provoke, request, u32 } from './testing/raw-client.ts'
import {
  accessSecret,
  book,
  closeImage,
  connectTo,
  diskProcesses,
  folder,
  imageOf,
  kms,
  makeVolume,
  MiB,
  nextRestart,
  pool,
  startPool,
  stopPool,
} from './testing/server-fixture.ts'

before(() => startPool(2))
after(stopPool)

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

  test('a fence leaves neither data key nor volume key in the memory of the process', needs('nbdsh'), async (t) => {
    const volume = await makeVolume()
    const { unixUri, tlsUri } = await connectTo(volume)
    const dataKey = kms.unwrap(volume.volumeCrn, volume.wrappedDataKey)
    const opened = openLuks2(await readFile(imageOf(volume)), SecretBytes.own(new Uint8Array(dataKey)))
    const volumeKey = opened.volumeKey.use((bytes) => Buffer.from(bytes))
    // The schedules of AES begin with the key itself; XTS has two of them.
    const keys = [volumeKey.subarray(0, 32), volumeKey.subarray(32), Buffer.from(dataKey)]
    const search = async (): Promise<number[]> => {
      const each = (await diskProcesses()).map((pid) => countInMemory(pid, keys))
      return keys.map((_, index) => each.reduce((sum, counts) => sum + (counts[index] ?? 0), 0))
    }
    const loop = ['print("started", flush=True)', 'while True: h.pwrite(b"z" * 65536, 0); h.pread(65536, 0)']
    const clients = [python(unixUri, ...loop), python(tlsUri, ...loop)]
    while (kms.leaseIds(volume.volumeCrn).length === 0) await sleep(5)
    let counts: number[] = []
    try {
      while (counts[0] === undefined || counts[0] === 0) counts = await search()
      // Once more, now that it has been opened.
      counts = await search()
    } catch {
      await fenceAll(pool.holders(), kms.leaseIds(volume.volumeCrn))
      await Promise.all(clients)
      return t.skip('the memory of other processes is not to be read here')
    }
    t.diagnostic(`copies of the volume key's halves and of the data key at work: ${counts.join(', ')}`)
    assert.ok(
      counts.slice(0, 2).every((count) => count > 0),
      'the search finds what is there',
    )
    assert.equal(counts[2], 0, 'the data key is needed for the opening only')
    const leaseIds = kms.leaseIds(volume.volumeCrn)
    kms.disable(volume.volumeCrn)
    await fenceAll(pool.holders(), leaseIds)
    assert.deepEqual(await search(), [0, 0, 0])
    await Promise.all(clients)
    kms.enable(volume.volumeCrn)
  })

  /** A pool whose leases last a moment, with one volume in it. */
  async function startShortLived(name: string, shortKms: FakeKms) {
    const dataFolder = join(folder, name)
    const options = { dataFolder, host: '127.0.0.1', tcpPort: 0, processCount: 1, accessSecret, kms: shortKms, book }
    const other = await startDiskPool({
      ...options,
      log: makeLog('silent'),
      clock: systemClock,
      random: systemRandom,
      onRestart: assert.fail,
    })
    const volume = { ...(await makeVolume()), wrappedDataKey: new Uint8Array() }
    const spec = { ...volume, wrappedDataKey: shortKms.wrapNewKey(volume.volumeCrn) }
    await other.port.createVolume(spec)
    await other.port.addExport({ attachmentId: 'a', volume: spec })
    const { unixUri } = await other.port.connect(spec.volumeId, 'a', 60_000)
    return { other, unixUri }
  }

  test('a lease that nobody renews ends by itself, under clients at work', needs('nbdsh'), async () => {
    const { other, unixUri } = await startShortLived('short', makeFakeKms({ leaseMs: 1500 }))
    const { code, out } = await python(
      unixUri,
      'h.pread(512, 0)',
      'print("read", flush=True)',
      'while True: h.pread(512, 0)',
    )
    assert.equal(out, 'read\n')
    assert.notEqual(code, 0)
    await other.close()
  })

  test('a process that is stopped and goes on past its lease serves no byte more', needs('nbdsh'), async () => {
    const leaseMs = 1500
    const others = new Set(await diskProcesses())
    const { other, unixUri } = await startShortLived('stopped', makeFakeKms({ leaseMs }))
    const pid = (await diskProcesses()).find((each) => !others.has(each))
    assert.ok(pid !== undefined)
    const [stopped, asked] = [join(folder, 'is-stopped'), join(folder, 'is-asked')]
    const client = python(
      unixUri,
      'import os, time',
      'h.pread(512, 0)',
      `open("${asked}", "w").close()`,
      `while not os.path.exists("${stopped}"): time.sleep(0.001)`,
      'h.pread(512, 0)',
      'print("served", flush=True)',
    )
    while (!existsSync(asked)) assert.equal(await Promise.race([client, sleep(5, null)]), null)
    process.kill(pid, 'SIGSTOP')
    // The request lies in the socket while the lease runs out.
    await writeFile(stopped, '')
    await sleep(2 * leaseMs)
    process.kill(pid, 'SIGCONT')
    const { code, out } = await client
    assert.deepEqual([code === 0, out], [false, ''])
    await other.close()
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
    const restarted = nextRestart()
    const killed = await diskProcesses()
    for (const pid of killed) process.kill(pid, 'SIGKILL')
    await restarted
    while (pool.holders().length < 2) await sleep(5)
    assert.ok(pool.holders().every(({ holderId }) => !before.has(holderId)))
    await pool.port.addExport({ attachmentId: volume.volumeId, volume })
    await nbdsh(tlsUri, 'assert h.pread(32768, 12345) == b"durable!" * 4096', 'assert h.pread(3, 0) == b"fua"')
  })

  test('after a flush has failed none succeeds until the image is opened again', needs('nbdsh', 'strace'), async () => {
    const volume = await makeVolume()
    const { unixUri } = await connectTo(volume)
    const [failed, repaired] = [join(folder, 'failed'), join(folder, 'repaired')]
    const tracees = (await diskProcesses()).flatMap((pid) => ['-p', String(pid)])
    const injection = ['-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO']
    const tracer = spawn('strace', ['-f', ...injection, ...tracees], { stdio: ['ignore', 'ignore', 'pipe'] })
    let attached = ''
    tracer.stderr.on('data', (chunk: Buffer) => (attached += chunk.toString()))
    while ((attached.match(/attached/g)?.length ?? 0) < 2) await once(tracer.stderr, 'data')
    const client = python(
      unixUri,
      'import os, time',
      'def flush_fails():',
      '  try: h.flush()',
      '  except nbd.Error as e: assert e.errno == "EIO", e.errno',
      '  else: assert False, "the flush succeeded"',
      'h.pwrite(b"lost?", 0)',
      'flush_fails()',
      `open("${failed}", "w").close()`,
      `while not os.path.exists("${repaired}"): time.sleep(0.01)`,
      'flush_fails()',
      'assert h.pread(5, 0) == b"lost?"',
    )
    while (!existsSync(failed)) assert.equal(await Promise.race([client, sleep(5, null)]), null)
    tracer.kill('SIGINT')
    await once(tracer, 'close')
    await writeFile(repaired, '')
    const { code, err } = await client
    assert.equal(code, 0, err)
    await closeImage(volume)
    await pool.port.addExport({ attachmentId: volume.volumeId, volume })
    await nbdsh(unixUri, 'h.flush()')
  })

  test('a client hears that a long read failed midway, and goes on', needs('nbdsh'), async () => {
    const volume = await makeVolume(64 * MiB)
    const { unixUri, tlsUri } = await connectTo(volume)
    await nbdsh(unixUri, 'h.pwrite(b"before", 0)', 'h.flush()')
    await truncate(imageOf(volume), luks2DataOffsetBytes + 9 * MiB)
    for (const uri of [unixUri, tlsUri]) {
      await nbdsh(
        uri,
        'try: h.pread(16 << 20, 0)',
        'except nbd.Error as e: assert e.errno == "EIO", e.errno',
        'else: assert False, "it was read"',
        'assert h.pread(6, 0) == b"before"',
      )
    }
  })

  test('a stopped process is killed by a fence: it serves nothing of what it had queued', needs('nbdsh'), async () => {
    const volume = await makeVolume()
    const { unixUri } = await connectTo(volume)
    const client = python(
      unixUri,
      'h.pread(512, 0)',
      'print("read", flush=True)',
      'import time',
      'time.sleep(1)',
      'h.pwrite(b"late" * 128, 0)',
      'print("late write served")',
    )
    while (kms.leaseIds(volume.volumeCrn).length === 0) await sleep(5)
    const leaseIds = kms.leaseIds(volume.volumeCrn)
    await sleep(300)
    const stopped = await diskProcesses()
    for (const pid of stopped) process.kill(pid, 'SIGSTOP')
    const restarted = nextRestart()
    kms.disable(volume.volumeCrn)
    await fenceAll(pool.holders(), leaseIds)
    for (const pid of stopped) assert.throws(() => process.kill(pid, 'SIGCONT'), { code: 'ESRCH' })
    const { code, out } = await client
    assert.notEqual(code, 0)
    assert.doesNotMatch(out, /late write served/)
    await restarted
    kms.enable(volume.volumeCrn)
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
    const options = { dataFolder, host: '127.0.0.1', tcpPort: 0, processCount: 1, accessSecret, kms, book }
    const start = startDiskPool({
      ...options,
      log: makeLog('silent'),
      clock: systemClock,
      random: systemRandom,
      onRestart: () => undefined,
    })
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

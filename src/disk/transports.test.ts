// Both ways in which a connection is served, in the event loop and on threads of its own, under the same tests: real
// volumes of a data plane in this process, every dialect of the protocol.

import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect as tlsConnect } from 'node:tls'
import { systemClock } from '#base/clock.ts'
import { lanePieceBytes, laneThreadsMax } from '#base/limits.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { ByteReader } from './byte-reader.ts'
import { startDisk } from './disk.ts'
import type { Disk } from './disk.ts'
import { imagePath } from './folders.ts'
import { Moments } from './moments.ts'
import { command, commandFlag, replyType } from './nbd-wire.ts'
import type { VolumeSpec } from './port.ts'
import { socketCalls } from './socket-calls.ts'
import { makeFakeKms } from './testing/fake-kms.ts'
import { memoryBook } from './testing/memory-book.ts'
import { dialects, errorPlace, NbdPeer } from './testing/nbd-peer.ts'
import type { DialectName } from './testing/nbd-peer.ts'
import { flags, greeting, option } from './testing/raw-client.ts'
import { tls13Suites } from './tls-calls.ts'

const MiB = 1024 * 1024
const capacityBytes = 64 * MiB

const transports = [
  { name: 'in the event loop', threads: 0, skip: false },
  { name: 'on threads', threads: laneThreadsMax, skip: socketCalls === null && 'node:ffi is not in this Node' },
]

for (const { name, threads, skip } of transports) {
  describe(`a connection that is served ${name}`, { skip }, () => {
    const kms = makeFakeKms()
    const broken: unknown[] = []
    let folder: string
    let disk: Disk
    let count = 0

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kw-'))
      disk = await startDisk({
        settings: {
          holderId: 'holder',
          dataFolder: join(folder, 'data'),
          host: '127.0.0.1',
          tcpPort: 0,
          accessSecret: randomBytes(32),
          logLevel: 'silent',
        },
        kms,
        moments: new Moments(),
        book: memoryBook(),
        privateKey: generateKeyPairSync('ed25519').privateKey,
        clock: systemClock,
        random: systemRandom,
        log: makeLog('silent'),
        laneThreadsMax: threads,
        onBroken: (error) => broken.push(error),
      })
    })

    after(async () => {
      await disk.close()
      assert.deepEqual(broken, [])
      await rm(folder, { recursive: true, force: true })
    })

    async function makeVolume(limits: Partial<VolumeSpec> = {}): Promise<VolumeSpec> {
      count += 1
      const volumeId = `volume-${count}`
      const volumeCrn = `crn:${volumeId}`
      const as = { kind: 'service', serviceName: 'server-protect', accountId: 'b'.repeat(32) } as const
      const keys = { keyCrn: 'crn:key', wrappedDataKey: kms.wrapNewKey(volumeCrn) }
      const volume = { volumeId, volumeCrn, capacityBytes, ...keys, as, ...limits }
      await disk.port.createVolume(volume)
      await disk.port.addExport({ attachmentId: volumeId, volume })
      return volume
    }

    async function socketTo({ volumeId }: VolumeSpec): Promise<Socket> {
      const { unixUri } = await disk.port.connect(volumeId, volumeId, 60_000)
      const socket = connect(new URL(unixUri).searchParams.get('socket') ?? '')
      socket.on('error', () => undefined)
      return socket
    }

    const meet = async (volume: VolumeSpec, dialect: DialectName = 'structured'): Promise<NbdPeer> =>
      NbdPeer.meet(await socketTo(volume), dialect)

    for (const dialect of dialects) {
      test(`reads back what was written, whatever its place and size, with ${dialect} replies`, async () => {
        const peer = await meet(await makeVolume(), dialect)
        const sizes = [1, 511, 4096, 4097, 65_536, 256 * 1024, 300_001, MiB, 5 * MiB + 1]
        for (const byteCount of sizes) {
          for (const offset of [0, 4096, 12_345]) {
            const data = randomBytes(byteCount)
            await peer.write(offset, data, byteCount % 2 === 0 ? commandFlag.fua : 0)
            assert.equal(Buffer.compare(await peer.read(offset, byteCount), data), 0, `${byteCount} at ${offset}`)
          }
        }
        peer.leave()
        await peer.ended()
      })

      test(`refuses what cannot be, and goes on, with ${dialect} replies`, async () => {
        const peer = await meet(await makeVolume(), dialect)
        const refused = async (asked: Parameters<NbdPeer['do']>[0]): Promise<string | null> =>
          (await peer.do(asked)).error
        assert.equal(await refused({ type: command.read, offset: capacityBytes, byteCount: 1 }), 'EINVAL')
        assert.equal(await refused({ type: command.write, offset: capacityBytes, data: Buffer.alloc(4096) }), 'ENOSPC')
        assert.equal(await refused({ type: command.write, offset: 0, data: Buffer.alloc(33 * MiB) }), 'EINVAL')
        assert.equal(await refused({ type: command.read, byteCount: 0 }), 'EINVAL')
        assert.equal(await refused({ type: 99, byteCount: 512 }), 'EINVAL')
        const payload = dialect === 'extended' ? { data: Buffer.alloc(512) } : { byteCount: 512 }
        const misplaced = { type: command.trim, ...payload, flags: commandFlag.payloadLength }
        assert.equal(await refused(misplaced), 'EINVAL')
        await peer.write(0, Buffer.from('still here'))
        assert.equal(String(await peer.read(0, 10)), 'still here')
        peer.leave()
      })

      test(`zeroes, trims, flushes and caches with ${dialect} replies`, async () => {
        const peer = await meet(await makeVolume(), dialect)
        await peer.write(0, randomBytes(3 * MiB))
        assert.equal((await peer.do({ type: command.writeZeroes, offset: 5000, byteCount: MiB })).error, null)
        assert.deepEqual(await peer.read(5000, MiB), Buffer.alloc(MiB))
        assert.equal((await peer.do({ type: command.trim, offset: 2 * MiB, byteCount: MiB })).error, null)
        assert.deepEqual(await peer.read(2 * MiB, MiB), Buffer.alloc(MiB))
        assert.equal((await peer.do({ type: command.flush })).error, null)
        assert.equal((await peer.do({ type: command.cache, byteCount: MiB })).error, null)
        if (dialect === 'simple') return
        const { data, type } = await peer.do({ type: command.blockStatus, byteCount: 8 * MiB })
        const isExtended = dialect === 'extended'
        assert.equal(type, isExtended ? replyType.blockStatusExtended : replyType.blockStatus)
        assert.equal(data.readUInt32BE(0), 1)
        const extents = isExtended ? data.readUInt32BE(4) : (data.length - 4) / 8
        const sizes = Array.from({ length: extents }, (_, index) =>
          isExtended ? Number(data.readBigUInt64BE(8 + index * 16)) : data.readUInt32BE(4 + index * 8),
        )
        assert.deepEqual(sizes, [2 * MiB, 6 * MiB])
      })
    }

    for (const dialect of dialects) {
      test(`a long read of what the disk has lost in part fails, and nothing else does, with ${dialect} replies`, async () => {
        const volume = await makeVolume()
        const peer = await meet(volume, dialect)
        await peer.write(0, Buffer.from('before'))
        await truncate(imagePath(join(folder, 'data'), volume.volumeId), luks2DataOffsetBytes + 9 * MiB)
        const cookie = peer.ask({ type: command.read, offset: MiB, byteCount: 16 * MiB })
        if (dialect === 'simple' && threads > 0) {
          // All data are announced before the first of them leave.
          await assert.rejects(peer.hear(16 * MiB), { name: 'Disconnected' })
          const other = await meet(volume, dialect)
          assert.equal(String(await other.read(0, 6)), 'before')
          return other.leave()
        }
        const heard = await peer.hear()
        assert.deepEqual([heard.cookie, heard.error], [cookie, 'EIO'])
        if (threads > 0) assert.equal(errorPlace(heard), MiB + 2 * lanePieceBytes)
        assert.equal(String(await peer.read(0, 6)), 'before')
        peer.leave()
      })
    }

    test('many requests in one piece are all answered, and large and small ones mix', async () => {
      const peer = await meet(await makeVolume())
      const cookies = new Set<number>()
      for (let index = 0; index < 400; index += 1) {
        const isLarge = index % 50 === 0
        const data = Buffer.alloc(isLarge ? MiB : 4096, index)
        cookies.add(peer.ask({ type: command.write, offset: index * 8192, data }))
        if (index % 7 === 0) cookies.add(peer.ask({ type: command.flush }))
        if (index % 3 === 0) cookies.add(peer.ask({ type: command.read, offset: 0, byteCount: isLarge ? MiB : 512 }))
      }
      while (cookies.size > 0) {
        const { cookie, error } = await peer.hear()
        assert.equal(error, null)
        assert.ok(cookies.delete(cookie))
      }
      peer.leave()
      await peer.ended()
    })

    test('a goodbye waits for what is under way', async () => {
      const peer = await meet(await makeVolume())
      const asked = Array.from({ length: 20 }, () => peer.ask({ type: command.read, offset: 0, byteCount: 2 * MiB }))
      peer.leave()
      const heard: number[] = []
      while (heard.length < asked.length) heard.push((await peer.hear()).cookie)
      assert.deepEqual(
        heard.toSorted((a, b) => a - b),
        asked,
      )
      await peer.ended()
    })

    test('partial writes through several connections do not undo each other', async () => {
      const volume = await makeVolume()
      const peers = await Promise.all(Array.from({ length: 4 }, () => meet(volume)))
      const rounds = 60
      await Promise.all(
        peers.map(async (peer, index) => {
          // Each connection owns a quarter of every block.
          for (let round = 0; round < rounds; round += 1) {
            await peer.write(index * 1024 + (round % 5) * 4096, Buffer.alloc(1024, index * rounds + round + 1))
          }
        }),
      )
      const last = await peers[0]?.read(0, 5 * 4096)
      for (let block = 0; block < 5; block += 1) {
        for (let index = 0; index < 4; index += 1) {
          const value = (index * rounds + rounds - 5 + block + 1) & 0xff
          const at = block * 4096 + index * 1024
          assert.deepEqual(last?.subarray(at, at + 1024), Buffer.alloc(1024, value), `quarter ${index} of ${block}`)
        }
      }
      for (const peer of peers) peer.leave()
    })

    test('a fence cuts connections at work, and lets in nobody who was at the door', async () => {
      const volume = await makeVolume()
      const peers = await Promise.all(Array.from({ length: 3 }, () => meet(volume)))
      const work = peers.map(async (peer, index) => {
        const data = Buffer.alloc(index === 0 ? MiB : 4096, 1)
        for (;;) {
          await peer.write(index * 2 * MiB, data)
          await peer.read(index * 2 * MiB, data.length)
        }
      })
      const ends = work.map((loop) => assert.rejects(loop, { name: 'Disconnected' }))
      const sockets = await Promise.all([socketTo(volume), socketTo(volume)])
      await new Promise((resolve) => setTimeout(resolve, 100))
      const leaseIds = kms.leaseIds(volume.volumeCrn)
      kms.disable(volume.volumeCrn)
      const acks = await disk.port.fence(leaseIds)
      assert.equal(acks.length, 1)
      await Promise.all(ends)
      for (const socket of sockets) {
        await assert.rejects(NbdPeer.meet(socket, 'structured'))
        socket.destroy()
      }
      kms.enable(volume.volumeCrn)
      const again = await meet(volume)
      await again.write(0, Buffer.from('again'))
      assert.equal(String(await again.read(0, 5)), 'again')
    })

    test('limits hold over all connections, and a fence wakes who waits for them', async () => {
      const volume = await makeVolume({ iopsMax: 100 })
      const peers = await Promise.all([meet(volume), meet(volume)])
      // The burst, and then requests that have to wait for hours.
      const spend = peers.map(async (peer) => {
        for (let index = 0; index < 45; index += 1) await peer.read(0, 4096)
      })
      await Promise.all(spend)
      await disk.port.addExport({ attachmentId: volume.volumeId, volume: { ...volume, iopsMax: 0.0001 } })
      const waiting = peers.map((peer) => peer.read(0, 4096))
      const ends = waiting.map((read) => assert.rejects(read, { name: 'Disconnected' }))
      await new Promise((resolve) => setTimeout(resolve, 50))
      await disk.port.fence(kms.leaseIds(volume.volumeCrn))
      await Promise.all(ends)
      await disk.port.removeExport(volume.volumeId, volume.volumeId)
    })

    test('over TLS it is the same, and a fence ends that too', async () => {
      const volume = await makeVolume()
      const { uri, pskIdentity, pskKey } = await disk.port.connect(volume.volumeId, volume.volumeId, 60_000)
      const plain = connect(Number(/:(\d+)\//.exec(uri)?.[1]), '127.0.0.1')
      const reader = new ByteReader(plain)
      await reader.take(greeting.length + 2)
      plain.write(Buffer.concat([flags, option(5, 0)]))
      await reader.take(20)
      reader.detach()
      const socket = tlsConnect({
        socket: plain,
        ciphers: tls13Suites.join(':'),
        pskCallback: () => ({ psk: Buffer.from(pskKey, 'hex'), identity: pskIdentity }),
        checkServerIdentity: () => undefined,
      })
      socket.on('error', () => undefined)
      const peer = await NbdPeer.meet(socket, 'extended', volume.volumeId)
      for (const byteCount of [4096, 5000, MiB + 1, 3 * MiB]) {
        const data = randomBytes(byteCount)
        await peer.write(8192, data)
        assert.equal(Buffer.compare(await peer.read(8192, byteCount), data), 0)
      }
      await disk.port.fence(kms.leaseIds(volume.volumeCrn))
      await assert.rejects(peer.read(0, 512), { name: 'Disconnected' })
    })
  })
}

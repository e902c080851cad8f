// Clients that mean harm, against a real disk process: whatever they do, its memory is bounded and other clients go on.
// What is asserted is bytes and answers, never time: a client that is starved makes the test hang.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as tlsConnect } from 'node:tls'
import { diskRequestBytesMax, diskSpareBytesMax, lanePieceBytes, laneThreadsMax } from '#base/limits.ts'
import { nbdConnectionsPerExportMax, nbdOptionsMax, nbdRequestBytesMax } from '#base/limits.ts'
import { ByteReader } from './byte-reader.ts'
import { command } from './nbd-wire.ts'
import type { VolumeSpec } from './port.ts'
import { NbdPeer } from './testing/nbd-peer.ts'
import { flags, go, greeting, option, provoke, request, u32 } from './testing/raw-client.ts'
import { connectTo, makeVolume, memoryBytes, MiB, pool, startPool, stopPool } from './testing/server-fixture.ts'
import type { Way } from './testing/server-fixture.ts'
import { tls13Suites } from './tls-calls.ts'

/** What threads are: an isolate of some 25 MiB each, and besides their pieces 10 MiB of input, replies and slow requests. */
const laneBytes = laneThreadsMax * (25 * MiB + 10 * MiB + lanePieceBytes)
/** What the collector has not got round to, buffers of the kernel's side in node:net, and TLS of those at the door. */
const slackBytes = 192 * MiB
const growthBytesMax = diskRequestBytesMax + diskSpareBytesMax + laneBytes + slackBytes

let honest: { readonly volume: VolumeSpec; readonly way: Way; readonly data: Buffer }
let victim: VolumeSpec
let way: Way
let bytesAtStart: number

before(async () => {
  await startPool(1)
  const volume = await makeVolume(64 * MiB)
  honest = { volume, way: await connectTo(volume), data: randomBytes(3 * MiB + 1) }
  victim = await makeVolume(64 * MiB)
  way = await connectTo(victim)
  await goOn()
  bytesAtStart = await memoryBytes('VmRSS')
})

after(stopPool)

function open(path: string): Socket {
  const socket = connect(path)
  socket.on('error', () => undefined)
  return socket
}

/** Somebody else works meanwhile: on another volume and on the same. */
async function goOn(): Promise<void> {
  for (const socket of [open(honest.way.socket), open(way.socket)]) {
    const peer = await NbdPeer.meet(socket, 'structured')
    await peer.write(5000, honest.data)
    assert.ok((await peer.read(5000, honest.data.length)).equals(honest.data))
    assert.equal((await peer.do({ type: command.flush })).error, null)
    peer.leave()
    await peer.ended()
  }
}

async function isBounded(): Promise<void> {
  const grownBytes = (await memoryBytes('VmHWM')) - bytesAtStart
  if (process.env['KEYWARD_TEST_FIGURES']) process.stderr.write(`grown by ${grownBytes >> 20} MiB\n`)
  assert.ok(grownBytes < growthBytesMax, `grown by ${grownBytes >> 20} MiB, and ${growthBytesMax >> 20} are allowed`)
}

/** Connections beyond the negotiation: all but two of what the export allows, which are for others, or fewer. */
async function intrude(count = nbdConnectionsPerExportMax - 2): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => open(way.socket))
  const admitted = sockets.map(async (socket) => {
    const reader = new ByteReader(socket)
    socket.write(Buffer.concat([flags, option(8, 0), go]))
    // Greeting, the answer to option 8, and those to GO: one info and an acknowledgement.
    await reader.take(18 + 20 + 20 + 12 + 20)
    reader.detach()
  })
  await Promise.all(admitted)
  return sockets
}

async function leave(sockets: readonly Socket[]): Promise<void> {
  const ends = sockets.map((socket) => socket.destroyed || new Promise((resolve) => socket.once('close', resolve)))
  for (const socket of sockets) socket.destroy()
  await Promise.all(ends)
}

test('an export without clients costs less than 100 KiB', async () => {
  const spec = { ...victim, volumeId: 'idle' }
  const count = 400
  const before = await memoryBytes('VmRSS')
  for (let index = 0; index < count; index += 1) {
    await pool.port.addExport({ attachmentId: `idle-${index}`, volume: spec })
  }
  const eachBytes = ((await memoryBytes('VmRSS')) - before) / count
  if (process.env['KEYWARD_TEST_FIGURES']) process.stderr.write(`an idle export: ${Math.round(eachBytes)} bytes\n`)
  assert.ok(eachBytes < 100 * 1024, `${eachBytes} bytes`)
  for (let index = 0; index < count; index += 1) await pool.port.removeExport('idle', `idle-${index}`)
})

test('clients that never read their replies', async () => {
  const sockets = await intrude()
  const asked = Array.from({ length: 64 }, () => request(command.read, nbdRequestBytesMax))
  for (const socket of sockets) socket.write(Buffer.concat(asked))
  for (let round = 0; round < 2; round += 1) await goOn()
  await isBounded()
  await leave(sockets)
  await goOn()
})

test('clients that announce long writes and never finish them', async () => {
  const sockets = await intrude()
  const halves = Buffer.concat([request(command.write, nbdRequestBytesMax), Buffer.alloc(nbdRequestBytesMax - 4096)])
  for (const socket of sockets) socket.write(halves)
  for (let round = 0; round < 2; round += 1) await goOn()
  await isBounded()
  await leave(sockets)
  await goOn()
})

test('pipelines of ten thousand requests whose replies are read late', async () => {
  const sockets = await intrude(laneThreadsMax + 8)
  const byteCount = 512
  const pipeline = Buffer.concat(Array.from({ length: 10_000 }, () => request(command.read, byteCount)))
  for (const socket of sockets) socket.write(pipeline)
  await goOn()
  await isBounded()
  const replies = [...sockets.slice(0, 2), ...sockets.slice(-2)]
  await Promise.all(replies.map((socket) => new ByteReader(socket).skip(10_000 * (20 + 8 + byteCount))))
  await leave(sockets)
  await goOn()
})

test('lying lengths, floods of options and questions', async () => {
  const at = { path: way.socket }
  const huge = await provoke(at, flags, option(99, 0xffff_ffff))
  assert.equal(huge.length, greeting.length + 2, 'hung up')
  const flood = Array.from({ length: 10_000 }, () => option(99, 0))
  const flooding = open(way.socket)
  let answeredBytes = 0
  flooding.on('data', (chunk: Buffer) => (answeredBytes += chunk.length))
  flooding.write(Buffer.concat([flags, ...flood]))
  // An error, which a reset is, does not count here.
  await new Promise((resolve) => flooding.once('close', resolve))
  const sentence = 'option 99 is not known'.length
  assert.ok(answeredBytes <= greeting.length + 2 + nbdOptionsMax * (20 + sentence))
  const queries = Buffer.concat([u32(0), u32(0xffff_ffff), Buffer.alloc(60_000)])
  const asked = await provoke(at, flags, option(8, 0), option(10, queries.length, queries), option(2, 0))
  assert.ok(asked.includes('do not fit the data'))
  const peer = await NbdPeer.meet(open(way.socket), 'extended')
  for (const byteCount of [2 ** 31, 2 ** 52]) {
    assert.equal((await peer.do({ type: command.read, byteCount })).error, 'EINVAL')
    assert.equal((await peer.do({ type: command.writeZeroes, byteCount })).error, 'ENOSPC')
  }
  peer.leave()
  // A refused write of 4 GiB, of which some arrives: it is thrown away as it comes.
  const liars = Array.from({ length: 8 }, () => open(way.socket))
  for (const socket of liars) {
    socket.write(Buffer.concat([flags, go, request(command.write, 0xffff_ffff), Buffer.alloc(8 * MiB)]))
  }
  await goOn()
  await isBounded()
  await leave(liars)
})

test('names are guessed in vain', async () => {
  for (const name of [honest.volume.volumeId, 'r006', '../../', 'r006-1\0', '%00', '*', 'x'.repeat(4096)]) {
    const data = Buffer.concat([u32(Buffer.byteLength(name)), Buffer.from(name), Buffer.alloc(2)])
    const heard = await provoke({ path: way.socket }, flags, option(7, data.length, data), option(2, 0))
    assert.ok(heard.includes('there is no such export here'), name)
  }
})

test('crowds at the door: silent ones, and ones with the wrong key', async () => {
  const silent = Array.from({ length: 400 }, () => connect(way.port, '127.0.0.1').on('error', () => undefined))
  const wrong = Array.from({ length: 200 }, async (_, index) => {
    const identity = index % 2 === 0 ? way.pskIdentity : `r006-${index}.99999999999`
    await assert.rejects(secureAs(identity, randomBytes(32)))
  })
  await Promise.all(wrong)
  await isBounded()
  const socket = await secureAs(way.pskIdentity, Buffer.from(way.pskKey, 'hex'))
  const peer = await NbdPeer.meet(socket, 'structured', victim.volumeId)
  assert.equal((await peer.read(0, 4096)).length, 8 + 4096 - 8)
  socket.destroy()
  await leave(silent)
})

async function secureAs(identity: string, psk: Buffer): Promise<Socket> {
  const plain = connect(way.port, '127.0.0.1')
  plain.on('error', () => undefined)
  const reader = new ByteReader(plain)
  await reader.take(greeting.length + 2)
  plain.write(Buffer.concat([flags, option(5, 0)]))
  await reader.take(20)
  reader.detach()
  const settings = { ciphers: tls13Suites.join(':'), checkServerIdentity: () => undefined }
  const socket = tlsConnect({ socket: plain, ...settings, pskCallback: () => ({ psk, identity }) })
  await once(socket, 'secureConnect')
  socket.on('error', () => undefined)
  return socket
}

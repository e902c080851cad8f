import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { nbdPieceBytes, nbdStallMs } from '#base/limits.ts'
import { aligned } from './aligned.ts'
import { BufferPool } from './buffer-pool.ts'
import { ByteReader, Disconnected } from './byte-reader.ts'
import { DeviceFault, Fenced } from './device.ts'
import type { BlockDevice } from './device.ts'
import { gated } from './gate.ts'
import { memoryDevice } from './testing/memory-device.ts'
import type { MemoryDevice } from './testing/memory-device.ts'
import { command, commandFlag, nbdError, replyType } from './nbd-wire.ts'
import { RequestMemory } from './request-memory.ts'
import type { Terms } from './request-rules.ts'
import { transmit } from './session.ts'
import { bytesMoved } from './socket-calls.ts'
import { StallWatch } from './stall.ts'
import { makeFakeClock } from './testing/fake-clock.ts'
import { errorPlace, joined } from './testing/nbd-peer.ts'
import { socketPair } from './testing/socket-pair.ts'
import type { SocketPair } from './testing/socket-pair.ts'

const sizeBytes = 1 << 20
const simpleMagic = 0x67446698

interface Ask {
  readonly type: number
  readonly offset?: number
  readonly byteCount?: number
  readonly flags?: number
  readonly data?: Uint8Array
}

class Client {
  readonly #socket: import('node:net').Socket
  readonly #reader: ByteReader
  #cookie = 0

  constructor(socket: import('node:net').Socket) {
    this.#socket = socket
    this.#reader = new ByteReader(socket)
  }

  ask({ type, offset = 0, byteCount = 0, flags = 0, data }: Ask): number {
    this.#cookie += 1
    const bytes = Buffer.alloc(28)
    bytes.writeUInt32BE(0x25609513, 0)
    bytes.writeUInt16BE(flags, 4)
    bytes.writeUInt16BE(type, 6)
    bytes.writeBigUInt64BE(BigInt(this.#cookie), 8)
    bytes.writeBigUInt64BE(BigInt(offset), 16)
    bytes.writeUInt32BE(data?.length ?? byteCount, 24)
    this.#socket.write(data ? Buffer.concat([bytes, data]) : bytes)
    return this.#cookie
  }

  /** The next reply, which carries `dataBytes` of data if it is a simple reply to a read. */
  async hear(dataBytes = 0): Promise<{ cookie: number; error: number; type: number | null; data: Buffer }> {
    const magic = (await this.#reader.take(4)).readUInt32BE(0)
    if (magic === simpleMagic) {
      const rest = Buffer.from(await this.#reader.take(12))
      const error = rest.readUInt32BE(0)
      const data = Buffer.from(await this.#reader.take(error === 0 ? dataBytes : 0))
      return { cookie: Number(rest.readBigUInt64BE(4)), error, type: null, data }
    }
    const head = Buffer.from(await this.#reader.take(16))
    const data = Buffer.from(await this.#reader.take(head.readUInt32BE(12)))
    const type = head.readUInt16BE(2)
    const isError = type === replyType.error || type === replyType.errorOffset
    const error = isError ? data.readUInt32BE(0) : 0
    const chunk = { cookie: Number(head.readBigUInt64BE(4)), error, type, data }
    return head.readUInt16BE(0) === 1 ? chunk : joined(chunk, await this.hear())
  }

  async do(asked: Ask, dataBytes = 0): ReturnType<Client['hear']> {
    const cookie = this.ask(asked)
    const heard = await this.hear(dataBytes)
    assert.equal(heard.cookie, cookie)
    return heard
  }
}

/** What all sessions here have: memory for all they want, and patience. */
function partsOf(pair: SocketPair, device: BlockDevice, terms: Partial<Terms>, memory = new RequestMemory()) {
  const clock = makeFakeClock()
  const moved = (): number => bytesMoved(pair.server)
  const stall = new StallWatch({ clock, moved, cut: () => pair.server.destroy() })
  const dialect = { structured: false, extended: false, allocationContextId: null }
  const rest = { buffers: new BufferPool(memory), memory, stall, terms: { sizeBytes, ...dialect, ...terms } }
  return { socket: pair.server, reader: new ByteReader(pair.server), device, ...rest, clock }
}

interface Scene extends AsyncDisposable {
  readonly client: Client
  readonly memory: MemoryDevice
  readonly ended: Promise<void>
  readonly broken: unknown[]
}

async function begin(
  options: {
    structured?: boolean
    turns?: () => number
    over?: (device: BlockDevice) => BlockDevice
    shared?: RequestMemory
  } = {},
): Promise<Scene> {
  const { structured = true, turns = () => 0, over = (device: BlockDevice) => device } = options
  const pair = await socketPair()
  const memory = memoryDevice({ sizeBytes, turns })
  const broken: unknown[] = []
  const terms = { structured, allocationContextId: structured ? 7 : null }
  const onBroken = (error: unknown): void => void broken.push(error)
  const parts = partsOf(pair, over(aligned(memory, 4096)), terms, options.shared)
  const ended = transmit({ ...parts, onBroken })
  ended.catch(() => undefined)
  return {
    client: new Client(pair.client),
    memory,
    ended,
    broken,
    [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
  }
}

describe('transmit()', () => {
  for (const structured of [true, false]) {
    test(`reads what was written, with ${structured ? 'structured' : 'simple'} replies`, async () => {
      await using scene = await begin({ structured })
      const { client } = scene
      assert.equal((await client.do({ type: command.write, offset: 5000, data: Buffer.alloc(9000, 'ab') })).error, 0)
      const flags = structured ? commandFlag.df : 0
      const heard = await client.do({ type: command.read, offset: 5001, byteCount: 100, flags }, 100)
      const data = structured ? heard.data.subarray(8) : heard.data
      if (structured) assert.equal(heard.data.readBigUInt64BE(0), 5001n)
      assert.equal(data.toString(), 'ba'.repeat(50))
    })
  }

  test('faults of the storage reach the client by their names', async () => {
    await using scene = await begin()
    const { client, memory } = scene
    memory.failNext('EIO')
    const read = await client.do({ type: command.read, byteCount: 4096 })
    assert.deepEqual([read.error, read.type], [nbdError.EIO, replyType.error])
    memory.failNext('ENOSPC')
    assert.equal((await client.do({ type: command.write, data: Buffer.alloc(4096) })).error, nbdError.ENOSPC)
    memory.failNext('EIO')
    assert.equal((await client.do({ type: command.flush })).error, nbdError.EIO)
    assert.equal((await client.do({ type: command.read, byteCount: 4096 })).error, 0)
  })

  test('FUA is answered after the flush that it asks for', async () => {
    await using scene = await begin()
    const { client, memory } = scene
    const { fua } = commandFlag
    await client.do({ type: command.write, data: Buffer.alloc(4096), flags: fua })
    await client.do({ type: command.writeZeroes, byteCount: 4096, flags: fua | commandFlag.noHole })
    await client.do({ type: command.trim, byteCount: 4096, flags: fua })
    await client.do({ type: command.read, byteCount: 4096, flags: fua })
    const names = memory.calls.map((call) => call.split(' ')[0])
    assert.deepEqual(names, ['write', 'flush', 'zero', 'flush', 'trim', 'flush', 'read'])
  })

  test('a refused write is skipped, however long, and the next request is understood', async () => {
    await using scene = await begin()
    const { client, memory } = scene
    assert.equal(
      (await client.do({ type: command.write, offset: sizeBytes - 1, data: Buffer.alloc(2) })).error,
      nbdError.ENOSPC,
    )
    assert.equal((await client.do({ type: command.write, data: Buffer.alloc(40 << 20) })).error, nbdError.ENOSPC)
    assert.equal((await client.do({ type: command.write, data: Buffer.alloc(64), flags: 0x80 })).error, nbdError.EINVAL)
    assert.equal((await client.do({ type: 42 })).error, nbdError.EINVAL)
    assert.equal((await client.do({ type: command.flush, byteCount: 1 })).error, nbdError.EINVAL)
    assert.equal((await client.do({ type: command.read, offset: 2 ** 52, byteCount: 1 })).error, nbdError.EINVAL)
    assert.deepEqual(memory.calls, [])
    assert.equal((await client.do({ type: command.read, byteCount: 10 })).error, 0)
  })

  test('many requests are under way at once, and all are answered before the disconnect', async () => {
    let call = 0
    await using scene = await begin({ turns: () => ((call += 1) * 7) % 5 })
    const { client, ended } = scene
    const asked = new Set<number>()
    for (let index = 0; index < 200; index += 1) {
      const offset = (index % 50) * 4096
      asked.add(
        client.ask(
          index % 2
            ? { type: command.cache, offset, byteCount: 4096 }
            : { type: command.write, offset, data: Buffer.alloc(4096, index) },
        ),
      )
    }
    client.ask({ type: command.disconnect })
    for (let left = asked.size; left > 0; left -= 1) asked.delete((await client.hear()).cookie)
    assert.equal(asked.size, 0)
    await ended
  })

  test('a block status names the context and covers what was asked for', async () => {
    await using scene = await begin()
    const heard = await scene.client.do({
      type: command.blockStatus,
      offset: 100,
      byteCount: 1000,
      flags: commandFlag.reqOne,
    })
    assert.equal(heard.type, replyType.blockStatus)
    assert.deepEqual(
      [0, 4, 8].map((at) => heard.data.readUInt32BE(at)),
      [7, 1000, 0],
    )
  })

  test('a fence in mid-request: no reply is sent and the connection ends', async () => {
    let mayServe = true
    await using scene = await begin({ turns: () => 3, over: (device) => gated(device, () => mayServe) })
    const { client, ended, broken } = scene
    client.ask({ type: command.read, byteCount: 4096 })
    client.ask({ type: command.write, offset: 8192, data: Buffer.alloc(4096) })
    await new Promise(setImmediate)
    mayServe = false
    await assert.rejects(client.hear(), Disconnected)
    await assert.rejects(ended, Disconnected)
    assert.deepEqual(broken, [])
  })

  test('without its magic number a request ends the session', async () => {
    await using pair = await socketPair()
    const ended = transmit({ ...partsOf(pair, memoryDevice({ sizeBytes }), {}), onBroken: assert.fail })
    pair.client.write(Buffer.alloc(28, 1))
    await ended
  })

  test('a client that does not read its replies is not read from either', async () => {
    await using pair = await socketPair()
    const memory = memoryDevice({ sizeBytes: 64 << 20 })
    const { clock, ...parts } = partsOf(pair, memory, { sizeBytes: memory.sizeBytes })
    const ended = transmit({ ...parts, onBroken: assert.fail })
    const request = Buffer.alloc(28)
    request.writeUInt32BE(0x25609513, 0)
    request.writeUInt32BE(16 << 20, 24)
    for (let index = 0; index < 100; index += 1) pair.client.write(request)
    while (memory.calls.length < 4) await sleep(5)
    await sleep(50)
    assert.equal(memory.calls.length, 4, 'as many reads as nbdInFlightBytesMax holds')
    // It is let go when it has not moved for long enough, and not before.
    clock.pass(nbdStallMs - 1)
    assert.equal(pair.server.destroyed, false)
    clock.pass(nbdStallMs + 1)
    assert.ok(pair.server.destroyed)
    await assert.rejects(ended, Disconnected)
    assert.equal(parts.memory.usedBytes, 0)
  })

  test('where memory is short, long requests go in pieces, one after another, and others go on', async () => {
    // Room for one small request and nothing more.
    const shared = new RequestMemory(2 * nbdPieceBytes)
    assert.ok(shared.tryTake(0, nbdPieceBytes))
    for (const structured of [true, false]) {
      await using scene = await begin({ structured, shared, turns: () => 1 })
      const { client, memory } = scene
      const data = randomBytes(700_001)
      assert.equal((await client.do({ type: command.write, offset: 4097, data, flags: commandFlag.fua })).error, 0)
      assert.equal(memory.calls.filter((call) => call === 'flush').length, 1)
      const heard = await client.do({ type: command.read, offset: 4097, byteCount: data.length }, data.length)
      assert.ok((structured ? heard.data.subarray(8) : heard.data).equals(data))
      memory.failNext('ENOSPC')
      assert.equal((await client.do({ type: command.write, data })).error, nbdError.ENOSPC)
      memory.failNext('EIO')
      assert.equal((await client.do({ type: command.read, byteCount: data.length }, data.length)).error, nbdError.EIO)
      assert.equal((await client.do({ type: command.cache, byteCount: 1 })).error, 0)
    }
    assert.equal(shared.usedBytes, nbdPieceBytes)
  })

  /** The third read fails. */
  const thirdReadFails = (error: Error) => {
    let reads = 0
    return (device: BlockDevice): BlockDevice => ({
      ...device,
      read: async (target, offset) => {
        if ((reads += 1) === 3) throw error
        await device.read(target, offset)
      },
    })
  }

  test('a read in pieces that fails is answered, with the place, and the connection goes on', async () => {
    const shared = new RequestMemory(0)
    const over = thirdReadFails(new DeviceFault('EIO', 'the third piece'))
    await using scene = await begin({ shared, over })
    const { client, broken } = scene
    const heard = await client.do({ type: command.read, offset: 5, byteCount: 5 * nbdPieceBytes })
    assert.deepEqual([heard.error, heard.type], [nbdError.EIO, replyType.errorOffset])
    assert.equal(errorPlace(heard), 5 + 2 * nbdPieceBytes)
    assert.equal((await client.do({ type: command.read, byteCount: 5 * nbdPieceBytes })).error, 0)
    assert.deepEqual(broken, [])
  })

  test('it ends the connection where all data were announced at once, as it does when it is fenced', async () => {
    const fault = new DeviceFault('EIO', 'the third piece')
    const cases = [
      { structured: false, flags: 0, error: fault },
      { structured: true, flags: commandFlag.df, error: fault },
      { structured: true, flags: 0, error: new Fenced() },
    ]
    for (const { structured, flags, error } of cases) {
      await using scene = await begin({ structured, shared: new RequestMemory(0), over: thirdReadFails(error) })
      const { client, broken } = scene
      client.ask({ type: command.read, byteCount: 5 * nbdPieceBytes, flags })
      await assert.rejects(client.hear(5 * nbdPieceBytes), Disconnected)
      await assert.rejects(scene.ended, Disconnected)
      assert.deepEqual(broken, [])
    }
  })
})

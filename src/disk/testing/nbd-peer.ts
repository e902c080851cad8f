// A client that speaks any dialect and says exactly what a test wants, over a socket or whatever is in front of it.

import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { ByteReader } from '../byte-reader.ts'
import { command, commandFlag, nbdError, option, optionReply, replyType } from '../nbd-wire.ts'
import { flags, option as optionBytes, u32 } from './raw-client.ts'

export const dialects = ['simple', 'structured', 'extended'] as const
export type DialectName = (typeof dialects)[number]

export interface Ask {
  readonly type: number
  readonly offset?: number
  readonly byteCount?: number
  readonly flags?: number
  readonly data?: Uint8Array
}

export interface Heard {
  readonly cookie: number
  readonly error: string | null
  readonly type: number | null
  readonly data: Buffer
}

const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}
const u16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export class NbdPeer {
  readonly #socket: Duplex
  readonly #reader: ByteReader
  readonly dialect: DialectName
  #cookie = 0

  private constructor(socket: Duplex, dialect: DialectName) {
    this.#socket = socket
    this.#reader = new ByteReader(socket)
    this.dialect = dialect
  }

  /**
   * Negotiates, with base:allocation where the dialect has it, and goes on to the default export, or to the named one of a
   * server that has greeted already.
   */
  static async meet(socket: Duplex, dialect: DialectName, greetedAs: string | null = null): Promise<NbdPeer> {
    const peer = new NbdPeer(socket, dialect)
    if (greetedAs === null) {
      await peer.#reader.take(18)
      socket.write(flags)
    }
    const exportName = Buffer.from(greetedAs ?? '')
    if (dialect === 'structured') await peer.#say(option.structuredReply)
    if (dialect === 'extended') await peer.#say(option.extendedHeaders)
    if (dialect !== 'simple') {
      const name = Buffer.from('base:allocation')
      await peer.#say(
        option.setMetaContext,
        Buffer.concat([u32(exportName.length), exportName, u32(1), u32(name.length), name]),
      )
    }
    await peer.#say(option.go, Buffer.concat([u32(exportName.length), exportName, u16(0)]))
    return peer
  }

  ask({ type, offset = 0, byteCount = 0, flags: asked = 0, data }: Ask): number {
    this.#cookie += 1
    const isExtended = this.dialect === 'extended'
    const length = data?.length ?? byteCount
    const allFlags = isExtended && data ? asked | commandFlag.payloadLength : asked
    const head = [u32(isExtended ? 0x21e41c71 : 0x25609513), u16(allFlags), u16(type), u64(this.#cookie), u64(offset)]
    this.#socket.write(Buffer.concat([...head, isExtended ? u64(length) : u32(length), data ?? Buffer.alloc(0)]))
    return this.#cookie
  }

  /** The next reply; `dataBytes` says how much a simple reply to a read carries. */
  async hear(dataBytes = 0): Promise<Heard> {
    const magic = (await this.#reader.take(4)).readUInt32BE(0)
    if (this.dialect === 'simple' || magic === 0x67446698) {
      assert.equal(magic, 0x67446698)
      assert.notEqual(this.dialect, 'extended', 'every reply has an extended header')
      const rest = Buffer.from(await this.#reader.take(12))
      const error = nameOf(rest.readUInt32BE(0))
      const data = Buffer.from(await this.#reader.take(error === null ? dataBytes : 0))
      return { cookie: Number(rest.readBigUInt64BE(4)), error, type: null, data }
    }
    const isExtended = this.dialect === 'extended'
    assert.equal(magic, isExtended ? 0x6e8a278c : 0x668e33ef)
    const head = Buffer.from(await this.#reader.take(isExtended ? 28 : 16))
    const length = isExtended ? Number(head.readBigUInt64BE(20)) : head.readUInt32BE(12)
    const data = Buffer.from(await this.#reader.take(length))
    const type = head.readUInt16BE(2)
    const isError = type === replyType.error || type === replyType.errorOffset
    const error = isError ? nameOf(data.readUInt32BE(0)) : null
    const chunk = { cookie: Number(head.readBigUInt64BE(4)), error, type, data }
    return head.readUInt16BE(0) === 1 ? chunk : joined(chunk, await this.hear())
  }

  async do(asked: Ask): Promise<Heard> {
    const cookie = this.ask(asked)
    const heard = await this.hear(asked.type === command.read ? asked.byteCount : 0)
    assert.equal(heard.cookie, cookie)
    return heard
  }

  async read(offset: number, byteCount: number): Promise<Buffer> {
    const { data, error } = await this.do({ type: command.read, offset, byteCount })
    assert.equal(error, null)
    if (this.dialect === 'simple') return data
    assert.equal(Number(data.readBigUInt64BE(0)), offset)
    return data.subarray(8)
  }

  async write(offset: number, data: Uint8Array, asked = 0): Promise<void> {
    const { error } = await this.do({ type: command.write, offset, data, flags: asked })
    assert.equal(error, null)
  }

  leave(): void {
    this.ask({ type: command.disconnect })
  }

  /** Resolves when the server has hung up. */
  async ended(): Promise<void> {
    await assert.rejects(this.#reader.take(1), { name: 'Disconnected' })
  }

  async #say(code: number, data = Buffer.alloc(0)): Promise<void> {
    this.#socket.write(optionBytes(code, data.length, data))
    for (;;) {
      const head = Buffer.from(await this.#reader.take(20))
      await this.#reader.take(head.readUInt32BE(16))
      const type = head.readUInt32BE(12)
      if (type === optionReply.ack) return
      assert.ok(type < 0x8000_0000, `option ${code} was refused with ${type}`)
    }
  }
}

/** Data that come in several chunks come in order and together; an error may be the last of them. */
export function joined<Chunk extends Omit<Heard, 'error'>>(first: Chunk, rest: Chunk): Chunk {
  assert.equal(rest.cookie, first.cookie)
  assert.equal(first.type, replyType.offsetData)
  if (rest.type !== replyType.offsetData) {
    assert.equal(rest.type, replyType.errorOffset)
    return rest
  }
  const end = Number(first.data.readBigUInt64BE(0)) + first.data.length - 8
  assert.equal(Number(rest.data.readBigUInt64BE(0)), end)
  return { ...first, data: Buffer.concat([first.data, rest.data.subarray(8)]) }
}

/** Where an error is, if the reply says so. */
export const errorPlace = ({ data }: Pick<Heard, 'data'>): number => Number(data.readBigUInt64BE(data.length - 8))

function nameOf(error: number): string | null {
  if (error === 0) return null
  return Object.entries(nbdError).find(([, value]) => value === error)?.[0] ?? String(error)
}

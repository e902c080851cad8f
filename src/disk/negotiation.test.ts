import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { nbdOptionBytesMax, nbdOptionsMax } from '#base/limits.ts'
import { ByteReader, Disconnected } from './byte-reader.ts'
import { greet, negotiate } from './negotiation.ts'
import type { Lobby, Outcome } from './negotiation.ts'
import { option, optionReply, transmissionFlag } from './nbd-wire.ts'
import { socketPair } from './testing/socket-pair.ts'

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff])
const u32 = (value: number): Buffer =>
  Buffer.from([value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff])
const text = (value: string): Buffer => Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)])
const ask = (code: number, ...data: Buffer[]): Buffer => {
  const body = Buffer.concat(data)
  return Buffer.concat([Buffer.from('IHAVEOPT'), u32(code), u32(body.length), body])
}
const go = (name: string, ...infos: number[]): Buffer =>
  ask(option.go, text(name), u16(infos.length), ...infos.map((each) => u16(each)))
const contexts = (code: number, name: string, ...queries: string[]): Buffer =>
  ask(code, text(name), u32(queries.length), ...queries.map(text))

const offer = { exportName: 'vol', sizeBytes: () => 1 << 20, open: async () => 'opened' }
const open: Lobby<string> = { tls: 'absent', hasDefault: true, offer: () => offer }
const forced: Lobby<string> = { tls: 'required', hasDefault: false, offer: () => null }
const inside: Lobby<string> = { tls: 'active', hasDefault: false, offer: () => offer }

interface Reply {
  readonly option: number
  readonly type: number
  readonly data: Buffer
}

interface Heard {
  /** 'unknown flags' when the client was let go before any option. */
  readonly outcome: Outcome<string> | 'unknown flags'
  readonly replies: Reply[]
  readonly raw: Buffer
}

/** Lets a client say everything at once, or byte by byte, and hears what it is answered. */
async function converse(
  lobby: Lobby<string>,
  said: Buffer[],
  { clientFlags = 3, byByte = false } = {},
): Promise<Heard> {
  await using pair = await socketPair()
  const written: Uint8Array[] = []
  const talk = { reader: new ByteReader(pair.server), write: (bytes: Uint8Array) => void written.push(bytes) }
  const talking = listen()
  const bytes = Buffer.concat([u32(clientFlags), ...said])
  void say(bytes, byByte)
  const outcome = await talking
  const raw = Buffer.concat(written.slice(1))
  return { outcome, raw, replies: isReply(raw) ? parseReplies(raw) : [] }

  async function listen(): Promise<Heard['outcome']> {
    const flags = await greet(talk)
    return flags === null ? 'unknown flags' : negotiate(talk, lobby, flags)
  }

  async function say(all: Buffer, slowly: boolean): Promise<void> {
    for (const byte of slowly ? all : []) {
      pair.client.write(Uint8Array.of(byte))
      await new Promise(setImmediate)
    }
    if (!slowly) pair.client.write(all)
    pair.client.end()
  }
}

const replyMagic = Buffer.from('0003e889045565a9', 'hex')
const isReply = (bytes: Buffer): boolean => bytes.subarray(0, 8).equals(replyMagic)

function parseReplies(bytes: Buffer): Reply[] {
  const replies: Reply[] = []
  for (let at = 0; at < bytes.length; ) {
    assert.ok(isReply(bytes.subarray(at)))
    const dataBytes = bytes.readUInt32BE(at + 16)
    const data = bytes.subarray(at + 20, at + 20 + dataBytes)
    replies.push({ option: bytes.readUInt32BE(at + 8), type: bytes.readUInt32BE(at + 12), data })
    at += 20 + dataBytes
  }
  return replies
}

const types = ({ replies }: Heard): number[] => replies.map(({ type }) => type)

describe('negotiate()', () => {
  const whole = [
    ask(option.structuredReply),
    contexts(option.setMetaContext, 'vol', 'x-other:thing', 'base:allocation'),
    ask(option.list),
    go('vol', 3, 1),
  ]

  test('goes from structured replies over contexts to transmission, in one piece or byte by byte', async () => {
    for (const byByte of [false, true]) {
      const heard = await converse(open, whole, { byByte })
      assert.deepEqual(heard.outcome, {
        next: 'transmit',
        opened: 'opened',
        structured: true,
        extended: false,
        allocationContextId: 1,
      })
      const { ack, metaContext, server, info } = optionReply
      assert.deepEqual(types(heard), [ack, metaContext, ack, server, ack, info, info, info, ack])
      const infos = heard.replies.filter(({ type }) => type === info).map(({ data }) => data)
      assert.equal(infos[0]?.readBigUInt64BE(2), 1n << 20n)
      assert.ok((infos[0]?.readUInt16BE(10) ?? 0) & transmissionFlag.sendDf)
      assert.equal(infos[1]?.toString('utf8', 2), 'vol')
      assert.deepEqual(
        [2, 6, 10].map((at) => infos[2]?.readUInt32BE(at)),
        [1, 4096, 32 << 20],
      )
    }
  })

  test('without structured replies DF is not offered and contexts are refused', async () => {
    const heard = await converse(open, [contexts(option.setMetaContext, 'vol', 'base:allocation'), go('')])
    assert.deepEqual(types(heard), [optionReply.errInvalid, optionReply.info, optionReply.ack])
    assert.equal((heard.replies[1]?.data.readUInt16BE(10) ?? 0) & transmissionFlag.sendDf, 0)
    assert.deepEqual(heard.outcome, {
      next: 'transmit',
      opened: 'opened',
      structured: false,
      extended: false,
      allocationContextId: null,
    })
  })

  test('a failed selection of contexts undoes an earlier one', async () => {
    const said = [ask(option.structuredReply), contexts(option.setMetaContext, 'vol', 'base:allocation')]
    const { outcome } = await converse(open, [
      ...said,
      contexts(option.setMetaContext, 'else', 'base:allocation'),
      go('vol'),
    ])
    assert.ok(outcome !== 'unknown flags' && outcome.next === 'transmit' && outcome.allocationContextId === null)
  })

  test('contexts are listed for nothing, for `base:` and by name', async () => {
    for (const [queries, found] of [
      [[], 1],
      [['base:'], 1],
      [['base:allocation'], 1],
      [['base:x', 'qemu:'], 0],
    ] as const) {
      const heard = await converse(open, [
        ask(option.structuredReply),
        contexts(option.listMetaContext, 'vol', ...queries),
        ask(option.abort),
      ])
      assert.equal(types(heard).filter((type) => type === optionReply.metaContext).length, found)
    }
  })

  test('before TLS everything but STARTTLS and ABORT is refused', async () => {
    const said = [ask(option.list), go('vol'), ask(77), ask(option.startTls, Buffer.from('x')), ask(option.startTls)]
    const heard = await converse(forced, said)
    const { errTlsRequired, errInvalid, ack } = optionReply
    assert.deepEqual(types(heard), [errTlsRequired, errTlsRequired, errTlsRequired, errInvalid, ack])
    assert.deepEqual(heard.outcome, { next: 'startTls', clientFlags: 3 })
    const named = await converse(forced, [ask(option.exportName, Buffer.from('vol'))])
    assert.deepEqual([named.outcome, named.raw.length], [{ next: 'hangUp' }, 0])
  })

  test('inside TLS only the exact name is found, and TLS is not started twice', async () => {
    const heard = await converse(inside, [ask(option.startTls), go(''), go('vol2'), go('vo'), ask(option.abort)])
    const { errInvalid, errUnknown, ack } = optionReply
    assert.deepEqual(types(heard), [errInvalid, errUnknown, errUnknown, errUnknown, ack])
    assert.deepEqual(heard.outcome, { next: 'hangUp' })
  })

  test('EXPORT_NAME is answered with or without its zeroes, and a wrong name by hanging up', async () => {
    for (const [clientFlags, byteCount] of [
      [3, 10],
      [1, 134],
      [0, 134],
    ] as const) {
      const heard = await converse(open, [ask(option.exportName, Buffer.from('vol'))], { clientFlags })
      assert.equal(heard.raw.length, byteCount)
      assert.ok(heard.outcome !== 'unknown flags' && heard.outcome.next === 'transmit')
    }
    const wrong = await converse(open, [ask(option.exportName, Buffer.from('else'))])
    assert.deepEqual([wrong.outcome, wrong.raw.length], [{ next: 'hangUp' }, 0])
  })

  test('an export that cannot be opened is refused with its sentence, and asked for again', async () => {
    const refusing = { ...offer, open: () => Promise.reject(new Fault('conflict', 'the key is disabled')) }
    const heard = await converse({ ...open, offer: () => refusing }, [go('vol'), go('vol'), ask(option.abort)])
    assert.deepEqual(types(heard), [optionReply.errPolicy, optionReply.errPolicy, optionReply.ack])
    assert.equal(heard.replies[0]?.data.toString(), 'the key is disabled')
  })

  test('data that do not fit their option are refused', async () => {
    const bad = [
      ask(option.go, u32(5000), Buffer.alloc(5000), u16(0)),
      ask(option.go, u32(100), Buffer.from('vol'), u16(0)),
      ask(option.go, text('vol'), u16(2), u16(0)),
      ask(option.go, text('vol'), u16(0), u16(0)),
      ask(option.go),
      ask(option.list, Buffer.from('x')),
      ask(option.structuredReply, Buffer.from('x')),
    ]
    const heard = await converse(open, [
      ...bad,
      ask(option.structuredReply),
      ask(option.setMetaContext, text('vol'), u32(0xffff_ffff)),
      ask(99),
      ask(option.abort),
    ])
    const { errInvalid, errUnsupported, ack } = optionReply
    assert.deepEqual(types(heard), [...bad.map(() => errInvalid), ack, errInvalid, errUnsupported, ack])
  })

  test('too many options, too much data and no option at all end the conversation', async () => {
    const huge = Buffer.concat([Buffer.from('IHAVEOPT'), u32(99), u32(nbdOptionBytesMax + 1)])
    const many = Array.from({ length: nbdOptionsMax + 1 }, () => ask(99))
    for (const said of [[huge], many, [Buffer.from('IHAVENOOPTION...')]]) {
      assert.deepEqual((await converse(open, said)).outcome, { next: 'hangUp' })
    }
    assert.equal((await converse(open, [], { clientFlags: 4 })).outcome, 'unknown flags')
  })

  test('a client that leaves in the middle of an option ends it', async () => {
    const cut = Buffer.concat(whole).subarray(0, 20)
    await assert.rejects(converse(open, [cut]), Disconnected)
  })
})

describe('ByteReader', () => {
  test('gives what was asked for however it came, and then the end', async () => {
    await using pair = await socketPair()
    const reader = new ByteReader(pair.server)
    pair.client.write('abc')
    pair.client.write('defgh')
    assert.equal((await reader.take(2)).toString(), 'ab')
    assert.equal((await reader.take(4)).toString(), 'cdef')
    await reader.skip(1)
    const left = Buffer.alloc(3)
    const filling = reader.fill(left)
    pair.client.end('ij')
    await filling
    assert.equal(left.toString(), 'hij')
    await assert.rejects(reader.take(1), Disconnected)
  })

  test('stops reading from a client that sends ahead', async () => {
    await using pair = await socketPair()
    const reader = new ByteReader(pair.server)
    pair.client.write(Buffer.alloc(16 << 20))
    if (!pair.server.isPaused()) await once(pair.server, 'pause')
    assert.ok(reader.bufferedBytes < 1 << 20)
    await reader.skip(16 << 20)
    assert.equal(reader.bufferedBytes, 0)
  })
})

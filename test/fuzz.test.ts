// What strangers' bytes reach first, under bytes that no one would send: the options and requests of NBD, and the headers
// of LUKS2 images. Nothing but a refusal in the documented words may come of them.
//
// KEYWARD_TEST_FUZZ sets the number of inputs for each target, KEYWARD_TEST_SEED the chance, and with
// KEYWARD_TEST_FUZZ_KEEP=1 what reaches new code is added to test/corpus.

import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { nbdOptionsMax, nbdRequestBytesMax } from '#base/limits.ts'
import { decodeLuks2Header, encodeLuks2Header } from '#crypto/luks2-binary-header.ts'
import { parseLuks2Metadata, stripedKeyBytes } from '#crypto/luks2-metadata.ts'
import { formatLuks2 } from '#crypto/luks2.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { ByteReader, Disconnected } from '#disk/byte-reader.ts'
import { decodeRequest, encodeError, payloadBytes, requestBytes } from '#disk/nbd-transmission.ts'
import { command } from '#disk/nbd-wire.ts'
import { greet, negotiate } from '#disk/negotiation.ts'
import type { Lobby } from '#disk/negotiation.ts'
import { refuse } from '#disk/request-rules.ts'
import { chanceOf } from '../src/disk/testing/seeded.ts'
import { flags, go, option, request, u32 } from '../src/disk/testing/raw-client.ts'
import { fuzz } from './harness/fuzz.ts'
import type { Target } from './harness/fuzz.ts'

const rounds = Number(process.env['KEYWARD_TEST_FUZZ'] ?? 400)
const seed = Number(process.env['KEYWARD_TEST_SEED'] ?? 1)
const keep = process.env['KEYWARD_TEST_FUZZ_KEEP'] === '1'
const sizeBytes = 1 << 20

const name = Buffer.from('vol')
const context = Buffer.from('base:allocation')
const named = Buffer.concat([u32(3), name])
const contexts = Buffer.concat([named, u32(1), u32(context.length), context])

const lobbies = (['absent', 'active', 'required'] as const).map((tls): Lobby<string> => {
  const offer = { exportName: 'vol', sizeBytes: () => sizeBytes, open: async () => 'opened' }
  return { tls, hasDefault: tls === 'absent', offer: () => (tls === 'required' ? null : offer) }
})

/** Every reply has the form of one, except the answer to EXPORT_NAME, which is the last. */
function judgeReplies(bytes: Buffer): void {
  let count = 0
  for (let at = 0; at < bytes.length; count += 1) {
    if (bytes.readUInt32BE(at) !== 0x0003_e889) {
      assert.ok([10, 134].includes(bytes.length - at))
      return
    }
    assert.equal(bytes.readUInt32BE(at + 4), 0x0455_65a9)
    at += 20 + bytes.readUInt32BE(at + 16)
    assert.ok(at <= bytes.length)
  }
  assert.ok(count <= nbdOptionsMax * 4)
}

const options: Target = {
  name: 'nbd-options',
  files: ['disk/negotiation.ts', 'disk/nbd-options.ts'],
  words: [...Array(12).keys()].map((code) => option(code, 0)).concat(named, contexts, u32(0xffff_ffff)),
  seeds: [
    Buffer.concat([flags, option(8, 0), option(10, contexts.length, contexts), go]),
    Buffer.concat([flags, option(11, 0), option(9, contexts.length, contexts), option(3, 0), option(2, 0)]),
    Buffer.concat([u32(1), option(1, 3, name)]),
    Buffer.concat([flags, option(6, 11, Buffer.concat([named, Buffer.from([0, 1, 0, 3])])), option(5, 0)]),
  ],
  async run(input) {
    for (const lobby of lobbies) {
      const socket = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() })
      socket.push(input)
      socket.push(null)
      const written: Uint8Array[] = []
      const talk = { reader: new ByteReader(socket), write: (bytes: Uint8Array) => void written.push(bytes) }
      try {
        const clientFlags = await greet(talk)
        if (clientFlags !== null) await negotiate(talk, lobby, clientFlags)
      } catch (error) {
        if (!(error instanceof Disconnected)) throw error
      }
      judgeReplies(Buffer.concat(written.slice(1)))
    }
  },
}

const requests: Target = {
  name: 'nbd-requests',
  files: ['disk/nbd-transmission.ts', 'disk/request-rules.ts'],
  words: [u32(0x25609513), u32(0x21e41c71), u32(sizeBytes), u32(nbdRequestBytesMax + 1)],
  seeds: [...Array(9).keys()].map((type) => Buffer.concat([request(type, 4096), Buffer.alloc(4)])),
  run(input) {
    for (const [structured, extended] of [
      [false, false],
      [true, false],
      [true, true],
    ] as const) {
      const terms = { sizeBytes, structured, extended, allocationContextId: structured ? 1 : null }
      if (input.length < requestBytes(terms)) continue
      const asked = decodeRequest(input, 0, terms)
      if (!asked) continue
      assert.ok(asked.byteCount >= 0 && asked.offset >= 0 && payloadBytes(asked, terms) <= asked.byteCount)
      const refusal = refuse(asked, terms)
      if (refusal) assert.ok(encodeError(asked, refusal, terms).length >= 16)
      if (refusal || asked.type === command.disconnect || asked.type === command.flush) continue
      assert.ok(asked.byteCount > 0 && asked.offset + asked.byteCount <= sizeBytes)
    }
  },
}

const uuid = '5c0f3c52-7c22-4d0f-9f8e-6a1b2c3d4e5f'
const random = { bytes: (count: number) => new Uint8Array(chanceOf(count).bytes(count)) }
const image = formatLuks2({
  passphrase: SecretBytes.random(random, 32),
  volumeKey: SecretBytes.random(random, 64),
  uuid,
  random,
})
const { json } = decodeLuks2Header(image)

/** What is not refused lies in the image. */
function judgeImage(bytes: Uint8Array): void {
  try {
    const header = decodeLuks2Header(bytes)
    const { keyslots, dataOffsetBytes, sectorBytes } = parseLuks2Metadata(header, bytes.length)
    assert.ok(dataOffsetBytes % sectorBytes === 0)
    for (const { keyslot } of keyslots) {
      assert.ok(keyslot.areaOffsetBytes >= 2 * header.headerBytes)
      assert.ok(keyslot.areaOffsetBytes + stripedKeyBytes <= bytes.length)
    }
  } catch (error) {
    if (!(error instanceof Fault && error.code === 'unprocessable')) throw error
  }
}

const texts = (...words: string[]): Buffer[] => words.map((word) => Buffer.from(word))

const metadata: Target = {
  name: 'luks2-metadata',
  files: ['crypto/luks2-metadata.ts'],
  seeds: [Buffer.from(json)],
  words: texts(
    '{}',
    '[]',
    'null',
    '"',
    '-1',
    '1e309',
    '"9999999999999999"',
    '"__proto__":{',
    '"requirements":{"mandatory":[]},',
    '"priority":0,',
    '"type":"argon2id","memory":1048576,"cpus":4,"time":1',
    '"integrity":{},',
    '"hash":"sha512"',
  ),
  run(input) {
    const salts = [new Uint8Array(64), new Uint8Array(64)] as const
    const text = input.toString('utf8').slice(0, 4000).replaceAll('\0', '')
    const header = { sequenceId: 1n, uuid, label: '', headerBytes: 16_384, json: text }
    judgeImage(Buffer.concat([encodeLuks2Header(header, salts), image.subarray(32_768)]))
  },
}

const binary: Target = {
  name: 'luks2-header',
  files: ['crypto/luks2-binary-header.ts'],
  seeds: [image.subarray(0, 512), image.subarray(16_384, 16_384 + 512)],
  words: texts('LUKS\xba\xbe', 'SKUL\xba\xbe', 'sha256', uuid),
  run(input) {
    for (const at of [0, 16_384]) {
      const bytes = Buffer.from(image)
      bytes.set(input.subarray(0, 4096), at)
      judgeImage(bytes)
      judgeImage(bytes.subarray(0, at + input.length))
    }
  },
}

for (const target of [options, requests, metadata, binary]) {
  test(`${target.name} bear ${rounds} inputs (seed ${seed})`, async (t) => {
    const found = await fuzz(target, { chance: chanceOf(seed), rounds, keep })
    t.diagnostic(`${found} inputs reached new code`)
  })
}

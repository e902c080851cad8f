// Vectors: c2sp.org/XAES-256-GCM, "Test vectors" and "Accumulated randomized tests".

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { BrokenAssertion } from '#base/assert.ts'
import { SecretBytes } from './secret-bytes.ts'
import { openXaes, sealXaes } from './xaes-256-gcm.ts'

const refusal = { name: 'Fault', code: 'unprocessable', message: 'sealed bytes do not open' }
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const published = [
  {
    name: 'the published vector without a carry in its subkey',
    keyByte: 0x01,
    aad: '',
    ciphertext: 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271',
  },
  {
    name: 'the published vector with a carry in its subkey',
    keyByte: 0x03,
    aad: 'c2sp.org/XAES-256-GCM',
    ciphertext: '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d',
  },
]

for (const { name, keyByte, aad, ciphertext } of published) {
  test(`sealXaes() and openXaes() agree with ${name}`, () => {
    const key = new Uint8Array(32).fill(keyByte)
    const message = { key, nonce: ascii('ABCDEFGHIJKLMNOPQRSTUVWX'), associatedData: ascii(aad) }
    const sealed = sealXaes({ ...message, plaintext: ascii('XAES-256-GCM') })
    assert.equal(hex(sealed), ciphertext)
    assert.deepEqual(openXaes({ ...message, ciphertext: sealed }), ascii('XAES-256-GCM'))
    assert.equal(
      hex(sealXaes({ ...message, key: SecretBytes.copyOf(key), plaintext: ascii('XAES-256-GCM') })),
      ciphertext,
    )
  })
}

test('sealXaes() and openXaes() agree with the published hash over 10 000 random messages', () => {
  const iterations = 10_000
  const stream = createHash('shake128', { outputLength: iterations * (32 + 24 + 2 * 256) }).digest()
  let offset = 0
  const read = (count: number): Uint8Array => new Uint8Array(stream.subarray(offset, (offset += count)))
  const readShort = (): Uint8Array => read(read(1)[0] ?? 0)

  const digest = createHash('shake128', { outputLength: 32 })
  for (let i = 0; i < iterations; i += 1) {
    const [key, nonce, plaintext, associatedData] = [read(32), read(24), readShort(), readShort()]
    const sealed = sealXaes({ key, nonce, plaintext, associatedData })
    digest.update(sealed)
    assert.deepEqual(openXaes({ key, nonce, ciphertext: sealed, associatedData }), plaintext)
  }
  assert.equal(digest.digest('hex'), 'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939')
})

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const inputs = { key: bytes(32), nonce: bytes(24), associatedData: fc.uint8Array({ maxLength: 100 }) }

test('openXaes() gives back what sealXaes() took', () => {
  fc.assert(
    fc.property(fc.record(inputs), fc.uint8Array({ maxLength: 8192 }), (message, plaintext) => {
      const ciphertext = sealXaes({ ...message, plaintext })
      assert.deepEqual(openXaes({ ...message, ciphertext }), plaintext)
    }),
  )
})

test('openXaes() refuses every flipped bit, every truncation and every other input with one message', () => {
  const message = { key: new Uint8Array(32).fill(5), nonce: new Uint8Array(24).fill(6), associatedData: ascii('where') }
  const ciphertext = sealXaes({ ...message, plaintext: ascii('what') })
  const flips = (whole: Uint8Array): Uint8Array[] =>
    Array.from({ length: whole.length * 8 }, (_, bit) => {
      const copy = whole.slice()
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return copy
    })
  for (const other of flips(ciphertext)) assert.throws(() => openXaes({ ...message, ciphertext: other }), refusal)
  for (const key of flips(message.key)) assert.throws(() => openXaes({ ...message, key, ciphertext }), refusal)
  for (const nonce of flips(message.nonce)) assert.throws(() => openXaes({ ...message, nonce, ciphertext }), refusal)
  for (const associatedData of [...flips(message.associatedData), new Uint8Array()]) {
    assert.throws(() => openXaes({ ...message, associatedData, ciphertext }), refusal)
  }
  for (let length = 0; length < ciphertext.length; length += 1) {
    assert.throws(() => openXaes({ ...message, ciphertext: ciphertext.subarray(0, length) }), refusal)
  }
})

test('a key of 32 bytes and a nonce of 24 bytes are what the callers owe', () => {
  const message = { associatedData: new Uint8Array(), plaintext: new Uint8Array() }
  const [key, nonce] = [new Uint8Array(32), new Uint8Array(24)]
  assert.throws(() => sealXaes({ ...message, key: key.subarray(1), nonce }), BrokenAssertion)
  assert.throws(() => sealXaes({ ...message, key, nonce: nonce.subarray(1) }), BrokenAssertion)
})

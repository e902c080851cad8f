import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { makeUuid } from '#base/id.ts'
import { wrapPlaintextBytesMax } from '#base/limits.ts'
import { systemRandom } from '#base/random.ts'
import { readVectors } from '../../test/vectors/read-vectors.ts'
import { SecretBytes } from './secret-bytes.ts'
import { unwrapKey, versionOf, wrapKey } from './wrapped-key.ts'

const refusal = {
  name: 'Fault',
  code: 'unprocessable',
  reason: 'UNPROCESSABLE_CIPHERTEXT_ERR',
  message: 'wrapped key does not open',
}
const content = (secret: SecretBytes): Uint8Array => secret.use((bytes) => new Uint8Array(bytes))

for (const vector of readVectors('wrapped-key')) {
  test(`unwrapKey() of ${vector.file}: ${vector.text('comment')}`, () => {
    const rootKey = SecretBytes.own(vector.hex('root-key'))
    const unwrap = { wrapped: vector.bytes, rootKey, keyId: vector.text('key-id'), aad: parseTexts(vector.text('aad')) }
    assert.equal(versionOf(vector.bytes), vector.text('version-id'))
    if (vector.text('expect') === 'refused') assert.throws(() => unwrapKey(unwrap), refusal)
    else assert.deepEqual(content(unwrapKey(unwrap)), vector.hex('plaintext'))
  })
}

function parseTexts(json: string): string[] {
  const value: unknown = JSON.parse(json)
  assert.ok(Array.isArray(value))
  return value.map(String)
}

const keyId = '0b5f1f0a-3f2e-4c6d-8a5b-0c1d2e3f4a5b'
const versionId = '9a8b7c6d-5e4f-4a3b-9c2d-1e0f9a8b7c6d'
const rootKey = SecretBytes.own(new Uint8Array(32).fill(1))
const context = { rootKey, keyId, versionId, random: systemRandom }

test('unwrapKey() gives back what wrapKey() took, for every length of root key', () => {
  const material = fc.constantFrom(16, 24, 32).chain((n) => fc.uint8Array({ minLength: n, maxLength: n }))
  const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 255 }), { maxLength: 5 })
  fc.assert(
    fc.property(
      material,
      fc.uint8Array({ maxLength: wrapPlaintextBytesMax }),
      texts,
      fc.uuid(),
      (key, plaintext, aad, id) => {
        using root = SecretBytes.copyOf(key)
        const wrapped = wrapKey({ ...context, rootKey: root, keyId: id, plaintext, aad })
        using opened = unwrapKey({ wrapped, rootKey: root, keyId: id, aad })
        assert.deepEqual(content(opened), plaintext)
        assert.equal(versionOf(wrapped), versionId)
      },
    ),
  )
})

test('unwrapKey() opens the longest plaintext that is wrapped', () => {
  const plaintext = systemRandom.bytes(wrapPlaintextBytesMax)
  const wrapped = wrapKey({ ...context, plaintext, aad: [] })
  assert.deepEqual(content(unwrapKey({ wrapped, rootKey, keyId, aad: [] })), plaintext)
})

test('unwrapKey() refuses every flipped bit, every truncation and every longer text with one message', () => {
  const wrapped = wrapKey({ ...context, plaintext: new Uint8Array(32), aad: ['a'] })
  for (let bit = 0; bit < wrapped.length * 8; bit += 1) {
    const flipped = wrapped.slice()
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.throws(() => unwrapKey({ wrapped: flipped, rootKey, keyId, aad: ['a'] }), refusal)
  }
  for (let length = 0; length < wrapped.length; length += 1) {
    assert.throws(() => unwrapKey({ wrapped: wrapped.subarray(0, length), rootKey, keyId, aad: ['a'] }), refusal)
  }
  assert.throws(() => unwrapKey({ wrapped: Uint8Array.of(...wrapped, 0), rootKey, keyId, aad: ['a'] }), refusal)
})

test('unwrapKey() refuses another key, other material and other associated data with the same message', () => {
  const aad = ['ab', 'c']
  const wrapped = wrapKey({ ...context, plaintext: Uint8Array.of(1), aad })
  const others = [
    { keyId: makeUuid(systemRandom) },
    { rootKey: SecretBytes.own(new Uint8Array(32).fill(2)) },
    { rootKey: SecretBytes.own(new Uint8Array(16).fill(1)) },
    ...[[], ['ab'], ['a', 'bc'], ['abc'], ['c', 'ab'], ['ab', 'c', ''], ['', 'ab', 'c'], ['ab', '\ud800']].map(
      (texts) => ({
        aad: texts,
      }),
    ),
  ]
  for (const other of others) assert.throws(() => unwrapKey({ wrapped, rootKey, keyId, aad, ...other }), refusal)
})

test('wrapKey() refuses half a surrogate pair, which no UTF-8 tells from another', () => {
  const expected = { name: 'Fault', code: 'invalid' }
  assert.throws(() => wrapKey({ ...context, plaintext: new Uint8Array(), aad: ['\ud800'] }), expected)
})

test('versionOf() is null for what cannot be a wrapped key of ours', () => {
  const wrapped = wrapKey({ ...context, plaintext: new Uint8Array(), aad: [] })
  assert.equal(versionOf(wrapped), versionId)
  assert.equal(versionOf(wrapped.subarray(1)), null)
  assert.equal(versionOf(wrapped.subarray(0, -1)), null)
  assert.equal(versionOf(Uint8Array.of(2, ...wrapped.subarray(1))), null)
  assert.equal(versionOf(new Uint8Array()), null)
  assert.equal(versionOf(new Uint8Array(wrapPlaintextBytesMax + 58).fill(1)), null)
})

test('the same material under two versions does not make one key', () => {
  const random = { bytes: (count: number) => new Uint8Array(count) }
  const wrap = { rootKey, keyId, random, plaintext: new Uint8Array(32), aad: [] }
  const [one, two] = [versionId, keyId].map((id) => wrapKey({ ...wrap, versionId: id }).subarray(41, 73))
  assert.notDeepEqual(one, two)
})

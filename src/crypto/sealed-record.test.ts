import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { systemRandom } from '#base/random.ts'
import { readVectors } from '../../test/vectors/read-vectors.ts'
import { makeSealer, masterKeyBytes, masterKeyCheck } from './sealed-record.ts'
import { SecretBytes } from './secret-bytes.ts'

const refusal = { name: 'Fault', code: 'unprocessable', message: 'sealed record does not open' }
const masterKey = SecretBytes.own(new Uint8Array(masterKeyBytes).fill(1))
const sealer = makeSealer(masterKey, systemRandom)

for (const vector of readVectors('sealed-record')) {
  test(`open() of ${vector.file}: ${vector.text('comment')}`, () => {
    const { open } = makeSealer(SecretBytes.own(vector.hex('master-key')), systemRandom)
    if (vector.text('expect') === 'refused') {
      assert.throws(() => open(vector.text('purpose'), vector.bytes), refusal)
    } else {
      assert.deepEqual(open(vector.text('purpose'), vector.bytes), vector.hex('plaintext'))
    }
  })
}

test('open() gives back what seal() took', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 8192 }), (purpose, plaintext) => {
      const sealed = sealer.seal(purpose, plaintext)
      assert.equal(sealed.length, 1 + 16 + 24 + plaintext.length + 16)
      assert.deepEqual(sealer.open(purpose, sealed), plaintext)
      assert.throws(() => sealer.open(`${purpose}/`, sealed), refusal)
    }),
  )
})

test('open() refuses every flipped bit, every truncation and every longer record with one message', () => {
  const sealed = sealer.seal('table/row', Uint8Array.of(1, 2, 3, 4))
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const flipped = sealed.slice()
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.throws(() => sealer.open('table/row', flipped), refusal)
  }
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => sealer.open('table/row', sealed.subarray(0, length)), refusal)
  }
  assert.throws(() => sealer.open('table/row', Uint8Array.of(...sealed, 0)), refusal)
})

test('seal() gives other bytes each time', () => {
  const once = sealer.seal('table/row', Uint8Array.of(1))
  assert.notDeepEqual(sealer.seal('table/row', Uint8Array.of(1)), once)
})

test('masterKeyCheck() tells master keys apart and stays the same for one', () => {
  const hex = (key: SecretBytes): string => Buffer.from(masterKeyCheck(key)).toString('hex')
  assert.equal(hex(masterKey), '969e756d2bbb2ff4f80462239d0e962104330cff636d4467a421466e6af68cb6')
  assert.notEqual(hex(SecretBytes.own(new Uint8Array(masterKeyBytes).fill(2))), hex(masterKey))
})

import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { BrokenAssertion } from '#base/assert.ts'
import { readVectors } from '../../test/vectors/read-vectors.ts'
import { encodeFenceAck, signFenceAck, verifyFenceAck } from './fence-ack.ts'

for (const vector of readVectors('fence-ack')) {
  test(`verifyFenceAck() of ${vector.file}: ${vector.text('comment')}`, () => {
    const ack = {
      holderId: vector.text('holder-id'),
      leaseId: vector.text('lease-id'),
      resourceCrn: vector.text('resource-crn'),
      fencedAt: Number(vector.text('fenced-at')),
    }
    const isValid = vector.text('expect') === 'valid'
    assert.deepEqual(encodeFenceAck(ack), vector.bytes)
    assert.equal(verifyFenceAck(vector.hex('public-key'), ack, vector.hex('signature')), isValid)
    if (!vector.has('private-key')) return
    const key = createPrivateKey({ key: Buffer.from(vector.hex('private-key')), format: 'der', type: 'pkcs8' })
    assert.deepEqual(signFenceAck(key, ack), vector.hex('signature'))
  })
}

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const der = publicKey.export({ format: 'der', type: 'spki' })
const ack = { holderId: 'disk-1', leaseId: 'lease-1', resourceCrn: 'crn:v1:x', fencedAt: 1 }

test('verifyFenceAck() accepts what was signed and nothing else', () => {
  const signature = signFenceAck(privateKey, ack)
  assert.equal(verifyFenceAck(der, ack, signature), true)
  const others = [{ holderId: 'disk-2' }, { leaseId: 'lease-2' }, { resourceCrn: 'crn:v1:y' }, { fencedAt: 2 }]
  for (const other of others) assert.equal(verifyFenceAck(der, { ...ack, ...other }, signature), false)
  for (let bit = 0; bit < signature.length * 8; bit += 1) {
    const flipped = signature.slice()
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.equal(verifyFenceAck(der, ack, flipped), false)
  }
  assert.equal(verifyFenceAck(der, ack, signature.subarray(1)), false)
})

test('verifyFenceAck() is false for statements and keys that cannot be', () => {
  const signature = signFenceAck(privateKey, ack)
  for (const fencedAt of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.equal(verifyFenceAck(der, { ...ack, fencedAt }, signature), false)
  }
  assert.equal(verifyFenceAck(der, { ...ack, holderId: '\ud800' }, signature), false)
  assert.equal(verifyFenceAck(new Uint8Array(), ack, signature), false)
  assert.equal(verifyFenceAck(der.subarray(1), ack, signature), false)
  const other = createPublicKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  assert.equal(verifyFenceAck(other.export({ format: 'der', type: 'spki' }), ack, signature), false)
})

test('signFenceAck() signs with Ed25519 only', () => {
  const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  assert.throws(() => signFenceAck(other, ack), BrokenAssertion)
})

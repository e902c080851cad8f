import assert from 'node:assert/strict'
import { createPrivateKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { makeRecipient, recipientOf, sealedExtraBytes, sealTo } from './hpke.ts'
import { openLeasedKey, sealLeasedKey } from './leased-key.ts'
import { SecretBytes } from './secret-bytes.ts'
import { readVectors } from '../../test/vectors/read-vectors.ts'

const privateKeyOf = (key: Uint8Array) =>
  createPrivateKey({ key: Buffer.from(key), format: 'raw-private', asymmetricKeyType: 'x25519' })
const bytesOf = (secret: SecretBytes): Uint8Array => secret.use((bytes) => new Uint8Array(bytes))
const refused = (error: unknown): boolean =>
  error instanceof Fault && error.code === 'unprocessable' && error.message.includes('does not open')

for (const vector of readVectors('hpke')) {
  test(`open() agrees with ${vector.file}`, () => {
    const recipient = recipientOf(privateKeyOf(vector.hex('private-key')))
    assert.deepEqual(recipient.publicKey, vector.hex('public-key'))
    const binding = { info: vector.hex('info'), associatedData: vector.hex('associated-data') }
    assert.deepEqual(bytesOf(recipient.open(vector.bytes, binding)), vector.hex('plaintext'))
  })
}

for (const vector of readVectors('leased-key')) {
  test(`openLeasedKey() opens ${vector.file}`, () => {
    const recipient = recipientOf(privateKeyOf(vector.hex('private-key')))
    const leasedFor = {
      holderId: vector.text('holder-id'),
      leaseId: vector.text('lease-id'),
      resourceCrn: vector.text('resource-crn'),
    }
    assert.deepEqual(bytesOf(openLeasedKey(vector.bytes, recipient, leasedFor)), vector.hex('data-key'))
  })
}

const binding = { info: Buffer.from('for a test'), associatedData: Buffer.from('about a test') }
const message = randomBytes(32)
const recipient = makeRecipient()
const seal = () => sealTo(recipient.publicKey, SecretBytes.copyOf(message), binding)

test('what sealTo() seals opens, is never the same twice, and says nothing but its length', () => {
  const [one, other] = [seal(), seal()]
  assert.notDeepEqual(one, other)
  assert.equal(one.length, message.length + sealedExtraBytes)
  for (const sealed of [one, other]) assert.deepEqual(bytesOf(recipient.open(sealed, binding)), new Uint8Array(message))
})

test('open() refuses every changed bit, every shorter and longer text, another binding and another recipient', () => {
  const sealed = seal()
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const flipped = sealed.slice()
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    // X25519 does not look at the last bit of a point (RFC 7748, section 5), but HPKE binds it.
    assert.throws(() => recipient.open(flipped, binding), refused, `bit ${bit}`)
  }
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => recipient.open(sealed.subarray(0, length), binding), refused)
  }
  assert.throws(() => recipient.open(Buffer.concat([sealed, Buffer.alloc(1)]), binding), refused)
  assert.throws(() => recipient.open(sealed, { ...binding, info: Buffer.from('for another') }), refused)
  assert.throws(() => recipient.open(sealed, { ...binding, associatedData: Buffer.alloc(0) }), refused)
  assert.throws(() => makeRecipient().open(sealed, binding), refused)
})

test('sealTo() refuses what is no public key, and the one that gives everybody the same secret', () => {
  for (const publicKey of [new Uint8Array(), new Uint8Array(31), new Uint8Array(33), new Uint8Array(32)]) {
    const seals = () => sealTo(publicKey, SecretBytes.copyOf(message), binding)
    assert.throws(seals, (error) => error instanceof Fault && error.code === 'invalid')
  }
})

test('sealLeasedKey() binds holder, lease and resource', () => {
  const leasedFor = { holderId: 'h', leaseId: 'l', resourceCrn: 'r' }
  const sealed = sealLeasedKey(SecretBytes.copyOf(message), recipient.publicKey, leasedFor)
  assert.deepEqual(bytesOf(openLeasedKey(sealed, recipient, leasedFor)), new Uint8Array(message))
  for (const other of [{ holderId: 'hl', leaseId: '' }, { holderId: 'x' }, { leaseId: 'x' }, { resourceCrn: 'x' }]) {
    assert.throws(() => openLeasedKey(sealed, recipient, { ...leasedFor, ...other }), refused)
  }
})

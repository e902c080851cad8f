import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { BrokenAssertion } from '#base/assert.ts'
import { systemRandom } from '#base/random.ts'
import { SecretBytes } from './secret-bytes.ts'

test('SecretBytes.own() takes the array over and wipes it at the end', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  const secret = SecretBytes.own(bytes)
  assert.equal(
    secret.use((lent) => lent),
    bytes,
  )
  secret[Symbol.dispose]()
  assert.deepEqual(bytes, new Uint8Array(3))
})

test('SecretBytes.copyOf() leaves the original to its owner', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  const secret = SecretBytes.copyOf(bytes)
  bytes.fill(9)
  assert.deepEqual(
    secret.use((lent) => lent.slice()),
    Uint8Array.of(1, 2, 3),
  )
})

test('SecretBytes.random() wipes what the source of chance gave', () => {
  const given = systemRandom.bytes(32)
  const expected = given.slice()
  const secret = SecretBytes.random({ bytes: () => given }, 32)
  assert.equal(secret.byteCount, 32)
  assert.deepEqual(
    secret.use((lent) => lent.slice()),
    expected,
  )
  assert.deepEqual(given, new Uint8Array(32))
})

test('a secret is not used after its end, and may end twice', () => {
  const secret = SecretBytes.own(Uint8Array.of(1))
  secret[Symbol.dispose]()
  secret[Symbol.dispose]()
  assert.throws(() => secret.use(() => 0), BrokenAssertion)
  assert.throws(() => secret.equals(SecretBytes.own(Uint8Array.of(1))), BrokenAssertion)
})

test('using ends a secret with its scope', () => {
  const bytes = Uint8Array.of(7)
  {
    using secret = SecretBytes.own(bytes)
    assert.equal(secret.byteCount, 1)
  }
  assert.deepEqual(bytes, Uint8Array.of(0))
})

test('equals() compares contents, and lengths first', () => {
  const secret = SecretBytes.own(Uint8Array.of(1, 2))
  assert.equal(secret.equals(SecretBytes.own(Uint8Array.of(1, 2))), true)
  assert.equal(secret.equals(SecretBytes.own(Uint8Array.of(1, 3))), false)
  assert.equal(secret.equals(SecretBytes.own(Uint8Array.of(1, 2, 0))), false)
})

test('a secret prints as a placeholder wherever values are printed', () => {
  const secret = SecretBytes.own(Buffer.from('hunter2'))
  const printed = [
    String(secret),
    JSON.stringify({ secret }),
    inspect({ secret }),
    inspect(secret, { showHidden: true }),
  ]
  printed.push(JSON.stringify(Object.entries(secret)), inspect(structuredClone({ ...secret })))
  const forms = [
    'hunter2',
    Buffer.from('hunter2').toString('hex'),
    Buffer.from('hunter2').toString('base64'),
    '104',
    '68 75',
  ]
  for (const text of printed) {
    for (const form of forms) assert.ok(!text.includes(form), text)
  }
  assert.equal(String(secret), '[secret bytes]')
})

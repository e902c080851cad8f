import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveKey, formatIdentity, parseIdentity } from './psk.ts'

test('an identity says for what and until when, in whole seconds', () => {
  const identity = formatIdentity({ attachmentId: '0717-a_b', expiresAt: 1_700_000_000_001 })
  assert.equal(identity, '0717-a_b.1700000001')
  assert.deepEqual(parseIdentity(identity), { attachmentId: '0717-a_b', expiresAt: 1_700_000_001_000 })
})

test('what is no identity is null', () => {
  for (const text of [
    '',
    'a',
    'a.',
    '.1',
    'a.0',
    'a.01',
    'a.b',
    'a.1.2',
    'a b.1',
    'a.1234567890123',
    `${'a'.repeat(129)}.1`,
  ]) {
    assert.equal(parseIdentity(text), null, text)
  }
})

test('the key is HMAC-SHA256 of the identity', () => {
  // RFC 4231, test case 2.
  const key = deriveKey(Buffer.from('Jefe'), 'what do ya want for nothing?')
  assert.equal(key.toString('hex'), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
})

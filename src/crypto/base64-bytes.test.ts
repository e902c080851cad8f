import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeBase64, encodeBase64 } from './base64-bytes.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

test('encodeBase64() and decodeBase64() agree with the platform', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
      const text = encodeBase64(bytes)
      assert.equal(Buffer.from(text).toString(), Buffer.from(bytes).toString('base64'))
      assert.deepEqual(decodeBase64(text), bytes)
    }),
  )
})

test('decodeBase64() passes over white space at the end and refuses everything else', () => {
  assert.deepEqual(decodeBase64(utf8('AQID\r\n \t')), Uint8Array.of(1, 2, 3))
  for (const text of ['', '\n', 'A', 'AQI', 'AQ=D', 'AQ-D', ' AQID', 'AQID AQID', '====', 'AQID====']) {
    assert.equal(decodeBase64(utf8(text)), null, JSON.stringify(text))
  }
})

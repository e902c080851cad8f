import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fromPostgresText, toPostgresText } from './postgres-text.ts'

const text = fc.array(fc.constantFrom('\0', '\u{e000}', '0', 'a', 'é', '😀')).map((parts) => parts.join(''))

test('text comes back as it was, never holds U+0000 on the way, and stays different from other text', () => {
  fc.assert(
    fc.property(text, text, (one, other) => {
      assert.equal(fromPostgresText(toPostgresText(one)), one)
      assert.ok(!toPostgresText(one).includes('\0'))
      assert.equal(toPostgresText(one) === toPostgresText(other), one === other)
    }),
  )
})

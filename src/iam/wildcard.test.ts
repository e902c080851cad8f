import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { matchesWildcard } from './wildcard.ts'

const cases: readonly (readonly [boolean, string, string])[] = [
  [true, 'prod', 'prod'],
  [false, 'prod', 'Prod'],
  [false, 'prod', 'prod1'],
  [true, 'prod*', 'prod'],
  [true, 'prod*', 'production'],
  [true, '*', ''],
  [true, '**', 'x'],
  [false, '?', ''],
  [true, '?', 'ü'],
  [false, '?', 'xy'],
  [true, 'a*b*c', 'a-b-b-c'],
  [false, 'a*b*c', 'a-c-b'],
  [true, 'a{{*}}b', 'a*b'],
  [false, 'a{{*}}b', 'axb'],
  [true, '{{?}}*', '?x'],
  [true, '{{x}}', '{{x}}'],
  [true, 'a.c', 'a.c'],
  [false, 'a.c', 'abc'],
]
for (const [expected, pattern, text] of cases) {
  test(`matchesWildcard() says ${expected} for ${JSON.stringify(pattern)} on ${JSON.stringify(text)}`, () =>
    equal(matchesWildcard(pattern, text), expected))
}

test('a pattern made from a text by replacing parts with wildcards matches it', () => {
  const piece = fc.record({ text: fc.string({ maxLength: 4 }), as: fc.constantFrom('itself', '*') })
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      fc.pre(!pieces.some(({ text }) => /[*?{}]/.test(text)))
      ok(
        matchesWildcard(
          pieces.map(({ text, as }) => (as === 'itself' ? text : as)).join(''),
          pieces.map((p) => p.text).join(''),
        ),
      )
    }),
  )
})

test('the longest pattern on the longest text is quick', () => {
  equal(matchesWildcard('*a'.repeat(500), 'a'.repeat(499) + 'b'.repeat(501)), false)
})

import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { holds, implies } from './conditions.ts'
import type { Condition } from './conditions.ts'
import { coversPattern, matchesWildcard } from './wildcard.ts'

const at = (operator: string, value: Condition['value']): Condition => ({ name: 'x', operator, value })

const cases: readonly (readonly [boolean, Condition, Condition])[] = [
  [true, at('stringEquals', 'a'), at('stringEquals', 'a')],
  [false, at('stringEquals', 'a'), at('stringEquals', 'b')],
  [true, at('stringEquals', 'a'), at('stringMatch', '*')],
  [true, at('stringEquals', 'ab'), at('stringMatch', 'a?')],
  [false, at('stringMatch', 'a*'), at('stringMatch', 'a?')],
  [true, at('stringMatch', 'ab*'), at('stringMatch', 'a*')],
  [false, at('stringMatch', 'a*'), at('stringMatch', 'ab*')],
  [false, at('stringMatch', '*'), at('stringEquals', 'a')],
  [true, at('stringMatch', 'a'), at('stringEquals', 'a')],
  // A text that looks like a pattern is that text.
  [true, at('stringEquals', '*'), at('stringMatch', '{{*}}')],
  [false, at('stringMatch', '*'), at('stringEquals', '*')],
  [true, at('stringEqualsAnyOf', ['a', 'b']), at('stringEqualsAnyOf', ['b', 'a', 'c'])],
  [false, at('stringEqualsAnyOf', ['a', 'd']), at('stringEqualsAnyOf', ['b', 'a', 'c'])],
  [true, at('stringEqualsAnyOf', ['a1', 'b1']), at('stringMatchAnyOf', ['a*', 'b*'])],
  [true, at('stringEquals', 'a'), at('stringExists', true)],
  [true, at('stringExists', true), at('stringMatch', '*')],
  [false, at('stringExists', true), at('stringEquals', 'a')],
  [true, at('stringExists', false), at('stringExists', false)],
  [false, at('stringExists', false), at('stringExists', true)],
  [false, at('stringEquals', 'a'), at('stringExists', false)],
  [false, at('stringSounds', 'a'), at('stringEquals', 'a')],
  [false, at('stringEquals', 'a'), at('stringSounds', 'a')],
  [false, at('stringEquals', 'a'), { ...at('stringEquals', 'a'), name: 'y' }],
]
for (const [expected, narrow, wide] of cases) {
  const words = ({ operator, value }: Condition) => `${operator} ${JSON.stringify(value)}`
  test(`implies() says ${expected} from ${words(narrow)} to ${words(wide)}`, () =>
    equal(implies(narrow, wide), expected))
}

const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '{', '}'), maxLength: 6 })
const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ name: fc.constant('x'), operator: fc.constantFrom('stringEquals', 'stringMatch'), value: text }),
  fc.record({
    name: fc.constant('x'),
    operator: fc.constantFrom('stringEqualsAnyOf', 'stringMatchAnyOf'),
    value: fc.array(text, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ name: fc.constant('x'), operator: fc.constant('stringExists'), value: fc.boolean() }),
)

test('what meets a condition meets whatever it implies', () => {
  const value = fc.option(text, { nil: undefined })
  fc.assert(
    fc.property(condition, condition, value, (narrow, wide, asked) => {
      if (implies(narrow, wide) && holds(narrow, asked)) equal(holds(wide, asked), true)
    }),
    { numRuns: 20_000 },
  )
})

test('a condition implies itself', () => {
  fc.assert(fc.property(condition, (one) => equal(implies(one, one), true)))
})

test('a pattern that covers another matches all that the other does', () => {
  fc.assert(
    fc.property(text, text, text, (wide, narrow, asked) => {
      if (coversPattern(wide, narrow) && matchesWildcard(narrow, asked)) equal(matchesWildcard(wide, asked), true)
    }),
    { numRuns: 20_000 },
  )
})

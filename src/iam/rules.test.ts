import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { holdsRule, wrongTime } from './rules.ts'
import type { Rule } from './rules.ts'

const none = (): undefined => undefined
const at = (operator: string, value: string | readonly string[], name = nameFor(operator)): Rule => ({
  name: `environment.${name}`,
  operator,
  value,
})
const nameFor = (operator: string): string => {
  if (operator.startsWith('dayOfWeek')) return 'day_of_week'
  if (operator.startsWith('dateTime')) return 'current_date_time'
  return operator.startsWith('date') ? 'current_date' : 'current_time'
}

// A Thursday.
const noon = Date.UTC(2026, 0, 1, 12, 0, 0)

const cases: readonly (readonly [boolean, string, string | readonly string[], number?])[] = [
  [true, 'dayOfWeekEquals', '4+00:00'],
  [false, 'dayOfWeekEquals', '5+00:00'],
  [true, 'dayOfWeekEquals', '5+13:00'],
  [true, 'dayOfWeekEquals', '3-12:01'],
  [true, 'dayOfWeekEquals', '4'],
  [true, 'dayOfWeekAnyOf', ['1+00:00', '4+00:00']],
  [false, 'dayOfWeekAnyOf', ['1+00:00', '7+00:00']],
  [true, 'timeGreaterThanOrEquals', '12:00:00+00:00'],
  [true, 'timeLessThanOrEquals', '12:00:00Z'],
  [false, 'timeGreaterThan', '12:00:00+00:00'],
  [false, 'timeLessThan', '12:00:00+00:00'],
  [true, 'timeGreaterThanOrEquals', '07:00:00-05:00'],
  [false, 'timeGreaterThan', '07:00:00-05:00'],
  [true, 'timeLessThan', '18:00:01+06:00'],
  // The second that is named belongs to it.
  [true, 'timeLessThanOrEquals', '12:00:00+00:00', noon + 999],
  [false, 'timeLessThanOrEquals', '12:00:00+00:00', noon + 1000],
  [true, 'dateGreaterThanOrEquals', '2026-01-01+00:00'],
  [false, 'dateGreaterThan', '2026-01-01+00:00'],
  [true, 'dateGreaterThan', '2026-01-01+13:00'],
  [true, 'dateLessThan', '2026-01-02'],
  [true, 'dateTimeGreaterThanOrEquals', '2026-01-01T07:00:00-05:00'],
  [true, 'dateTimeLessThanOrEquals', '2026-01-01T12:00:00Z'],
  [false, 'dateTimeLessThan', '2026-01-01T12:00:00+00:00'],
  [false, 'dateTimeGreaterThan', '2026-01-01T13:00:00+01:00'],
  // What is not understood is not met.
  [false, 'timeSounds', '12:00:00+00:00'],
  [false, 'timeLessThan', 'noon'],
  [false, 'timeLessThan', '23:00:00'],
  [false, 'dateLessThan', '2026-13-01+00:00'],
]
for (const [expected, operator, value, now = noon] of cases) {
  test(`${operator} ${JSON.stringify(value)} is ${expected} at ${new Date(now).toISOString()}`, () =>
    equal(holdsRule(at(operator, value), none, now), expected))
}

test('without the time no condition on it is met', () =>
  equal(holdsRule(at('timeLessThan', '23:59:59+00:00'), none, undefined), false))

test('a condition asks what its operator can compare', () => {
  equal(wrongTime({ name: 'environment.current_time', operator: 'dayOfWeekEquals', value: '1' }) !== null, true)
  equal(wrongTime({ name: 'environment.day_of_week', operator: 'dayOfWeekAnyOf', value: '1' }) !== null, true)
  equal(wrongTime({ name: 'environment.day_of_week', operator: 'dayOfWeekAnyOf', value: ['1', '8'] }) !== null, true)
  equal(wrongTime({ name: 'environment.day_of_week', operator: 'dayOfWeekAnyOf', value: ['1+6:00'] }), null)
})

test('and needs all, or needs one; nothing in them is nothing', () => {
  const yes = at('dayOfWeekEquals', '4')
  const no = at('dayOfWeekEquals', '5')
  const value = (name: string) => (name === 'path' ? 'home/David/x' : undefined)
  const path = (pattern: string): Rule => ({ name: 'path', operator: 'stringMatch', value: pattern })
  equal(holdsRule({ operator: 'and', conditions: [yes, no] }, none, noon), false)
  equal(holdsRule({ operator: 'or', conditions: [no, yes] }, none, noon), true)
  equal(holdsRule({ operator: 'and', conditions: [yes, { operator: 'or', conditions: [no, yes] }] }, none, noon), true)
  equal(holdsRule({ operator: 'and', conditions: [] }, none, noon), false)
  equal(holdsRule({ operator: 'or', conditions: [] }, none, noon), false)
  equal(holdsRule({ operator: 'or', conditions: [no, path('home/David/*')] }, value, noon), true)
  equal(holdsRule({ operator: 'and', conditions: [yes, path('home/Mary/*')] }, value, noon), false)
})

test('of a day some hour is exactly one day of the week, whatever the offset', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: -12, max: 14 }), (now, hours) => {
      const offset = `${hours < 0 ? '-' : '+'}${String(Math.abs(hours)).padStart(2, '0')}:00`
      const days = [1, 2, 3, 4, 5, 6, 7].filter((day) => holdsRule(at('dayOfWeekEquals', `${day}${offset}`), none, now))
      const expected = new Date(now + hours * 3_600_000).getUTCDay() || 7
      equal(days.join(), String(expected))
    }),
  )
})

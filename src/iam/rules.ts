// The rule of a policy: further conditions on the resource, and on the time. Pure; the time is handed in. Source: IBM Cloud
// IAM, "IAM condition properties", "Conditions in /v2/policies access policies". Days are 1 (Monday) to 7; every time
// carries its offset from UTC, and summer time is nobody's business.

import { holds } from './conditions.ts'
import type { Condition, ConditionValue } from './conditions.ts'

/** Names of conditions in rules: `environment.` and what about it, or an attribute of the resource. */
export type Rule = Condition | { readonly operator: 'and' | 'or'; readonly conditions: readonly Rule[] }

export const environmentNames = ['current_time', 'current_date', 'current_date_time', 'day_of_week'] as const
const environmentPrefix = 'environment.'

/** Which operators ask which name, and the form of their values. */
const kinds: Readonly<Record<string, { readonly names: readonly string[]; readonly form: RegExp }>> = {
  time: { names: ['current_time'], form: /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(Z|[+-]\d{1,2}:\d\d)$/ },
  date: { names: ['current_date', 'current_date_time'], form: /^\d{4}-\d\d-\d\d(Z|[+-]\d{1,2}:\d\d)?$/ },
  dateTime: {
    names: ['current_date_time'],
    form: /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d{1,2}:\d\d)$/,
  },
  dayOfWeek: { names: ['day_of_week'], form: /^[1-7](Z|[+-]\d{1,2}:\d\d)?$/ },
}

const comparison = /^(time|date|dateTime)(LessThan|LessThanOrEquals|GreaterThan|GreaterThanOrEquals)$/
const ofDay = /^dayOfWeek(Equals|AnyOf)$/

const kindOf = (operator: string): string | undefined =>
  comparison.exec(operator)?.[1] ?? (ofDay.test(operator) ? 'dayOfWeek' : undefined)

/** What is wrong with a condition on the time, in words that follow its operator; null when nothing is. */
export function wrongTime({ name, operator, value }: Condition): string | null {
  const kind = kinds[kindOf(operator) ?? '']
  if (!kind) return `has no meaning for ${name}`
  if (!kind.names.includes(name.slice(environmentPrefix.length))) {
    return `asks ${kind.names.map((one) => `{{environment.attributes.${one}}}`).join(' or ')}`
  }
  const several = operator === 'dayOfWeekAnyOf'
  const values = Array.isArray(value) ? value : [value]
  if (several !== Array.isArray(value)) return several ? 'has a list of values' : 'has one value'
  return values.every((one) => typeof one === 'string' && kind.form.test(one) && !Number.isNaN(startOf(kind, one)))
    ? null
    : 'has a value that is no such time, or lacks its offset from UTC'
}

/** A date that the calendar does not have is no date. */
function startOf(kind: (typeof kinds)[string], value: string): number {
  if (!kind.names.includes('current_date_time')) return 0
  const [day = ''] = value.split('T')
  return Date.parse(`${day.slice(0, 10)}T00:00:00Z`)
}

/** Whether the rule is met at this time by a resource of which `valueOf` tells; false for all that is not understood. */
export function holdsRule(rule: Rule, valueOf: (name: string) => string | undefined, now: number | undefined): boolean {
  if ('conditions' in rule) {
    const one = (inner: Rule): boolean => holdsRule(inner, valueOf, now)
    if (rule.operator === 'and') return rule.conditions.length > 0 && rule.conditions.every(one)
    return rule.operator === 'or' && rule.conditions.some(one)
  }
  if (!rule.name.startsWith(environmentPrefix)) return holds(rule, valueOf(rule.name))
  return now !== undefined && wrongTime(rule) === null && holdsTime(rule, now)
}

function holdsTime({ operator, value }: Condition, now: number): boolean {
  if (operator.startsWith('dayOfWeek')) return (Array.isArray(value) ? value : [value]).some((day) => isDay(day, now))
  if (typeof value !== 'string') return false
  const [, kind, how] = comparison.exec(operator) ?? []
  const [asked, is] =
    kind === 'time' ? timesOfDay(value, now) : kind === 'date' ? days(value, now) : instants(value, now)
  switch (how) {
    case 'LessThan':
      return is < asked
    case 'LessThanOrEquals':
      return is <= asked
    case 'GreaterThan':
      return is > asked
    case 'GreaterThanOrEquals':
      return is >= asked
    default:
      return false
  }
}

const second = 1000
const minute = 60 * second
const day = 24 * 60 * minute

/** What clocks at this offset show, as if it were UTC. */
const localNow = (value: string, now: number): number => now + offsetMs(value)

function offsetMs(value: string): number {
  const [, sign, hours, minutes] = /([+-])(\d{1,2}):(\d\d)$/.exec(value) ?? []
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * minute
}

/** Seconds of the day: what is asked for, and what it is. */
function timesOfDay(value: string, now: number): readonly [number, number] {
  const [hours = 0, minutes = 0, seconds = 0] = value.slice(0, 8).split(':').map(Number)
  return [(hours * 60 + minutes) * 60 + seconds, Math.floor(positive(localNow(value, now), day) / second)]
}

const positive = (ms: number, modulus: number): number => ((ms % modulus) + modulus) % modulus

function days(value: string, now: number): readonly [number, number] {
  return [Date.parse(`${value.slice(0, 10)}T00:00:00Z`) / day, Math.floor(localNow(value, now) / day)]
}

/** In whole seconds, which is what the values are written in. */
function instants(value: string, now: number): readonly [number, number] {
  const written = Date.parse(`${value.slice(0, 19)}Z`) - offsetMs(value)
  return [Math.floor(written / second), Math.floor(now / second)]
}

function isDay(value: ConditionValue, now: number): boolean {
  if (typeof value !== 'string') return false
  // The first of January 1970 was a Thursday, the fourth day.
  const today = (positive(Math.floor(localNow(value, now) / day) + 3, 7) + 1).toString()
  return value.startsWith(today)
}

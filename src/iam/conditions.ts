// One condition of a policy: whether a value meets it, and whether whatever meets one condition also meets another. Pure.
// Source of the operators: IBM Cloud IAM, "IAM condition properties". What is not understood is met by nothing.

import { coversPattern, matchesWildcard } from './wildcard.ts'

export type ConditionValue = string | boolean | readonly string[]

/** By its right name. The operator is any text: rows may be older or newer than this program. */
export interface Condition {
  readonly name: string
  readonly operator: string
  readonly value: ConditionValue
}

/** What a request says of one name; a list where it has several values, such as access groups. */
export type AttributeValue = string | readonly string[]

export const equals = (name: string, value: string): Condition => ({ name, operator: 'stringEquals', value })

/** An attribute that the request does not have meets no condition but that it be absent: not even `*`. */
export function holds({ operator, value: wanted }: Condition, value: AttributeValue | undefined): boolean {
  if (operator === 'stringExists') return (value !== undefined) === wanted && typeof wanted === 'boolean'
  if (value === undefined) return false
  const values = typeof value === 'string' ? [value] : value
  return values.some((one) => meets(operator, wanted, one))
}

function meets(operator: string, wanted: ConditionValue, value: string): boolean {
  switch (operator) {
    case 'stringEquals':
      return value === wanted
    case 'stringMatch':
      return typeof wanted === 'string' && matchesWildcard(wanted, value)
    case 'stringEqualsAnyOf':
      return Array.isArray(wanted) && wanted.includes(value)
    case 'stringMatchAnyOf':
      return Array.isArray(wanted) && wanted.some((pattern: string) => matchesWildcard(pattern, value))
    default:
      return false
  }
}

/** Whether every value that meets `narrow` meets `wide`. Says no where it cannot tell. */
export function implies(narrow: Condition, wide: Condition): boolean {
  if (narrow.name !== wide.name) return false
  if (narrow.operator === 'stringExists' && narrow.value === false) {
    return wide.operator === 'stringExists' && wide.value === false
  }
  const narrowPatterns = patternsOf(narrow)
  const widePatterns = patternsOf(wide)
  if (!narrowPatterns || !widePatterns) return false
  return narrowPatterns.every((pattern) => widePatterns.some((other) => coversPattern(other, pattern)))
}

/** The patterns of which a value has to match one, or null for what no list of patterns says. */
function patternsOf({ operator, value }: Condition): readonly string[] | null {
  switch (operator) {
    case 'stringExists':
      return value === true ? ['*'] : null
    case 'stringEquals':
      return typeof value === 'string' ? [literally(value)] : null
    case 'stringMatch':
      return typeof value === 'string' ? [value] : null
    case 'stringEqualsAnyOf':
      return Array.isArray(value) ? value.map(literally) : null
    case 'stringMatchAnyOf':
      return Array.isArray(value) ? value : null
    default:
      return null
  }
}

/** The pattern that matches this text alone. A brace needs no escape: only `{{*}}` and `{{?}}` mean something. */
const literally = (text: string): string => text.replaceAll(/[*?]/g, '{{$&}}')

// Why a request was denied, short enough for a header: for clients that show headers and lose bodies, and for scripts. A
// dictionary of strings (RFC 8941, "Dictionaries"); the body has the whole of it.

import type { Explanation } from '#base/fault.ts'
import { explanationHeaderLengthMax } from '#base/limits.ts'

export function explanationHeader(explanation: Explanation): Record<string, string> {
  const { action, account, setting, bound, nearestPolicy, missingPolicy } = explanation
  const entries = [
    ['action', action],
    ['account', account],
    ['missing', typeOf(missingPolicy)],
    ['role', roleOf(missingPolicy)],
    ['setting', setting],
    ['bound', bound?.name],
    ['policy', bound?.policyId],
    ['nearest', nearestPolicy?.id],
    ['differs', nearestPolicy?.differs[0]?.attribute ?? nearestPolicy?.differs[0]?.in],
  ] as const
  let text = ''
  for (const [name, value] of entries) {
    if (!value) continue
    const more = `${text === '' ? '' : ', '}${name}=${quoted(value)}`
    // An entry that does not fit is left out whole, and so is all that would follow it.
    if (text.length + more.length > explanationHeaderLengthMax) break
    text += more
  }
  return text === '' ? {} : { 'keyward-explanation': text }
}

/** RFC 8941, "Strings": printable ASCII. What a caller has sent in comes back as text and nothing else. */
const quoted = (value: string): string => `"${value.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, '\\$&')}"`

/** A body for the policy API; explanations carry it as the plain JSON that it is. */
const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const typeOf = (policy: unknown): string | undefined => textOf(fieldOf(policy, 'type'))

function roleOf(policy: unknown): string | undefined {
  const roles = fieldOf(policy, 'roles')
  return textOf(fieldOf(Array.isArray(roles) ? roles[0] : undefined, 'role_id'))
}

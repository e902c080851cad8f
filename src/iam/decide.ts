// May they? Pure: facts in, decision out; no clock, no database. The rules are IBM Cloud IAM's ("How IAM access works"):
// nothing is permitted but by a policy, no policy forbids, and policies add up. Whatever is not understood (an operator, an
// attribute, a role) makes its policy permit less, never more.

import { actionConcerns, isForServicesOnly } from './actions.ts'
import type { Decision } from './port.ts'
import { matchesWildcard } from './wildcard.ts'

/** One condition, by its right name. The operator is any text: rows may be older or newer than this program. */
export interface Condition {
  readonly name: string
  readonly operator: string
  readonly value: string
}

export interface PolicyFacts {
  readonly id: string
  readonly subject: readonly Condition[]
  readonly resource: readonly Condition[]
  /** CRNs. */
  readonly roles: readonly string[]
}

/** Role CRN to the actions it contains. */
export type RoleActions = ReadonlyMap<string, ReadonlySet<string>>

export type Attributes = ReadonlyMap<string, string>

export interface Request {
  readonly subject: Attributes
  readonly action: string
  readonly resource: Attributes
}

/** The first policy that permits decides; which one is first changes the id that is named, never the answer. */
export function decide(policies: readonly PolicyFacts[], roles: RoleActions, request: Request): Decision {
  if (!isPossible(request)) return { permitted: false }
  for (const policy of policies) {
    if (!policy.roles.some((role) => roles.get(role)?.has(request.action))) continue
    if (!isBounded(policy)) continue
    if (!policy.subject.every((condition) => holds(condition, request.subject))) continue
    if (!policy.resource.every((condition) => holds(condition, request.resource))) continue
    return { permitted: true, policyId: policy.id }
  }
  return { permitted: false }
}

/** Some things no policy can permit: an action on another service's resource, a service's own action by a person. */
function isPossible({ subject, action, resource }: Request): boolean {
  if (!actionConcerns(action, resource.get('serviceName') ?? '')) return false
  return !isForServicesOnly(action) || subject.has('serviceName')
}

/** A policy that names no subject, or no account, would hold for everybody; it holds for nobody. */
const isBounded = (policy: PolicyFacts): boolean =>
  policy.subject.length > 0 && policy.resource.some((condition) => condition.name === 'accountId')

/** An attribute that the request does not have meets no condition, not even `*`. */
function holds(condition: Condition, attributes: Attributes): boolean {
  const value = attributes.get(condition.name)
  if (value === undefined) return false
  if (condition.operator === 'stringEquals') return value === condition.value
  if (condition.operator === 'stringMatch') return matchesWildcard(condition.value, value)
  return false
}

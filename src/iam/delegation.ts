// Authorizations that are derived from others. The source of an authorization that has the delegator role may hand its
// access on, once and never wider: to services of its own account that it depends on. Pure. Sources: IBM Cloud IAM, "Using
// authorizations" ("Enable authorization to be delegated"); VPC, "Cross-account encryption for Block Storage resources".

import { subjectAttributes } from './attributes.ts'
import { holds, implies } from './conditions.ts'
import { covers, partsOf } from './covers.ts'
import type { PolicyFacts, RoleActions } from './decide.ts'
import { valueOf } from './policy.ts'
import type { Facts } from './policy.ts'
import type { Caller } from './port.ts'
import { delegatorRole } from './roles.ts'

export const delegates = (facts: Facts): boolean => facts.roles.includes(delegatorRole)

/** Who derives: a service itself, or whoever administers it in its own account. */
export type Deriver = { readonly as: 'service'; readonly caller: Caller } | { readonly as: 'administrator' }

/** The authorization under which this one may be derived, or null. */
export const parentOf = (
  child: Facts,
  deriver: Deriver,
  parents: readonly PolicyFacts[],
  context: { readonly roles: RoleActions; readonly now: number },
): PolicyFacts | null =>
  parents.find((parent) => isSource(parent, child, deriver) && isWithin(parent, child, context)) ?? null

/** Whether what derives is the source of the parent, or administers it for a child that is no wider in its source. */
export function isSource(parent: PolicyFacts, child: Facts, deriver: Deriver): boolean {
  if (deriver.as === 'service') {
    const attributes = subjectAttributes(deriver.caller)
    return parent.subject.every((condition) => holds(condition, attributes.get(condition.name)))
  }
  return parent.subject.every((wide) => child.subject.some((narrow) => implies(narrow, wide)))
}

/** Whether the parent still lets this child be: of its source's account, and no wider in roles or resources. */
export function isWithin(
  parent: Facts,
  child: Facts,
  { roles, now }: { readonly roles: RoleActions; readonly now: number },
): boolean {
  if (!delegates(parent) || delegates(child)) return false
  const account = valueOf(child.subject, 'accountId')
  if (account === undefined || account !== valueOf(parent.subject, 'accountId')) return false
  const given = new Set(parent.roles.flatMap((role) => (role === delegatorRole ? [] : [...(roles.get(role) ?? [])])))
  const allOf = (role: string): boolean => {
    const actions = roles.get(role)
    return actions !== undefined && [...actions].every((action) => given.has(action))
  }
  return child.roles.every(allOf) && partsOf(child).every((part) => covers(parent, part, now))
}

// May they? Pure: facts in, decision out; no clock, no database. The rules are IBM Cloud IAM's ("How IAM access works"):
// nothing is permitted but by a policy, no policy forbids, and policies add up. Whatever is not understood (an operator, an
// attribute, a role) makes its policy permit less, never more.

import { actionConcerns, isForServicesOnly } from './actions.ts'
import { holds } from './conditions.ts'
import type { AttributeValue, Condition } from './conditions.ts'
import type { Decision } from './port.ts'
import { holdsRule } from './rules.ts'
import type { Rule } from './rules.ts'

/** What a policy covers: part of an account's things, perhaps only of some tags or at some times. */
export interface Expression {
  readonly resource: readonly Condition[]
  /** By the names of access management tags. */
  readonly tags?: readonly Condition[]
  readonly rule?: Rule
}

export interface PolicyFacts extends Expression {
  readonly id: string
  readonly subject: readonly Condition[]
  /** CRNs. */
  readonly roles: readonly string[]
}

/** Role CRN to the actions it contains. */
export type RoleActions = Pick<ReadonlyMap<string, ReadonlySet<string>>, 'get'>

export type Attributes = ReadonlyMap<string, AttributeValue>

export interface Request {
  readonly subject: Attributes
  readonly action: string
  readonly resource: Attributes
  /** Access management tags of the resource, `name:value`. */
  readonly tags?: readonly string[]
  /** Milliseconds since 1970; without it no condition on the time is met. */
  readonly now?: number
}

/** The first policy that permits decides; which one is first changes the id that is named, never the answer. */
export function decide(policies: readonly PolicyFacts[], roles: RoleActions, request: Request): Decision {
  if (!isPossible(request)) return { permitted: false }
  for (const policy of policies) {
    if (!permitsAction(policy, roles, request)) continue
    if (!policy.resource.every((condition) => holds(condition, request.resource.get(condition.name)))) continue
    if (policy.rule && !meetsRule(policy.rule, request)) continue
    return { permitted: true, policyId: policy.id }
  }
  return { permitted: false }
}

/** Whether the policy permits this subject this action on anything that has these tags. */
export const permitsAction = (policy: PolicyFacts, roles: RoleActions, { subject, action, tags }: Request): boolean =>
  policy.roles.some((role) => roles.get(role)?.has(action)) &&
  isBounded(policy) &&
  policy.subject.every((condition) => holds(condition, subject.get(condition.name))) &&
  (policy.tags ?? []).every((tag) => holdsTag(tag, tags ?? []))

/** Some things no policy can permit: an action on another service's resource, a service's own action by a person. */
export function isPossible({ subject, action, resource }: Request): boolean {
  const serviceName = resource.get('serviceName')
  if (typeof serviceName !== 'string' || !actionConcerns(action, serviceName)) return false
  return !isForServicesOnly(action) || subject.has('serviceName')
}

/** A policy that names no subject, or no account, would hold for everybody; it holds for nobody. */
const isBounded = (policy: PolicyFacts): boolean =>
  policy.subject.length > 0 && policy.resource.some((condition) => condition.name === 'accountId')

export const holdsTag = (tag: Condition, tags: readonly string[]): boolean =>
  tags.some((one) => one.startsWith(`${tag.name}:`) && holds(tag, one.slice(tag.name.length + 1)))

export const meetsRule = (rule: Rule, { resource, now }: Pick<Request, 'resource' | 'now'>): boolean =>
  holdsRule(
    rule,
    (name) => {
      const value = resource.get(name)
      return typeof value === 'string' ? value : undefined
    },
    now,
  )

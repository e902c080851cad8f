// May they? Pure: facts in, decision out; no clock, no database. The rules are IBM Cloud IAM's ("How IAM access works"):
// nothing is permitted but by a policy, no policy forbids, and policies add up. Whatever is not understood (an operator, an
// attribute, a role) makes its policy permit less, never more.

import { decideBounded, hasEnded, limitsOf } from './bounds.ts'
import type { Bounds } from './bounds.ts'
import { actionConcerns, isForServicesOnly } from './actions.ts'
import { holds } from './conditions.ts'
import type { AttributeValue, Condition } from './conditions.ts'
import type { Decision, KeyPurpose } from './port.ts'
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
  /** Of authorizations to use keys only. */
  readonly bounds?: Bounds
  /** The authorization that it was derived from, where that is bounded: then so is this. */
  readonly under?: Pick<PolicyFacts, 'id' | 'resource' | 'bounds'>
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
  /** The same by the clock of keys, by which bounds end. */
  readonly keyNow?: number
  readonly keyUse?: KeyPurpose
}

/**
 * The first policy that permits decides; which one is first changes the id that is named, never the answer. Those with
 * bounds are weighed where no other permits.
 */
export function decide(policies: readonly PolicyFacts[], roles: RoleActions, request: Request): Decision {
  if (!isPossible(request)) return { permitted: false }
  const bounded: PolicyFacts[] = []
  for (const policy of policies) {
    if (!namesAction(policy, roles, request)) continue
    if (!policy.resource.every((condition) => holds(condition, request.resource.get(condition.name)))) continue
    if (policy.rule && !meetsRule(policy.rule, request)) continue
    if (limitsOf(policy).length === 0) return { permitted: true, policyId: policy.id }
    bounded.push(policy)
  }
  return bounded.length === 0 ? { permitted: false } : decideBounded(bounded, request)
}

/** Whether the policy permits this subject this action on anything that has these tags. */
export const permitsAction = (policy: PolicyFacts, roles: RoleActions, request: Request): boolean =>
  namesAction(policy, roles, request) && !hasEnded(policy, request.keyNow)

const namesAction = (policy: PolicyFacts, roles: RoleActions, { subject, action, tags }: Request): boolean =>
  policy.roles.some((role) => roles.get(role)?.has(action)) &&
  isForSomebody(policy) &&
  policy.subject.every((condition) => holds(condition, subject.get(condition.name))) &&
  (policy.tags ?? []).every((tag) => holdsTag(tag, tags ?? []))

/** Some things no policy can permit: an action on another service's resource, a service's own action by a person. */
export function isPossible({ subject, action, resource }: Request): boolean {
  const serviceName = resource.get('serviceName')
  if (typeof serviceName !== 'string' || !actionConcerns(action, serviceName)) return false
  return !isForServicesOnly(action) || subject.has('serviceName')
}

/** A policy that names no subject, or no account, would hold for everybody; it holds for nobody. */
const isForSomebody = (policy: PolicyFacts): boolean =>
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

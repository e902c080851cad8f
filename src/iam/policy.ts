// What a policy is, inside. `sent` is what its author wrote, kept to the letter because clients compare; `facts` is what
// it means, by the right names, and the only part that decisions read. Both versions of the policy API show the same
// policy: policy-view.ts and policy-view-v2.ts.

import { createHash } from 'node:crypto'
import type { PolicyId } from '#base/id.ts'
import { serviceTypeOf } from './actions.ts'
import type { ServiceType } from './actions.ts'
import type { SentBounds } from './bounds-parse.ts'
import type { Condition, ConditionValue } from './conditions.ts'
import type { PolicyFacts } from './decide.ts'
import type { PolicyType } from './roles.ts'
import type { Rule } from './rules.ts'

export interface SentAttribute {
  readonly name: string
  readonly value: ConditionValue
  /** Absent only where version 1 of the API was used without one. */
  readonly operator?: string
}

/** A rule as it was sent: keys in their double braces, days perhaps as numbers. */
export type SentRule =
  | { readonly key: string; readonly operator: string; readonly value: unknown }
  | { readonly operator: string; readonly conditions: readonly SentRule[] }

export interface PolicyDocument {
  readonly description: string | null
  readonly subject: readonly SentAttribute[]
  readonly resource: readonly SentAttribute[]
  readonly tags?: readonly SentAttribute[]
  readonly rule?: SentRule
  readonly pattern?: string
  readonly bounds?: SentBounds
}

export type Facts = Omit<PolicyFacts, 'id' | 'under'>

/** A policy that could be: valid in itself, not yet anybody's. */
export interface PolicyDraft {
  readonly type: PolicyType
  /** The account that owns the resource: where the policy has to be made. */
  readonly accountId: string
  readonly sent: PolicyDocument
  readonly facts: Facts
}

/** For an authorization that was derived from another: which one, and the account that derived it. */
export interface Parent {
  readonly policyId: string
  readonly accountId: string
}

export interface Policy extends PolicyDraft {
  readonly id: PolicyId
  readonly state: 'active' | 'deleted'
  readonly revision: string
  readonly parent?: Parent
  readonly createdAt: number
  readonly createdById: string
  readonly lastModifiedAt: number
  readonly lastModifiedById: string
}

/** The one text that an attribute must equal, if the conditions say that. */
export function valueOf(conditions: readonly Condition[], name: string): string | undefined {
  const value = conditions.find((one) => one.name === name && one.operator === 'stringEquals')?.value
  return typeof value === 'string' ? value : undefined
}

export function serviceTypeOfFacts({ resource }: Facts): ServiceType | null {
  const named = valueOf(resource, 'serviceType')
  if (named === 'service' || named === 'platform_service') return named
  const serviceName = valueOf(resource, 'serviceName')
  return serviceName === undefined ? null : serviceTypeOf(serviceName)
}

/**
 * Equal for policies that mean the same, in whatever order, words and version they were written. Bounds are left out: a
 * client that knows nothing of them does not make an unbounded twin of what its owner has bounded.
 */
export function fingerprintOf(type: PolicyType, { subject, resource, roles, tags, rule }: Facts): string {
  const conditions = (list: readonly Condition[]) => list.map(canonical).sort()
  const words = [type, conditions(subject), conditions(resource), [...new Set(roles)].sort()]
  const more = tags || rule ? [conditions(tags ?? []), rule ? canonicalRule(rule) : null] : []
  return createHash('sha256')
    .update(JSON.stringify([...words, ...more]))
    .digest('hex')
}

const canonical = ({ name, operator, value }: Condition): string =>
  JSON.stringify([name, operator, Array.isArray(value) ? [...value].sort() : value])

export function canonicalRule(rule: Rule): string {
  if (!('conditions' in rule)) return canonical(rule)
  return JSON.stringify([rule.operator, rule.conditions.map(canonicalRule).sort()])
}

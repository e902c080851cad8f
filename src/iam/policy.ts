// What a policy is, inside. `sent` is what its author wrote, kept to the letter because clients compare; `facts` is what
// it means, by the right names, and the only part that decisions read.

import { createHash } from 'node:crypto'
import type { PolicyId } from '#base/id.ts'
import { serviceTypeOf } from './actions.ts'
import type { ServiceType } from './actions.ts'
import { accountKey, iamIdKey, serviceKey } from './attributes.ts'
import type { SubjectKey } from './attributes.ts'
import type { Condition, PolicyFacts } from './decide.ts'
import type { PolicyType } from './roles.ts'

export interface SentAttribute {
  readonly name: string
  readonly value: string
  readonly operator?: 'stringEquals' | 'stringMatch'
}

export interface PolicyDocument {
  readonly description: string | null
  readonly subject: readonly SentAttribute[]
  readonly resource: readonly SentAttribute[]
}

export type Facts = Omit<PolicyFacts, 'id'>

/** A policy that could be: valid in itself, not yet anybody's. */
export interface PolicyDraft {
  readonly type: PolicyType
  /** The account that owns the resource: where the policy has to be made. */
  readonly accountId: string
  readonly sent: PolicyDocument
  readonly facts: Facts
}

export interface Policy extends PolicyDraft {
  readonly id: PolicyId
  readonly state: 'active' | 'deleted'
  readonly revision: string
  readonly createdAt: number
  readonly createdById: string
  readonly lastModifiedAt: number
  readonly lastModifiedById: string
}

export const valueOf = (conditions: readonly Condition[], name: string): string | undefined =>
  conditions.find((condition) => condition.name === name)?.value

/** The key under which decisions find the policy, or null when its subject says too little to be found. */
export function subjectKeyOf(facts: Facts): SubjectKey | null {
  const iamId = valueOf(facts.subject, 'iam_id')
  if (iamId !== undefined) return iamIdKey(iamId)
  const accountId = valueOf(facts.subject, 'accountId')
  if (accountId === undefined) return null
  const serviceName = valueOf(facts.subject, 'serviceName')
  return serviceName === undefined ? accountKey(accountId) : serviceKey(accountId, serviceName)
}

export function serviceTypeOfFacts(facts: Facts): ServiceType | null {
  const named = valueOf(facts.resource, 'serviceType')
  if (named === 'service' || named === 'platform_service') return named
  const serviceName = facts.resource.find((c) => c.name === 'serviceName' && c.operator === 'stringEquals')?.value
  return serviceName === undefined ? null : serviceTypeOf(serviceName)
}

/** Equal for policies that mean the same, in whatever order and words they were written. */
export function fingerprintOf(type: PolicyType, facts: Facts): string {
  const conditions = (list: readonly Condition[]) =>
    list.map(({ name, operator, value }) => JSON.stringify([name, operator, value])).sort()
  const roles = [...new Set(facts.roles)].sort()
  const canonical = JSON.stringify([type, conditions(facts.subject), conditions(facts.resource), roles])
  return createHash('sha256').update(canonical).digest('hex')
}

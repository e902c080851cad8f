// How decisions find policies: docs/formats.md, "Policies". Each policy has one subject key and one resource key; a request
// has all under which a policy for it may lie. One text each rather than several columns, because engines then use the
// index without having seen the table's statistics.

import { isIdentity, asService, vpcNames } from './attributes.ts'
import type { Condition } from './conditions.ts'
import type { Subject, Target } from './port.ts'

export type SubjectKey = string
export type ResourceKey = string

export const iamIdKey = (iamId: string): SubjectKey => `iam_id/${iamId}`

const groupPrefix = 'access_group_id/'
export const groupKey = (groupId: string): SubjectKey => `${groupPrefix}${groupId}`

/** The group that a key is for, or null. */
export const groupOfKey = (key: SubjectKey): string | null =>
  key.startsWith(groupPrefix) ? key.slice(groupPrefix.length) : null

/** Account ids have one length, so the joined text is unambiguous. */
export const serviceKey = (accountId: string, serviceName: string): SubjectKey => `service/${accountId}/${serviceName}`

/** Authorizations for whatever service of an account, or of one of its resource groups, name no service. */
export const accountKey = (accountId: string): SubjectKey => `account/${accountId}`

/** Without the keys of access groups: who is in which is in the database, and the query looks there itself. */
export function subjectKeys(subject: Subject): readonly SubjectKey[] {
  if (isIdentity(subject)) return [iamIdKey(subject.iamId)]
  const service = asService(subject)
  return service ? [serviceKey(service.accountId, service.serviceName), accountKey(service.accountId)] : []
}

const equal = (conditions: readonly Condition[], name: string): string | undefined => {
  const found = conditions.find((condition) => condition.name === name && condition.operator === 'stringEquals')
  return typeof found?.value === 'string' ? found.value : undefined
}

/** Null when the subject says too little for the policy to be found. */
export function subjectKeyOf(subject: readonly Condition[]): SubjectKey | null {
  const iamId = equal(subject, 'iam_id')
  if (iamId !== undefined) return iamIdKey(iamId)
  const groupId = equal(subject, 'access_group_id')
  if (groupId !== undefined) return groupKey(groupId)
  const accountId = equal(subject, 'accountId')
  if (accountId === undefined) return null
  const serviceName = equal(subject, 'serviceName')
  return serviceName === undefined ? accountKey(accountId) : serviceKey(accountId, serviceName)
}

/** The narrowest thing that a policy names exactly: one resource, one instance, one resource group; else anything. */
const anything: ResourceKey = ''
const narrowing = ['resource', 'serviceInstance', 'resourceGroupId'] as const

export function resourceKeyOf(resource: readonly Condition[]): ResourceKey {
  const named = [...vpcNames.values()].map((name) => equal(resource, name)).find((value) => value !== undefined)
  if (named !== undefined) return `resource/${named}`
  for (const name of narrowing) {
    const value = equal(resource, name)
    if (value !== undefined) return `${name}/${value}`
  }
  return anything
}

export const resourceKeys = (target: Target): readonly ResourceKey[] => [
  anything,
  ...narrowing.flatMap((name) => (target[name] ? [`${name}/${target[name]}`] : [])),
]

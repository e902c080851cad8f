// From the wire to a draft: what JSON Schema cannot say. Everything wrong is said by its wire name, with what would be
// right, since policies are written by hand from examples.

import { Fault } from '#base/fault.ts'
import { isHex32 } from '#base/id.ts'
import type { Static } from 'typebox'
import { rightName, rightValue } from './attribute-aliases.ts'
import type { Side } from './attribute-aliases.ts'
import { resourceNames, subjectNames } from './attributes.ts'
import type { policyRequest } from './contract.ts'
import type { Condition } from './decide.ts'
import { valueOf } from './policy.ts'
import type { PolicyDraft, SentAttribute } from './policy.ts'
import { rolesByCrn } from './roles.ts'
import type { PolicyType } from './roles.ts'

type PolicyRequest = Static<typeof policyRequest>

export function parsePolicy(body: PolicyRequest): PolicyDraft {
  const { type } = body
  const sentSubject = body.subjects[0]?.attributes ?? []
  const sentResource = body.resources[0]?.attributes ?? []
  if (type === 'access') refuseGroups(sentSubject)
  const subject = conditionsOf('subject', subjectNames[type], sentSubject)
  const resource = conditionsOf('resource', resourceNames, sentResource)
  checkSubject(type, subject)
  const accountId = checkResource(resource)
  const roles = body.roles.map(({ role_id }) => role_id)
  checkRoles(type, roles, valueOf(resource, 'serviceName'))
  return {
    type,
    accountId,
    sent: { description: body.description ?? null, subject: sentSubject, resource: sentResource },
    facts: { subject, resource, roles },
  }
}

const fieldOf = (side: Side): string => `${side}s.0.attributes`
const wrong = (side: Side, message: string): Fault =>
  new Fault('invalid', `${fieldOf(side)}: ${message}`, { target: { type: 'field', name: fieldOf(side) } })

function conditionsOf(side: Side, names: readonly string[], sent: readonly SentAttribute[]): readonly Condition[] {
  const conditions = sent.map(({ name, value, operator }): Condition => {
    const right = rightName(side, name)
    if (!names.includes(right)) {
      throw wrong(side, `unknown attribute ${JSON.stringify(name)}: the attributes here are ${names.join(', ')}`)
    }
    return { name: right, operator: operator ?? 'stringEquals', value: rightValue(right, value) }
  })
  const twice = conditions.find(({ name }, at) => conditions.findIndex((other) => other.name === name) !== at)
  if (twice) throw wrong(side, `attribute ${twice.name} is given twice`)
  return conditions
}

/** IBM Cloud IAM policy management API, "Attribute vocabulary": who must be named in which type of policy. */
function checkSubject(type: PolicyType, subject: readonly Condition[]): void {
  if (type === 'access') {
    if (valueOf(subject, 'iam_id') === undefined) throw wrong('subject', 'an access policy names its subject by iam_id')
    return
  }
  checkAccountId('subject', subject)
  if (valueOf(subject, 'serviceName') === undefined && valueOf(subject, 'resourceGroupId') === undefined) {
    throw wrong('subject', 'an authorization names its source by serviceName or resourceGroupId')
  }
}

function checkResource(resource: readonly Condition[]): string {
  const accountId = checkAccountId('resource', resource)
  const sorts = ['serviceName', 'serviceType', 'service_group_id', 'resourceGroupId']
  const isGroup = valueOf(resource, 'resourceType') === 'resource-group'
  if (!isGroup && !sorts.some((name) => valueOf(resource, name) !== undefined)) {
    throw wrong('resource', `one of ${sorts.join(', ')} is required`)
  }
  const serviceType = valueOf(resource, 'serviceType')
  if (serviceType !== undefined && serviceType !== 'service' && serviceType !== 'platform_service') {
    throw wrong('resource', 'serviceType is service or platform_service')
  }
  return accountId
}

function checkAccountId(side: Side, conditions: readonly Condition[]): string {
  const condition = conditions.find(({ name }) => name === 'accountId')
  if (!condition) throw wrong(side, 'accountId is required')
  if (condition.operator !== 'stringEquals' || !isHex32(condition.value)) {
    throw wrong(side, 'accountId is one account: stringEquals and 32 hexadecimal digits')
  }
  return condition.value
}

function checkRoles(type: PolicyType, crns: readonly string[], serviceName: string | undefined): void {
  crns.forEach((crn, at) => {
    const target = { type: 'field', name: `roles.${at}.role_id` } as const
    const role = rolesByCrn.get(crn)
    const shown = JSON.stringify(crn)
    if (!role) throw new Fault('invalid', `role ${shown} does not exist`, { target })
    if (!role.policyTypes.includes(type))
      throw new Fault('invalid', `role ${shown} has no use in type ${type}`, { target })
    if (role.serviceName !== null && role.serviceName !== serviceName) {
      throw new Fault('invalid', `role ${shown} needs a resource with serviceName ${role.serviceName}`, { target })
    }
  })
  if (new Set(crns).size !== crns.length) {
    throw new Fault('invalid', 'roles: a role is given twice', { target: { type: 'field', name: 'roles' } })
  }
}

/** Kept apart from unknown names: access groups are IBM Cloud's, and not here yet. */
function refuseGroups(sent: readonly SentAttribute[]): void {
  if (sent.some(({ name }) => name === 'access_group_id')) {
    throw new Fault('not_implemented', 'access groups are not supported yet: name the subject by iam_id')
  }
}

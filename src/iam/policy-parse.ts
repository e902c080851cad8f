// From the wire to a draft: what JSON Schema cannot say. Everything wrong is said by its wire name, with what would be
// right, since policies are written by hand from examples. Version 1 of the API is turned into the words of this file here,
// version 2 in policy-parse-v2.ts.

import { Fault } from '#base/fault.ts'
import { isHex32 } from '#base/id.ts'
import type { Static } from 'typebox'
import { isAlias, rightName, rightValue } from './attribute-aliases.ts'
import type { Side } from './attribute-aliases.ts'
import { resourceNames, subjectNames } from './attributes.ts'
import type { Condition } from './conditions.ts'
import type { policyRequest } from './contract-policy.ts'
import { valueOf } from './policy.ts'
import { inVersion1 } from './policy-view.ts'
import type { Policy, PolicyDocument, PolicyDraft, SentAttribute } from './policy.ts'
import { rolesByCrn } from './roles.ts'
import type { PolicyType } from './roles.ts'
import type { Rule } from './rules.ts'

type PolicyRequest = Static<typeof policyRequest>

export const parsePolicy = ({ type, subjects, roles, resources, description }: PolicyRequest): PolicyDraft =>
  draftOf(
    {
      type,
      roles: roles.map(({ role_id }) => role_id),
      sent: {
        description: description ?? null,
        subject: subjects[0]?.attributes ?? [],
        resource: resources[0]?.attributes ?? [],
        ...(resources[0]?.tags && { tags: resources[0].tags }),
      },
      rule: null,
    },
    { subject: 'subjects.0.attributes', resource: 'resources.0.attributes', roles: 'roles' },
  )

/** Version 1 has no words for conditions: replacing a policy that has some would silently give more than its author meant. */
export const replacedInVersion1 =
  (draft: PolicyDraft) =>
  (policy: Policy): PolicyDraft => {
    if (inVersion1(policy.sent)) return draft
    throw new Fault('invalid', `policy ${policy.id} has conditions that only version 2 of the API can replace`)
  }

export interface Written {
  readonly type: PolicyType
  readonly roles: readonly string[]
  readonly sent: PolicyDocument
  readonly rule: Rule | null
}

/** What the parts of a policy are called on the wire. */
export interface Fields extends Record<Side, string> {
  readonly roles: string
}

export function draftOf({ type, roles, sent, rule }: Written, fields: Fields): PolicyDraft {
  const wrong = (side: Side, message: string): Fault => wrongField(fields[side], message)
  const subject = conditionsOf('subject', subjectNames[type], sent.subject, wrong)
  const resource = conditionsOf('resource', resourceNames, sent.resource, wrong)
  checkSubject(type, subject, wrong)
  const accountId = checkResource(resource, wrong)
  checkRoles({ type, crns: roles, serviceName: valueOf(resource, 'serviceName'), accountId }, fields.roles)
  if (rule && type === 'authorization') throw wrongField('rule', 'only access policies have conditions')
  const tags = sent.tags?.map(asCondition)
  return { type, accountId, sent, facts: { subject, resource, roles, ...(tags && { tags }), ...(rule && { rule }) } }
}

export const wrongField = (name: string, message: string): Fault =>
  new Fault('invalid', `${name}: ${message}`, { target: { type: 'field', name } })

type Wrong = (side: Side, message: string) => Fault

const asCondition = ({ name, value, operator }: SentAttribute): Condition => ({
  name,
  operator: operator ?? 'stringEquals',
  value,
})

function conditionsOf(
  side: Side,
  names: readonly string[],
  sent: readonly SentAttribute[],
  wrong: Wrong,
): readonly Condition[] {
  const conditions = sent.map((attribute): Condition => {
    const { name, operator, value } = asCondition(attribute)
    const right = rightName(side, name)
    if (!names.includes(right)) {
      throw wrong(side, `unknown attribute ${JSON.stringify(name)}: the attributes here are ${names.join(', ')}`)
    }
    // How version 1 writes "any": policy-view.ts shows it so, and what was shown may be sent back.
    if (side === 'subject' && operator === 'stringMatch') return anyOf(right, value, wrong)
    return { name: right, operator, value: rightValue(right, value) }
  })
  const twice = conditions.find(({ name }, at) => conditions.findIndex((other) => other.name === name) !== at)
  if (twice) throw wrong(side, `attribute ${twice.name} is given twice`)
  const aliases = sent.filter(({ name }) => isAlias(side, name))
  if (aliases.length > 0 && aliases.length < sent.length && mixes(side, sent)) {
    const instead = aliases.map(({ name }) => `${rightName(side, name)} for ${JSON.stringify(name)}`)
    throw wrong(side, `names of a documentation page are mixed with real ones: write ${instead.join(', ')}`)
  }
  return conditions
}

/** Narrowing attributes have no other name; beside an alias only the two that the page has others for are a mixture. */
const mixes = (side: Side, sent: readonly SentAttribute[]): boolean =>
  sent.some(({ name }) => !isAlias(side, name) && (name === 'accountId' || name === 'serviceName'))

function anyOf(name: string, value: Condition['value'], wrong: Wrong): Condition {
  if (value !== '*') throw wrong('subject', `${name} is one value, or * for any`)
  return { name, operator: 'stringExists', value: true }
}

/** IBM Cloud IAM policy management API, "Attribute vocabulary": who must be named in which type of policy. */
function checkSubject(type: PolicyType, subject: readonly Condition[], wrong: Wrong): void {
  if (type === 'access') {
    const named = ['iam_id', 'access_group_id'].filter((name) => valueOf(subject, name) !== undefined)
    if (named.length !== 1 || subject.length !== 1) {
      throw wrong('subject', 'an access policy names its subject by iam_id or by access_group_id, one of them')
    }
    return
  }
  checkAccountId('subject', subject, wrong)
  if (!subject.some(({ name }) => name === 'serviceName' || name === 'resourceGroupId')) {
    throw wrong('subject', 'an authorization names its source by serviceName or resourceGroupId')
  }
}

function checkResource(resource: readonly Condition[], wrong: Wrong): string {
  const accountId = checkAccountId('resource', resource, wrong)
  const sorts = ['serviceName', 'serviceType', 'service_group_id', 'resourceGroupId']
  const isGroup = valueOf(resource, 'resourceType') === 'resource-group'
  if (!isGroup && !sorts.some((name) => resource.some((condition) => condition.name === name))) {
    throw wrong('resource', `one of ${sorts.join(', ')} is required`)
  }
  const serviceType = resource.find(({ name }) => name === 'serviceType')
  if (serviceType && !['service', 'platform_service'].includes(valueOf(resource, 'serviceType') ?? '')) {
    throw wrong('resource', 'serviceType is service or platform_service')
  }
  return accountId
}

function checkAccountId(side: Side, conditions: readonly Condition[], wrong: Wrong): string {
  const condition = conditions.find(({ name }) => name === 'accountId')
  if (!condition) throw wrong(side, 'accountId is required')
  const accountId = valueOf(conditions, 'accountId')
  if (accountId === undefined || !isHex32(accountId)) {
    throw wrong(side, 'accountId is one account: stringEquals and 32 hexadecimal digits')
  }
  return accountId
}

const customRole = /^crn:v1:bluemix:public:iam-access-management::a\/([0-9a-f]{32})::customRole:\w+$/

/** Whether there is such a custom role is for policies.ts to find out: here is no database. */
export const isCustomRole = (crn: string): boolean => customRole.test(crn)

interface Asked {
  readonly type: PolicyType
  readonly crns: readonly string[]
  readonly serviceName: string | undefined
  readonly accountId: string
}

function checkRoles({ type, crns, serviceName, accountId }: Asked, field: string): void {
  crns.forEach((crn, at) => {
    const name = `${field}.${at}.role_id`
    const shown = JSON.stringify(crn)
    if (customRole.exec(crn)?.[1] === accountId) return
    const role = rolesByCrn.get(crn)
    if (!role) throw wrongField(name, `role ${shown} does not exist`)
    if (!role.policyTypes.includes(type)) throw wrongField(name, `role ${shown} has no use in type ${type}`)
    if (role.serviceName !== null && role.serviceName !== serviceName) {
      throw wrongField(name, `role ${shown} needs a resource with serviceName ${role.serviceName}`)
    }
  })
  if (new Set(crns).size !== crns.length) throw wrongField(field, 'a role is given twice')
}

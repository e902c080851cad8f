// What to say to whoever was refused: which policy is missing, in whose account, and the least of it that would do. Pure,
// and made from the request alone: it tells nothing of what the other account has, and is the same whether or not the
// thing that was asked for exists.

import type { Explanation } from '#base/fault.ts'
import { actionConcerns, isForServicesOnly } from './actions.ts'
import { asService, resourceAttributes, subjectAttributes } from './attributes.ts'
import type { AttributeValue } from './conditions.ts'
import { fixOf } from './fixes.ts'
import type { SentAttribute } from './policy.ts'
import type { ServiceSubject, Subject, Target } from './port.ts'
import { lowestRole } from './roles.ts'
import type { PolicyType, Role } from './roles.ts'

export function explain(subject: Subject, action: string, target: Target): Explanation {
  const missingPolicy = suggest(subject, action, target)
  return { ...asked(subject, action, target), ...(missingPolicy && { missingPolicy, fix: fixOf(missingPolicy) }) }
}

/** For whoever a policy would permit it, and the account's setting keeps out. */
export const gatedExplanation = (subject: Subject, action: string, target: Target): Explanation => ({
  ...asked(subject, action, target),
  setting: 'external_account_identity_interaction',
})

export const gatedRefusal = (subject: Subject, { accountId }: Target): string =>
  `account ${accountId} lets nobody of account ${subject.accountId} act in it, whatever its policies say: ` +
  `account ${accountId} must add it to external_allowed_accounts of its access settings`

const asked = (subject: Subject, action: string, target: Target) => ({
  action,
  subject: texts([...subjectAttributes(subject)]),
  resource: texts(Object.entries(target)),
  account: target.accountId,
})

const texts = (values: readonly (readonly [string, unknown])[]): Record<string, string> =>
  Object.fromEntries(values.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))

/** One sentence for the caller; the explanation holds the rest. */
export function refusal(subject: Subject, action: string, target: Target): string {
  const what = `do ${action}${nameOf(target)}`
  const role = grantable(subject, action)
  const advice = role ? `: account ${target.accountId} must create one, role ${role.displayName}` : ''
  const service = asService(subject)
  if (service) {
    const source = `${service.serviceName} of account ${service.accountId}`
    return `account ${target.accountId} has no authorization that lets ${source} ${what}${advice}`
  }
  const iamId = 'iamId' in subject ? subject.iamId : ''
  return `account ${target.accountId} has no policy that lets ${iamId} ${what}${advice}`
}

function nameOf({ resourceType, resource, serviceInstance }: Target): string {
  if (resource) return ` on ${resourceType ?? 'resource'} ${resource}`
  return serviceInstance ? ` in instance ${serviceInstance}` : ''
}

/** The lowest role that would permit it to this subject; null when no policy can. */
function grantable(subject: Subject, action: string): Role | null {
  if (!asService(subject) && isForServicesOnly(action)) return null
  return lowestRole(typeFor(subject), action)
}

/** People and service ids have access; services of an account are authorized. */
const typeFor = (subject: Subject): PolicyType => (asService(subject) ? 'authorization' : 'access')

/** What `POST /v1/policies` takes. */
export interface PolicyBody {
  readonly type: PolicyType
  readonly description?: string
  readonly subjects: readonly [{ readonly attributes: readonly SentAttribute[] }]
  readonly roles: readonly { readonly role_id: string }[]
  readonly resources: readonly [
    { readonly attributes: readonly SentAttribute[]; readonly tags?: readonly SentAttribute[] },
  ]
}

function suggest(subject: Subject, action: string, target: Target): PolicyBody | null {
  const role = actionConcerns(action, target.serviceName) ? grantable(subject, action) : null
  if (!role) return null
  const service = asService(subject)
  return {
    type: typeFor(subject),
    subjects: [{ attributes: service ? serviceAsSource(service) : wire(subjectAttributes(subject)) }],
    roles: [{ role_id: role.crn }],
    resources: [{ attributes: wire(narrowest(target)) }],
  }
}

/**
 * A source is a service of an account, not one of its volumes: the next volume needs the same. The parts of `is` are told
 * apart by their type (VPC, "Establishing service-to-service authorizations").
 */
function serviceAsSource({ serviceName, accountId, resourceType }: ServiceSubject) {
  const byType = serviceName === 'is' && resourceType ? [['resourceType', resourceType] as const] : []
  return wire(new Map([['serviceName', serviceName], ['accountId', accountId], ...byType]))
}

/** As much as is known of the thing itself; what it lies in (its group, ring or region) adds nothing. */
function narrowest(target: Target): ReadonlyMap<string, string> {
  const known = resourceAttributes(target)
  const named = ['accountId', 'serviceName', 'serviceInstance', 'resourceType', 'resource']
  const around = target.resource || target.serviceInstance ? [] : ['resourceGroupId', 'region']
  const names = target.resource ? named : [...named, 'keyRing', ...around]
  return new Map(names.flatMap((name) => pair(name, known.get(name))))
}

const pair = (name: string, value: AttributeValue | undefined): readonly (readonly [string, string])[] =>
  typeof value === 'string' ? [[name, value]] : []

const wire = (attributes: ReadonlyMap<string, AttributeValue>): readonly SentAttribute[] =>
  [...attributes].map(([name, value]) => ({ name, value }))

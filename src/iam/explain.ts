// What to say to whoever was refused: which policy is missing, in whose account, and the least of it that would do. Pure,
// and made from the request alone: it tells nothing of what the other account has, and is the same whether or not the
// thing that was asked for exists.

import type { Explanation } from '#base/fault.ts'
import { isForServicesOnly } from './actions.ts'
import { resourceAttributes, subjectAttributes } from './attributes.ts'
import type { Attributes } from './decide.ts'
import type { SentAttribute } from './policy.ts'
import type { ServiceSubject, Subject, Target } from './port.ts'
import { lowestRole } from './roles.ts'
import type { PolicyType, Role } from './roles.ts'

export function explain(subject: Subject, action: string, target: Target): Explanation {
  const missingPolicy = suggest(subject, action, target)
  return {
    action,
    subject: Object.fromEntries(subjectAttributes(subject)),
    resource: Object.fromEntries(Object.entries(target).filter(([, value]) => value !== undefined)),
    account: target.accountId,
    ...(missingPolicy !== null && { missingPolicy }),
  }
}

/** One sentence for the caller; the explanation holds the rest. */
export function refusal(subject: Subject, action: string, target: Target): string {
  const what = `do ${action}${nameOf(target)}`
  const role = grantable(subject, action)
  const advice = role ? `: account ${target.accountId} must create one, role ${role.displayName}` : ''
  if (!('iamId' in subject)) {
    const service = `${subject.serviceName} of account ${subject.accountId}`
    return `account ${target.accountId} has no authorization that lets ${service} ${what}${advice}`
  }
  return `account ${target.accountId} has no policy that lets ${subject.iamId} ${what}${advice}`
}

function nameOf({ resourceType, resource, serviceInstance }: Target): string {
  if (resource) return ` on ${resourceType ?? 'resource'} ${resource}`
  return serviceInstance ? ` in instance ${serviceInstance}` : ''
}

/** The lowest role that would permit it to this subject; null when no policy can. */
function grantable(subject: Subject, action: string): Role | null {
  if ('iamId' in subject && isForServicesOnly(action)) return null
  return lowestRole(typeFor(subject), action)
}

/** People and service ids have access; services of an account are authorized. */
const typeFor = (subject: Subject): PolicyType => ('iamId' in subject ? 'access' : 'authorization')

interface PolicyBody {
  readonly type: PolicyType
  readonly subjects: readonly [{ readonly attributes: readonly SentAttribute[] }]
  readonly roles: readonly [{ readonly role_id: string }]
  readonly resources: readonly [{ readonly attributes: readonly SentAttribute[] }]
}

function suggest(subject: Subject, action: string, target: Target): PolicyBody | null {
  const role = grantable(subject, action)
  if (!role) return null
  const ofService = !('iamId' in subject)
  return {
    type: typeFor(subject),
    subjects: [{ attributes: ofService ? serviceAsSource(subject) : wire(subjectAttributes(subject)) }],
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
function narrowest(target: Target): Attributes {
  const known = resourceAttributes(target)
  const named = ['accountId', 'serviceName', 'serviceInstance', 'resourceType', 'resource']
  const around = target.resource || target.serviceInstance ? [] : ['resourceGroupId', 'region']
  const names = target.resource ? named : [...named, 'keyRing', ...around]
  return new Map(names.flatMap((name) => pair(name, known.get(name))))
}

const pair = (name: string, value: string | undefined): [string, string][] =>
  value === undefined ? [] : [[name, value]]

const wire = (attributes: Attributes): readonly SentAttribute[] =>
  [...attributes].map(([name, value]) => ({ name, value }))

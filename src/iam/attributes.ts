// The vocabulary of policies, and the attributes that a request brings along. Source: IBM Cloud IAM policy management API,
// "subject attributes" and "resource attributes". Only names that decisions understand are here.

import { parseCrn } from '#base/crn.ts'
import { isIamService, serviceTypeOf } from './actions.ts'
import type { AttributeValue } from './conditions.ts'
import type { Attributes } from './decide.ts'
import type { PolicyType } from './roles.ts'
import type { Caller, ServiceSubject, Subject, Target } from './port.ts'

export const subjectNames = {
  access: ['iam_id', 'access_group_id'],
  authorization: [
    'serviceName',
    'accountId',
    'serviceInstance',
    'region',
    'resourceType',
    'resource',
    'resourceGroupId',
  ],
} as const satisfies Record<PolicyType, readonly string[]>

/** VPC, "Managing IAM access": policies may name one resource of `is` by an attribute of its kind. */
export const vpcNames: ReadonlyMap<string, string> = new Map([
  ['image', 'imageId'],
  ['instance', 'instanceId'],
  ['share', 'shareId'],
  ['snapshot', 'snapshotId'],
  ['volume', 'volumeId'],
])

/** IBM Cloud Object Storage, "Fine-grained access": what only requests for objects have. */
export const objectNames = ['path', 'prefix', 'delimiter'] as const

export const resourceNames: readonly string[] = [
  'accountId',
  'serviceType',
  'serviceName',
  'service_group_id',
  'serviceInstance',
  'region',
  'resourceGroupId',
  'resourceType',
  'resource',
  'keyRing',
  ...vpcNames.values(),
  ...objectNames,
]

/** Somebody who is known by an IAM id: a person, a service id or a profile. */
export const isIdentity = (subject: Subject): subject is Caller => 'iamId' in subject && subject.kind !== 'service'

/**
 * Who it is, as a service of an account; null for identities. The token of a service carries its CRN (IBM Cloud IAM,
 * "Service identities"), and each part of that may be asked for.
 */
export function asService(subject: Subject): ServiceSubject | null {
  if (!('iamId' in subject)) return subject
  if (subject.kind !== 'service') return null
  const crn = parseCrn(subject.iamId.replace(/^crn-/, ''))
  if (!crn) return { kind: 'service', serviceName: '', accountId: subject.accountId }
  const { serviceName, serviceInstance, location: region, resourceType, resource } = crn
  return {
    kind: 'service',
    serviceName,
    accountId: subject.accountId,
    ...present({ serviceInstance, region, resourceType, resource }),
  }
}

/**
 * What policies may ask of the subject. A person or service id is known by its IAM id and access groups, whatever account
 * its token is scoped to: an access policy of an account is that account's word on who may enter.
 */
export function subjectAttributes(subject: Subject, groupIds: readonly string[] = []): Attributes {
  const service = asService(subject)
  if (!service) {
    const attributes = new Map<string, AttributeValue>([['iam_id', 'iamId' in subject ? subject.iamId : '']])
    return groupIds.length === 0 ? attributes : attributes.set('access_group_id', groupIds)
  }
  const { serviceName, accountId, serviceInstance, region, resourceType, resource, resourceGroupId } = service
  return mapOf({ serviceName, accountId, serviceInstance, region, resourceType, resource, resourceGroupId })
}

export function resourceAttributes(target: Target): Attributes {
  const { accountId, serviceName, serviceInstance, region, resourceType, resource, resourceGroupId, keyRing } = target
  const { path, prefix, delimiter } = target
  const vpcName = serviceName === 'is' ? vpcNames.get(resourceType ?? '') : undefined
  const asked = { path, prefix, delimiter }
  return new Map([
    ...mapOf({
      accountId,
      serviceType: serviceTypeOf(serviceName),
      serviceName,
      service_group_id: isIamService(serviceName) ? 'IAM' : undefined,
      serviceInstance,
      region,
      resourceGroupId,
      resourceType,
      resource,
      keyRing,
      ...(vpcName !== undefined && { [vpcName]: resource }),
    }),
    // Of objects, the empty text is something to ask for: no prefix, no delimiter.
    ...Object.entries(asked).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  ])
}

const present = <Name extends string>(values: Readonly<Record<Name, string>>): Partial<Record<Name, string>> =>
  // Entries of an object of these names.
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '')) as Partial<Record<Name, string>>

function mapOf(attributes: Readonly<Record<string, string | undefined>>): Attributes & Iterable<[string, string]> {
  const map = new Map<string, string>()
  for (const [name, value] of Object.entries(attributes)) if (value) map.set(name, value)
  return map
}

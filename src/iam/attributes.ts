// The vocabulary of policies, and the attributes that a request brings along. Source: IBM Cloud IAM policy management API,
// "subject attributes" and "resource attributes". Only names that decisions understand are here.

import { isIamService, serviceTypeOf } from './actions.ts'
import type { Attributes } from './decide.ts'
import type { PolicyType } from './roles.ts'
import type { Subject, Target } from './port.ts'

export const subjectNames = {
  access: ['iam_id'],
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
const vpcNames: ReadonlyMap<string, string> = new Map([
  ['image', 'imageId'],
  ['instance', 'instanceId'],
  ['snapshot', 'snapshotId'],
  ['volume', 'volumeId'],
])

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
]

/**
 * What policies may ask of the subject. A person or service id is known by its IAM id alone, whatever account its token
 * is scoped to: an access policy of an account is that account's word on who may enter.
 */
export function subjectAttributes(subject: Subject): Attributes {
  if ('iamId' in subject) return new Map([['iam_id', subject.iamId]])
  const { serviceName, accountId, serviceInstance, resourceType, resource } = subject
  return present({ serviceName, accountId, serviceInstance, resourceType, resource })
}

export function resourceAttributes(target: Target): Attributes {
  const { accountId, serviceName, serviceInstance, region, resourceType, resource, resourceGroupId, keyRing } = target
  const vpcName = serviceName === 'is' ? vpcNames.get(resourceType ?? '') : undefined
  return present({
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
  })
}

function present(attributes: Readonly<Record<string, string | undefined>>): Attributes {
  const map = new Map<string, string>()
  for (const [name, value] of Object.entries(attributes)) if (value) map.set(name, value)
  return map
}

/**
 * How the policies of a subject are found: each has one such key, and a subject has all under which one may lie. One text
 * rather than two columns, because engines then use the index without having seen the table's statistics.
 */
export type SubjectKey = string

export const iamIdKey = (iamId: string): SubjectKey => `iam_id/${iamId}`

/** Account ids have one length, so the joined text is unambiguous. */
export const serviceKey = (accountId: string, serviceName: string): SubjectKey => `service/${accountId}/${serviceName}`

/** Authorizations for whatever service lies in a resource group name no service. */
export const accountKey = (accountId: string): SubjectKey => `account/${accountId}`

export const subjectKeys = (subject: Subject): readonly SubjectKey[] =>
  'iamId' in subject
    ? [iamIdKey(subject.iamId)]
    : [serviceKey(subject.accountId, subject.serviceName), accountKey(subject.accountId)]

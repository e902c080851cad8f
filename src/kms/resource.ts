// Resources of other services, as far as keys know them: a CRN, and the service of an account that registered it.

import { formatCrn, parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { Caller, ServiceSubject } from '#iam/port.ts'

export type Registrant = Pick<ServiceSubject, 'serviceName' | 'accountId'>

/** What binds a data key to its resource, when it is wrapped and when it is opened. */
export const dataKeyAad = (resourceCrn: string): readonly string[] => [resourceCrn]

export const isOwn = (registration: Registrant, as: Registrant): boolean =>
  registration.serviceName === as.serviceName && registration.accountId === as.accountId

/** IBM Cloud IAM, "Service identities": the IAM id of a service is its CRN after `crn-`. */
export const serviceIamId = ({ serviceName, accountId }: Registrant): string =>
  `crn-${formatCrn({ serviceName, accountId })}`

/** The service that a token of a service speaks for, by its IAM id; null for everybody else. */
export function serviceOf(caller: Caller): ServiceSubject | null {
  const crn = caller.kind === 'service' ? parseCrn(caller.iamId.replace(/^crn-/, '')) : null
  if (!crn || crn.accountId !== caller.accountId) return null
  const { serviceName, accountId, serviceInstance, resourceType, resource } = crn
  return {
    kind: 'service',
    serviceName,
    accountId,
    ...(serviceInstance && { serviceInstance }),
    ...(resourceType && { resourceType }),
    ...(resource && { resource }),
  }
}

/** Key Protect, "Error messages": registrations are made, changed and acknowledged by services alone. */
export function requireService(caller: Caller): ServiceSubject {
  const service = serviceOf(caller)
  if (service) return service
  throw new Fault('forbidden', 'only a service does this, for its own resources', { reason: 'SERVICE_ONLY_ERR' })
}

/** Key Protect, "Error messages": a service may not speak of resources that are not its own, nor of another account's. */
export function requireOwnResource(resourceCrn: string, as: Registrant): void {
  const crn = parseCrn(resourceCrn)
  if (!crn) throw new Fault('invalid', 'resource CRN is not a CRN', { reason: 'INVALID_FIELD_ERR' })
  const owners: readonly string[] = [crn.serviceName, ...(keepers[crn.serviceName] ?? [])]
  if (crn.accountId === as.accountId && owners.includes(as.serviceName)) return
  throw new Fault('forbidden', `resource ${resourceCrn} is not one of ${as.serviceName} of account ${as.accountId}`, {
    reason: 'RESOURCE_OWNER_ERR',
  })
}

/** VPC, "Establishing service-to-service authorizations": who keeps the disks, snapshots and images of a VPC. */
const keepers: Readonly<Record<string, readonly string[]>> = { is: ['server-protect'] }

export const registeredByAnother = (resourceCrn: string): Fault =>
  new Fault('conflict', `resource ${resourceCrn} is registered on the key by another service`, {
    reason: 'RESOURCE_OWNER_ERR',
  })

/**
 * Key Protect API, "List registrations": a CRN of ten segments in which `*` stands for any text, but not in the first
 * eight. It arrives decoded once; clients that were given an encoded text have encoded it twice.
 */
export function resourceCrnPattern(query: string): string {
  const text = query.startsWith('crn%3A') || query.startsWith('crn%3a') ? decode(query) : query
  const segments = text.split(':')
  if (segments.length >= 10 && segments[0] === 'crn' && !segments.slice(0, 8).join('').includes('*')) return text
  throw invalidQuery()
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalidQuery()
  }
}

const invalidQuery = (): Fault =>
  new Fault('invalid', 'urlEncodedResourceCRNQuery must be a CRN with any * only in its last segments', {
    reason: 'INVALID_QUERY_PARAM_ERR',
    target: { type: 'parameter', name: 'urlEncodedResourceCRNQuery' },
  })

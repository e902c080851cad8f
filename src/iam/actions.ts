// Which service an action belongs to, by the part before its first dot, and who may do it at all. A role that has an
// action permits it only on a target of that service, so that Manager of everything does not open what is not a service.

/** IBM Cloud IAM, "Account management services": what a policy with serviceType `platform_service` covers. */
const platformServices: ReadonlySet<string> = new Set([
  'billing',
  'enterprise',
  'global-search-tagging',
  'globalcatalog',
  'iam-access-management',
  'iam-groups',
  'iam-identity',
  'iam-svcs',
  'resource-controller',
  'support',
  'user-management',
])

const iamServices: ReadonlySet<string> = new Set(['iam-access-management', 'iam-groups', 'iam-identity', 'iam-svcs'])

export type ServiceType = 'service' | 'platform_service'

export const serviceTypeOf = (serviceName: string): ServiceType =>
  platformServices.has(serviceName) ? 'platform_service' : 'service'

/** IBM Cloud IAM, "IAM service group": the services that the resource attribute service_group_id=IAM stands for. */
export const isIamService = (serviceName: string): boolean => iamServices.has(serviceName)

const only =
  (...names: readonly string[]) =>
  (serviceName: string): boolean =>
    names.includes(serviceName)

const services: Readonly<Record<string, (serviceName: string) => boolean>> = {
  'cloud-object-storage': only('cloud-object-storage'),
  // What is searched and tagged is a resource of any service.
  'global-search-tagging': () => true,
  'hs-crypto': only('hs-crypto'),
  // Policies are made on what they cover: whoever administers a service gives access to it. Roles and settings are the
  // account's; the table of roles knows no action on them beyond IAM's own services.
  iam: () => true,
  'iam-access-management': only('iam-access-management'),
  'iam-groups': only('iam-groups'),
  'iam-identity': isIamService,
  is: only('is'),
  keyward: only('keyward'),
  kms: only('kms'),
  // IBM Cloud IAM, "Platform management roles": whoever is Editor of a service may create its instances, so the target
  // may be any service.
  'resource-controller': () => true,
}

/** Whether the action can be done on a resource of the service. Unknown actions concern no service. */
export function actionConcerns(action: string, serviceName: string): boolean {
  const prefix = action.slice(0, Math.max(action.indexOf('.'), 0))
  return Object.hasOwn(services, prefix) && services[prefix]?.(serviceName) === true
}

/** Actions that somebody may do on resources of any service. */
const everywhere: ReadonlySet<string> = new Set(['global-search-tagging', 'iam', 'resource-controller'])

/** Whether services of that type have anything that the action can be done on. */
export function actionConcernsType(action: string, type: ServiceType): boolean {
  const prefix = action.slice(0, Math.max(action.indexOf('.'), 0))
  return everywhere.has(prefix) || serviceTypeOf(prefix) === type
}

/**
 * Key Protect, "Service access roles": registrations are written by the services whose resources they are. A person with
 * the same role may read them only.
 */
const registrationVerbs = ['create', 'write', 'merge', 'delete', 'deactivate']
const serviceOnly: ReadonlySet<string> = new Set(
  registrationVerbs.flatMap((verb) => [`kms.registrations.${verb}`, `hs-crypto.registrations.${verb}`]),
)

export const isForServicesOnly = (action: string): boolean => serviceOnly.has(action)

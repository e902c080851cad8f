// Cloud resource names: crn:v1:CNAME:CTYPE:SERVICE:LOCATION:SCOPE:INSTANCE:TYPE:RESOURCE, always ten segments.
// Source: IBM Cloud, "Cloud Resource Names". The scope of an account's resource is `a/` and 32 hexadecimal digits.

export interface Crn {
  readonly cname: string
  readonly ctype: string
  readonly serviceName: string
  readonly location: string
  /** Without its `a/`; empty for global things such as roles. */
  readonly accountId: string
  readonly serviceInstance: string
  readonly resourceType: string
  readonly resource: string
}

/** The parts that differ from `crn:v1:bluemix:public:` and an empty tail. */
export type CrnParts = Partial<Crn> & Pick<Crn, 'serviceName'>

export function formatCrn(parts: CrnParts): string {
  const scope = parts.accountId ? `a/${parts.accountId}` : ''
  return [
    'crn',
    'v1',
    parts.cname ?? 'bluemix',
    parts.ctype ?? 'public',
    parts.serviceName,
    parts.location ?? '',
    scope,
    parts.serviceInstance ?? '',
    parts.resourceType ?? '',
    parts.resource ?? '',
  ].join(':')
}

/** The parts of a well-formed name, or null. Nothing is looked up. */
export function parseCrn(text: string): Crn | null {
  if (text.length > 1024) return null
  const segments = text.split(':')
  const [scheme, version, cname, ctype, serviceName, location, scope, serviceInstance, resourceType, ...rest] = segments
  if (scheme !== 'crn' || version !== 'v1' || segments.length < 10) return null
  if (!cname || !ctype || !serviceName) return null
  if (location === undefined || scope === undefined || serviceInstance === undefined || resourceType === undefined) {
    return null
  }
  if (scope !== '' && !scope.startsWith('a/')) return null
  const accountId = scope.slice(2)
  const resource = rest.join(':')
  return { cname, ctype, serviceName, location, accountId, serviceInstance, resourceType, resource }
}

/**
 * The short form of a key's CRN that the documentation of cross-account volumes prints, without version and instance:
 * `crn:bluemix:public:kms:LOCATION:a/ACCOUNT:key:KEY`. The missing instance is left empty; null when it is not that form.
 */
export function parseShortKeyCrn(text: string): Crn | null {
  const [scheme, cname, ctype, serviceName, location, scope, resourceType, resource, ...rest] = text.split(':')
  if (scheme !== 'crn' || rest.length > 0 || cname === 'v1') return null
  if (
    !cname ||
    !ctype ||
    !serviceName ||
    !location ||
    !scope?.startsWith('a/') ||
    resourceType !== 'key' ||
    !resource
  ) {
    return null
  }
  return { cname, ctype, serviceName, location, accountId: scope.slice(2), serviceInstance: '', resourceType, resource }
}

// Service credentials between the wire and the rows.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { formatCrn, parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import { resourcePageDefault } from '#base/limits.ts'
import type { keyContract } from './contract-keys.ts'
import { instanceCrn, refusal } from './instance.ts'
import type { KeyPage } from './keys.ts'
import { planById } from './plans.ts'
import type { KeyFilter, KeyPlace, KeyRow } from './tables-keys.ts'
import type { InstanceRow } from './tables.ts'

type Contract = typeof keyContract
type KeyView = Static<Contract['getResourceKey']['reply']>
type KeyQuery = Static<Contract['listResourceKeys']['query']>

export interface NewKey {
  readonly name: string
  readonly source: string
  readonly hasHmac: boolean
  /** Null for none. */
  readonly roleOf: (serviceName: string) => string | null
}

export interface KeyPageRequest {
  readonly filter: KeyFilter
  readonly after: KeyPlace | null
  readonly limit: number
  /** By GUID or CRN. */
  readonly instance?: string
}

export interface ShownKey {
  readonly row: KeyRow
  readonly instance: InstanceRow
  /** Null where the caller may not see them. */
  readonly credentials: Readonly<Record<string, unknown>> | null
}

export const keyCrn = ({ guid }: Pick<KeyRow, 'guid'>, instance: InstanceRow): string =>
  formatCrn({
    serviceName: instance.service_name,
    location: instance.region,
    accountId: instance.account_id,
    serviceInstance: instance.guid,
    resourceType: 'resource-key',
    resource: guid,
  })

export function newKey({ name, source, parameters, role }: Static<Contract['createResourceKey']['body']>): NewKey {
  if (parameters?.serviceid_crn !== undefined) {
    throw new Fault('not_implemented', 'credentials of a service id that is there already: parameters.serviceid_crn')
  }
  return {
    name,
    source,
    hasHmac: parameters?.HMAC === true,
    roleOf: (serviceName) => roleCrnOf(role, serviceName),
  }
}

/** A role's CRN, or its name: those of every service, or one of the service's own. IAM says whether there is such a role. */
function roleCrnOf(role: string | undefined, serviceName: string): string | null {
  if (role === undefined || /^none$/i.test(role)) return null
  if (parseCrn(role)) return role
  if (/^(Reader|Writer|Manager)$/.test(role)) return `crn:v1:bluemix:public:iam::::serviceRole:${role}`
  if (!/^[A-Za-z ]{1,100}$/.test(role)) throw refusal('role', 'role must be the name or the CRN of a service role')
  return `crn:v1:bluemix:public:${serviceName}::::serviceRole:${role.replaceAll(' ', '')}`
}

/** "Any additional query parameters are ignored if a page token is present": the token holds them all. */
export function keyPageRequest(query: KeyQuery): KeyPageRequest {
  const said: Held = query.start === undefined ? query : heldBy(query.start)
  const [, createdAt, guid] = /^(\d{1,15})\.(.*)$/.exec(said.after ?? '') ?? []
  if (query.start !== undefined && (createdAt === undefined || guid === undefined || !isUuid(guid))) {
    throw new Fault('invalid', 'start is not one of ours', { target: { type: 'parameter', name: 'start' } })
  }
  return {
    filter: {
      ...(said.guid !== undefined && { guid: said.guid }),
      ...(said.name !== undefined && { name: said.name }),
    },
    after: createdAt === undefined || guid === undefined ? null : { createdAt: Number(createdAt), guid },
    limit: Math.min(query.limit ?? resourcePageDefault, resourcePageDefault),
  }
}

type Held = { readonly guid?: string; readonly name?: string; readonly after?: string }

const heldBy = (start: string): Held =>
  Object.fromEntries(new URLSearchParams(Buffer.from(start, 'base64url').toString())) as Held

export function keyPageView({ keys, next }: KeyPage, query: KeyQuery) {
  const held = query.start === undefined ? query : heldBy(query.start)
  const token = new URLSearchParams({
    ...(held.guid !== undefined && { guid: held.guid }),
    ...(held.name !== undefined && { name: held.name }),
    after: next === null ? '' : `${next.createdAt}.${next.guid}`,
  })
  const start = Buffer.from(token.toString()).toString('base64url')
  return {
    rows_count: keys.length,
    next_url:
      next === null
        ? null
        : `/v2/resource_keys?${new URLSearchParams({ limit: String(query.limit ?? resourcePageDefault), start })}`,
    resources: keys.map(keyView),
  }
}

export function keyView({ row, instance, credentials }: ShownKey): KeyView {
  const crn = keyCrn(row, instance)
  return {
    id: crn,
    guid: row.guid,
    crn,
    url: `/v2/resource_keys/${row.guid}`,
    name: row.name,
    account_id: row.account_id,
    resource_group_id: instance.resource_group_id,
    resource_id: planById(instance.plan_id)?.serviceId ?? '',
    source_crn: instanceCrn(instance),
    state: 'active',
    role: row.role_crn,
    // Resource Controller API, "credentials": REDACTED names what the reader lacks.
    credentials: { ...(credentials ?? { REDACTED: 'REDACTED' }) },
    iam_compatible: true,
    migrated: false,
    onetime_credentials: false,
    resource_instance_url: `/v2/resource_instances/${instance.guid}`,
    resource_alias_url: null,
    created_at: rfc3339(row.created_at),
    created_by: row.created_by,
    updated_at: rfc3339(row.updated_at),
    updated_by: row.updated_by,
    deleted_at: null,
    deleted_by: '',
  }
}

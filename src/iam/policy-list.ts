// The query of a policy list and the place where a page ends. A start token is opaque to clients: base64url of JSON, the
// order it belongs to and the last row by that order.

import { Fault } from '#base/fault.ts'
import { policiesPerAccountMax } from '#base/limits.ts'
import type { Static } from 'typebox'
import type { policyQuery } from './contract-policy.ts'
import { groupKey, iamIdKey } from './policy-keys.ts'
import type { After, ListedPolicy, PolicyOrder, PolicyPage } from './tables-policy-lists.ts'

/** Of both versions: the second has no tags in it. */
export type PolicyQuery = Static<typeof policyQuery>

const orders: ReadonlyMap<string, PolicyOrder> = new Map([
  ['id', 'id'],
  // An href is the same beginning and the id.
  ['href', 'id'],
  ['type', 'type'],
  ['created_at', 'created_at'],
  ['created_by_id', 'created_by_id'],
  ['last_modified_at', 'last_modified_at'],
  ['last_modified_by_id', 'last_modified_by_id'],
  ['state', 'state'],
])

/** IBM Cloud IAM policy management API, "List policies": these two only with what they are about. */
const permitOrders: ReadonlyMap<string, PolicyOrder> = new Map([
  ['last_permit_at', 'last_permit_at'],
  ['last_permit_frequency', 'last_permit_frequency'],
])

const valueBy: Readonly<Record<PolicyOrder, (policy: ListedPolicy) => string | number>> = {
  id: (policy) => policy.id,
  type: (policy) => policy.type,
  created_at: (policy) => policy.createdAt,
  created_by_id: (policy) => policy.createdById,
  last_modified_at: (policy) => policy.lastModifiedAt,
  last_modified_by_id: (policy) => policy.lastModifiedById,
  state: (policy) => policy.state,
  last_permit_at: (policy) => policy.lastPermit?.at ?? 0,
  last_permit_frequency: (policy) => policy.lastPermit?.count ?? 0,
}

export const valueAt = (policy: ListedPolicy, order: PolicyOrder): string | number => valueBy[order](policy)

export function parsePolicyQuery(query: PolicyQuery): PolicyPage {
  const withLastPermit = query.format === 'include_last_permit'
  const sort = query.sort ?? 'created_at'
  const descending = sort.startsWith('-')
  const field = descending ? sort.slice(1) : sort
  const order = orders.get(field) ?? (withLastPermit ? permitOrders.get(field) : undefined)
  if (!order) throw wrongParameter('sort', `is one of ${[...orders.keys()].join(', ')}, or one of them after a minus`)
  if (query.iam_id !== undefined && query.access_group_id !== undefined) {
    throw wrongParameter('access_group_id', 'and iam_id do not go together: a policy has one subject')
  }
  const subject = subjectOf(query)
  return {
    filter: {
      state: query.state ?? 'active',
      ...(query.type && { type: query.type }),
      ...(subject !== null && { subject }),
      ...(query.service_type && { serviceType: query.service_type }),
      ...(query.service_name !== undefined && { serviceName: query.service_name }),
      ...(query.service_group_id !== undefined && { serviceGroupId: query.service_group_id }),
      ...(query.tag_name !== undefined && { tagName: query.tag_name }),
      ...(query.tag_value !== undefined && { tagValue: query.tag_value }),
    },
    order,
    descending,
    ...(query.start !== undefined && { after: parseStart(query.start, order) }),
    limit: query.limit ?? policiesPerAccountMax,
    withLastPermit,
  }
}

function subjectOf({ iam_id, access_group_id }: PolicyQuery): string | null {
  if (iam_id !== undefined) return iamIdKey(iam_id)
  return access_group_id === undefined ? null : groupKey(access_group_id)
}

/** The start of the page that follows this row. */
export const startAfter = (after: After, order: PolicyOrder): string =>
  Buffer.from(JSON.stringify([order, after.value, after.id])).toString('base64url')

function parseStart(start: string, order: PolicyOrder): After {
  const parts = parseJson(Buffer.from(start, 'base64url').toString())
  const [ofOrder, value, id]: readonly unknown[] = Array.isArray(parts) ? parts : []
  const isValue = typeof value === 'string' || typeof value === 'number'
  if (ofOrder !== order || !isValue || typeof id !== 'string') {
    throw wrongParameter('start', 'is not the start of a page of this list')
  }
  return { value, id }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const wrongParameter = (name: string, what: string): Fault =>
  new Fault('invalid', `${name} ${what}`, { target: { type: 'parameter', name } })

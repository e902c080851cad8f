// The query of a policy list and the place where a page ends. A start token is opaque to clients: base64url of JSON, the
// order it belongs to and the last row by that order.

import { Fault } from '#base/fault.ts'
import { policiesPerAccountMax } from '#base/limits.ts'
import type { Static } from 'typebox'
import { iamIdKey } from './attributes.ts'
import type { policyQuery } from './contract.ts'
import type { Policy } from './policy.ts'
import type { PolicyOrder, PolicyPage } from './tables-policies.ts'

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

const valueBy: Readonly<Record<PolicyOrder, (policy: Policy) => string | number>> = {
  id: (policy) => policy.id,
  type: (policy) => policy.type,
  created_at: (policy) => policy.createdAt,
  created_by_id: (policy) => policy.createdById,
  last_modified_at: (policy) => policy.lastModifiedAt,
  last_modified_by_id: (policy) => policy.lastModifiedById,
  state: (policy) => policy.state,
}

export function parsePolicyQuery(query: PolicyQuery): PolicyPage {
  const sort = query.sort ?? 'created_at'
  const descending = sort.startsWith('-')
  const order = orders.get(descending ? sort.slice(1) : sort)
  if (!order) throw wrongParameter('sort', `is one of ${[...orders.keys()].join(', ')}, or one of them after a minus`)
  return {
    state: query.state ?? 'active',
    ...(query.type && { type: query.type }),
    ...(query.iam_id && { subject: iamIdKey(query.iam_id) }),
    ...(query.service_type && { serviceType: query.service_type }),
    order,
    descending,
    ...(query.start !== undefined && { after: parseStart(query.start, order) }),
    limit: query.limit ?? policiesPerAccountMax,
  }
}

/** The start of the page that follows this policy. */
export const startAfter = (policy: Policy, order: PolicyOrder): string =>
  Buffer.from(JSON.stringify([order, valueBy[order](policy), policy.id])).toString('base64url')

function parseStart(start: string, order: PolicyOrder): { value: string | number; id: string } {
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

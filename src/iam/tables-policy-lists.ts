// The SQL of policy lists, and of when policies last permitted something.

import { sql } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { SubjectKey } from './policy-keys.ts'
import { policyOf } from './policy-rows.ts'
import type { Policy } from './policy.ts'
import type { Grant } from './port.ts'

export interface LastPermit {
  readonly at: number
  readonly count: number
}

export interface ListedPolicy extends Policy {
  /** Null for a policy that never permitted anything, or whose list does not say. */
  readonly lastPermit: LastPermit | null
}

export type PolicyOrder =
  | 'id'
  | 'type'
  | 'created_at'
  | 'created_by_id'
  | 'last_modified_at'
  | 'last_modified_by_id'
  | 'state'
  | 'last_permit_at'
  | 'last_permit_frequency'

export interface PolicyFilter {
  readonly state: 'active' | 'deleted'
  readonly type?: 'access' | 'authorization'
  readonly subject?: SubjectKey
  readonly serviceType?: 'service' | 'platform_service'
  readonly serviceName?: string
  readonly serviceGroupId?: string
  readonly tagName?: string
  readonly tagValue?: string
}

/** The last row of the page before, by its ordered column and its id. */
export interface After {
  readonly value: string | number
  readonly id: string
}

export interface PolicyPage {
  readonly filter: PolicyFilter
  readonly order: PolicyOrder
  readonly descending: boolean
  readonly after?: After
  readonly limit: number
  /** Whether the list says when each policy last permitted something. */
  readonly withLastPermit: boolean
}

/** A policy that never permitted anything comes before all that did. */
const columns: Readonly<Record<PolicyOrder, ReturnType<typeof sql<string | number>>>> = {
  id: sql`p.id`,
  type: sql`p.type`,
  created_at: sql`p.created_at`,
  created_by_id: sql`p.created_by_id`,
  last_modified_at: sql`p.last_modified_at`,
  last_modified_by_id: sql`p.last_modified_by_id`,
  state: sql`p.state`,
  last_permit_at: sql`coalesce(l.last_permit_at, 0)`,
  last_permit_frequency: sql`coalesce(l.permit_count, 0)`,
}

export async function readPolicies(
  reads: Reads,
  grant: Grant<'iam.policy.read'>,
  { filter, order, descending, after, limit }: PolicyPage,
): Promise<readonly ListedPolicy[]> {
  const { state, type, subject, serviceType, serviceName, serviceGroupId } = filter
  const direction = descending ? 'desc' : 'asc'
  const beyond = descending ? sql`<` : sql`>`
  const column = columns[order]
  let rows = reads
    .selectFrom('iam_policy as p')
    .leftJoin('iam_policy_permit as l', 'l.policy_id', 'p.id')
    .selectAll('p')
    .select(['l.last_permit_at', 'l.permit_count'])
    .where('p.account_id', '=', grant.target.accountId)
    .where('p.state', '=', state)
  if (type) rows = rows.where('p.type', '=', type)
  if (subject) rows = rows.where('p.subject_key', '=', subject)
  if (serviceType) rows = rows.where('p.service_type', '=', serviceType)
  if (serviceName !== undefined) rows = rows.where('p.service_name', '=', serviceName)
  if (serviceGroupId !== undefined) rows = rows.where('p.service_group_id', '=', serviceGroupId)
  if (after) rows = rows.where(sql<boolean>`(${column}, p.id) ${beyond} (${after.value}, ${after.id})`)
  const found = await rows.orderBy(column, direction).orderBy('p.id', direction).limit(limit).execute()
  return found.map(({ last_permit_at: at, permit_count: count, ...row }) => ({
    ...policyOf(row),
    lastPermit: at === null || count === null ? null : { at, count },
  }))
}

export async function readLastPermit(
  reads: Reads,
  _grant: Grant<'iam.policy.read'>,
  policyId: string,
): Promise<LastPermit | null> {
  const row = await reads
    .selectFrom('iam_policy_permit')
    .select(['last_permit_at as at', 'permit_count as count'])
    .where('policy_id', '=', policyId)
    .executeTakeFirst()
  return row ? { at: row.at, count: row.count } : null
}

/** Adds what has been counted since the last time. */
export async function addPermits(tx: Tx, permits: ReadonlyMap<string, LastPermit>): Promise<void> {
  for (const [policyId, { at, count }] of permits) {
    await tx
      .insertInto('iam_policy_permit')
      .values({ policy_id: policyId, last_permit_at: at, permit_count: count })
      .onConflict((c) =>
        c.column('policy_id').doUpdateSet({
          last_permit_at: sql<number>`case when iam_policy_permit.last_permit_at > ${at} then iam_policy_permit.last_permit_at else ${at} end`,
          permit_count: sql<number>`iam_policy_permit.permit_count + ${count}`,
        }),
      )
      .execute()
  }
}

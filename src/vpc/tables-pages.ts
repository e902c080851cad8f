// What the SQL of long collections has in common: the rows of one page, in the order of pages, as far as the caller may
// see them.

import { sql } from 'kysely'
import type { SelectQueryBuilder } from 'kysely'
import type { ScopePart } from '#iam/port.ts'
import type { Order, Position } from './page.ts'

export interface At {
  readonly accountId: string
  readonly region: string
}

/** The parts of the collection that the caller may see; null for all of it. */
export type Within = readonly ScopePart[] | null

export interface Selection {
  readonly within: Within
  readonly order: Order
  readonly after: Position | null
  readonly limit: number
}

/** Where a row lies, and its place in the order. */
export const placeColumns = [
  'id',
  'account_id as accountId',
  'region',
  'resource_group_id as resourceGroupId',
  'created_at as createdAt',
] as const

/** As inOrderOf() of page.ts has it. The comparison of both columns at once lets the index begin at that place. */
export function inOrder<DB, Table extends keyof DB, Output>(
  query: SelectQueryBuilder<DB, Table, Output>,
  { within, order, after, limit }: Selection,
): SelectQueryBuilder<DB, Table, Output> {
  const direction = order.isDescending ? 'desc' : 'asc'
  const column = sql.ref(order.by)
  const ordered = query.where(isWithin(within)).orderBy(column, direction).orderBy(sql`id`, direction).limit(limit)
  if (!after) return ordered
  const value = order.by === 'name' ? after.name : after.createdAt
  const beyond = sql.raw(order.isDescending ? '<' : '>')
  return ordered.where(sql<boolean>`(${column}, id) ${beyond} (${value}, ${after.id})`)
}

export async function countRows<DB, Table extends keyof DB, Output>(
  query: SelectQueryBuilder<DB, Table, Output>,
  within: Within,
): Promise<number> {
  const row = await query.where(isWithin(within)).select(sql<number>`count(*)`.as('count')).executeTakeFirst()
  return Number((row as { readonly count: number } | undefined)?.count ?? 0)
}

const always = sql<boolean>`1 = 1`
export const never = sql<boolean>`1 = 0`

/** All resources by name are one list, and so are all groups: a caller may have a policy for each. */
function isWithin(within: Within) {
  if (within === null) return always
  const named = within.flatMap(({ resources, resourceGroupIds }) => (resourceGroupIds ? [] : (resources ?? [])))
  const grouped = within.flatMap(({ resources, resourceGroupIds }) => (resources ? [] : (resourceGroupIds ?? [])))
  const both = within.filter(({ resources, resourceGroupIds }) => resources && resourceGroupIds)
  const clauses = [
    ...(named.length > 0 ? [isAmong('id', named)] : []),
    ...(grouped.length > 0 ? [isAmong('resource_group_id', grouped)] : []),
    ...both.map(
      ({ resources = [], resourceGroupIds = [] }) =>
        sql<boolean>`(${isAmong('id', resources)} and ${isAmong('resource_group_id', resourceGroupIds)})`,
    ),
  ]
  return clauses.length === 0 ? never : sql<boolean>`(${sql.join(clauses, sql` or `)})`
}

const isAmong = (column: string, values: readonly string[]) =>
  values.length === 0 ? never : sql<boolean>`${sql.ref(column)} in (${sql.join(values)})`

/** Whether a column of JSON text, as JSON.stringify() writes it, has this in it. */
export function contains(column: string, text: string) {
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
  return sql<boolean>`${sql.ref(column)} like ${pattern} escape '\\'`
}

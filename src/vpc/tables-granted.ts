// What the SQL of volumes, instances and records has in common: the thing that a grant is about, those that several
// are, and what an account has of a table.

import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { Kind } from './targets.ts'

/** The one thing that a grant is about. */
export function grantedOne(grant: Grant, kind: Kind): { readonly accountId: string; readonly id: string } {
  const { accountId, resource, resourceType } = grant.target
  assert(resource !== undefined, `a grant on a ${kind} names it`)
  assert(resourceType === kind, `a grant on a ${kind} is about a ${kind}`)
  return { accountId, id: resource }
}

/** Leave for several things of a kind: for each by its name, or for the collection in which they lie. */
export type Leave<Action extends string = string> =
  | readonly Grant<Action>[]
  | { readonly collection: Grant<Action>; readonly ids: readonly string[] }

/** Those of the granted things that are still there, in the order of the leave. All of it is of one account. */
export async function readGranted<Found extends { readonly id: string }>(
  leave: Leave,
  kind: Kind,
  read: (accountId: string, ids: readonly string[]) => Promise<readonly Found[]>,
): Promise<Found[]> {
  const { accountId, ids } = namesOf(leave, kind)
  if (ids.length === 0) return []
  const found = new Map((await read(accountId, ids)).map((one) => [one.id, one]))
  return ids.flatMap((id) => found.get(id) ?? [])
}

function namesOf(leave: Leave, kind: Kind): { readonly accountId: string; readonly ids: readonly string[] } {
  if ('collection' in leave) {
    const { accountId, resource, resourceGroupId, resourceType } = leave.collection.target
    assert(resourceType === kind, `a grant on all of kind ${kind} is about them`)
    assert(resource === undefined && resourceGroupId === undefined, 'a grant on a collection is for all of it')
    return { accountId, ids: leave.ids }
  }
  const targets = leave.map((grant) => grantedOne(grant, kind))
  const accountId = targets[0]?.accountId ?? ''
  assert(
    targets.every((one) => one.accountId === accountId),
    `things of kind ${kind} are read for one account at a time`,
  )
  return { accountId, ids: targets.map((one) => one.id) }
}

/** Tables whose rows have an account, a region, and a name that is unique within them. */
type NamedTable = 'vpc_volume' | 'vpc_instance' | 'vpc_snapshot' | 'vpc_snapshot_group' | 'vpc_image'
/** Those whose rows are counted as they come and go. */
type CountedTable = 'vpc_volume' | 'vpc_instance'

interface Place {
  readonly accountId: string
  readonly region: string
}

/**
 * How many rows there are: all of them count toward the account's quota; `listed` without those that readers do not see.
 * Kept by the tables' triggers.
 */
export async function countIn(
  reads: Reads,
  table: CountedTable,
  { accountId, region }: Place,
  which: 'all' | 'listed',
): Promise<number> {
  const row = await reads
    .selectFrom('vpc_count')
    .select((e) => e.fn.sum<number | null>(which === 'all' ? 'all_rows' : 'listed_rows').as('count'))
    .where('of_table', '=', table)
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** Whether another row of the table has the name; inside the transaction that is going to give it. */
export async function isNameTakenIn(
  tx: Tx,
  table: NamedTable,
  { accountId, region, id }: Place & { readonly id: string },
  name: string,
): Promise<boolean> {
  const rows = await tx
    .selectFrom(table)
    .select('id')
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('name', '=', name)
    .execute()
  return rows.some((row) => row.id !== id)
}

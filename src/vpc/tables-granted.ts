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

/** Those of the granted things that are still there, in the grants' order. All grants are of one account. */
export async function readGranted<Found extends { readonly id: string }>(
  grants: readonly Grant[],
  kind: Kind,
  read: (accountId: string, ids: readonly string[]) => Promise<readonly Found[]>,
): Promise<Found[]> {
  const targets = grants.map((grant) => grantedOne(grant, kind))
  const accountId = targets[0]?.accountId
  if (accountId === undefined) return []
  assert(
    targets.every((one) => one.accountId === accountId),
    `things of kind ${kind} are read for one account at a time`,
  )
  const ids = targets.map((one) => one.id)
  const found = new Map((await read(accountId, ids)).map((one) => [one.id, one]))
  return ids.flatMap((id) => found.get(id) ?? [])
}

/** Tables whose rows have an account, a region, and a name that is unique within them. */
type NamedTable = 'vpc_volume' | 'vpc_instance'

interface Place {
  readonly accountId: string
  readonly region: string
}

/** How many rows count toward the account's quota: all that there are, whatever becomes of them. */
export async function countIn(reads: Reads, table: NamedTable, { accountId, region }: Place): Promise<number> {
  const row = await reads
    .selectFrom(table)
    .select((e) => e.fn.countAll<number>().as('count'))
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

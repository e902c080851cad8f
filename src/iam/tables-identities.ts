// The SQL of identities: users, service ids and trusted profiles, each by its IAM id.

import { sql } from 'kysely'
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { Page } from './identity-page.ts'
import type { Grant } from './port.ts'
import { deleteHistory } from './tables-history.ts'

export type IdentityRow = Selectable<IamTables['iam_identity']>
export type IdentityKind = IdentityRow['kind']

/** What is needed to find out whose grant to ask for, and whether it may be given an API key. */
export async function knownIdentity(
  query: Reads,
  iamId: string,
): Promise<Pick<IdentityRow, 'iam_id' | 'account_id' | 'kind' | 'locked'> | null> {
  const columns = ['iam_id', 'account_id', 'kind', 'locked'] as const
  return (await query.selectFrom('iam_identity').select(columns).where('iam_id', '=', iamId).executeTakeFirst()) ?? null
}

export async function readIdentity(query: Reads, grant: Grant, iamId: string): Promise<IdentityRow | null> {
  const row = query
    .selectFrom('iam_identity')
    .selectAll()
    .where('iam_id', '=', iamId)
    .where('account_id', '=', grant.target.accountId)
  return (await row.executeTakeFirst()) ?? null
}

export async function readIdentities(
  query: Reads,
  grant: Grant,
  { kind, name }: { readonly kind: IdentityKind; readonly name: string | undefined },
  page: Page,
): Promise<readonly IdentityRow[]> {
  const direction = page.descending ? 'desc' : 'asc'
  const beyond = page.descending ? sql`<` : sql`>`
  let rows = query
    .selectFrom('iam_identity')
    .selectAll()
    .where('account_id', '=', grant.target.accountId)
    .where('kind', '=', kind)
  if (name !== undefined) rows = rows.where('name', '=', name)
  if (page.after) {
    const { value, id } = page.after
    rows = rows.where(sql<boolean>`(${sql.ref(page.order)}, iam_id) ${beyond} (${value}, ${id})`)
  }
  return await rows
    .orderBy(page.order, direction)
    .orderBy('iam_id', direction)
    .limit(page.limit + 1)
    .execute()
}

export async function countIdentities(tx: Tx, accountId: string, kind: IdentityKind): Promise<number> {
  const { count } = await tx
    .selectFrom('iam_identity')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .where('kind', '=', kind)
    .executeTakeFirstOrThrow()
  return Number(count)
}

export async function hasName(tx: Tx, accountId: string, kind: IdentityKind, name: string): Promise<boolean> {
  const row = tx.selectFrom('iam_identity').select('iam_id').where('account_id', '=', accountId)
  return (await row.where('kind', '=', kind).where('name', '=', name).executeTakeFirst()) !== undefined
}

export async function insertIdentity(tx: Tx, row: Insertable<IamTables['iam_identity']>): Promise<void> {
  await tx.insertInto('iam_identity').values(row).execute()
}

/** Null when it is no longer as it was read, by its revision. */
export async function updateIdentity(
  tx: Tx,
  grant: Grant,
  { iam_id, revision }: Pick<IdentityRow, 'iam_id' | 'revision'>,
  change: Updateable<IamTables['iam_identity']>,
): Promise<IdentityRow | null> {
  const row = tx
    .updateTable('iam_identity')
    .set(change)
    .where('iam_id', '=', iam_id)
    .where('account_id', '=', grant.target.accountId)
    .where('revision', '=', revision)
    .returningAll()
  return (await row.executeTakeFirst()) ?? null
}

/** False when it is locked or gone. What hangs on it, its keys and parts, the caller deletes first. */
export async function deleteIdentity(tx: Tx, grant: Grant, iamId: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('iam_identity')
    .where('iam_id', '=', iamId)
    .where('account_id', '=', grant.target.accountId)
    .where('locked', '=', 0)
    .executeTakeFirst()
  if (numDeletedRows === 0n) return false
  await tx.deleteFrom('iam_profile_identity').where('iam_id', '=', iamId).execute()
  await deleteHistory(tx, iamId)
  return true
}

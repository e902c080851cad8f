// The SQL of API keys, for those who manage them. Hashes go in and out; keys never come here.

import { sql } from 'kysely'
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { Page } from './identity-page.ts'
import type { Grant } from './port.ts'
import { deleteRefreshTokens } from './tables-refresh-tokens.ts'
import { deleteHistory } from './tables-history.ts'

export type ApiKeyRow = Selectable<IamTables['iam_api_key']>

/** To find out whose grant is needed; the row itself is read with it. */
export async function ownerOfApiKey(
  query: Reads,
  id: string,
): Promise<{ readonly accountId: string; readonly iamId: string } | null> {
  const row = query
    .selectFrom('iam_api_key')
    .select(['account_id as accountId', 'iam_id as iamId'])
    .where('id', '=', id)
  return (await row.executeTakeFirst()) ?? null
}

export async function readApiKey(
  query: Reads,
  grant: Grant<`iam-identity.apikey.${string}`>,
  id: string,
): Promise<ApiKeyRow | null> {
  const row = query
    .selectFrom('iam_api_key')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
  return (await row.executeTakeFirst()) ?? null
}

/** Whoever has the key itself may see what is known of it: its hash is the grant. */
export async function readApiKeyByHash(query: Reads, hash: string): Promise<ApiKeyRow | null> {
  return (await query.selectFrom('iam_api_key').selectAll().where('hash', '=', hash).executeTakeFirst()) ?? null
}

export interface ApiKeyFilter {
  readonly iamId?: string
  readonly kind?: 'user' | 'serviceId'
}

export async function readApiKeys(
  query: Reads,
  grant: Grant<'iam-identity.apikey.list'>,
  { iamId, kind }: ApiKeyFilter,
  page: Page,
): Promise<readonly ApiKeyRow[]> {
  const direction = page.descending ? 'desc' : 'asc'
  const beyond = page.descending ? sql`<` : sql`>`
  let rows = query.selectFrom('iam_api_key').selectAll().where('account_id', '=', grant.target.accountId)
  if (iamId !== undefined) rows = rows.where('iam_id', '=', iamId)
  if (kind === 'serviceId') rows = rows.where('iam_id', 'like', 'iam-ServiceId-%')
  if (kind === 'user') rows = rows.where('iam_id', 'not like', 'iam-%')
  if (page.after) {
    const { value, id } = page.after
    rows = rows.where(sql<boolean>`(${sql.ref(page.order)}, id) ${beyond} (${value}, ${id})`)
  }
  return await rows
    .orderBy(page.order, direction)
    .orderBy('id', direction)
    .limit(page.limit + 1)
    .execute()
}

export async function countApiKeys(tx: Tx, iamId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('iam_api_key')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('iam_id', '=', iamId)
    .executeTakeFirstOrThrow()
  return Number(count)
}

export async function insertApiKey(tx: Tx, row: Insertable<IamTables['iam_api_key']>): Promise<void> {
  await tx.insertInto('iam_api_key').values(row).execute()
}

/** Null when it is no longer as it was read, by its revision. */
export async function updateApiKey(
  tx: Tx,
  grant: Grant<`iam-identity.apikey.${string}`>,
  { id, revision }: Pick<ApiKeyRow, 'id' | 'revision'>,
  change: Updateable<IamTables['iam_api_key']>,
): Promise<ApiKeyRow | null> {
  const row = tx
    .updateTable('iam_api_key')
    .set(change)
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .where('revision', '=', revision)
    .returningAll()
  return (await row.executeTakeFirst()) ?? null
}

/** With what it gave: refresh tokens end with their key. False when it is locked or gone. */
export async function deleteApiKey(tx: Tx, grant: Grant<'iam-identity.apikey.delete'>, id: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('iam_api_key')
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .where('locked', '=', 0)
    .executeTakeFirst()
  if (numDeletedRows === 0n) return false
  await deleteRefreshTokens(tx, id)
  await deleteHistory(tx, id)
  return true
}

/** All of an identity that is being deleted; the caller holds the grant for that. */
export async function deleteApiKeysOf(tx: Tx, _of: Grant, iamId: string): Promise<readonly string[]> {
  const rows = await tx.deleteFrom('iam_api_key').where('iam_id', '=', iamId).returning('id').execute()
  for (const { id } of rows) {
    await deleteRefreshTokens(tx, id)
    await deleteHistory(tx, id)
  }
  return rows.map((row) => row.id)
}

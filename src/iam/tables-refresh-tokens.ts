// The SQL of refresh tokens. Hashes go in and out; tokens never come here.

import type { Insertable, Selectable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'

export type RefreshTokenRow = Selectable<IamTables['iam_refresh_token']>

export async function readRefreshToken(query: Reads, hash: string): Promise<RefreshTokenRow | null> {
  return (await query.selectFrom('iam_refresh_token').selectAll().where('hash', '=', hash).executeTakeFirst()) ?? null
}

/** With what makes room for it: tokens that have ended, and of those that have not the ones that end first. */
export async function insertRefreshToken(
  tx: Tx,
  row: Insertable<IamTables['iam_refresh_token']>,
  countMax: number,
): Promise<void> {
  const ofKey = tx.selectFrom('iam_refresh_token').select('hash').where('api_key_id', '=', row.api_key_id)
  const kept = ofKey
    .orderBy('expires_at', 'desc')
    .orderBy('hash')
    .limit(countMax - 1)
  await tx
    .deleteFrom('iam_refresh_token')
    .where('api_key_id', '=', row.api_key_id)
    .where((e) => e.or([e('expires_at', '<=', row.created_at), e('hash', 'not in', kept)]))
    .execute()
  await tx.insertInto('iam_refresh_token').values(row).execute()
}

export async function deleteRefreshTokens(tx: Tx, apiKeyId: string): Promise<void> {
  await tx.deleteFrom('iam_refresh_token').where('api_key_id', '=', apiKeyId).execute()
}

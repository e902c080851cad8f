// The SQL of the keys that sign tokens.

import type { Insertable, Selectable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'

export type SigningKeyRow = Selectable<IamTables['iam_signing_key']>

/** The newest first. */
export async function readSigningKeys(query: Reads): Promise<readonly SigningKeyRow[]> {
  return await query.selectFrom('iam_signing_key').selectAll().orderBy('created_at', 'desc').orderBy('kid').execute()
}

export async function insertSigningKey(tx: Tx, row: Insertable<IamTables['iam_signing_key']>): Promise<void> {
  await tx.insertInto('iam_signing_key').values(row).execute()
}

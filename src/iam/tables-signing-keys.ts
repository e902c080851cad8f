// The SQL of the keys that sign tokens.

import type { Insertable, Selectable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { SealedRows } from '#store/sealed-rows.ts'

export type SigningKeyRow = Selectable<IamTables['iam_signing_key']>

/** The newest first. */
export async function readSigningKeys(query: Reads): Promise<readonly SigningKeyRow[]> {
  return await query.selectFrom('iam_signing_key').selectAll().orderBy('signs_from', 'desc').orderBy('kid').execute()
}

export async function insertSigningKey(tx: Tx, row: Insertable<IamTables['iam_signing_key']>): Promise<void> {
  await tx.insertInto('iam_signing_key').values(row).execute()
}

export async function deleteSigningKey(tx: Tx, kid: string): Promise<void> {
  await tx.deleteFrom('iam_signing_key').where('kid', '=', kid).execute()
}

export const signingKeyRows: SealedRows = {
  name: 'iam_signing_key.sealed_private',
  async page(reads, afterKey, limit) {
    const rows = await reads
      .selectFrom('iam_signing_key')
      .select(['kid', 'sealed_private'])
      .where('kid', '>', afterKey)
      .orderBy('kid')
      .limit(limit)
      .execute()
    return rows.map(({ kid, sealed_private: sealed }) => ({ key: kid, purpose: signingKeyPurpose(kid), sealed }))
  },
  async replace(tx, row, resealed) {
    await tx
      .updateTable('iam_signing_key')
      .set({ sealed_private: resealed })
      .where('kid', '=', row.key)
      .where('sealed_private', '=', row.sealed)
      .execute()
  },
}

/** Names the row, so that a key which is moved to another does not open. */
export const signingKeyPurpose = (kid: string): string => `iam.signing-key/${kid}`

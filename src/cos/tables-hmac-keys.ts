// SQL of HMAC keys. Who presents one is not known before its secret has been compared, so reading needs no grant.

import type { Selectable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { CosTables } from '#store/schema/cos.ts'
import type { SealedRows } from '#store/sealed-rows.ts'

export type HmacKeyRow = Selectable<CosTables['cos_hmac_key']>

export const hmacKeyPurpose = (accessKeyId: string): string => `cos.hmac-key/${accessKeyId}`

export async function insertHmacKey(tx: Tx, row: HmacKeyRow): Promise<void> {
  await tx.insertInto('cos_hmac_key').values(row).execute()
}

export async function selectHmacKey(reads: Reads, accessKeyId: string): Promise<HmacKeyRow | null> {
  const row = reads.selectFrom('cos_hmac_key').selectAll().where('access_key_id', '=', accessKeyId)
  return (await row.executeTakeFirst()) ?? null
}

export async function deleteHmacKey(tx: Tx, accessKeyId: string): Promise<boolean> {
  const result = tx.deleteFrom('cos_hmac_key').where('access_key_id', '=', accessKeyId)
  return (await result.executeTakeFirst()).numDeletedRows > 0n
}

export const hmacKeyRows: SealedRows = {
  name: 'cos_hmac_key.sealed_secret',
  async page(reads, afterKey, limit) {
    const rows = await reads
      .selectFrom('cos_hmac_key')
      .select(['access_key_id', 'sealed_secret'])
      .where('access_key_id', '>', afterKey)
      .orderBy('access_key_id')
      .limit(limit)
      .execute()
    return rows.map(({ access_key_id: key, sealed_secret: sealed }) => ({ key, purpose: hmacKeyPurpose(key), sealed }))
  },
  async replace(tx, { key, sealed }, resealed) {
    await tx
      .updateTable('cos_hmac_key')
      .set({ sealed_secret: resealed })
      .where('access_key_id', '=', key)
      .where('sealed_secret', '=', sealed)
      .execute()
  },
}

// SQL of what webhooks are signed with: sealed, and replaced with an overlap.

import type { Reads, Tx } from '#store/database.ts'
import type { SealedRows } from '#store/sealed-rows.ts'

/** Names the row that a secret is sealed for, so that it opens in no other. */
export const secretPurpose = (id: string): string => `ledger.webhook-secret/${id}`

export interface SealedSecret {
  readonly id: string
  readonly webhookId: string
  readonly sealed: Uint8Array
  readonly createdAt: number
}

/** The newest; those before it retire at the time given, and those that have retired go. */
export async function insertSecret(
  tx: Tx,
  secret: SealedSecret,
  others: { readonly retireAt: number; readonly now: number },
): Promise<void> {
  const { id, webhookId, sealed, createdAt } = secret
  await tx
    .deleteFrom('ledger_webhook_secret')
    .where('webhook_id', '=', webhookId)
    .where('retires_at', 'is not', null)
    .execute()
  await tx
    .updateTable('ledger_webhook_secret')
    .set({ retires_at: others.retireAt })
    .where('webhook_id', '=', webhookId)
    .execute()
  const row = { id, webhook_id: webhookId, sealed, created_at: createdAt, retires_at: null }
  await tx.insertInto('ledger_webhook_secret').values(row).execute()
}

/** Those that count now, the newest first. */
export async function selectSecrets(
  reads: Reads,
  webhookId: string,
  now: number,
): Promise<readonly { readonly id: string; readonly sealed: Uint8Array }[]> {
  return await reads
    .selectFrom('ledger_webhook_secret')
    .select(['id', 'sealed'])
    .where('webhook_id', '=', webhookId)
    .where(({ eb, or }) => or([eb('retires_at', 'is', null), eb('retires_at', '>', now)]))
    .orderBy('retires_at', (order) => order.asc().nullsFirst())
    .execute()
}

export async function deleteSecrets(tx: Tx, webhookId: string): Promise<void> {
  await tx.deleteFrom('ledger_webhook_secret').where('webhook_id', '=', webhookId).execute()
}

export const webhookSecretRows: SealedRows = {
  name: 'ledger_webhook_secret.sealed',
  async page(reads, afterKey, limit) {
    const rows = await reads
      .selectFrom('ledger_webhook_secret')
      .select(['id', 'sealed'])
      .where('id', '>', afterKey)
      .orderBy('id')
      .limit(limit)
      .execute()
    return rows.map((row) => ({ key: row.id, purpose: secretPurpose(row.id), sealed: row.sealed }))
  },
  async replace(tx, row, resealed) {
    await tx
      .updateTable('ledger_webhook_secret')
      .set({ sealed: resealed })
      .where('id', '=', row.key)
      .where('sealed', '=', row.sealed)
      .execute()
  },
}

// SQL of webhooks. An account's own; a grant there admits to them.

import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { NoticeType } from './notice.ts'

export interface Webhook {
  readonly id: string
  readonly accountId: string
  readonly url: string
  readonly description: string
  /** Null for all. */
  readonly types: readonly NoticeType[] | null
  readonly isEnabled: boolean
  readonly createdAt: number
  readonly createdBy: string
}

type ReadGrant = Grant<'keyward.webhooks.read' | 'keyward.webhooks.write'>
type WriteGrant = Grant<'keyward.webhooks.write'>

export async function insertWebhook(tx: Tx, grant: WriteGrant, webhook: Webhook): Promise<void> {
  const row = {
    id: webhook.id,
    account_id: grant.target.accountId,
    url: webhook.url,
    description: webhook.description,
    types: webhook.types && JSON.stringify(webhook.types),
    enabled: Number(webhook.isEnabled),
    created_at: webhook.createdAt,
    created_by: webhook.createdBy,
  }
  await tx.insertInto('ledger_webhook').values(row).execute()
}

export async function updateWebhook(tx: Tx, grant: WriteGrant, webhook: Webhook): Promise<void> {
  const { url, description, types, isEnabled } = webhook
  await tx
    .updateTable('ledger_webhook')
    .set({ url, description, types: types && JSON.stringify(types), enabled: Number(isEnabled) })
    .where('id', '=', webhook.id)
    .where('account_id', '=', grant.target.accountId)
    .execute()
}

export async function selectWebhooks(reads: Reads, grant: ReadGrant): Promise<readonly Webhook[]> {
  const rows = await reads
    .selectFrom('ledger_webhook')
    .selectAll()
    .where('account_id', '=', grant.target.accountId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map(toWebhook)
}

export async function selectWebhook(reads: Reads, grant: ReadGrant, id: string): Promise<Webhook | null> {
  const row = await reads
    .selectFrom('ledger_webhook')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return row ? toWebhook(row) : null
}

/** For a delivery that is due: nobody asks, and nobody is shown it. */
export async function selectWebhookForDelivery(reads: Reads, id: string): Promise<Webhook | null> {
  const row = await reads.selectFrom('ledger_webhook').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toWebhook(row) : null
}

export async function deleteWebhook(tx: Tx, grant: WriteGrant, id: string): Promise<boolean> {
  const result = await tx
    .deleteFrom('ledger_webhook')
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return result.numDeletedRows === 1n
}

const toWebhook = (row: {
  id: string
  account_id: string
  url: string
  description: string
  types: string | null
  enabled: number
  created_at: number
  created_by: string
}): Webhook => ({
  id: row.id,
  accountId: row.account_id,
  url: row.url,
  description: row.description,
  // Written above.
  types: row.types === null ? null : (JSON.parse(row.types) as NoticeType[]),
  isEnabled: row.enabled === 1,
  createdAt: row.created_at,
  createdBy: row.created_by,
})

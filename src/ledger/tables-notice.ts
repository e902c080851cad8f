// SQL of notices. Rows are made once for each account and cause; only whether they were read and acknowledged changes.

import type { Reads, Tx } from '#store/database.ts'
import type { Notice, NoticeDraft, NoticeFacts, NoticeType } from './notice.ts'

/** Null where the account has been told already. */
export async function insertNotice(
  tx: Tx,
  draft: NoticeDraft & { readonly id: string; readonly createdAt: number },
): Promise<Notice | null> {
  const row = await tx
    .insertInto('ledger_notice')
    .values({
      id: draft.id,
      account_id: draft.accountId,
      cause: draft.cause,
      type: draft.type,
      key_crn: draft.keyCrn,
      owner_account_id: draft.ownerAccountId,
      plan_id: draft.planId ?? null,
      occurred_at: draft.occurredAt,
      created_at: draft.createdAt,
      facts: JSON.stringify(draft.facts),
      read_at: null,
      acknowledged_at: null,
      acknowledged_by: null,
    })
    .onConflict((c) => c.columns(['account_id', 'cause']).doNothing())
    .returningAll()
    .executeTakeFirst()
  return row ? toNotice(row) : null
}

export async function selectNotice(reads: Reads, id: string): Promise<Notice | null> {
  const row = await reads.selectFrom('ledger_notice').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toNotice(row) : null
}

/** Where in the account's notices the given one stands; null where it is none of the account's. */
export async function selectPlace(reads: Reads, accountId: string, id: string): Promise<number | null> {
  const row = await reads
    .selectFrom('ledger_notice')
    .select('seq')
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  return row?.seq ?? null
}

export async function selectNewestPlace(reads: Reads, accountId: string): Promise<number> {
  const row = await reads
    .selectFrom('ledger_notice')
    .select(({ fn }) => fn.max('seq').as('seq'))
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  return row?.seq ?? 0
}

export interface NoticeFilter {
  readonly accountId: string
  readonly type?: string
  readonly isUnread?: boolean
  readonly isUnacknowledged?: boolean
}

/** The newest first, before the given place. */
export async function selectNotices(
  reads: Reads,
  filter: NoticeFilter,
  page: { readonly before: number | null; readonly limit: number },
): Promise<readonly Notice[]> {
  let query = reads.selectFrom('ledger_notice').selectAll().where('account_id', '=', filter.accountId)
  if (filter.type !== undefined) query = query.where('type', '=', filter.type)
  if (filter.isUnread === true) query = query.where('read_at', 'is', null)
  if (filter.isUnacknowledged === true) query = query.where('acknowledged_at', 'is', null)
  if (page.before !== null) query = query.where('seq', '<', page.before)
  const rows = await query.orderBy('seq', 'desc').limit(page.limit).execute()
  return rows.map(toNotice)
}

/** In their order, after the given place. */
export async function selectNoticesAfter(
  reads: Reads,
  accountId: string,
  after: number,
  limit: number,
): Promise<readonly Notice[]> {
  const rows = await reads
    .selectFrom('ledger_notice')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map(toNotice)
}

/** False where it was read before. */
export async function setRead(tx: Tx, id: string, now: number): Promise<boolean> {
  const result = await tx
    .updateTable('ledger_notice')
    .set({ read_at: now })
    .where('id', '=', id)
    .where('read_at', 'is', null)
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

/** False where it was acknowledged before. */
export async function setAcknowledged(tx: Tx, id: string, by: string, now: number): Promise<boolean> {
  const result = await tx
    .updateTable('ledger_notice')
    .set({ acknowledged_at: now, acknowledged_by: by })
    .where('id', '=', id)
    .where('acknowledged_at', 'is', null)
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

interface NoticeRow {
  seq: number
  id: string
  account_id: string
  type: string
  key_crn: string
  owner_account_id: string
  plan_id: string | null
  occurred_at: number
  created_at: number
  facts: string
  read_at: number | null
  acknowledged_at: number | null
  acknowledged_by: string | null
}

const toNotice = (row: NoticeRow): Notice => ({
  seq: row.seq,
  id: row.id,
  accountId: row.account_id,
  // insertNotice() wrote both.
  type: row.type as NoticeType,
  facts: JSON.parse(row.facts) as NoticeFacts,
  keyCrn: row.key_crn,
  ownerAccountId: row.owner_account_id,
  planId: row.plan_id,
  occurredAt: row.occurred_at,
  createdAt: row.created_at,
  readAt: row.read_at,
  acknowledgedAt: row.acknowledged_at,
  acknowledgedBy: row.acknowledged_by,
})

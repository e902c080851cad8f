// SQL of deliveries: what is to be sent to which webhook, and how far that has come.

import type { Reads, Tx } from '#store/database.ts'
import type { Notice } from './notice.ts'
import type { Moment } from './page.ts'

export interface Delivery {
  readonly id: string
  readonly webhookId: string
  readonly noticeId: string
  readonly state: 'pending' | 'delivered' | 'dead'
  readonly attempts: number
  readonly nextAt: number
  readonly createdAt: number
  readonly lastAt: number | null
  readonly lastStatus: number | null
  readonly lastProblem: string | null
}

/** For each webhook of the notice's account that is enabled and wants its type. */
export async function insertDeliveries(tx: Tx, notice: Notice, makeId: () => string): Promise<void> {
  const webhooks = await tx
    .selectFrom('ledger_webhook')
    .select(['id', 'types'])
    .where('account_id', '=', notice.accountId)
    .where('enabled', '=', 1)
    .execute()
  for (const { id: webhookId, types } of webhooks) {
    // insertWebhook() wrote a list of texts.
    if (types !== null && !(JSON.parse(types) as string[]).includes(notice.type)) continue
    const row = {
      id: makeId(),
      webhook_id: webhookId,
      notice_id: notice.id,
      state: 'pending' as const,
      attempts: 0,
      next_at: notice.createdAt,
      created_at: notice.createdAt,
      last_at: null,
      last_status: null,
      last_problem: null,
    }
    await tx
      .insertInto('ledger_delivery')
      .values(row)
      .onConflict((c) => c.columns(['webhook_id', 'notice_id']).doNothing())
      .execute()
  }
}

/** Webhooks that are enabled and have something due, the longest due first. */
export async function selectDueWebhooks(reads: Reads, now: number, limit: number): Promise<readonly string[]> {
  const rows = await reads
    .selectFrom('ledger_delivery as d')
    .innerJoin('ledger_webhook as w', 'w.id', 'd.webhook_id')
    .select('d.webhook_id as id')
    .where('d.state', '=', 'pending')
    .where('d.next_at', '<=', now)
    .where('w.enabled', '=', 1)
    .groupBy('d.webhook_id')
    .orderBy(({ fn }) => fn.min('d.next_at'))
    .limit(limit)
    .execute()
  return rows.map((row) => row.id)
}

/** What is due to a webhook next; null when nothing is. */
export async function selectDueOf(reads: Reads, webhookId: string, now: number): Promise<Delivery | null> {
  const row = await reads
    .selectFrom('ledger_delivery')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'pending')
    .where('next_at', '<=', now)
    .orderBy('next_at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row ? toDelivery(row) : null
}

/** A receiver that did not take one is not asked to take the others before it is asked again. */
export async function postpone(tx: Tx, webhookId: string, until: number): Promise<void> {
  await tx
    .updateTable('ledger_delivery')
    .set({ next_at: until })
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'pending')
    .where('next_at', '<', until)
    .execute()
}

/** When the next one is due that waits; null when none waits. */
export async function selectNextDue(reads: Reads): Promise<number | null> {
  const row = await reads
    .selectFrom('ledger_delivery as d')
    .innerJoin('ledger_webhook as w', 'w.id', 'd.webhook_id')
    .select(({ fn }) => fn.min('d.next_at').as('at'))
    .where('d.state', '=', 'pending')
    .where('w.enabled', '=', 1)
    .executeTakeFirst()
  return row?.at ?? null
}

/** What came of an attempt; nothing where the delivery was re-driven or went meanwhile. */
export async function setAttempted(
  tx: Tx,
  before: Delivery,
  after: Pick<Delivery, 'state' | 'nextAt' | 'lastAt' | 'lastStatus' | 'lastProblem'>,
): Promise<boolean> {
  const result = await tx
    .updateTable('ledger_delivery')
    .set({
      state: after.state,
      attempts: before.attempts + 1,
      next_at: after.nextAt,
      last_at: after.lastAt,
      last_status: after.lastStatus,
      last_problem: after.lastProblem,
    })
    .where('id', '=', before.id)
    .where('state', '=', 'pending')
    .where('attempts', '=', before.attempts)
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

/** False where it is not dead. */
export async function setRedriven(tx: Tx, webhookId: string, id: string, now: number): Promise<boolean> {
  const result = await tx
    .updateTable('ledger_delivery')
    .set({ state: 'pending', attempts: 0, next_at: now })
    .where('id', '=', id)
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'dead')
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

/** The newest first. */
export async function selectDeliveries(
  reads: Reads,
  webhookId: string,
  filter: { readonly state: Delivery['state'] | null; readonly before: Moment | null; readonly limit: number },
): Promise<readonly Delivery[]> {
  let query = reads.selectFrom('ledger_delivery').selectAll().where('webhook_id', '=', webhookId)
  if (filter.state !== null) query = query.where('state', '=', filter.state)
  if (filter.before) {
    const { createdAt, id } = filter.before
    query = query.where(({ eb, or, and }) =>
      or([eb('created_at', '<', createdAt), and([eb('created_at', '=', createdAt), eb('id', '<', id)])]),
    )
  }
  const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(filter.limit).execute()
  return rows.map(toDelivery)
}

export async function deleteDeliveries(tx: Tx, webhookId: string): Promise<void> {
  await tx.deleteFrom('ledger_delivery').where('webhook_id', '=', webhookId).execute()
}

interface DeliveryRow {
  id: string
  webhook_id: string
  notice_id: string
  state: Delivery['state']
  attempts: number
  next_at: number
  created_at: number
  last_at: number | null
  last_status: number | null
  last_problem: string | null
}

const toDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id,
  webhookId: row.webhook_id,
  noticeId: row.notice_id,
  state: row.state,
  attempts: row.attempts,
  nextAt: row.next_at,
  createdAt: row.created_at,
  lastAt: row.last_at,
  lastStatus: row.last_status,
  lastProblem: row.last_problem,
})

// SQL of the audit trail. Rows are added and never changed; whoever reads is asked first (audit/trail.ts).

import type { Reads, Tx } from '#store/database.ts'
import type { AuditBody, AuditRow } from './audit-record.ts'

export async function insertAudit(tx: Tx, rows: readonly AuditRow[]): Promise<void> {
  for (let from = 0; from < rows.length; from += rowsPerStatement) {
    const values = rows.slice(from, from + rowsPerStatement).map(({ id, accountId, at, body }) => ({
      id,
      account_id: accountId,
      at,
      action: body.action,
      outcome: body.outcome,
      severity: body.severity,
      initiator_id: body.initiator.id,
      target_id: body.target.id,
      correlation_id: body.correlationId,
      body: JSON.stringify(body),
    }))
    await tx.insertInto('event_audit').values(values).execute()
  }
}

/** Engines bound the parameters of one statement; a row has ten. */
const rowsPerStatement = 100

export interface AuditFilter {
  readonly action?: string
  readonly outcome?: string
  readonly severity?: string
  readonly initiatorId?: string
  readonly targetId?: string
  readonly correlationId?: string
  /** Milliseconds; both ends are inside. */
  readonly from?: number
  readonly to?: number
}

export interface AuditPage {
  readonly order: 'asc' | 'desc'
  /** The place of the last record of the page before; null begins. */
  readonly after: number | null
  readonly limit: number
}

export interface StoredRecord {
  readonly seq: number
  readonly id: string
  readonly body: AuditBody
}

export async function selectAudit(
  reads: Reads,
  accountId: string,
  filter: AuditFilter,
  { order, after, limit }: AuditPage,
): Promise<readonly StoredRecord[]> {
  let query = reads.selectFrom('event_audit').select(['seq', 'id', 'body']).where('account_id', '=', accountId)
  if (filter.action !== undefined) query = query.where('action', '=', filter.action)
  if (filter.outcome !== undefined) query = query.where('outcome', '=', filter.outcome)
  if (filter.severity !== undefined) query = query.where('severity', '=', filter.severity)
  if (filter.initiatorId !== undefined) query = query.where('initiator_id', '=', filter.initiatorId)
  if (filter.targetId !== undefined) query = query.where('target_id', '=', filter.targetId)
  if (filter.correlationId !== undefined) query = query.where('correlation_id', '=', filter.correlationId)
  if (filter.from !== undefined) query = query.where('at', '>=', filter.from)
  if (filter.to !== undefined) query = query.where('at', '<=', filter.to)
  if (after !== null) query = query.where('seq', order === 'asc' ? '>' : '<', after)
  const rows = await query.orderBy('seq', order).limit(limit).execute()
  // insertAudit() wrote it.
  return rows.map(({ seq, id, body }) => ({ seq, id, body: JSON.parse(body) as AuditBody }))
}

/** A record as it was written, to the byte. */
export interface WrittenRecord {
  readonly seq: number
  readonly id: string
  readonly accountId: string
  readonly bodyText: string
}

const written = ['seq', 'id', 'account_id as accountId', 'body as bodyText'] as const

/** Of all accounts, in the order in which they were written. */
export const selectWrittenAfter = (reads: Reads, seq: number, limit: number): Promise<readonly WrittenRecord[]> =>
  reads.selectFrom('event_audit').select(written).where('seq', '>', seq).orderBy('seq').limit(limit).execute()

export const selectWritten = (reads: Reads, seqs: readonly number[]): Promise<readonly WrittenRecord[]> =>
  reads.selectFrom('event_audit').select(written).where('seq', 'in', seqs).orderBy('seq').execute()

/** The place of a record in the trail of that account; null where it has none of that id. */
export async function selectSeqOf(reads: Reads, accountId: string, id: string): Promise<number | null> {
  const query = reads.selectFrom('event_audit').select('seq').where('id', '=', id).where('account_id', '=', accountId)
  return (await query.executeTakeFirst())?.seq ?? null
}

export interface Pruned {
  readonly before: number
  readonly untilSeq: number
  readonly limit: number
  /** Actions whose records stay: other things are proved by them. */
  readonly kept: readonly string[]
}

/**
 * Deletes what of the oldest `limit` records, of all accounts and as far as the signed log has come, is older than `before`;
 * whether that was all of them, so that more may be waiting. In the order of writing, which is that of time but for moments.
 */
export async function deleteOldest(tx: Tx, { before, untilSeq, limit, kept }: Pruned): Promise<boolean> {
  const oldest = await tx
    .selectFrom('event_audit')
    .select(['seq', 'at'])
    .where('seq', '<=', untilSeq)
    .where('action', 'not in', kept)
    .orderBy('seq')
    .limit(limit)
    .execute()
  const seqs = oldest.filter(({ at }) => at < before).map(({ seq }) => seq)
  if (seqs.length > 0) await tx.deleteFrom('event_audit').where('seq', 'in', seqs).execute()
  return seqs.length === limit
}

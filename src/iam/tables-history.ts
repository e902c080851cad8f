// The SQL of histories. Whoever holds a grant for the thing itself may see what was done to it.

import type { Insertable, Selectable } from 'kysely'
import { historyLinesMax } from '#base/limits.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { Grant } from './port.ts'

export type HistoryRow = Selectable<IamTables['iam_history']>

export async function insertHistory(tx: Tx, row: Insertable<IamTables['iam_history']>): Promise<void> {
  await tx.insertInto('iam_history').values(row).execute()
  const lines = tx.selectFrom('iam_history').select('seq').where('entity_id', '=', row.entity_id)
  const kept = lines.orderBy('seq', 'desc').limit(historyLinesMax)
  await tx.deleteFrom('iam_history').where('entity_id', '=', row.entity_id).where('seq', 'not in', kept).execute()
}

/** The oldest first. */
export async function readHistory(query: Reads, _of: Grant, entityId: string): Promise<readonly HistoryRow[]> {
  return await query.selectFrom('iam_history').selectAll().where('entity_id', '=', entityId).orderBy('seq').execute()
}

export async function deleteHistory(tx: Tx, entityId: string): Promise<void> {
  await tx.deleteFrom('iam_history').where('entity_id', '=', entityId).execute()
}

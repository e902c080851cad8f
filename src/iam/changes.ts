// What every change of an identity or API key leaves behind, in its own transaction: an event for whoever listens and a
// line of history for whoever asks.

import { rfc3339 } from '#base/clock.ts'
import type { Clock } from '#base/clock.ts'
import type { Event } from '#events/event.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Tx } from '#store/database.ts'
import { insertHistory } from './tables-history.ts'
import type { HistoryRow } from './tables-history.ts'

export interface Change {
  readonly event: Event
  /** The id of what was changed. */
  readonly entityId: string
  readonly by: { readonly iamId: string; readonly accountId: string }
  readonly action: string
  /** The fields that were set, by their wire names. */
  readonly params?: readonly string[]
}

export interface Changes {
  record(tx: Tx, change: Change): Promise<void>
  /** For what is gone, and its history with it: the event alone. */
  announce(tx: Tx, event: Event, by: { readonly iamId: string }): Promise<void>
}

export const makeChanges = (outbox: Outbox, clock: Clock): Changes => ({
  async record(tx, { event, entityId, by, action, params = [] }) {
    await outbox.append(tx, { ...event, initiatorId: by.iamId })
    await insertHistory(tx, {
      entity_id: entityId,
      at: clock.now(),
      iam_id: by.iamId,
      iam_id_account: by.accountId,
      action,
      params: JSON.stringify(params),
    })
  },
  announce: (tx, event, by) => outbox.append(tx, { ...event, initiatorId: by.iamId }),
})

export interface HistoryRecord {
  readonly timestamp: string
  readonly iam_id: string
  readonly iam_id_account: string
  readonly action: string
  readonly params: string[]
  readonly message: string
}

export const historyView = (rows: readonly HistoryRow[]): HistoryRecord[] =>
  rows.map((row) => ({
    timestamp: rfc3339(row.at),
    iam_id: row.iam_id,
    iam_id_account: row.iam_id_account,
    action: row.action,
    params: JSON.parse(row.params) as string[], // record() wrote it
    message: `${row.action} by ${row.iam_id}`,
  }))

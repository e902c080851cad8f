import type { Generated } from 'kysely'

export interface EventTables {
  /** The outbox, which is also the record of everything that has happened. Rows are never changed. */
  event_outbox: {
    seq: Generated<number>
    id: string
    type: string
    account_id: string
    at: number
    /** JSON of the event; docs/formats.md, "Events". */
    body: string
  }
  /** The audit trail of each account: docs/formats.md, "Audit record". Rows are never changed. */
  event_audit: {
    seq: Generated<number>
    id: string
    account_id: string
    at: number
    action: string
    outcome: string
    severity: string
    initiator_id: string
    target_id: string
    correlation_id: string
    /** JSON of the whole record. */
    body: string
  }
  /** How far each consumer has come. */
  event_cursor: { consumer: string; seq: number }
  /** Facts about this database as a whole, such as the check value of its master key. */
  store_meta: { name: string; value: Uint8Array }
}

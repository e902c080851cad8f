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
  /** How far each consumer has come. */
  event_cursor: { consumer: string; seq: number }
  /** Facts about this database as a whole, such as the check value of its master key. */
  store_meta: { name: string; value: Uint8Array }
}

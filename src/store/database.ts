// The database port. Two engines can stand behind it: the embedded one (sqlite.ts) and PostgreSQL (postgres.ts). Queries are
// typed by schema/ and written in the services' tables.ts; they stay portable: text ids, JSON as text, times as integer
// milliseconds, truth as 0 or 1, ON CONFLICT and RETURNING.

import type { Kysely, Transaction } from 'kysely'
import type { Schema } from './schema/schema.ts'

export type Reads = Kysely<Schema>
export type Tx = Transaction<Schema>

export interface Database {
  /**
   * Queries that see every transaction committed before they began. They cannot write: the connection behind them is
   * read-only, so whatever changes the world does it in a transaction.
   */
  readonly reads: Reads
  /**
   * Runs `work` in one serializable transaction. It is durable when the promise resolves, and
   * leaves nothing behind when it rejects. `work` awaits nothing but its own queries: transactions stand in line.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Calls back after each commit; for the dispatcher. Returns the function that stops it. */
  onCommit(listener: () => void): () => void
  /**
   * What was deleted leaves the files of the database: it has been overwritten, and no log holds it any more. False where
   * another process was reading, and the log could not be emptied; to be said again. PostgreSQL's files are not ours to
   * clean: there it is enough that the rows are gone.
   */
  scrub(): Promise<boolean>
  close(): Promise<void>
}

// The embedded engine: node:sqlite in WAL mode with synchronous=FULL, so that an acknowledged commit survives kill -9 and
// power loss (SQLite, "Pragma synchronous"). One connection writes, one reads; commits happen in this process, whose
// event loop waits for the disk: docs/decisions/0003-store.md says what that costs and when to leave it.

import { DatabaseSync } from 'node:sqlite'
import { Kysely, SqliteDialect, sql } from 'kysely'
import type { SqliteDatabase } from 'kysely'
import { Fault } from '#base/fault.ts'
import type { Database, Tx } from './database.ts'
import { standInLine } from './line.ts'
import { migrate } from './migrate.ts'
import type { Schema } from './schema/schema.ts'

type StatementSync = ReturnType<DatabaseSync['prepare']>
interface Prepared {
  readonly statement: StatementSync
  /** Whether it gives rows. */
  readonly reader: boolean
}

type Parameter = null | number | bigint | string | Uint8Array

/** What Kysely's dialect asks of a driver, on node:sqlite, with statements prepared once per text. */
function driver(path: string, readOnly: boolean): SqliteDatabase {
  const connection = new DatabaseSync(path, { readOnly, timeout: busyTimeoutMs })
  // Deleted content is overwritten with zeros (SQLite, "Pragma secure_delete"): a purged key is not to be found in a file.
  if (!readOnly) connection.exec('pragma journal_mode = wal; pragma secure_delete = on')
  connection.exec(`pragma cache_size = -${pageCacheKib}`)
  connection.exec('pragma synchronous = full; pragma foreign_keys = on; pragma trusted_schema = off')
  const statements = new Map<string, Prepared>()

  const prepared = (text: string): Prepared => {
    let known = statements.get(text)
    if (!known) {
      // A tool beside the server may write too: a transaction waits at its beginning, since one that began by reading
      // and then finds that another has written cannot go on (SQLite, "Write-Ahead Logging", SQLITE_BUSY_SNAPSHOT).
      const statement = connection.prepare(text === 'begin' && !readOnly ? 'begin immediate' : text)
      known = { statement, reader: statement.columns().length > 0 }
      // Generated texts differ only in the length of lists, but nothing bounds those.
      if (statements.size >= preparedStatementsMax) statements.clear()
      statements.set(text, known)
    }
    return known
  }

  return {
    close: () => connection.close(),
    prepare(text) {
      // After some failures (a full disk) SQLite has rolled back by itself, and the failure is what must be heard of.
      if (text === 'rollback' && !connection.isTransaction) return nothing
      const { statement, reader } = prepared(text)
      return {
        reader,
        all: (values) => statement.all(...parameters(values)),
        run: (values) => statement.run(...parameters(values)),
        iterate: (values) => statement.iterate(...parameters(values)),
      }
    },
  }
}

const nothing = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
}

/** Kysely hands over what the queries were given; the schema's types admit only these. */
const parameters = (values: readonly unknown[]): Parameter[] => values as Parameter[]

const preparedStatementsMax = 500

/** How long a tool beside the server may hold a lock before that is a failure. */
const busyTimeoutMs = 5000

/** Per connection; SQLite's two megabytes hold the upper levels of a large table's trees and little else. */
const pageCacheKib = 64 * 1024

/**
 * Opens the database file, creating it if need be, and brings it to the newest schema. Throws a Fault 'unavailable' with
 * one sentence when the file cannot be used.
 */
export async function openSqlite(path: string): Promise<Database> {
  const writer = connect(path, false)
  await migrate(writer)
  // What a process that was killed had deleted is still in its log.
  await emptyLog(writer)
  const reader = connect(path, true)
  const listeners = new Set<() => void>()
  const inLine = standInLine()
  let closed = false

  return {
    reads: reader,
    async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      if (closed) throw new Fault('unavailable', 'the database is closed')
      const result = await inLine(() => writer.transaction().execute(work).catch(storageFault))
      for (const listener of listeners) listener()
      return result
    },
    onCommit(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    scrub: () => inLine(() => emptyLog(writer)),
    async close() {
      closed = true
      await inLine(() => Promise.resolve())
      await reader.destroy()
      await writer.destroy()
    },
  }
}

/**
 * SQLite, "Pragma wal_checkpoint": the pages go to the database file, and the log is cut to nothing. It does not wait for
 * who reads: a copy in the making may take minutes, and this process would stand still.
 */
async function emptyLog(writer: Kysely<Schema>): Promise<boolean> {
  await sql`pragma busy_timeout = 0`.execute(writer)
  try {
    const { rows } = await sql<{ readonly busy: number }>`pragma wal_checkpoint(truncate)`.execute(writer)
    return rows[0]?.busy === 0
  } finally {
    await sql.raw(`pragma busy_timeout = ${busyTimeoutMs}`).execute(writer)
  }
}

/** A database file that is only looked at: a copy, or one that a server is at work on. */
export function openSqliteReads(path: string): { readonly reads: Kysely<Schema> } & AsyncDisposable {
  const reads = connect(path, true)
  return { reads, [Symbol.asyncDispose]: () => reads.destroy() }
}

/** A disk that has no room, or fails, is the operator's matter and a fault; everything else goes on as it is. */
function storageFault(error: unknown): never {
  const code = error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0
  // The low byte is the primary code (SQLite, "Result and Error Codes").
  const sentence = storageSentences.get(code & 0xff)
  if (sentence === undefined) throw error
  throw new Fault('unavailable', sentence, { cause: error })
}

const storageSentences: ReadonlyMap<number, string> = new Map([
  [5, 'the database is held by another process'],
  [8, 'the database cannot be written'],
  [10, 'the disk of the database fails'],
  [13, 'the disk of the database is full'],
])

function connect(path: string, readOnly: boolean): Kysely<Schema> {
  try {
    return new Kysely<Schema>({ dialect: new SqliteDialect({ database: driver(path, readOnly) }) })
  } catch (cause) {
    throw new Fault('unavailable', `database ${path} cannot be opened`, { cause })
  }
}

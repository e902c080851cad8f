// The engine for when the database is to live on machines of its own: PostgreSQL 15 or newer, or what speaks like it.
// docs/decisions/0036-postgresql.md says how transactions stand in line there, and what is lost and what is not when the
// server dies. An acknowledged commit is as durable as the server makes it; one that makes none durable is refused.

import { setTimeout } from 'node:timers/promises'
import { HandleEmptyInListsPlugin, Kysely, replaceWithNoncontingentExpression, sql } from 'kysely'
import { Client } from 'pg'
import type { PoolConfig } from 'pg'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { systemRandom } from '#base/random.ts'
import type { Database, Reads, Tx } from './database.ts'
import { standInLine } from './line.ts'
import { migrate } from './migrate.ts'
import { postgresDialect } from './postgres-dialect.ts'
import { storageFault } from './postgres-faults.ts'
import type { Schema } from './schema/schema.ts'

export interface PostgresParts {
  /** `postgres://user@host:port/database`; passwords also from PGPASSWORD or a password file, as its own tools take them. */
  readonly url: string
  /** Another server has taken the database over: this one has to end. */
  readonly onReplaced?: () => void
}

/** Throws a Fault 'unavailable' with one sentence when the database cannot be used. */
export async function openPostgres({ url, onReplaced }: PostgresParts): Promise<Database> {
  // Names this opening: whoever wrote last is on record, and whoever was replaced writes no more.
  const writerId = makeUuid(systemRandom)
  const hold = await holdDatabase(url)
  const writer = connect(url, 'writer')
  const reader = connect(url, 'reader')
  const listeners = new Set<() => void>()
  const inLine = standInLine()
  let closed = false
  const close = async (): Promise<void> => {
    closed = true
    await inLine(() => Promise.resolve())
    await reader.destroy()
    await writer.destroy()
    await hold.release()
  }

  try {
    await refuseCareless(reader)
    await migrate(writer)
    await takeOver(writer, writerId)
  } catch (error) {
    await close()
    throw error
  }

  /** Transactions of all servers stand in one line, which is a row; who finds another's name in it has been replaced. */
  const takeTurn = async (tx: Tx): Promise<void> => {
    const row = await tx
      .selectFrom('store_meta')
      .select('value')
      .where('name', '=', writerName)
      .forUpdate()
      .executeTakeFirst()
    if (row && new TextDecoder().decode(row.value) === writerId) return
    onReplaced?.()
    throw new Fault('unavailable', 'another server has taken the database over')
  }

  return {
    reads: reader,
    async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      if (closed) throw new Fault('unavailable', 'the database is closed')
      try {
        return await inLine(() =>
          writer
            .transaction()
            .setIsolationLevel('read committed')
            .execute(async (tx) => {
              await takeTurn(tx)
              return await work(tx)
            }),
        )
      } finally {
        // Also when it failed: a commit whose answer was lost may have come to pass.
        for (const listener of listeners) listener()
      }
    },
    onCommit(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    // The files are the server's: it frees what was deleted when it vacuums, and its logs go by its own rules.
    scrub: () => Promise.resolve(true),
    close,
  }
}

/** Of the row that names who may write. */
export const writerName = 'writer'

async function takeOver(writer: Kysely<Schema>, writerId: string): Promise<void> {
  const value = new TextEncoder().encode(writerId)
  await writer
    .insertInto('store_meta')
    .values({ name: writerName, value })
    .onConflict((c) => c.column('name').doUpdateSet({ value }))
    .execute()
}

function connect(url: string, role: 'writer' | 'reader'): Kysely<Schema> {
  // The embedded engine takes `in ()` as what it says; PostgreSQL has no such words.
  const plugins = [new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })]
  return new Kysely<Schema>({ dialect: postgresDialect(connection(url, role)), plugins })
}

const connection = (url: string, role: 'writer' | 'reader' | 'hold'): PoolConfig => ({
  connectionString: url,
  application_name: `keyward ${role}`,
  // One writes: its transactions stand in line anyway.
  max: role === 'reader' ? readersMax : 1,
  connectionTimeoutMillis: connectMs,
  idleTimeoutMillis: 0,
  keepAlive: true,
  options: [
    `-c default_transaction_read_only=${role === 'reader' ? 'on' : 'off'}`,
    `-c statement_timeout=${role === 'hold' ? 0 : statementMs}`,
    // A server that stands still in its turn would keep the others waiting.
    `-c idle_in_transaction_session_timeout=${turnMs}`,
  ].join(' '),
})

const readersMax = 8
const connectMs = 5000
const statementMs = 60_000
const turnMs = 30_000

/** PostgreSQL, "Asynchronous Commit" and "fsync": with these off, what was acknowledged may be lost. */
async function refuseCareless(reads: Reads): Promise<void> {
  const { rows } = await sql<{ readonly name: string }>`
    select name from pg_settings
    where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'`.execute(reads)
  const names = rows.map(({ name }) => name)
  if (names.length === 0) return
  throw new Fault('unavailable', `the database server loses acknowledged writes: ${names.join(', ')} is off`)
}

/** One server at a time: the lock is the session's, and goes with it, however it ends. */
async function holdDatabase(url: string): Promise<{ release(): Promise<void> }> {
  const released = new AbortController()
  let client = await held(url)

  /** When the connection goes, the lock goes with it: it is taken again as soon as may be. */
  function watch(): void {
    client.once('end', () => void again())
  }
  async function again(): Promise<void> {
    while (!released.signal.aborted) {
      const next = await held(url).catch(() => null)
      if (next) {
        client = next
        if (released.signal.aborted) return await client.end()
        return watch()
      }
      await setTimeout(holdAgainMs, undefined, { signal: released.signal }).catch(() => undefined)
    }
  }

  watch()
  return {
    async release() {
      released.abort()
      await client.end().catch(() => undefined)
    },
  }
}

const holdAgainMs = 500

async function held(url: string): Promise<Client> {
  const client = new Client(connection(url, 'hold'))
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query('select pg_try_advisory_lock($1) as held', [databaseLock])
    if (rows[0]?.held === true) return client
  } catch (error) {
    await client.end().catch(() => undefined)
    storageFault(error)
  }
  await client.end()
  throw new Fault('unavailable', 'the database is in use by another server')
}

/** Any number that nobody else takes: the first bytes of the product's name. */
const databaseLock = 0x6b_65_79_77

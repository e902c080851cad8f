// Every row of an embedded database into a PostgreSQL that holds none of anybody's, in one transaction: all, or nothing.

import { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import { Fault } from '#base/fault.ts'
import type { Database, Tx } from './database.ts'
import { writerName } from './postgres.ts'
import { countRows } from './snapshot.ts'

/** What the migrator notes is the target's own, and filled in already. */
const isOurs = (table: string): boolean => !table.startsWith('kysely_')

/** Gives how many rows each table has now. */
export async function moveRows(fromPath: string, to: Database): Promise<Readonly<Record<string, number>>> {
  const counts = Object.fromEntries(Object.entries(countRows(fromPath)).filter(([table]) => isOurs(table)))
  const from = new DatabaseSync(fromPath, { readOnly: true })
  try {
    await to.transaction(async (tx) => {
      for (const table of inOrder(from, Object.keys(counts))) await moveTable(from, tx, table)
      for (const [table, count] of Object.entries(counts)) await requireCount(tx, table, count)
    })
    return counts
  } finally {
    from.close()
  }
}

/** Tables that others refer to come before them. */
function inOrder(from: DatabaseSync, tables: readonly string[]): readonly string[] {
  const ordered = new Set<string>()
  const visit = (table: string): void => {
    if (ordered.has(table)) return
    for (const { table: other } of from.prepare('select "table" from pragma_foreign_key_list(?)').all(table))
      if (other !== table) visit(String(other))
    ordered.add(table)
  }
  for (const table of tables) visit(table)
  return [...ordered]
}

/** The target's own row of the table of facts stays. */
const movable = (table: string) =>
  table === 'store_meta' ? sql`${sql.table(table)} where name <> ${writerName}` : sql.table(table)

async function moveTable(from: DatabaseSync, tx: Tx, table: string): Promise<void> {
  const name = sql.table(table)
  // What triggers keep is moved like everything else; what a migration has put there is in the source too.
  await sql`alter table ${name} disable trigger user`.execute(tx)
  await sql`delete from ${movable(table)}`.execute(tx)
  let batch: Record<string, unknown>[] = []
  const flush = async (): Promise<void> => {
    // The columns are those of the table that they are read from.
    if (batch.length > 0)
      await tx
        .insertInto(table as 'store_meta')
        .values(batch as never)
        .execute()
    batch = []
  }
  for (const row of from.prepare(`select * from "${table}"`).iterate()) {
    if (table === 'store_meta' && row['name'] === writerName) continue
    if (batch.push(row) >= batchRows) await flush()
  }
  await flush()
  await sql`alter table ${name} enable trigger user`.execute(tx)
  await continueNumbers(tx, table)
}

/** A statement has 65,535 parameters at most, and no table a hundred columns. */
const batchRows = 500

/** Numbers that the database gives go on after those that it gave. */
async function continueNumbers(tx: Tx, table: string): Promise<void> {
  const { rows } = await sql<{ readonly column: string }>`
    select column_name as column from information_schema.columns
    where table_schema = current_schema() and table_name = ${table} and is_identity = 'YES'`.execute(tx)
  for (const { column } of rows) {
    await sql`select setval(pg_get_serial_sequence(${table}, ${column}), max(${sql.ref(column)}))
      from ${sql.table(table)} having count(*) > 0`.execute(tx)
  }
}

async function requireCount(tx: Tx, table: string, count: number): Promise<void> {
  const { rows } = await sql<{ readonly count: number }>`select count(*) as count from ${movable(table)}`.execute(tx)
  if (rows[0]?.count !== count) throw new Fault('unavailable', `table ${table} did not arrive whole; nothing was moved`)
}

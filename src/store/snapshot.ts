// Copies of a database file: taken while others write, and looked over before they are trusted. VACUUM INTO reads one
// committed state (SQLite, "VACUUM"), so a copy is what a reader of that moment would have seen, whatever runs beside.

import { DatabaseSync } from 'node:sqlite'
import { Fault } from '#base/fault.ts'

/** Writes the committed state of the moment to `to`, which does not exist yet. */
export function copyDatabase(from: string, to: string): void {
  let source: DatabaseSync | null = null
  try {
    source = new DatabaseSync(from, { readOnly: true, timeout: 5000 })
    source.prepare('vacuum into ?').run(to)
  } catch (cause) {
    throw new Fault('unavailable', `database ${from} cannot be copied`, { cause })
  } finally {
    source?.close()
  }
}

/** How many rows each table has, in the order of the names. */
export function countRows(path: string): Readonly<Record<string, number>> {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = database
      .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name")
      .all()
      .map((row) => String(row['name']))
    return Object.fromEntries(tables.map((name) => [name, countOf(database, name)]))
  } finally {
    database.close()
  }
}

const countOf = (database: DatabaseSync, table: string): number =>
  Number(database.prepare(`select count(*) as count from "${table.replaceAll('"', '""')}"`).get()?.['count'])

/** Whether the file is a whole database: every page, every index, every reference. */
export function checkDatabase(path: string): void {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const [pages] = database.prepare('pragma integrity_check(1)').all()
    const [reference] = database.prepare('pragma foreign_key_check').all()
    if (pages?.['integrity_check'] === 'ok' && !reference) return
  } catch (cause) {
    throw new Fault('unprocessable', 'the database in the backup is damaged', { cause })
  } finally {
    database.close()
  }
  throw new Fault('unprocessable', 'the database in the backup is damaged')
}

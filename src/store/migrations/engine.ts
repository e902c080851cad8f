// What the engines say differently when a schema is made; everything else is the query builder's to translate.

import { PostgresAdapter, sql } from 'kysely'
import type { Kysely } from 'kysely'

export const isPostgres = (db: Kysely<unknown>): boolean => db.getExecutor().adapter instanceof PostgresAdapter

/** After each row of `table` that `event` touches; `statements` name it as `new` and `old`, and end in a semicolon each. */
export async function createRowTrigger(
  db: Kysely<unknown>,
  trigger: { readonly name: string; readonly event: string; readonly table: string; readonly statements: string },
): Promise<void> {
  const { name, event, table, statements } = trigger
  if (!isPostgres(db)) {
    await sql.raw(`create trigger ${name} after ${event} on ${table} begin ${statements} end`).execute(db)
    return
  }
  await sql
    .raw(
      `create function ${name}() returns trigger language plpgsql as $body$ begin ${statements} return null; end $body$`,
    )
    .execute(db)
  await sql.raw(`create trigger ${name} after ${event} on ${table} for each row execute function ${name}()`).execute(db)
}

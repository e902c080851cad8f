// Pages of a collection are read in the order of their index, and how many rows there are is kept beside them: counting
// 100,000 rows takes longer than everything else about a page. Triggers keep the numbers, so no statement can forget to.

import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { createRowTrigger } from './engine.ts'

/** Which rows readers see, as tables-volumes.ts and tables-instances.ts have it, with the row's name for `r`. */
const counted = {
  vpc_volume: {
    columns: 'phase, made_for, resource_group_id',
    isListed: (r: string) => `${r}.phase not in ('requested', 'abandoned') and ${r}.made_for is null`,
  },
  vpc_instance: {
    columns: 'status, resource_group_id',
    isListed: (r: string) => `${r}.status <> 'assembling'`,
  },
} as const

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('vpc_count')
    .addColumn('of_table', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('all_rows', 'integer', (c) => c.notNull())
    .addColumn('listed_rows', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('vpc_count_key', ['of_table', 'account_id', 'region', 'resource_group_id'])
    .execute()
  for (const table of ['vpc_volume', 'vpc_instance'] as const) {
    const { columns, isListed } = counted[table]
    const count = (r: string, sign: 1 | -1): string =>
      `insert into vpc_count (of_table, account_id, region, resource_group_id, all_rows, listed_rows)
       values ('${table}', ${r}.account_id, ${r}.region, ${r}.resource_group_id, ${sign},
               case when ${isListed(r)} then ${sign} else 0 end)
       on conflict (of_table, account_id, region, resource_group_id) do update
       set all_rows = vpc_count.all_rows + excluded.all_rows,
           listed_rows = vpc_count.listed_rows + excluded.listed_rows;`
    const whenever = (event: string, statements: string): Promise<void> => {
      const name = `${table}_counted_${event.split(' ')[0]}`
      return createRowTrigger(db, { name, event, table, statements })
    }
    await sql
      .raw(
        `insert into vpc_count select '${table}', account_id, region, resource_group_id, count(*),
         sum(case when ${isListed(table)} then 1 else 0 end) from ${table} group by account_id, region, resource_group_id`,
      )
      .execute(db)
    await whenever('insert', count('new', 1))
    await whenever('delete', count('old', -1))
    await whenever(`update of ${columns}`, `${count('old', -1)} ${count('new', 1)}`)
    await db.schema
      .createIndex(`${table}_page`)
      .on(table)
      .columns(['account_id', 'region', 'created_at', 'id'])
      .execute()
  }
  // All that following a key asks of the volumes under it is in the index. It does not begin with the region, which all
  // rows share: engines without statistics would prefer it for everything that names one.
  await db.schema.dropIndex('vpc_volume_key').execute()
  await db.schema
    .createIndex('vpc_volume_key')
    .on('vpc_volume')
    .columns(['key_crn', 'account_id', 'region', 'key_standing', 'phase'])
    .execute()
  await db.schema.dropIndex('vpc_record_account').execute()
  await db.schema
    .createIndex('vpc_record_page')
    .on('vpc_record')
    .columns(['account_id', 'region', 'kind', 'created_at', 'id'])
    .execute()
}

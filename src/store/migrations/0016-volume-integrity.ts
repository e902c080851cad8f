import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .alterTable('vpc_volume')
    .addColumn('authenticated', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await schema.alterTable('vpc_volume').addColumn('damage', 'text').execute()
  await schema
    .createTable('vpc_volume_root')
    .addColumn('volume_id', 'text', (c) => c.primaryKey())
    .addColumn('generation', 'bigint', (c) => c.notNull())
    .addColumn('mac', 'blob', (c) => c.notNull())
    .execute()
}

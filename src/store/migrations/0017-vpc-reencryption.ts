import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const column of ['newer_key_crn', 'newer_key_version_id'] as const) {
    await db.schema.alterTable('vpc_volume').addColumn(column, 'text').execute()
  }
  await db.schema.alterTable('vpc_volume').addColumn('newer_wrapped_data_key', 'blob').execute()
  await db.schema
    .createTable('vpc_reencryption')
    .addColumn('volume_id', 'text', (c) => c.primaryKey())
    .addColumn('volume_crn', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('phase', 'text', (c) => c.notNull())
    .addColumn('older_key_crn', 'text', (c) => c.notNull())
    .addColumn('newer_key_crn', 'text', (c) => c.notNull())
    .addColumn('provider_managed', 'integer', (c) => c.notNull())
    .addColumn('mib_per_second', 'integer')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('completed_at', 'bigint')
    .execute()
  await db.schema.createIndex('vpc_reencryption_phase').on('vpc_reencryption').columns(['phase', 'volume_id']).execute()
}

import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('event_outbox')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('id', 'text', (c) => c.notNull().unique())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('at', 'integer', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('event_outbox_account').on('event_outbox').columns(['account_id', 'seq']).execute()
  await db.schema
    .createTable('event_cursor')
    .addColumn('consumer', 'text', (c) => c.primaryKey())
    .addColumn('seq', 'integer', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('store_meta')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'blob', (c) => c.notNull())
    .execute()
}

import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit_log_head')
    .addColumn('account_id', 'text', (c) => c.primaryKey())
    .addColumn('size', 'integer', (c) => c.notNull())
    .addColumn('checkpoint', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('audit_log_leaf')
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('leaf_index', 'integer', (c) => c.notNull())
    .addColumn('record_seq', 'integer', (c) => c.notNull().unique())
    .addPrimaryKeyConstraint('audit_log_leaf_key', ['account_id', 'leaf_index'])
    .execute()
  await db.schema
    .createTable('audit_log_tile')
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('level', 'integer', (c) => c.notNull())
    .addColumn('tile_index', 'integer', (c) => c.notNull())
    .addColumn('hashes', 'blob', (c) => c.notNull())
    .addPrimaryKeyConstraint('audit_log_tile_key', ['account_id', 'level', 'tile_index'])
    .execute()
}

// Keys in quarantine, who uses them, and accounts that ask for it before a deletion.

import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('kms_key').addColumn('quarantined_at', 'bigint').execute()
  await db.schema.alterTable('kms_key').addColumn('quarantined_by', 'text').execute()
  await db.schema
    .createTable('kms_quarantine_use')
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('count', 'integer', (c) => c.notNull())
    .addColumn('last_at', 'bigint')
    .addColumn('last_action', 'text')
    .addColumn('last_resource_crn', 'text')
    .addPrimaryKeyConstraint('kms_quarantine_use_key', ['key_id', 'account_id', 'user'])
    .execute()
  await db.schema
    .createTable('kms_key_safety')
    .addColumn('account_id', 'text', (c) => c.primaryKey())
    .addColumn('quarantine_hours', 'integer', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute()
}

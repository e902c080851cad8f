import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_wrapped_key')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('resource_crn', 'text', (c) => c.notNull())
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('key_version_id', 'text', (c) => c.notNull())
    .addColumn('sha256', 'blob')
    .addColumn('salt', 'blob', (c) => c.notNull())
    .addColumn('made_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('kms_wrapped_key_once', ['key_id', 'resource_crn', 'sha256'])
    .execute()
  await db.schema
    .createIndex('kms_wrapped_key_by_resource')
    .on('kms_wrapped_key')
    .columns(['account_id', 'resource_crn'])
    .execute()
  await db.schema
    .createTable('kms_destroyed_key')
    .addColumn('key_id', 'text', (c) => c.primaryKey())
    .addColumn('key_crn', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('purged_at', 'bigint', (c) => c.notNull())
    .addColumn('statement', 'text', (c) => c.notNull())
    .addColumn('persons', 'text', (c) => c.notNull())
    .addColumn('data_key_count', 'integer', (c) => c.notNull())
    .execute()
  await db.schema.alterTable('kms_key').addColumn('deletion_approved_by', 'text').execute()
  await db.schema
    .createTable('kms_revocation')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('cause', 'text', (c) => c.notNull())
    .addColumn('key_crn', 'text', (c) => c.notNull())
    .addColumn('committed_at', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('volume_count', 'integer')
    .addColumn('duration_ms', 'real')
    .addColumn('unacknowledged', 'text')
    .execute()
  await db.schema
    .createIndex('kms_revocation_by_time')
    .on('kms_revocation')
    .columns(['account_id', 'committed_at', 'id'])
    .execute()
  await db.schema
    .createIndex('kms_revocation_by_duration')
    .on('kms_revocation')
    .columns(['account_id', 'cause', 'duration_ms'])
    .execute()
  await db.schema
    .createIndex('kms_revocation_under_way')
    .on('kms_revocation')
    .column('committed_at')
    .where(sql.ref('state'), '=', sql.lit('under-way'))
    .execute()
}

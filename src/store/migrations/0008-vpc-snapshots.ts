import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createGroups(db)
  await createSnapshots(db)
  await createClones(db)
  await db.schema.alterTable('vpc_volume').addColumn('source_snapshot_id', 'text').execute()
  await db.schema.alterTable('vpc_volume').addColumn('source_snapshot', 'text').execute()
  await db.schema.createIndex('vpc_volume_source').on('vpc_volume').column('source_snapshot_id').execute()
}

async function createGroups(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('vpc_snapshot_group')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('crn', 'text', (c) => c.notNull().unique())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('delete_snapshots', 'integer', (c) => c.notNull())
    .addColumn('phase', 'text', (c) => c.notNull())
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('vpc_snapshot_group_name', ['account_id', 'region', 'name'])
    .execute()
  await db.schema
    .createIndex('vpc_snapshot_group_order')
    .on('vpc_snapshot_group')
    .columns(['account_id', 'region', 'created_at', 'id'])
    .execute()
}

async function createSnapshots(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('vpc_snapshot')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('crn', 'text', (c) => c.notNull().unique())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('source_volume_id', 'text', (c) => c.notNull())
    .addColumn('source_volume_crn', 'text', (c) => c.notNull())
    .addColumn('source_volume_name', 'text', (c) => c.notNull())
    .addColumn('storage_generation', 'integer', (c) => c.notNull())
    .addColumn('capacity_gb', 'integer', (c) => c.notNull())
    .addColumn('stored_bytes', 'bigint')
    .addColumn('user_tags', 'text', (c) => c.notNull())
    .addColumn('key_crn', 'text', (c) => c.notNull())
    .addColumn('provider_managed', 'integer', (c) => c.notNull())
    .addColumn('key_version_id', 'text')
    .addColumn('wrapped_data_key', 'blob')
    .addColumn('phase', 'text', (c) => c.notNull())
    .addColumn('key_standing', 'text', (c) => c.notNull())
    .addColumn('failure_code', 'text')
    .addColumn('failure_message', 'text')
    .addColumn('waiting_since', 'bigint', (c) => c.notNull())
    .addColumn('image_id', 'text')
    .addColumn('allowed_use', 'text')
    .addColumn('group_id', 'text', (c) => c.references('vpc_snapshot_group.id'))
    .addColumn('captured_at', 'bigint')
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('vpc_snapshot_name', ['account_id', 'region', 'name'])
    .execute()
  const index = (name: string) => db.schema.createIndex(`vpc_snapshot_${name}`).on('vpc_snapshot')
  await index('order').columns(['account_id', 'region', 'created_at', 'id']).execute()
  await index('phase').columns(['phase', 'id']).execute()
  await index('volume').columns(['source_volume_id', 'phase']).execute()
  await index('key').columns(['key_crn', 'account_id']).execute()
  await index('member').column('group_id').execute()
}

async function createClones(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('vpc_snapshot_clone')
    .addColumn('snapshot_id', 'text', (c) => c.notNull().references('vpc_snapshot.id'))
    .addColumn('zone', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('vpc_snapshot_clone_key', ['snapshot_id', 'zone'])
    .execute()
}

import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createVolumes(db)
  await createInstances(db)
  await createAttachments(db)
  await createRecords(db)
}

async function createVolumes(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('vpc_volume')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('zone', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('crn', 'text', (c) => c.notNull().unique())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('profile', 'text', (c) => c.notNull())
    .addColumn('capacity_gb', 'integer', (c) => c.notNull())
    .addColumn('iops', 'integer', (c) => c.notNull())
    .addColumn('bandwidth_mbps', 'integer', (c) => c.notNull())
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
    .addColumn('made_for', 'text')
    .addColumn('image_id', 'text')
    .addColumn('allowed_use', 'text')
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('vpc_volume_name', ['account_id', 'region', 'name'])
    .execute()
  await db.schema.createIndex('vpc_volume_phase').on('vpc_volume').columns(['phase', 'id']).execute()
  await db.schema.createIndex('vpc_volume_made_for').on('vpc_volume').column('made_for').execute()
  await db.schema.createIndex('vpc_volume_key').on('vpc_volume').columns(['key_crn', 'account_id']).execute()
}

async function createInstances(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('vpc_instance')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('zone', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('crn', 'text', (c) => c.notNull().unique())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('profile', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('vpc_id', 'text')
    .addColumn('image_id', 'text')
    .addColumn('settings', 'text', (c) => c.notNull())
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('vpc_instance_name', ['account_id', 'region', 'name'])
    .execute()
  await db.schema.createIndex('vpc_instance_status').on('vpc_instance').columns(['status', 'id']).execute()
}

async function createAttachments(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('vpc_attachment')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('instance_id', 'text', (c) => c.notNull().references('vpc_instance.id'))
    .addColumn('volume_id', 'text', (c) => c.notNull().unique().references('vpc_volume.id'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('delete_volume', 'integer', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('vpc_attachment_name', ['instance_id', 'name'])
    .execute()
}

async function createRecords(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('vpc_record')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('parent_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('name_scope', 'text', (c) => c.notNull())
    .addColumn('crn', 'text', (c) => c.notNull())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('vpc_record_name', ['kind', 'name_scope', 'name'])
    .execute()
  await db.schema.createIndex('vpc_record_parent').on('vpc_record').columns(['parent_id', 'kind']).execute()
  await db.schema.createIndex('vpc_record_account').on('vpc_record').columns(['account_id', 'region', 'kind']).execute()
}

import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_instance')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('policies', 'text', (c) => c.notNull())
    .execute()
  await createKeys(db)
  await createVersions(db)
  await createKeyNames(db)
  await createRegistrations(db)
  await createImportTokens(db)
  await createNotices(db)
}

async function createKeys(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_key')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('instance_id', 'text', (c) => c.notNull().references('kms_instance.id'))
    .addColumn('key_ring', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text')
    .addColumn('tags', 'text', (c) => c.notNull())
    .addColumn('extractable', 'integer', (c) => c.notNull())
    .addColumn('imported', 'integer', (c) => c.notNull())
    .addColumn('state', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'integer', (c) => c.notNull())
    .addColumn('rotated_at', 'integer')
    .addColumn('expires_at', 'integer')
    .addColumn('deleted_at', 'integer')
    .addColumn('deleted_by', 'text')
    .addColumn('state_changed_at', 'integer', (c) => c.notNull())
    .addColumn('synced_at', 'integer')
    .addColumn('policies', 'text', (c) => c.notNull())
    .addColumn('rotation_due_at', 'integer')
    .addColumn('deletion_set_by', 'text')
    .addColumn('deletion_set_until', 'integer')
    .execute()
  await db.schema.createIndex('kms_key_instance').on('kms_key').columns(['instance_id', 'id']).execute()
  // For the sweeps.
  await db.schema.createIndex('kms_key_expiry').on('kms_key').columns(['state', 'expires_at']).execute()
  await db.schema.createIndex('kms_key_rotation').on('kms_key').columns(['state', 'rotation_due_at']).execute()
  await db.schema.createIndex('kms_key_deleted').on('kms_key').columns(['state', 'deleted_at']).execute()
}

async function createVersions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_key_version')
    .addColumn('key_id', 'text', (c) => c.notNull().references('kms_key.id'))
    .addColumn('id', 'text', (c) => c.notNull())
    .addColumn('ordinal', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('sealed_material', 'blob', (c) => c.notNull())
    .addPrimaryKeyConstraint('kms_key_version_pk', ['key_id', 'id'])
    .addUniqueConstraint('kms_key_version_ordinal', ['key_id', 'ordinal'])
    .execute()
}

async function createKeyNames(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_key_ring')
    .addColumn('instance_id', 'text', (c) => c.notNull().references('kms_instance.id'))
    .addColumn('id', 'text', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('kms_key_ring_pk', ['instance_id', 'id'])
    .execute()
  await db.schema
    .createTable('kms_alias')
    .addColumn('instance_id', 'text', (c) => c.notNull().references('kms_instance.id'))
    .addColumn('alias', 'text', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull().references('kms_key.id'))
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('kms_alias_pk', ['instance_id', 'alias'])
    .execute()
  await db.schema.createIndex('kms_alias_key').on('kms_alias').columns(['key_id', 'created_at']).execute()
}

async function createImportTokens(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_import_token')
    .addColumn('instance_id', 'text', (c) => c.primaryKey().references('kms_instance.id'))
    .addColumn('id', 'text', (c) => c.notNull())
    .addColumn('public_key', 'text', (c) => c.notNull())
    .addColumn('sealed', 'blob', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('expires_at', 'integer', (c) => c.notNull())
    .addColumn('retrievals_max', 'integer', (c) => c.notNull())
    .addColumn('retrievals_left', 'integer', (c) => c.notNull())
    .execute()
}

async function createNotices(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_notice')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('key_id', 'text', (c) => c.notNull().references('kms_key.id'))
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('key_state', 'integer', (c) => c.notNull())
    .addColumn('old_version_id', 'text')
    .addColumn('new_version_id', 'text')
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('due_at', 'integer', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('kms_notice_key').on('kms_notice').columns(['key_id', 'created_at']).execute()
  await db.schema
    .createTable('kms_notice_service')
    .addColumn('notice_id', 'text', (c) => c.notNull().references('kms_notice.id'))
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('resources', 'text', (c) => c.notNull())
    .addColumn('resource_count', 'integer', (c) => c.notNull())
    .addColumn('acknowledged_at', 'integer')
    .addColumn('overdue_at', 'integer')
    .addPrimaryKeyConstraint('kms_notice_service_pk', ['notice_id', 'service_name', 'account_id'])
    .execute()
  await db.schema
    .createIndex('kms_notice_service_open')
    .on('kms_notice_service')
    .columns(['service_name', 'acknowledged_at', 'overdue_at'])
    .execute()
}

async function createRegistrations(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_registration')
    .addColumn('key_id', 'text', (c) => c.notNull().references('kms_key.id'))
    .addColumn('resource_crn', 'text', (c) => c.notNull())
    .addColumn('key_version_id', 'text', (c) => c.notNull())
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('updated_at', 'integer', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('prevent_key_deletion', 'integer', (c) => c.notNull())
    .addColumn('metadata', 'text')
    .addPrimaryKeyConstraint('kms_registration_pk', ['key_id', 'resource_crn'])
    .addForeignKeyConstraint('kms_registration_version', ['key_id', 'key_version_id'], 'kms_key_version', [
      'key_id',
      'id',
    ])
    .execute()
  await db.schema
    .createIndex('kms_registration_service')
    .on('kms_registration')
    .columns(['service_name', 'resource_crn'])
    .execute()
  // What still uses an old version, counted and found without reading the rest.
  await db.schema
    .createIndex('kms_registration_version')
    .on('kms_registration')
    .columns(['key_id', 'key_version_id', 'service_name'])
    .execute()
}

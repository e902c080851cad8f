import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_instance')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .execute()
  await createKeys(db)
  await createRegistrations(db)
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
    .execute()
  await db.schema.createIndex('kms_key_instance').on('kms_key').columns(['instance_id', 'id']).execute()
  await db.schema.createIndex('kms_key_expiry').on('kms_key').columns(['state', 'expires_at']).execute()
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
}

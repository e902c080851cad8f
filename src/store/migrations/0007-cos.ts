import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createBuckets(db)
  await createObjects(db)
  await createUploads(db)
  await createCredentials(db)
}

async function createBuckets(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cos_bucket')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('instance_id', 'text', (c) => c.notNull())
    .addColumn('location', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('cos_bucket_instance').on('cos_bucket').columns(['instance_id', 'name']).execute()
}

async function createObjects(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cos_object')
    .addColumn('bucket', 'text', (c) => c.notNull().references('cos_bucket.name'))
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('id', 'text', (c) => c.notNull().unique())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('etag', 'text', (c) => c.notNull())
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('modified_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('cos_object_pk', ['bucket', 'key'])
    .execute()
  await db.schema
    .createTable('cos_segment')
    .addColumn('object_id', 'text', (c) => c.notNull().references('cos_object.id'))
    .addColumn('ordinal', 'integer', (c) => c.notNull())
    .addColumn('file_id', 'text', (c) => c.notNull())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('cos_segment_pk', ['object_id', 'ordinal'])
    .execute()
  await db.schema.createIndex('cos_segment_file').on('cos_segment').column('file_id').execute()
}

async function createUploads(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cos_upload')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('bucket', 'text', (c) => c.notNull().references('cos_bucket.name'))
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('cos_upload_key').on('cos_upload').columns(['bucket', 'key', 'id']).execute()
  await db.schema
    .createTable('cos_part')
    .addColumn('upload_id', 'text', (c) => c.notNull().references('cos_upload.id'))
    .addColumn('number', 'integer', (c) => c.notNull())
    .addColumn('file_id', 'text', (c) => c.notNull().unique())
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('etag', 'text', (c) => c.notNull())
    .addColumn('checksum', 'text')
    .addColumn('modified_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('cos_part_pk', ['upload_id', 'number'])
    .execute()
}

async function createCredentials(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('cos_hmac_key')
    .addColumn('access_key_id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('instance_id', 'text', (c) => c.notNull())
    .addColumn('iam_id', 'text', (c) => c.notNull())
    .addColumn('sealed_secret', 'blob', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('resources_key')
    .addColumn('guid', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('instance_guid', 'text', (c) => c.notNull().references('resources_instance.guid'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('role_crn', 'text', (c) => c.notNull())
    .addColumn('iam_id', 'text', (c) => c.notNull())
    .addColumn('policy_id', 'text')
    .addColumn('access_key_id', 'text')
    .addColumn('sealed_credentials', 'blob', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_by', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('resources_key_account')
    .on('resources_key')
    .columns(['account_id', 'created_at', 'guid'])
    .execute()
  await db.schema.createIndex('resources_key_instance').on('resources_key').column('instance_guid').execute()
}

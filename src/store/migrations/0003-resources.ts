import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('resources_group')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('is_default', 'integer', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('resources_group_name', ['account_id', 'name'])
    .execute()
  await createInstances(db)
  await createReclamations(db)
  await createTags(db)
}

async function createInstances(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('resources_instance')
    .addColumn('guid', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('plan_id', 'text', (c) => c.notNull())
    .addColumn('region', 'text', (c) => c.notNull())
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('parameters', 'text', (c) => c.notNull())
    .addColumn('allow_cleanup', 'integer', (c) => c.notNull())
    .addColumn('locked', 'integer', (c) => c.notNull())
    .addColumn('plan_history', 'text', (c) => c.notNull())
    .addColumn('operation_type', 'text', (c) => c.notNull())
    .addColumn('operation_sub_type', 'text', (c) => c.notNull())
    .addColumn('operation_state', 'text', (c) => c.notNull())
    .addColumn('operation_description', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_by', 'text', (c) => c.notNull())
    .addColumn('deleted_at', 'bigint')
    .addColumn('deleted_by', 'text')
    .addColumn('scheduled_reclaim_at', 'bigint')
    .addColumn('scheduled_reclaim_by', 'text')
    .addColumn('restored_at', 'bigint')
    .addColumn('restored_by', 'text')
    .execute()
  await db.schema
    .createIndex('resources_instance_account')
    .on('resources_instance')
    .columns(['account_id', 'created_at', 'guid'])
    .execute()
  // The consumer asks for what is half done every time that it wakes.
  await db.schema.createIndex('resources_instance_state').on('resources_instance').columns(['state', 'guid']).execute()
}

async function createReclamations(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('resources_reclamation')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('instance_guid', 'text', (c) => c.notNull().unique().references('resources_instance.guid'))
    .addColumn('resource_group_id', 'text', (c) => c.notNull())
    .addColumn('target_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('resources_reclamation_account')
    .on('resources_reclamation')
    .columns(['account_id', 'created_at'])
    .execute()
  await db.schema.createIndex('resources_reclamation_due').on('resources_reclamation').column('target_at').execute()
}

async function createTags(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('resources_tag')
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('resources_tag_pk', ['account_id', 'type', 'name'])
    .execute()
  await db.schema
    .createTable('resources_tagging')
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('resource_crn', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('resources_tagging_pk', ['account_id', 'resource_crn', 'type', 'name'])
    .addForeignKeyConstraint('resources_tagging_tag', ['account_id', 'type', 'name'], 'resources_tag', [
      'account_id',
      'type',
      'name',
    ])
    .execute()
  await db.schema
    .createIndex('resources_tagging_tag_name')
    .on('resources_tagging')
    .columns(['account_id', 'type', 'name'])
    .execute()
}

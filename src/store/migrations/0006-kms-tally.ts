import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { isPostgres } from './engine.ts'

/** How many registrations name each version of a key, kept beside them: nobody counts a million rows to see progress. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('kms_registration_tally')
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('key_version_id', 'text', (c) => c.notNull())
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('registrations', 'integer', (c) => c.notNull())
    .addColumn('followed', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('kms_registration_tally_pk', ['key_id', 'key_version_id', 'service_name', 'account_id'])
    .addForeignKeyConstraint('kms_registration_tally_version', ['key_id', 'key_version_id'], 'kms_key_version', [
      'key_id',
      'id',
    ])
    .execute()
  await sql`
    insert into kms_registration_tally (key_id, key_version_id, service_name, account_id, registrations, followed)
    select r.key_id, r.key_version_id, r.service_name, r.account_id, count(*),
           sum(case when r.created_at < v.created_at then 1 else 0 end)
    from kms_registration r join kms_key_version v on v.key_id = r.key_id and v.id = r.key_version_id
    group by r.key_id, r.key_version_id, r.service_name, r.account_id`.execute(db)
  if (!isPostgres(db)) await clusterRegistrations(db)
  else await db.schema.dropIndex('kms_registration_version').execute()
  // With the account and the resource in it, the first resources of one registrant are found without reading the others'.
  await db.schema
    .createIndex('kms_registration_lagging')
    .on('kms_registration')
    .columns(['key_id', 'key_version_id', 'service_name', 'account_id', 'resource_crn'])
    .execute()
}

/**
 * The registrations of a key lie side by side, in the order of their resources, in which services work through them: a
 * hundred of them are a few pages, where rows in the order of their making are a hundred. SQLite alone has such tables.
 */
async function clusterRegistrations(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('kms_registration').renameTo('kms_registration_before').execute()
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
    .modifyEnd(sql`without rowid`)
    .execute()
  await sql`insert into kms_registration select * from kms_registration_before`.execute(db)
  await db.schema.dropTable('kms_registration_before').execute()
  await db.schema
    .createIndex('kms_registration_service')
    .on('kms_registration')
    .columns(['service_name', 'resource_crn'])
    .execute()
}

// What bounds of authorizations need: when one ends, what passed them, and how much lies under a key.

import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('iam_policy')
    .addColumn('bounded', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('iam_policy').addColumn('ends_at', 'bigint').execute()
  await db.schema
    .alterTable('iam_policy')
    .addColumn('end_noted', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await db.schema.createIndex('iam_policy_end').on('iam_policy').columns(['end_noted', 'ends_at']).execute()
  await db.schema
    .createTable('iam_bound_passed')
    .addColumn('policy_id', 'text', (c) => c.notNull())
    .addColumn('enforced', 'integer', (c) => c.notNull())
    .addColumn('count', 'integer', (c) => c.notNull())
    .addColumn('last_at', 'bigint', (c) => c.notNull())
    .addColumn('last_bound', 'text', (c) => c.notNull())
    .addColumn('last_action', 'text', (c) => c.notNull())
    .addColumn('last_account_id', 'text', (c) => c.notNull())
    .addColumn('last_service', 'text', (c) => c.notNull())
    .addColumn('last_resource', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('iam_bound_passed_key', ['policy_id', 'enforced'])
    .execute()
  await db.schema.alterTable('kms_registration').addColumn('capacity_gb', 'integer').execute()
  await sql`update kms_registration set capacity_gb =
    (select v.capacity_gb from vpc_volume as v where v.crn = kms_registration.resource_crn)`.execute(db)
  await db.schema
    .createIndex('kms_registration_account')
    .on('kms_registration')
    .columns(['account_id', 'key_id'])
    .execute()
}

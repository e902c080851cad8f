// The part of 0002-iam that holds what account holders have granted.

import type { Kysely } from 'kysely'
import { sql } from 'kysely'

export async function createPolicyTables(db: Kysely<unknown>): Promise<void> {
  await createPolicyTable(db)
  await db.schema
    .createTable('iam_policy_permit')
    .addColumn('policy_id', 'text', (c) => c.primaryKey())
    .addColumn('last_permit_at', 'integer', (c) => c.notNull())
    .addColumn('permit_count', 'integer', (c) => c.notNull())
    .execute()
  await createRoleTable(db)
  await createGroupTables(db)
  await db.schema
    .createTable('iam_access_settings')
    .addColumn('account_id', 'text', (c) => c.primaryKey())
    .addColumn('document', 'text', (c) => c.notNull())
    .addColumn('revision', 'text', (c) => c.notNull())
    .addColumn('last_modified_at', 'integer', (c) => c.notNull())
    .addColumn('last_modified_by_id', 'text', (c) => c.notNull())
    .execute()
}

async function createPolicyTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('iam_policy')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('subject_key', 'text', (c) => c.notNull())
    .addColumn('resource_key', 'text', (c) => c.notNull())
    .addColumn('service_type', 'text')
    .addColumn('service_name', 'text')
    .addColumn('service_group_id', 'text')
    .addColumn('document', 'text', (c) => c.notNull())
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('facts_before', 'text')
    .addColumn('fingerprint', 'text', (c) => c.notNull())
    .addColumn('delegates', 'integer', (c) => c.notNull())
    .addColumn('parent_id', 'text')
    .addColumn('delegated_by', 'text')
    .addColumn('revision', 'text', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('created_by_id', 'text', (c) => c.notNull())
    .addColumn('last_modified_at', 'integer', (c) => c.notNull())
    .addColumn('last_modified_by_id', 'text', (c) => c.notNull())
    .execute()
  // Decisions look here: what they cost depends on the policies that this subject has on this resource, and on no others.
  await db.schema
    .createIndex('iam_policy_decision')
    .on('iam_policy')
    .columns(['account_id', 'subject_key', 'resource_key', 'state'])
    .execute()
  await db.schema
    .createIndex('iam_policy_twin')
    .unique()
    .on('iam_policy')
    .columns(['account_id', 'fingerprint'])
    .where(sql.ref('state'), '=', sql.lit('active'))
    .execute()
  await db.schema.createIndex('iam_policy_parent').on('iam_policy').columns(['parent_id']).execute()
  await db.schema
    .createIndex('iam_policy_state')
    .on('iam_policy')
    .columns(['account_id', 'state', 'last_modified_at'])
    .execute()
}

async function createRoleTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('iam_custom_role')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('crn', 'text', (c) => c.notNull().unique())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('display_name', 'text', (c) => c.notNull())
    .addColumn('description', 'text')
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('actions', 'text', (c) => c.notNull())
    .addColumn('fingerprint', 'text', (c) => c.notNull())
    .addColumn('revision', 'text', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('created_by_id', 'text', (c) => c.notNull())
    .addColumn('last_modified_at', 'integer', (c) => c.notNull())
    .addColumn('last_modified_by_id', 'text', (c) => c.notNull())
    .addUniqueConstraint('iam_custom_role_twin', ['account_id', 'service_name', 'fingerprint'])
    .execute()
}

async function createGroupTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('iam_access_group')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('revision', 'text', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('created_by_id', 'text', (c) => c.notNull())
    .addColumn('last_modified_at', 'integer', (c) => c.notNull())
    .addColumn('last_modified_by_id', 'text', (c) => c.notNull())
    .addUniqueConstraint('iam_access_group_name', ['account_id', 'name'])
    .execute()
  await db.schema
    .createTable('iam_access_group_member')
    .addColumn('group_id', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('iam_id', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('created_by_id', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('iam_access_group_member_key', ['group_id', 'iam_id'])
    .execute()
  await db.schema
    .createIndex('iam_access_group_member_of')
    .on('iam_access_group_member')
    .columns(['iam_id', 'account_id', 'group_id'])
    .execute()
}

// What makes the use of keys visible across accounts: how it was at any time, what proofs found, what accounts were told.

import { sql } from 'kysely'
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createHistories(db)
  await createProofs(db)
  await createNotices(db)
  await beginFeed(db)
  await createWebhooks(db)
  await createPlans(db)
}

async function createHistories(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('kms_registration').addColumn('last_unwrapped_at', 'bigint').execute()
  await db.schema
    .createTable('kms_use_history')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('resource_crn', 'text', (c) => c.notNull())
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('key_version_id', 'text', (c) => c.notNull())
    .addColumn('registered_at', 'bigint', (c) => c.notNull())
    .addColumn('from_at', 'bigint', (c) => c.notNull())
    .addColumn('until_at', 'bigint')
    .execute()
  await db.schema
    .createIndex('kms_use_history_key')
    .on('kms_use_history')
    .columns(['key_id', 'resource_crn', 'until_at'])
    .execute()
  // What was registered before there was a history is known from its registration on.
  await sql`insert into kms_use_history
    (key_id, resource_crn, service_name, account_id, key_version_id, registered_at, from_at, until_at)
    select key_id, resource_crn, service_name, account_id, key_version_id, created_at, updated_at, null
    from kms_registration`.execute(db)
  await db.schema
    .createTable('vpc_volume_history')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('volume_crn', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('capacity_gb', 'integer', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('attached', 'integer', (c) => c.notNull())
    .addColumn('from_at', 'bigint', (c) => c.notNull())
    .addColumn('until_at', 'bigint')
    .execute()
  await db.schema
    .createIndex('vpc_volume_history_volume')
    .on('vpc_volume_history')
    .columns(['volume_crn', 'until_at'])
    .execute()
}

async function createProofs(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('ledger_proof')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('started_at', 'bigint', (c) => c.notNull())
    .addColumn('finished_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('ledger_proof_account')
    .addColumn('proof_id', 'integer', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('counts', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('ledger_proof_account_key', ['proof_id', 'account_id'])
    .execute()
  await db.schema
    .createTable('ledger_difference')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('what', 'text', (c) => c.notNull())
    .addColumn('resource_crn', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('key_crn', 'text', (c) => c.notNull())
    .addColumn('owner_account_id', 'text', (c) => c.notNull())
    .addColumn('found_at', 'bigint', (c) => c.notNull())
    .addColumn('resolved_at', 'bigint')
    .execute()
}

async function createNotices(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('ledger_notice')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('id', 'text', (c) => c.notNull().unique())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('cause', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('key_crn', 'text', (c) => c.notNull())
    .addColumn('owner_account_id', 'text', (c) => c.notNull())
    .addColumn('plan_id', 'text')
    .addColumn('occurred_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('read_at', 'bigint')
    .addColumn('acknowledged_at', 'bigint')
    .addColumn('acknowledged_by', 'text')
    .addUniqueConstraint('ledger_notice_cause', ['account_id', 'cause'])
    .execute()
  await db.schema.createIndex('ledger_notice_account').on('ledger_notice').columns(['account_id', 'seq']).execute()
  await db.schema
    .createTable('ledger_standing')
    .addColumn('key_crn', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('service_name', 'text', (c) => c.notNull())
    .addColumn('owner_account_id', 'text', (c) => c.notNull())
    .addColumn('policy_id', 'text')
    .addColumn('since', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('ledger_standing_key', ['key_crn', 'account_id', 'service_name'])
    .execute()
}

/** What happened before somebody could be told of it is nobody's news. */
async function beginFeed(db: Kysely<unknown>): Promise<void> {
  await sql`insert into event_cursor (consumer, seq)
    select 'ledger.feed', coalesce(max(seq), 0) from event_outbox`.execute(db)
}

async function createWebhooks(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('ledger_webhook')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('types', 'text')
    .addColumn('enabled', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('ledger_webhook_account').on('ledger_webhook').column('account_id').execute()
  await db.schema
    .createTable('ledger_webhook_secret')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('webhook_id', 'text', (c) => c.notNull())
    .addColumn('sealed', 'blob', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('retires_at', 'bigint')
    .execute()
  await db.schema.createIndex('ledger_webhook_secret_of').on('ledger_webhook_secret').column('webhook_id').execute()
  await db.schema
    .createTable('ledger_delivery')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('webhook_id', 'text', (c) => c.notNull())
    .addColumn('notice_id', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('next_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('last_at', 'bigint')
    .addColumn('last_status', 'integer')
    .addColumn('last_problem', 'text')
    .addUniqueConstraint('ledger_delivery_once', ['webhook_id', 'notice_id'])
    .execute()
  await db.schema.createIndex('ledger_delivery_due').on('ledger_delivery').columns(['state', 'next_at']).execute()
}

async function createPlans(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('ledger_plan')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('owner_account_id', 'text', (c) => c.notNull())
    .addColumn('key_crn', 'text', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('planned_at', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', 'text', (c) => c.notNull())
    .addColumn('ended_at', 'bigint')
    .execute()
  await db.schema.createIndex('ledger_plan_owner').on('ledger_plan').columns(['owner_account_id', 'state']).execute()
  await db.schema.createIndex('ledger_plan_key').on('ledger_plan').columns(['key_crn', 'state']).execute()
  await db.schema
    .createTable('ledger_plan_answer')
    .addColumn('plan_id', 'text', (c) => c.notNull())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('answer', 'text', (c) => c.notNull())
    .addColumn('reason', 'text')
    .addColumn('answered_at', 'bigint', (c) => c.notNull())
    .addColumn('answered_by', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('ledger_plan_answer_key', ['plan_id', 'account_id'])
    .execute()
}

import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('vpc_instance').addColumn('status_code', 'text').execute()
  await db.schema.alterTable('vpc_instance').addColumn('status_message', 'text').execute()
}

// SQL of reclamations: deleted instances that may still be restored.

import type { Selectable } from 'kysely'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { ResourceTables } from '#store/schema/resources.ts'

export type ReclamationRow = Selectable<ResourceTables['resources_reclamation']>

export async function insertReclamation(tx: Tx, _grant: Grant, row: ReclamationRow): Promise<void> {
  await tx.insertInto('resources_reclamation').values(row).execute()
}

/** With its instance, in the transaction that says what became of it. */
export async function deleteReclamation(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('resources_reclamation').where('id', '=', id).execute()
}

export async function selectReclamation(reads: Reads, accountId: string, id: string): Promise<ReclamationRow | null> {
  const row = await reads
    .selectFrom('resources_reclamation')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row ?? null
}

export async function selectReclamations(
  reads: Reads,
  accountId: string,
  filter: { readonly instanceGuid: string | undefined; readonly resourceGroupId: string | undefined },
): Promise<readonly ReclamationRow[]> {
  let query = reads.selectFrom('resources_reclamation').selectAll().where('account_id', '=', accountId)
  if (filter.instanceGuid !== undefined) query = query.where('instance_guid', '=', filter.instanceGuid)
  if (filter.resourceGroupId !== undefined) query = query.where('resource_group_id', '=', filter.resourceGroupId)
  return await query.orderBy('created_at').orderBy('id').execute()
}

/** Of all accounts, for the consumer: those whose time is over. */
export async function selectDueReclamations(reads: Reads, now: number): Promise<readonly ReclamationRow[]> {
  return await reads
    .selectFrom('resources_reclamation')
    .selectAll()
    .where('target_at', '<=', now)
    .orderBy('target_at')
    .orderBy('id')
    .execute()
}

// All SQL of the account layer, one query per function, scoped by account.

import type { Selectable } from 'kysely'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { ResourceTables } from '#store/schema/resources.ts'

export type GroupRow = Selectable<ResourceTables['resources_group']>
export type InstanceRow = Selectable<ResourceTables['resources_instance']>

/** For accounts being born: nobody exists yet who could be granted it. */
export async function insertDefaultGroup(tx: Tx, row: GroupRow): Promise<boolean> {
  const result = await tx
    .insertInto('resources_group')
    .values(row)
    .onConflict((c) => c.doNothing())
    .executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function selectGroups(reads: Reads, accountId: string): Promise<readonly GroupRow[]> {
  return await reads
    .selectFrom('resources_group')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('id')
    .execute()
}

export async function insertInstance(tx: Tx, _grant: Grant, row: InstanceRow): Promise<void> {
  await tx.insertInto('resources_instance').values(row).execute()
}

/** Provisioning in the first run, where there is nobody yet who could be granted it. True when it was not there. */
export async function insertFirstInstance(tx: Tx, row: InstanceRow): Promise<boolean> {
  const insert = tx
    .insertInto('resources_instance')
    .values(row)
    .onConflict((c) => c.column('guid').doNothing())
  const result = await insert.executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** True when the instance was in `from`: the one who moves it is the one who tells of it. */
export async function moveInstance(
  tx: Tx,
  change: {
    readonly guid: string
    readonly from: string
    readonly to: string
    readonly at: number
    readonly by?: string
  },
): Promise<boolean> {
  const gone = change.to === 'removed' ? { deleted_at: change.at, deleted_by: change.by ?? '' } : {}
  const result = await tx
    .updateTable('resources_instance')
    .set({ state: change.to, updated_at: change.at, ...gone })
    .where('guid', '=', change.guid)
    .where('state', '=', change.from)
    .executeTakeFirst()
  return result.numUpdatedRows > 0n
}

export async function selectInstance(reads: Reads, accountId: string, guid: string): Promise<InstanceRow | null> {
  const row = await reads
    .selectFrom('resources_instance')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('guid', '=', guid)
    .executeTakeFirst()
  return row ?? null
}

export async function selectInstancesInState(reads: Reads, state: string): Promise<readonly InstanceRow[]> {
  return await reads.selectFrom('resources_instance').selectAll().where('state', '=', state).orderBy('guid').execute()
}

export interface InstanceFilter {
  readonly guid?: string
  readonly name?: string
  readonly resourceGroupId?: string
  readonly planId?: string
  readonly serviceName?: string
  readonly state?: string
}

/** Ordered by GUID. `after` is the last one of the page before. Removed instances appear only where their state is asked for. */
export async function selectInstances(
  reads: Reads,
  accountId: string,
  filter: InstanceFilter,
  after: string | null,
  limit: number,
): Promise<readonly InstanceRow[]> {
  let query = reads.selectFrom('resources_instance').selectAll().where('account_id', '=', accountId)
  if (filter.guid !== undefined) query = query.where('guid', '=', filter.guid)
  if (filter.name !== undefined) query = query.where('name', '=', filter.name)
  if (filter.resourceGroupId !== undefined) query = query.where('resource_group_id', '=', filter.resourceGroupId)
  if (filter.planId !== undefined) query = query.where('plan_id', '=', filter.planId)
  if (filter.serviceName !== undefined) query = query.where('service_name', '=', filter.serviceName)
  query = filter.state === undefined ? query.where('state', '!=', 'removed') : query.where('state', '=', filter.state)
  if (after !== null) query = query.where('guid', '>', after)
  return await query.orderBy('guid').limit(limit).execute()
}

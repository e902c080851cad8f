// SQL of resource groups and service instances, one query per function, scoped by account. Reclamations and tags have
// their own files.

import type { Selectable } from 'kysely'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { ResourceTables } from '#store/schema/resources.ts'
import type { InstanceState } from './instance-state.ts'

export type GroupRow = Selectable<ResourceTables['resources_group']>
export type InstanceRow = Selectable<ResourceTables['resources_instance']>

// Groups --------------------------------------------------------------------------------------------------------------

/** For accounts being born: nobody exists yet who could be granted it. */
export async function insertDefaultGroup(tx: Tx, row: GroupRow): Promise<boolean> {
  const result = await tx
    .insertInto('resources_group')
    .values(row)
    .onConflict((c) => c.doNothing())
    .executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** False when the account has a group of that name. */
export async function insertGroup(tx: Tx, _grant: Grant, row: GroupRow): Promise<boolean> {
  const result = await tx
    .insertInto('resources_group')
    .values(row)
    .onConflict((c) => c.columns(['account_id', 'name']).doNothing())
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

export async function selectGroup(reads: Reads, accountId: string, id: string): Promise<GroupRow | null> {
  const row = await reads
    .selectFrom('resources_group')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row ?? null
}

export async function updateGroup(
  tx: Tx,
  _grant: Grant,
  id: string,
  set: Pick<GroupRow, 'name' | 'state' | 'updated_at'>,
): Promise<void> {
  await tx.updateTable('resources_group').set(set).where('id', '=', id).execute()
}

export async function deleteGroup(tx: Tx, _grant: Grant, id: string): Promise<void> {
  await tx.deleteFrom('resources_group').where('id', '=', id).execute()
}

/** How many instances lie in the group that are not removed for good. */
export async function countInstancesOfGroup(reads: Reads, groupId: string): Promise<number> {
  const row = await reads
    .selectFrom('resources_instance')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('resource_group_id', '=', groupId)
    .where('state', '!=', 'removed')
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

// Instances -----------------------------------------------------------------------------------------------------------

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

type InstanceChange = Partial<Omit<InstanceRow, 'guid' | 'account_id'>>

/** What a caller asks for. True when the instance was in `from` and, if that matters, not locked. */
export const changeInstance = (
  tx: Tx,
  _grant: Grant,
  which: { readonly guid: string; readonly from: InstanceState; readonly ifUnlocked: boolean },
  set: InstanceChange,
): Promise<boolean> => update(tx, which, set)

/** The second half of a change that was asked for and granted. True for the one who made it. */
export const finishInstance = (
  tx: Tx,
  which: { readonly guid: string; readonly from: InstanceState },
  set: InstanceChange,
): Promise<boolean> => update(tx, { ...which, ifUnlocked: false }, set)

async function update(
  tx: Tx,
  { guid, from, ifUnlocked }: { guid: string; from: InstanceState; ifUnlocked: boolean },
  set: InstanceChange,
): Promise<boolean> {
  let query = tx.updateTable('resources_instance').set(set).where('guid', '=', guid).where('state', '=', from)
  if (ifUnlocked) query = query.where('locked', '=', 0)
  return (await query.executeTakeFirst()).numUpdatedRows > 0n
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

/** For the service that it is an instance of, which has been told no account. */
export async function selectInstanceOfService(
  reads: Reads,
  serviceName: string,
  guid: string,
): Promise<InstanceRow | null> {
  const row = reads
    .selectFrom('resources_instance')
    .selectAll()
    .where('guid', '=', guid)
    .where('service_name', '=', serviceName)
  return (await row.executeTakeFirst()) ?? null
}

/** Of all accounts, for the consumer that finishes what is half done. */
export async function selectInstancesInState(reads: Reads, state: InstanceState): Promise<readonly InstanceRow[]> {
  return await reads.selectFrom('resources_instance').selectAll().where('state', '=', state).orderBy('guid').execute()
}

/** Those that search shows: all that are not removed for good. */
export async function selectLivingInstances(reads: Reads, accountId: string): Promise<readonly InstanceRow[]> {
  return await reads
    .selectFrom('resources_instance')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('state', '!=', 'removed')
    .orderBy('guid')
    .execute()
}

export interface InstanceFilter {
  readonly guid?: string
  readonly name?: string
  readonly resourceGroupId?: string
  readonly planId?: string
  readonly serviceName?: string
  readonly states: readonly string[]
  readonly updatedFrom?: number
  readonly updatedTo?: number
}

/** In order of creation; GUIDs settle the order of what was made in the same millisecond. */
export interface InstancePlace {
  readonly createdAt: number
  readonly guid: string
}

export async function selectInstances(
  reads: Reads,
  accountId: string,
  page: {
    readonly filter: InstanceFilter
    readonly direction: 'asc' | 'desc'
    readonly after: InstancePlace | null
    readonly limit: number
  },
): Promise<readonly InstanceRow[]> {
  const { filter, direction, after } = page
  let query = reads.selectFrom('resources_instance').selectAll().where('account_id', '=', accountId)
  if (filter.guid !== undefined) query = query.where('guid', '=', filter.guid)
  if (filter.name !== undefined) query = query.where('name', '=', filter.name)
  if (filter.resourceGroupId !== undefined) query = query.where('resource_group_id', '=', filter.resourceGroupId)
  if (filter.planId !== undefined) query = query.where('plan_id', '=', filter.planId)
  if (filter.serviceName !== undefined) query = query.where('service_name', '=', filter.serviceName)
  if (filter.updatedFrom !== undefined) query = query.where('updated_at', '>=', filter.updatedFrom)
  if (filter.updatedTo !== undefined) query = query.where('updated_at', '<=', filter.updatedTo)
  if (after !== null) {
    const beyond = direction === 'asc' ? '>' : '<'
    query = query.where((e) =>
      e.or([
        e('created_at', beyond, after.createdAt),
        e.and([e('created_at', '=', after.createdAt), e('guid', beyond, after.guid)]),
      ]),
    )
  }
  return await query
    .where('state', 'in', filter.states)
    .orderBy('created_at', direction)
    .orderBy('guid', direction)
    .limit(page.limit)
    .execute()
}

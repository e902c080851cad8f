// SQL of instances, for requests and for the end of what they began.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { InstanceId } from '#base/id.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcTables } from '#store/schema/vpc.ts'
import { instanceIdText } from './ids.ts'
import type { Instance } from './instance.ts'
import type { Place } from './targets.ts'

type InstanceRow = Selectable<VpcTables['vpc_instance']>

export type CreateInstance = Grant<'is.instance.instance.create'>
export type ReadInstance = Grant<'is.instance.instance.read' | 'is.instance.instance.list'>
export type UpdateInstance = Grant<'is.instance.instance.update'>
export type DeleteInstance = Grant<'is.instance.instance.delete'>

const toInstance = (row: InstanceRow): Instance => ({
  id: row.id,
  accountId: row.account_id,
  region: row.region,
  zone: row.zone,
  name: row.name,
  crn: row.crn,
  resourceGroupId: row.resource_group_id,
  profile: row.profile,
  status: row.status,
  createdAt: row.created_at,
})

/** Where an instance lies and what listings filter by. */
export interface LocatedInstance extends Place {
  readonly id: InstanceId
  readonly createdAt: number
  readonly name: string
}

const located = (reads: Reads, accountId: string, region: string) =>
  reads
    .selectFrom('vpc_instance')
    .select(['id', 'account_id as accountId', 'region', 'resource_group_id as resourceGroupId'])
    .select(['created_at as createdAt', 'name'])
    .where('account_id', '=', accountId)
    .where('region', '=', region)

export const locateInstances = (reads: Reads, accountId: string, region: string): Promise<LocatedInstance[]> =>
  located(reads, accountId, region).execute()

export async function locateInstance(
  reads: Reads,
  place: { readonly accountId: string; readonly region: string; readonly id: string },
): Promise<LocatedInstance | null> {
  const query = located(reads, place.accountId, place.region).where('id', '=', instanceIdText(place.id))
  return (await query.executeTakeFirst()) ?? null
}

function target(grant: Grant): { readonly accountId: string; readonly id: InstanceId } {
  assert(grant.target.resource !== undefined, 'a grant on an instance names it')
  assert(grant.target.resourceType === 'instance', 'a grant on an instance is about an instance')
  return { accountId: grant.target.accountId, id: instanceIdText(grant.target.resource) }
}

export async function readInstance(
  reads: Reads,
  grant: ReadInstance | UpdateInstance | DeleteInstance,
): Promise<Instance | null> {
  const { accountId, id } = target(grant)
  const query = reads.selectFrom('vpc_instance').selectAll().where('id', '=', id).where('account_id', '=', accountId)
  const row = await query.executeTakeFirst()
  return row ? toInstance(row) : null
}

/** Those of the granted instances that are still there, in the grants' order. All grants are of one account. */
export async function readInstances(reads: Reads, grants: readonly ReadInstance[]): Promise<Instance[]> {
  const targets = grants.map(target)
  const accountId = targets[0]?.accountId
  if (accountId === undefined) return []
  assert(
    targets.every((one) => one.accountId === accountId),
    'instances are read for one account at a time',
  )
  const ids = targets.map((one) => one.id)
  const rows = await reads
    .selectFrom('vpc_instance')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('id', 'in', ids)
    .execute()
  const found = new Map(rows.map((row) => [row.id, toInstance(row)]))
  return ids.flatMap((id) => found.get(id) ?? [])
}

export async function countInstances(tx: Tx, grant: CreateInstance, region: string): Promise<number> {
  const row = await tx
    .selectFrom('vpc_instance')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('account_id', '=', grant.target.accountId)
    .where('region', '=', region)
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** False when the name is taken. */
export async function insertInstance(tx: Tx, grant: CreateInstance, instance: Instance): Promise<boolean> {
  assert(instance.accountId === grant.target.accountId, 'an instance is made in the account of its grant')
  const result = await tx
    .insertInto('vpc_instance')
    .values({
      id: instance.id,
      account_id: instance.accountId,
      region: instance.region,
      zone: instance.zone,
      name: instance.name,
      crn: instance.crn,
      resource_group_id: instance.resourceGroupId,
      profile: instance.profile,
      status: instance.status,
      created_at: instance.createdAt,
    })
    .onConflict((c) => c.columns(['account_id', 'region', 'name']).doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

/** The instance if volumes may be attached to it at this moment; inside the transaction that attaches. */
export async function readRunningInstance(tx: Tx, grant: UpdateInstance): Promise<Instance | null> {
  const instance = await readInstance(tx, grant)
  return instance?.status === 'running' ? instance : null
}

/** Null when its deletion was asked for before. */
export async function requestInstanceDeletion(tx: Tx, grant: DeleteInstance): Promise<Instance | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_instance')
    .set({ status: 'deleting' })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('status', '=', 'running')
    .returningAll()
    .executeTakeFirst()
  return row ? toInstance(row) : null
}

// For background work: what a granted request began is finished, in every account.

export async function instancesToDelete(reads: Reads, region: string): Promise<Instance[]> {
  const rows = await reads
    .selectFrom('vpc_instance')
    .selectAll()
    .where('status', '=', 'deleting')
    .where('region', '=', region)
    .execute()
  return rows.map(toInstance)
}

export async function isInstanceEnding(tx: Tx, id: InstanceId): Promise<boolean> {
  const row = await tx.selectFrom('vpc_instance').select('status').where('id', '=', id).executeTakeFirst()
  return row?.status === 'deleting'
}

/** False while attachments remain, or when it has gone. */
export async function removeInstance(tx: Tx, id: InstanceId): Promise<boolean> {
  const result = await tx
    .deleteFrom('vpc_instance')
    .where('id', '=', id)
    .where('status', '=', 'deleting')
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('vpc_attachment').select('id').where('instance_id', '=', id))),
    )
    .executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

// SQL of instances, for requests and for the end of what they began.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { InstanceId } from '#base/id.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcTables } from '#store/schema/vpc.ts'
import { instanceIdText } from './ids.ts'
import type { Instance, InstanceSettings } from './instance.ts'
import { instanceAllowedIn, isServed, transitionStatuses } from './instance-state.ts'
import type { InstanceAction } from './instance-state.ts'
import type { Position } from './page.ts'
import { countIn, grantedOne, isNameTakenIn, readGranted } from './tables-granted.ts'
import type { Leave } from './tables-granted.ts'
import { countRows, inOrder, never, placeColumns } from './tables-pages.ts'
import type { At, Selection, Within } from './tables-pages.ts'
import type { Place } from './targets.ts'
import type { StatusReason } from './volume-state.ts'

type InstanceRow = Selectable<VpcTables['vpc_instance']>

export type CreateInstance = Grant<'is.instance.instance.create'>
export type ReadInstance = Grant<
  'is.instance.instance.read' | 'is.instance.instance.list' | 'is.instance.instance.operate'
>
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
  vpcId: row.vpc_id,
  imageId: row.image_id,
  // Written below: the shape is known.
  settings: JSON.parse(row.settings) as InstanceSettings,
  statusReason:
    row.status_code === null || row.status_message === null
      ? null
      : { code: row.status_code, message: row.status_message },
  revision: row.revision,
  createdAt: row.created_at,
})

export interface LocatedInstance extends Place, Position {
  readonly id: InstanceId
}

/** An instance that is being made is nobody's to see: its volumes may yet turn out to have no key. */
const hiddenStatus = 'assembling' as const

const listed = (reads: Reads, { accountId, region }: At) =>
  reads
    .selectFrom('vpc_instance')
    .where('status', '!=', hiddenStatus)
    .where('account_id', '=', accountId)
    .where('region', '=', region)

/** What lists are asked for. */
export interface InstanceFilter {
  readonly name?: string | undefined
  readonly resourceGroupId?: string | undefined
  readonly vpcIds?: readonly string[] | undefined
  readonly hasNone?: boolean | undefined
}

function filtered(query: ReturnType<typeof listed>, filter: InstanceFilter): ReturnType<typeof listed> {
  const { name, resourceGroupId, vpcIds, hasNone } = filter
  return query
    .$if(name !== undefined, (q) => q.where('name', '=', name ?? ''))
    .$if(resourceGroupId !== undefined, (q) => q.where('resource_group_id', '=', resourceGroupId ?? ''))
    .$if(vpcIds !== undefined, (q) => q.where('vpc_id', 'in', vpcIds ?? []))
    .$if(hasNone === true, (q) => q.where(never))
}

export const pageOfInstances = (
  reads: Reads,
  at: At,
  filter: InstanceFilter,
  selection: Selection,
): Promise<LocatedInstance[]> =>
  inOrder(filtered(listed(reads, at), filter), selection)
    .select(placeColumns)
    .execute()

export const countListedInstances = (reads: Reads, at: At, filter: InstanceFilter, within: Within): Promise<number> =>
  within === null && Object.values(filter).every((value) => value === undefined)
    ? countIn(reads, 'vpc_instance', at, 'listed')
    : countRows(filtered(listed(reads, at), filter), within)

export async function locateInstance(
  reads: Reads,
  place: At & { readonly id: string },
): Promise<LocatedInstance | null> {
  const query = listed(reads, place).where('id', '=', instanceIdText(place.id))
  return (await query.select(placeColumns).executeTakeFirst()) ?? null
}

function target(grant: Grant): { readonly accountId: string; readonly id: InstanceId } {
  const { accountId, id } = grantedOne(grant, 'instance')
  return { accountId, id: instanceIdText(id) }
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

/** Those of the granted instances that are still there, in the order of the leave. */
export const readInstances = (reads: Reads, leave: Leave<ReadInstance['action']>): Promise<Instance[]> =>
  readGranted(leave, 'instance', async (accountId, ids) => {
    const rows = await reads
      .selectFrom('vpc_instance')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', 'in', ids.map(instanceIdText))
      .execute()
    return rows.map(toInstance)
  })

export const countInstances = (tx: Tx, grant: CreateInstance, region: string): Promise<number> =>
  countIn(tx, 'vpc_instance', { accountId: grant.target.accountId, region }, 'all')

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
      vpc_id: instance.vpcId,
      image_id: instance.imageId,
      settings: JSON.stringify(instance.settings),
      status_code: null,
      status_message: null,
      revision: instance.revision,
      created_at: instance.createdAt,
    })
    .onConflict((c) => c.columns(['account_id', 'region', 'name']).doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

/** Its volumes are all in place, so readers see it. Null when it was given up meanwhile. */
export async function completeInstance(
  tx: Tx,
  grant: CreateInstance,
  id: InstanceId,
  status: 'starting' | 'running',
): Promise<Instance | null> {
  const row = await tx
    .updateTable('vpc_instance')
    .set({ status })
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .where('status', '=', hiddenStatus)
    .returningAll()
    .executeTakeFirst()
  return row ? toInstance(row) : null
}

export interface InstancePatch {
  readonly name?: string
  readonly profile?: string
  readonly settings?: InstanceSettings
}

/** Null when the instance has another revision by now. */
export async function updateInstance(
  tx: Tx,
  grant: UpdateInstance,
  revision: number,
  patch: InstancePatch,
): Promise<Instance | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_instance')
    .set({
      revision: revision + 1,
      ...(patch.name !== undefined && { name: patch.name }),
      ...(patch.profile !== undefined && { profile: patch.profile }),
      ...(patch.settings && { settings: JSON.stringify(patch.settings) }),
    })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('revision', '=', revision)
    .where('status', 'not in', [hiddenStatus, 'deleting'])
    .returningAll()
    .executeTakeFirst()
  return row ? toInstance(row) : null
}

export const isInstanceNameTaken = (tx: Tx, instance: Instance, name: string): Promise<boolean> =>
  isNameTakenIn(tx, 'vpc_instance', instance, name)

/** Null when the instance is in a status that does not allow the action. */
export async function beginAction(
  tx: Tx,
  grant: UpdateInstance,
  action: Extract<InstanceAction, 'start' | 'stop' | 'reboot'>,
): Promise<Instance | null> {
  const { accountId, id } = target(grant)
  const next = { start: 'starting', stop: 'stopping', reboot: 'restarting' } as const
  const row = await tx
    .updateTable('vpc_instance')
    .set({ status: next[action], status_code: null, status_message: null })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('status', 'in', instanceAllowedIn[action])
    .returningAll()
    .executeTakeFirst()
  return row ? toInstance(row) : null
}

/** Whether an instance lies in the VPC that the grant is about. */
export async function hasInstanceIn(tx: Tx, grant: Grant, vpcId: string): Promise<boolean> {
  const row = await tx
    .selectFrom('vpc_instance')
    .select('id')
    .where('vpc_id', '=', vpcId)
    .where('account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return row !== undefined
}

/** Null when its deletion was asked for before. */
export async function requestInstanceDeletion(tx: Tx, grant: DeleteInstance): Promise<Instance | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_instance')
    .set({ status: 'deleting' })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('status', 'in', instanceAllowedIn.delete)
    .returningAll()
    .executeTakeFirst()
  return row ? toInstance(row) : null
}

// For background work: what a granted request began is finished, in every account.

/** Whether volumes may be made for the instance: it has not been given up, and is not on its way out. */
export async function takesVolumes(tx: Tx, id: InstanceId): Promise<boolean> {
  const row = await tx.selectFrom('vpc_instance').select('status').where('id', '=', id).executeTakeFirst()
  return row?.status === hiddenStatus || row?.status === 'running' || row?.status === 'stopped'
}

/** Those whose request has gone, or takes longer than any may. */
export async function overdueInstances(reads: Reads, region: string, createdBefore: number): Promise<Instance[]> {
  const rows = await reads
    .selectFrom('vpc_instance')
    .selectAll()
    .where('status', '=', hiddenStatus)
    .where('region', '=', region)
    .where('created_at', '<', createdBefore)
    .execute()
  return rows.map(toInstance)
}

/** Those that are between two statuses. */
export async function instancesInTransition(reads: Reads, region: string): Promise<Instance[]> {
  const rows = await reads
    .selectFrom('vpc_instance')
    .selectAll()
    .where('status', 'in', transitionStatuses)
    .where('region', '=', region)
    .execute()
  return rows.map(toInstance)
}

/** Null when it was in another status. A reason says why it is to be so; without one, what was said before stands. */
export async function moveInstance(
  tx: Tx,
  id: InstanceId,
  from: Instance['status'],
  to: Instance['status'],
  reason?: StatusReason | null,
): Promise<Instance | null> {
  const row = await tx
    .updateTable('vpc_instance')
    .set({ status: to, ...(reason && { status_code: reason.code, status_message: reason.message }) })
    .where('id', '=', id)
    .where('status', '=', from)
    .returningAll()
    .executeTakeFirst()
  return row ? toInstance(row) : null
}

/** Those that run and have a boot volume. */
export async function bootedInstances(reads: Reads, region: string): Promise<Instance[]> {
  const rows = await reads
    .selectFrom('vpc_instance')
    .selectAll()
    .where('status', '=', 'running')
    .where('region', '=', region)
    .where('id', 'in', reads.selectFrom('vpc_attachment').select('instance_id').where('type', '=', 'boot'))
    .execute()
  return rows.map(toInstance)
}

/** Of those that are there. */
export async function instanceStatuses(
  reads: Reads,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Instance['status']>> {
  if (ids.length === 0) return new Map()
  const rows = await reads
    .selectFrom('vpc_instance')
    .select(['id', 'status'])
    .where('id', 'in', ids.map(instanceIdText))
    .execute()
  return new Map(rows.map(({ id, status }) => [id, status]))
}

/** Whether at this moment it is on, or about to be. */
export async function isInstanceServed(reads: Reads, id: InstanceId): Promise<boolean> {
  const row = await reads.selectFrom('vpc_instance').select('status').where('id', '=', id).executeTakeFirst()
  return row !== undefined && isServed(row.status)
}

/** False when it was completed, or given up, before. */
export async function dropAssembling(tx: Tx, id: InstanceId): Promise<boolean> {
  const result = await tx
    .deleteFrom('vpc_instance')
    .where('id', '=', id)
    .where('status', '=', hiddenStatus)
    .executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

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

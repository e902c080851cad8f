// SQL of consistency groups and of clones, for requests.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { SnapshotGroupId, SnapshotId } from '#base/id.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcSnapshotTables } from '#store/schema/vpc-snapshots.ts'
import { snapshotGroupIdText } from './ids.ts'
import type { Snapshot, SnapshotGroup } from './snapshot.ts'
import { grantedOne, isNameTakenIn, readGranted } from './tables-granted.ts'
import type { Leave } from './tables-granted.ts'
import { toSnapshot } from './tables-snapshots.ts'
import type { CreateSnapshot, UpdateSnapshot } from './tables-snapshots.ts'
import type { Place } from './targets.ts'
import { hiddenPhases } from './volume-state.ts'

type Noun = 'is.snapshot-consistency-group.snapshot-consistency-group'
export type CreateGroup = Grant<`${Noun}.create`>
export type UpdateGroup = Grant<`${Noun}.update`>
export type DeleteGroup = Grant<`${Noun}.delete`>
export type ReadGroup = Grant<`${Noun}.read` | `${Noun}.list`> | UpdateGroup | DeleteGroup

type GroupRow = Selectable<VpcSnapshotTables['vpc_snapshot_group']>

export const toGroup = (row: GroupRow): SnapshotGroup => ({
  id: row.id,
  accountId: row.account_id,
  region: row.region,
  name: row.name,
  crn: row.crn,
  resourceGroupId: row.resource_group_id,
  deleteSnapshots: row.delete_snapshots === 1,
  phase: row.phase,
  revision: row.revision,
  createdAt: row.created_at,
})

const shown = (reads: Reads) => reads.selectFrom('vpc_snapshot_group').where('phase', '!=', 'requested')

export async function locateGroup(
  reads: Reads,
  at: { readonly accountId: string; readonly region: string; readonly id: string },
): Promise<Place | null> {
  const row = await shown(reads)
    .select(['id', 'account_id as accountId', 'region', 'resource_group_id as resourceGroupId'])
    .where('id', '=', snapshotGroupIdText(at.id))
    .where('account_id', '=', at.accountId)
    .where('region', '=', at.region)
    .executeTakeFirst()
  return row ?? null
}

function target(grant: Grant): { readonly accountId: string; readonly id: SnapshotGroupId } {
  const { accountId, id } = grantedOne(grant, 'snapshot-consistency-group')
  return { accountId, id: snapshotGroupIdText(id) }
}

export async function readGroup(reads: Reads, grant: ReadGroup): Promise<SnapshotGroup | null> {
  const { accountId, id } = target(grant)
  const row = await shown(reads).selectAll().where('id', '=', id).where('account_id', '=', accountId).executeTakeFirst()
  return row ? toGroup(row) : null
}

export const readGroups = (reads: Reads, leave: Leave<ReadGroup['action']>): Promise<SnapshotGroup[]> =>
  readGranted(leave, 'snapshot-consistency-group', async (accountId, ids) => {
    const rows = await shown(reads)
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', 'in', ids.map(snapshotGroupIdText))
      .execute()
    return rows.map(toGroup)
  })

/** The members of groups that have been read by leave, oldest first: part of what a group shows of itself. */
export async function membersOf(
  reads: Reads,
  groups: readonly SnapshotGroup[],
): Promise<ReadonlyMap<SnapshotGroupId, readonly Snapshot[]>> {
  const members = new Map<SnapshotGroupId, Snapshot[]>(groups.map(({ id }) => [id, []]))
  if (groups.length === 0) return members
  const rows = await reads
    .selectFrom('vpc_snapshot')
    .selectAll()
    .where('group_id', 'in', [...members.keys()])
    .where('phase', 'not in', hiddenPhases)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  for (const row of rows) if (row.group_id !== null) members.get(row.group_id)?.push(toSnapshot(row))
  return members
}

/** The groups that snapshots which have been read by leave belong to. */
export async function groupsOf(
  reads: Reads,
  snapshots: readonly Snapshot[],
): Promise<ReadonlyMap<SnapshotGroupId, SnapshotGroup>> {
  const ids = [...new Set(snapshots.flatMap(({ groupId }) => groupId ?? []))]
  if (ids.length === 0) return new Map()
  const rows = await shown(reads).selectAll().where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, toGroup(row)]))
}

/** False when the name is taken. */
export async function insertGroup(tx: Tx, grant: CreateGroup, group: SnapshotGroup): Promise<boolean> {
  assert(group.accountId === grant.target.accountId, 'a group is made in the account of its grant')
  const result = await tx
    .insertInto('vpc_snapshot_group')
    .values({
      id: group.id,
      account_id: group.accountId,
      region: group.region,
      name: group.name,
      crn: group.crn,
      resource_group_id: group.resourceGroupId,
      delete_snapshots: group.deleteSnapshots ? 1 : 0,
      phase: group.phase,
      revision: group.revision,
      created_at: group.createdAt,
    })
    .onConflict((c) => c.columns(['account_id', 'region', 'name']).doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

/** From here on readers see the group. False when it was given up meanwhile. */
export async function showGroup(tx: Tx, grant: CreateGroup, id: SnapshotGroupId): Promise<boolean> {
  const result = await tx
    .updateTable('vpc_snapshot_group')
    .set({ phase: 'made' })
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .where('phase', '=', 'requested')
    .executeTakeFirst()
  return Number(result.numUpdatedRows) === 1
}

/** Null when it is another by now, or on its way out. */
export async function updateGroup(
  tx: Tx,
  grant: UpdateGroup,
  before: SnapshotGroup,
  patch: { readonly name?: string; readonly deleteSnapshots?: boolean },
): Promise<SnapshotGroup | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_snapshot_group')
    .set({
      revision: before.revision + 1,
      ...(patch.name !== undefined && { name: patch.name }),
      ...(patch.deleteSnapshots !== undefined && { delete_snapshots: patch.deleteSnapshots ? 1 : 0 }),
    })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('revision', '=', before.revision)
    .where('phase', '=', 'made')
    .returningAll()
    .executeTakeFirst()
  return row ? toGroup(row) : null
}

export const isGroupNameTaken = (tx: Tx, group: SnapshotGroup, name: string): Promise<boolean> =>
  isNameTakenIn(tx, 'vpc_snapshot_group', group, name)

/** Null when it is on its way out already. Snapshots that are to outlive it are their own from here on. */
export async function requestGroupDeletion(tx: Tx, grant: DeleteGroup): Promise<SnapshotGroup | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_snapshot_group')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', '=', 'made')
    .returningAll()
    .executeTakeFirst()
  if (!row) return null
  if (row.delete_snapshots === 0) {
    await tx
      .updateTable('vpc_snapshot')
      .set({ group_id: null })
      .where('group_id', '=', id)
      .where('phase', '!=', 'deleting')
      .execute()
  }
  return toGroup(row)
}

// Clones ------------------------------------------------------------------------------------------------------------------

export interface Clone {
  readonly snapshotId: SnapshotId
  readonly zone: string
  readonly createdAt: number
}

/** The clones of snapshots that have been read by leave. */
export async function clonesOf(reads: Reads, ids: readonly SnapshotId[]): Promise<readonly Clone[]> {
  if (ids.length === 0) return []
  return await reads
    .selectFrom('vpc_snapshot_clone')
    .select(['snapshot_id as snapshotId', 'zone', 'created_at as createdAt'])
    .where('snapshot_id', 'in', ids)
    .orderBy('zone')
    .execute()
}

/** Does nothing where the zone has one already. */
export async function insertClone(tx: Tx, _grant: CreateSnapshot | UpdateSnapshot, clone: Clone): Promise<void> {
  await tx
    .insertInto('vpc_snapshot_clone')
    .values({ snapshot_id: clone.snapshotId, zone: clone.zone, created_at: clone.createdAt })
    .onConflict((c) => c.columns(['snapshot_id', 'zone']).doNothing())
    .execute()
}

/** Null when the zone has none. */
export async function deleteClone(tx: Tx, _grant: UpdateSnapshot, at: Omit<Clone, 'createdAt'>): Promise<Clone | null> {
  const row = await tx
    .deleteFrom('vpc_snapshot_clone')
    .where('snapshot_id', '=', at.snapshotId)
    .where('zone', '=', at.zone)
    .returning(['snapshot_id as snapshotId', 'zone', 'created_at as createdAt'])
    .executeTakeFirst()
  return row ?? null
}

// SQL of snapshots, for requests: by leave of IAM, and for one account, but for `locateRemote`, which says so. Lists are in
// tables-snapshot-lists.ts, background work in tables-snapshot-work.ts.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { SnapshotId, VolumeId } from '#base/id.ts'
import type { Grant } from '#iam/port.ts'
import type { WrappedDataKey } from '#kms/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcSnapshotTables } from '#store/schema/vpc-snapshots.ts'
import { snapshotIdText } from './ids.ts'
import type { Snapshot } from './snapshot.ts'
import { volumesBecomingImages } from './tables-images.ts'
import { grantedOne, isNameTakenIn, readGranted } from './tables-granted.ts'
import type { Leave } from './tables-granted.ts'
import { dropRequestedIn, insertNamed, keepKey } from './tables-keyed.ts'
import type { Place } from './targets.ts'
import type { AllowedUse } from './volume.ts'
import { hiddenPhases, servingStandings } from './volume-state.ts'

export type SnapshotRow = Selectable<VpcSnapshotTables['vpc_snapshot']>

export type CreateSnapshot = Grant<'is.snapshot.snapshot.create'>
export type UpdateSnapshot = Grant<'is.snapshot.snapshot.update'>
export type DeleteSnapshot = Grant<'is.snapshot.snapshot.delete'>
/** Leave to make a volume of it: the account's own, or what the owner has authorised another account's block storage to. */
export type RestoreSnapshot = Grant<'is.snapshot.snapshot.operate' | 'is.snapshot.snapshot.remote-restore'>
export type ReadSnapshot =
  | Grant<'is.snapshot.snapshot.read' | 'is.snapshot.snapshot.list'>
  | UpdateSnapshot
  | DeleteSnapshot

export function toSnapshot(row: SnapshotRow): Snapshot {
  return {
    id: row.id,
    accountId: row.account_id,
    region: row.region,
    name: row.name,
    crn: row.crn,
    resourceGroupId: row.resource_group_id,
    sourceVolume: { id: row.source_volume_id, crn: row.source_volume_crn, name: row.source_volume_name },
    storageGeneration: row.storage_generation,
    capacityGb: row.capacity_gb,
    storedBytes: row.stored_bytes,
    // Written by toRow below: the shapes are known.
    userTags: JSON.parse(row.user_tags) as string[],
    keyCrn: row.key_crn,
    isProviderManaged: row.provider_managed === 1,
    wrappedDataKey: row.wrapped_data_key,
    phase: row.phase,
    keyStanding: row.key_standing,
    waitingSince: row.waiting_since,
    imageId: row.image_id,
    allowedUse: row.allowed_use === null ? null : (JSON.parse(row.allowed_use) as AllowedUse),
    groupId: row.group_id,
    capturedAt: row.captured_at,
    revision: row.revision,
    createdAt: row.created_at,
  }
}

const toRow = (snapshot: Snapshot): SnapshotRow => ({
  id: snapshot.id,
  account_id: snapshot.accountId,
  region: snapshot.region,
  name: snapshot.name,
  crn: snapshot.crn,
  resource_group_id: snapshot.resourceGroupId,
  source_volume_id: snapshot.sourceVolume.id,
  source_volume_crn: snapshot.sourceVolume.crn,
  source_volume_name: snapshot.sourceVolume.name,
  storage_generation: snapshot.storageGeneration,
  capacity_gb: snapshot.capacityGb,
  stored_bytes: snapshot.storedBytes,
  user_tags: JSON.stringify(snapshot.userTags),
  key_crn: snapshot.keyCrn,
  provider_managed: snapshot.isProviderManaged ? 1 : 0,
  key_version_id: null,
  wrapped_data_key: snapshot.wrappedDataKey,
  phase: snapshot.phase,
  key_standing: snapshot.keyStanding,
  failure_code: null,
  failure_message: null,
  waiting_since: snapshot.waitingSince,
  image_id: snapshot.imageId,
  allowed_use: snapshot.allowedUse && JSON.stringify(snapshot.allowedUse),
  group_id: snapshot.groupId,
  captured_at: snapshot.capturedAt,
  revision: snapshot.revision,
  created_at: snapshot.createdAt,
})

const placed = (reads: Reads) =>
  reads
    .selectFrom('vpc_snapshot')
    .select(['id', 'account_id as accountId', 'region', 'resource_group_id as resourceGroupId'])
    .where('phase', 'not in', hiddenPhases)

export async function locateSnapshot(
  reads: Reads,
  at: { readonly accountId: string; readonly region: string; readonly id: string },
): Promise<Place | null> {
  const row = await placed(reads)
    .where('id', '=', snapshotIdText(at.id))
    .where('account_id', '=', at.accountId)
    .where('region', '=', at.region)
    .executeTakeFirst()
  return row ?? null
}

/** What IAM has to be asked about for a mass deletion; those that are on their way out already are none of it. */
export async function locateOfVolume(
  reads: Reads,
  at: { readonly accountId: string; readonly region: string; readonly volumeId: VolumeId },
): Promise<Place[]> {
  return await placed(reads)
    .where('source_volume_id', '=', at.volumeId)
    .where('account_id', '=', at.accountId)
    .where('region', '=', at.region)
    .where('phase', '!=', 'deleting')
    .execute()
}

/**
 * Across accounts: where in its owner's account the snapshot of that CRN lies, so that the owner's policies can be asked.
 * Whoever they do not permit learns nothing of the answer.
 */
export async function locateRemote(reads: Reads, crn: string, region: string): Promise<Place | null> {
  const row = await placed(reads).where('crn', '=', crn).where('region', '=', region).executeTakeFirst()
  return row ?? null
}

function target(grant: Grant): { readonly accountId: string; readonly id: SnapshotId } {
  const { accountId, id } = grantedOne(grant, 'snapshot')
  return { accountId, id: snapshotIdText(id) }
}

export async function readSnapshot(reads: Reads, grant: ReadSnapshot | RestoreSnapshot): Promise<Snapshot | null> {
  const { accountId, id } = target(grant)
  const row = await reads
    .selectFrom('vpc_snapshot')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', 'not in', hiddenPhases)
    .executeTakeFirst()
  return row ? toSnapshot(row) : null
}

/** Those of the granted snapshots that are still there, in the order of the leave. */
export const readSnapshots = (reads: Reads, leave: Leave<ReadSnapshot['action']>): Promise<Snapshot[]> =>
  readGranted(leave, 'snapshot', async (accountId, ids) => {
    const rows = await reads
      .selectFrom('vpc_snapshot')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', 'in', ids.map(snapshotIdText))
      .where('phase', 'not in', hiddenPhases)
      .execute()
    return rows.map(toSnapshot)
  })

/** How many snapshots the volume has: all that have a row. */
export async function countOfVolume(tx: Tx, volumeId: VolumeId): Promise<number> {
  const row = await tx
    .selectFrom('vpc_snapshot')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('source_volume_id', '=', volumeId)
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** Those of the volumes of which a snapshot or an image is being made: what VPC calls busy. One that waits for its key holds nobody up. */
export async function busyVolumes(reads: Reads, ids: readonly VolumeId[]): Promise<ReadonlySet<VolumeId>> {
  if (ids.length === 0) return new Set()
  const rows = await reads
    .selectFrom('vpc_snapshot')
    .select('source_volume_id')
    .where('source_volume_id', 'in', ids)
    .where('phase', 'in', ['requested', 'keyed'])
    .where('key_standing', 'in', servingStandings)
    .execute()
  return new Set([...rows.map((row) => row.source_volume_id), ...(await volumesBecomingImages(reads, ids))])
}

/** False when the name is taken: the unique index decides. */
export async function insertSnapshot(tx: Tx, grant: CreateSnapshot, snapshot: Snapshot): Promise<boolean> {
  assert(snapshot.accountId === grant.target.accountId, 'a snapshot is made in the account of its grant')
  assert(snapshot.phase === 'requested' && snapshot.wrappedDataKey === null, 'a new snapshot has no key yet')
  return await insertNamed(tx, 'vpc_snapshot', toRow(snapshot))
}

/** From here on readers see the snapshot. Null when it was given up meanwhile. */
export async function keepSnapshotKey(
  tx: Tx,
  grant: CreateSnapshot,
  id: SnapshotId,
  key: WrappedDataKey,
): Promise<Snapshot | null> {
  const row = await keepKey(tx, 'vpc_snapshot', grant, id, key)
  return row ? toSnapshot(row) : null
}

/** Takes back what was requested and has no key. False when it was given up meanwhile. */
export async function dropRequestedSnapshot(tx: Tx, grant: CreateSnapshot, id: SnapshotId): Promise<boolean> {
  await tx.deleteFrom('vpc_snapshot_clone').where('snapshot_id', '=', id).execute()
  return await dropRequestedIn(tx, 'vpc_snapshot', grant, id)
}

export interface SnapshotPatch {
  readonly name?: string
  readonly userTags?: readonly string[]
  readonly allowedUse?: AllowedUse
}

/** Null when the snapshot is another by now, or on its way out. */
export async function updateSnapshot(
  tx: Tx,
  grant: UpdateSnapshot,
  before: Snapshot,
  patch: SnapshotPatch,
): Promise<Snapshot | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_snapshot')
    .set({
      revision: before.revision + 1,
      ...(patch.name !== undefined && { name: patch.name }),
      ...(patch.userTags !== undefined && { user_tags: JSON.stringify(patch.userTags) }),
      ...(patch.allowedUse !== undefined && { allowed_use: JSON.stringify(patch.allowedUse) }),
    })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('revision', '=', before.revision)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toSnapshot(row) : null
}

export const isSnapshotNameTaken = (tx: Tx, snapshot: Snapshot, name: string): Promise<boolean> =>
  isNameTakenIn(tx, 'vpc_snapshot', snapshot, name)

/** Whether a volume is being made of it, in whichever account; one whose own key is away does not count, and will fail. */
export async function isBeingRestored(tx: Tx, id: SnapshotId): Promise<boolean> {
  const row = await tx
    .selectFrom('vpc_volume')
    .select('id')
    .where('source_snapshot_id', '=', id)
    .where('phase', 'in', ['requested', 'keyed'])
    .where('key_standing', 'in', servingStandings)
    .executeTakeFirst()
  return row !== undefined
}

/** Null when it is on its way out already. Its place in a group is given up with it. */
export async function requestSnapshotDeletion(tx: Tx, grant: DeleteSnapshot): Promise<Snapshot | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_snapshot')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toSnapshot(row) : null
}

/** The names that these have now, for who refers to them. One that is missing has gone. */
export async function snapshotNames(
  reads: Reads,
  accountId: string,
  ids: readonly SnapshotId[],
): Promise<ReadonlyMap<SnapshotId, string>> {
  if (ids.length === 0) return new Map()
  const rows = await reads
    .selectFrom('vpc_snapshot')
    .select(['id', 'name'])
    .where('account_id', '=', accountId)
    .where('id', 'in', ids)
    .where('phase', 'not in', hiddenPhases)
    .execute()
  return new Map(rows.map((row) => [row.id, row.name]))
}

// SQL of volumes, for requests: each function works for one account, and by leave of IAM. `locate` tells only where
// things lie, which is what IAM has to be asked about. What background work does is in tables-work.ts.

import type { ExpressionBuilder, Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { InstanceId, SnapshotId, VolumeId } from '#base/id.ts'
import type { BadSectors, NewerKey } from '#disk/port.ts'
import type { Grant } from '#iam/port.ts'
import type { WrappedDataKey } from '#kms/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcTables } from '#store/schema/vpc.ts'
import { volumeIdText } from './ids.ts'
import type { Position } from './page.ts'
import { countIn, grantedOne, isNameTakenIn, readGranted } from './tables-granted.ts'
import type { Leave } from './tables-granted.ts'
import { dropRequestedIn, insertNamed, keepKey } from './tables-keyed.ts'
import { contains, countRows, inOrder, never, placeColumns } from './tables-pages.ts'
import type { At, Selection, Within } from './tables-pages.ts'
import type { Place } from './targets.ts'
import type { AllowedUse, SourceSnapshot, Volume } from './volume.ts'
import { hiddenPhases, keyedPhases, servingStandings } from './volume-state.ts'

export type VolumeRow = Selectable<VpcTables['vpc_volume']>
export type ReadVolume = Grant<'is.volume.volume.read' | 'is.volume.volume.list' | 'is.volume.volume.operate'>

export function toVolume(row: VolumeRow): Volume {
  const { failure_code: code, failure_message: message } = row
  return {
    id: row.id,
    accountId: row.account_id,
    region: row.region,
    zone: row.zone,
    name: row.name,
    crn: row.crn,
    resourceGroupId: row.resource_group_id,
    profile: row.profile,
    capacityGb: row.capacity_gb,
    iops: row.iops,
    bandwidthMbps: row.bandwidth_mbps,
    // Written by toRow below: the shape is known.
    userTags: JSON.parse(row.user_tags) as string[],
    keyCrn: row.key_crn,
    wrappedDataKey: row.wrapped_data_key,
    newer: newerKeyOf(row),
    phase: row.phase,
    keyStanding: row.key_standing,
    failure: code === null ? null : { code, message: message ?? code },
    isProviderManaged: row.provider_managed === 1,
    waitingSince: row.waiting_since,
    madeFor: row.made_for,
    imageId: row.image_id,
    allowedUse: row.allowed_use === null ? null : (JSON.parse(row.allowed_use) as AllowedUse),
    source: row.source_snapshot_id === null ? null : sourceOf(row.source_snapshot_id, row.source_snapshot),
    isAuthenticated: row.authenticated === 1,
    damage: row.damage === null ? null : (JSON.parse(row.damage) as BadSectors),
    revision: row.revision,
    createdAt: row.created_at,
  }
}

const newerKeyOf = ({ newer_key_crn: keyCrn, newer_wrapped_data_key: wrappedDataKey }: VolumeRow): NewerKey | null =>
  keyCrn === null || wrappedDataKey === null ? null : { keyCrn, wrappedDataKey }

const sourceOf = (id: SnapshotId, written: string | null): SourceSnapshot => ({
  id,
  ...(JSON.parse(written ?? '{}') as Omit<SourceSnapshot, 'id'>),
})

/** Where a volume lies. One that is made for an instance shows together with it. */
export interface LocatedVolume extends Place, Position {
  readonly id: VolumeId
}

const listed = (reads: Reads, accountId: string, region: string) =>
  reads
    .selectFrom('vpc_volume')
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .where('made_for', 'is', null)

/** What lists are asked for; `hasNone` where nothing can match. */
export interface VolumeFilter {
  readonly name?: string | undefined
  readonly zone?: string | undefined
  readonly tag?: string | undefined
  readonly isProviderManaged?: boolean | undefined
  readonly profiles?: readonly string[] | undefined
  readonly attachmentState?: 'attached' | 'unattached' | 'unusable' | undefined
  readonly hasNone?: boolean | undefined
}

export const pageOfVolumes = (
  reads: Reads,
  at: At,
  filter: VolumeFilter,
  selection: Selection,
): Promise<LocatedVolume[]> =>
  inOrder(filtered(listed(reads, at.accountId, at.region), filter), selection)
    .select(placeColumns)
    .execute()

export const countListedVolumes = (reads: Reads, at: At, filter: VolumeFilter, within: Within): Promise<number> =>
  within === null && Object.values(filter).every((value) => value === undefined)
    ? countIn(reads, 'vpc_volume', at, 'listed')
    : countRows(filtered(listed(reads, at.accountId, at.region), filter), within)

function filtered(query: ReturnType<typeof listed>, filter: VolumeFilter): ReturnType<typeof listed> {
  const { name, zone, tag, isProviderManaged, profiles, attachmentState, hasNone } = filter
  return query
    .$if(name !== undefined, (q) => q.where('name', '=', name ?? ''))
    .$if(zone !== undefined, (q) => q.where('zone', '=', zone ?? ''))
    .$if(tag !== undefined, (q) => q.where(contains('user_tags', JSON.stringify(tag))))
    .$if(isProviderManaged !== undefined, (q) => q.where('provider_managed', '=', isProviderManaged ? 1 : 0))
    .$if(profiles !== undefined, (q) => q.where('profile', 'in', profiles ?? []))
    .$if(attachmentState !== undefined, (q) => q.where(isInState(attachmentState ?? 'attached')))
    .$if(hasNone === true, (q) => q.where(never))
}

/** As attachmentStateOf() of volume-state.ts has it. */
const isInState =
  (state: 'attached' | 'unattached' | 'unusable') =>
  ({ eb, and, not, exists, selectFrom, ref }: ExpressionBuilder<VpcTables, 'vpc_volume'>) => {
    const isAttached = exists(
      selectFrom('vpc_attachment').select('vpc_attachment.id').where('volume_id', '=', ref('vpc_volume.id')),
    )
    if (state === 'attached') return isAttached
    const isUnusable = and([eb('phase', 'in', keyedPhases), eb('key_standing', 'not in', servingStandings)])
    return and([not(isAttached), state === 'unusable' ? isUnusable : not(isUnusable)])
  }

export async function locateVolume(reads: Reads, place: At & { readonly id: string }): Promise<LocatedVolume | null> {
  const query = listed(reads, place.accountId, place.region).where('id', '=', volumeIdText(place.id))
  return (await query.select(placeColumns).executeTakeFirst()) ?? null
}

/** The volume that a grant is about. */
function target(grant: Grant): { readonly accountId: string; readonly id: VolumeId } {
  const { accountId, id } = grantedOne(grant, 'volume')
  return { accountId, id: volumeIdText(id) }
}

export async function readVolume(
  reads: Reads,
  grant: ReadVolume | UpdateVolume | DeleteVolume,
): Promise<Volume | null> {
  const { accountId, id } = target(grant)
  const row = await reads
    .selectFrom('vpc_volume')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', 'not in', hiddenPhases)
    .where('made_for', 'is', null)
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

/** Those of the granted volumes that are still there, in the order of the leave. */
export const readVolumes = (reads: Reads, leave: Leave<ReadVolume['action']>): Promise<Volume[]> =>
  readGranted(leave, 'volume', async (accountId, ids) => {
    const rows = await reads
      .selectFrom('vpc_volume')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', 'in', ids.map(volumeIdText))
      .where('phase', 'not in', hiddenPhases)
      .where('made_for', 'is', null)
      .execute()
    return rows.map(toVolume)
  })

/** The names that the sources of snapshots have now; one that is missing has gone, or is on its way. */
export async function volumeNames(
  reads: Reads,
  accountId: string,
  ids: readonly VolumeId[],
): Promise<ReadonlyMap<VolumeId, string>> {
  if (ids.length === 0) return new Map()
  const rows = await reads
    .selectFrom('vpc_volume')
    .select(['id', 'name'])
    .where('account_id', '=', accountId)
    .where('id', 'in', ids)
    .where('phase', 'not in', hiddenPhases)
    .execute()
  return new Map(rows.map((row) => [row.id, row.name]))
}

export type CreateVolume = Grant<'is.volume.volume.create'>
export type UpdateVolume = Grant<'is.volume.volume.update'>
export type DeleteVolume = Grant<'is.volume.volume.delete'>

export const countVolumes = (tx: Tx, grant: CreateVolume, region: string): Promise<number> =>
  countIn(tx, 'vpc_volume', { accountId: grant.target.accountId, region }, 'all')

/** False when the name is taken: the unique index decides, so of two at once exactly one is inserted. */
export async function insertVolume(tx: Tx, grant: CreateVolume, volume: Volume): Promise<boolean> {
  assert(volume.accountId === grant.target.accountId, 'a volume is made in the account of its grant')
  assert(volume.phase === 'requested' && volume.wrappedDataKey === null, 'a new volume has no key yet')
  return await insertNamed(tx, 'vpc_volume', toRow(volume))
}

const toRow = (volume: Volume): VolumeRow => ({
  id: volume.id,
  account_id: volume.accountId,
  region: volume.region,
  zone: volume.zone,
  name: volume.name,
  crn: volume.crn,
  resource_group_id: volume.resourceGroupId,
  profile: volume.profile,
  capacity_gb: volume.capacityGb,
  iops: volume.iops,
  bandwidth_mbps: volume.bandwidthMbps,
  user_tags: JSON.stringify(volume.userTags),
  key_crn: volume.keyCrn,
  key_version_id: null,
  wrapped_data_key: volume.wrappedDataKey,
  newer_key_crn: null,
  newer_key_version_id: null,
  newer_wrapped_data_key: null,
  phase: volume.phase,
  key_standing: volume.keyStanding,
  failure_code: null,
  failure_message: null,
  provider_managed: volume.isProviderManaged ? 1 : 0,
  waiting_since: volume.waitingSince,
  made_for: volume.madeFor,
  image_id: volume.imageId,
  allowed_use: volume.allowedUse && JSON.stringify(volume.allowedUse),
  source_snapshot_id: volume.source?.id ?? null,
  source_snapshot: volume.source && JSON.stringify({ crn: volume.source.crn, name: volume.source.name }),
  revision: volume.revision,
  created_at: volume.createdAt,
  authenticated: volume.isAuthenticated ? 1 : 0,
  damage: null,
})

/** From here on readers see the volume. Null when it was given up meanwhile. */
export async function keepDataKey(
  tx: Tx,
  grant: CreateVolume,
  id: VolumeId,
  key: WrappedDataKey,
): Promise<Volume | null> {
  const row = await keepKey(tx, 'vpc_volume', grant, id, key)
  return row ? toVolume(row) : null
}

/** Takes back a request that the key manager refused. False when it was given up meanwhile. */
export async function dropRequested(tx: Tx, grant: CreateVolume, id: VolumeId): Promise<boolean> {
  return await dropRequestedIn(tx, 'vpc_volume', grant, id)
}

export interface VolumePatch {
  readonly name?: string | undefined
  readonly userTags?: readonly string[] | undefined
  readonly allowedUse?: AllowedUse | undefined
  readonly resize?: {
    readonly profile: string
    readonly capacityGb: number
    readonly iops: number
    readonly bandwidthMbps: number
  }
}

/**
 * VPC API, "If-Match": what the fingerprint is of. Size and performance are not in it, for Terraform sends with new tags
 * the one that it read before it changed them.
 */
const isFingerprinted = (patch: VolumePatch): boolean =>
  patch.name !== undefined || patch.userTags !== undefined || patch.allowedUse !== undefined

/** Null when the volume is another by now, or on its way out. */
export async function updateVolume(
  tx: Tx,
  grant: UpdateVolume,
  before: Volume,
  patch: VolumePatch,
): Promise<Volume | null> {
  const { accountId, id } = target(grant)
  const { revision, phase } = before
  const { resize } = patch
  const row = await tx
    .updateTable('vpc_volume')
    .set({
      revision: isFingerprinted(patch) ? revision + 1 : revision,
      ...(patch.name !== undefined && { name: patch.name }),
      ...(patch.userTags !== undefined && { user_tags: JSON.stringify(patch.userTags) }),
      ...(patch.allowedUse !== undefined && { allowed_use: JSON.stringify(patch.allowedUse) }),
      ...(resize && { phase: 'updating', profile: resize.profile, capacity_gb: resize.capacityGb }),
      ...(resize && { iops: resize.iops, bandwidth_mbps: resize.bandwidthMbps }),
    })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('revision', '=', revision)
    .where('phase', '=', phase)
    .where('phase', 'in', ['keyed', 'formatted', 'updating', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

export const isNameTaken = (tx: Tx, grant: UpdateVolume, region: string, name: string): Promise<boolean> =>
  isNameTakenIn(tx, 'vpc_volume', { ...target(grant), region }, name)

/** As volume-state.ts has it: at rest, or under a key that does not open, whatever was going on. */
const mayBeDeleted = ({ eb, or, and }: ExpressionBuilder<VpcTables, 'vpc_volume'>) =>
  or([
    eb('phase', 'in', ['formatted', 'failed']),
    and([eb('phase', 'in', keyedPhases), eb('key_standing', 'not in', servingStandings)]),
  ])

/** Null when the volume is attached, or in a phase that has to end first. */
export async function requestDeletion(tx: Tx, grant: DeleteVolume): Promise<Volume | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_volume')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where(mayBeDeleted)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('vpc_attachment').select('id').where('volume_id', '=', id))),
    )
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

/** The volume if it can serve at this moment; inside the transaction that is going to rely on it. */
export async function readServingVolume(tx: Tx, grant: Grant<'is.volume.volume.operate'>): Promise<Volume | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .selectFrom('vpc_volume')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', 'in', ['formatted', 'updating'])
    .where('key_standing', 'in', servingStandings)
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

/**
 * The volumes that were made for the instance become its own, and readers see them. Null unless all of them are there
 * and on their way.
 */
export async function claimVolumes(
  tx: Tx,
  grant: Grant,
  instanceId: InstanceId,
  ids: readonly VolumeId[],
): Promise<readonly Volume[] | null> {
  if (ids.length === 0) return []
  const rows = await tx
    .updateTable('vpc_volume')
    .set({ made_for: null })
    .where('account_id', '=', grant.target.accountId)
    .where('made_for', '=', instanceId)
    .where('id', 'in', ids)
    .where('phase', 'in', ['keyed', 'formatted'])
    .returningAll()
    .execute()
  return rows.length === ids.length ? rows.map(toVolume) : null
}

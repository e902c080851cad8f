// SQL of background work, across accounts: what a request was granted is carried to its end, and what the owners of
// keys decide is followed. No caller is there to ask IAM for, and nothing that is read here reaches one. Every change
// is conditional on the phase it starts from, so a pass that is late, repeated or doubled changes nothing.

import type { InstanceId, VolumeId } from '#base/id.ts'
import type { KeyStanding, WrappedDataKey } from '#kms/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VolumePhase } from '#store/schema/vpc.ts'
import { toVolume } from './tables-volumes.ts'
import type { Volume } from './volume.ts'
import { hiddenPhases } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

/** Volumes that are on their way in or out. */
export async function unfinishedVolumes(reads: Reads, region: string): Promise<Volume[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .selectAll()
    .where('phase', 'in', ['abandoned', 'keyed', 'updating', 'deleting'])
    .where('region', '=', region)
    .orderBy('created_at')
    .execute()
  return rows.map(toVolume)
}

export async function readVolumeForWork(reads: Reads, id: VolumeId): Promise<Volume | null> {
  const row = await reads.selectFrom('vpc_volume').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toVolume(row) : null
}

/** Requests whose process has gone, or takes longer than any may. */
export async function overdueRequests(reads: Reads, region: string, createdBefore: number): Promise<Volume[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .selectAll()
    .where('phase', '=', 'requested')
    .where('region', '=', region)
    .where('created_at', '<', createdBefore)
    .execute()
  return rows.map(toVolume)
}

async function move(tx: Tx, id: VolumeId, from: VolumePhase, to: VolumePhase, failure?: StatusReason) {
  const row = await tx
    .updateTable('vpc_volume')
    .set({ phase: to, ...(failure && { failure_code: failure.code, failure_message: failure.message }) })
    .where('id', '=', id)
    .where('phase', '=', from)
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

// Each gives the volume as it is now, or null when it was in another phase.
export const markAbandoned = (tx: Tx, id: VolumeId): Promise<Volume | null> => move(tx, id, 'requested', 'abandoned')
export const markFormatted = (tx: Tx, id: VolumeId): Promise<Volume | null> => move(tx, id, 'keyed', 'formatted')
export const markUpdated = (tx: Tx, id: VolumeId): Promise<Volume | null> => move(tx, id, 'updating', 'formatted')
export const markFailed = (tx: Tx, id: VolumeId, failure: StatusReason): Promise<Volume | null> =>
  move(tx, id, 'keyed', 'failed', failure)

/** False when the row was not in the phase, or not there. */
export async function removeVolume(tx: Tx, id: VolumeId, phase: 'abandoned' | 'deleting'): Promise<boolean> {
  const result = await tx.deleteFrom('vpc_volume').where('id', '=', id).where('phase', '=', phase).executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

/**
 * A deletion that follows from an instance's: whoever was granted that had asked for it when attaching. VPC docs,
 * "Deleting an instance": one that is being updated stays.
 */
export async function requestFlaggedDeletion(tx: Tx, id: VolumeId): Promise<Volume | null> {
  const row = await tx
    .updateTable('vpc_volume')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

/** Volumes that were made for an instance which did not come to be, or did not take them in time. */
export async function orphanedVolumes(
  reads: Reads,
  wanted: { readonly region: string; readonly createdBefore: number },
): Promise<Volume[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .selectAll()
    .where('made_for', 'is not', null)
    .where('region', '=', wanted.region)
    .where('created_at', '<', wanted.createdBefore)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .execute()
  return rows.map(toVolume)
}

/** Null when it was taken meanwhile, or discarded before. */
export async function discardVolume(tx: Tx, id: VolumeId): Promise<Volume | null> {
  const row = await tx
    .updateTable('vpc_volume')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('made_for', 'is not', null)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

/** All that was made for the instance so far; what has no key yet is given up by its own request. */
export async function volumesMadeFor(tx: Tx, instanceId: InstanceId): Promise<Volume[]> {
  const rows = await tx.selectFrom('vpc_volume').selectAll().where('made_for', '=', instanceId).execute()
  return rows.map(toVolume)
}

export interface KeyInUse {
  readonly accountId: string
  readonly keyCrn: string
  /** Noted on the volumes: the least and the greatest, in the order of text, which are one where all agree. */
  readonly standings: readonly KeyStanding[]
}

type KeyOfAccount = Pick<KeyInUse, 'accountId' | 'keyCrn'>

/** The keys that volumes lie under, with the account whose volumes they are; in pages. */
export async function keysInUse(reads: Reads, region: string, after: KeyOfAccount, limit: number): Promise<KeyInUse[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .select(['account_id as accountId', 'key_crn as keyCrn'])
    .select(({ fn }) => [fn.min('key_standing').as('least'), fn.max('key_standing').as('greatest')])
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .where(({ eb, or, and }) =>
      or([
        eb('key_crn', '>', after.keyCrn),
        and([eb('key_crn', '=', after.keyCrn), eb('account_id', '>', after.accountId)]),
      ]),
    )
    .groupBy(['account_id', 'key_crn'])
    .orderBy('key_crn')
    .orderBy('account_id')
    .limit(limit)
    .execute()
  return rows.map(({ least, greatest, ...key }) => ({ ...key, standings: [least, greatest] }))
}

/**
 * Notes the standing on the account's volumes under the key; gives those where it was another, as they were and are.
 * Time under an unusable key is nobody's delay: volumes wait for a disk from here on.
 */
export async function noteStanding(
  tx: Tx,
  key: KeyOfAccount & { readonly region: string },
  standing: KeyStanding,
  now: number,
): Promise<readonly { readonly before: Volume; readonly now: Volume }[]> {
  const rows = await tx
    .selectFrom('vpc_volume')
    .selectAll()
    .where('account_id', '=', key.accountId)
    .where('key_crn', '=', key.keyCrn)
    .where('region', '=', key.region)
    .where('phase', 'not in', hiddenPhases)
    .where('key_standing', '!=', standing)
    .execute()
  if (rows.length === 0) return []
  await tx
    .updateTable('vpc_volume')
    .set({ key_standing: standing, waiting_since: now })
    .where('account_id', '=', key.accountId)
    .where('key_crn', '=', key.keyCrn)
    .where('region', '=', key.region)
    .where('phase', 'not in', hiddenPhases)
    .where('key_standing', '!=', standing)
    .execute()
  return rows.map(toVolume).map((before) => ({ before, now: { ...before, keyStanding: standing, waitingSince: now } }))
}

export interface HeldDataKey {
  readonly id: VolumeId
  readonly accountId: string
  readonly crn: string
  readonly keyCrn: string
  readonly keyVersionId: string
  readonly wrapped: Uint8Array
}

/** The wrapped data keys that volumes hold, in pages by volume id. */
export async function heldDataKeys(
  reads: Reads,
  region: string,
  afterId: string,
  limit: number,
): Promise<readonly HeldDataKey[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .select(['id', 'account_id', 'crn', 'key_crn', 'key_version_id', 'wrapped_data_key'])
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .where(({ eb, ref }) => eb(ref('id'), '>', afterId as VolumeId))
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.flatMap(({ id, account_id: accountId, crn, key_crn: keyCrn, key_version_id, wrapped_data_key }) =>
    key_version_id === null || wrapped_data_key === null
      ? []
      : [{ id, accountId, crn, keyCrn, keyVersionId: key_version_id, wrapped: wrapped_data_key }],
  )
}

/** Only in the place of the key that it was re-wrapped from: false when the volume has another by now, or has gone. */
export async function replaceDataKey(
  tx: Tx,
  held: Pick<HeldDataKey, 'id' | 'keyVersionId'>,
  key: WrappedDataKey,
): Promise<boolean> {
  const result = await tx
    .updateTable('vpc_volume')
    .set({ key_version_id: key.keyVersionId, wrapped_data_key: key.wrapped })
    .where('id', '=', held.id)
    .where('key_version_id', '=', held.keyVersionId)
    .executeTakeFirst()
  return Number(result.numUpdatedRows) === 1
}

/** Which of the CRNs have a volume, in whatever phase. */
export async function existingCrns(reads: Reads, crns: readonly string[]): Promise<ReadonlySet<string>> {
  if (crns.length === 0) return new Set()
  const rows = await reads.selectFrom('vpc_volume').select('crn').where('crn', 'in', crns).execute()
  return new Set(rows.map((row) => row.crn))
}

// SQL of background work, across accounts: what a request was granted is carried to its end, and what the owners of
// keys decide is followed. No caller is there to ask IAM for, and nothing that is read here reaches one. Every change
// is conditional on the phase it starts from, so a pass that is late, repeated or doubled changes nothing.

import type { VolumeId } from '#base/id.ts'
import type { KeyStanding } from '#kms/port.ts'
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
    .where('phase', 'in', ['abandoned', 'keyed', 'deleting'])
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
export const markFailed = (tx: Tx, id: VolumeId, failure: StatusReason): Promise<Volume | null> =>
  move(tx, id, 'keyed', 'failed', failure)

/** False when the row was not in the phase, or not there. */
export async function removeVolume(tx: Tx, id: VolumeId, phase: 'abandoned' | 'deleting'): Promise<boolean> {
  const result = await tx.deleteFrom('vpc_volume').where('id', '=', id).where('phase', '=', phase).executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

/** A deletion that follows from an instance's: whoever was granted that had asked for it when attaching. */
export async function requestFlaggedDeletion(tx: Tx, id: VolumeId): Promise<Volume | null> {
  const row = await tx
    .updateTable('vpc_volume')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('phase', 'in', ['formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
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
 */
export async function noteStanding(
  tx: Tx,
  key: KeyOfAccount,
  region: string,
  standing: KeyStanding,
): Promise<readonly { readonly before: Volume; readonly now: Volume }[]> {
  const rows = await tx
    .selectFrom('vpc_volume')
    .selectAll()
    .where('account_id', '=', key.accountId)
    .where('key_crn', '=', key.keyCrn)
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .where('key_standing', '!=', standing)
    .execute()
  if (rows.length === 0) return []
  await tx
    .updateTable('vpc_volume')
    .set({ key_standing: standing })
    .where('account_id', '=', key.accountId)
    .where('key_crn', '=', key.keyCrn)
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .where('key_standing', '!=', standing)
    .execute()
  return rows.map(toVolume).map((before) => ({ before, now: { ...before, keyStanding: standing } }))
}

/** Which of the CRNs have a volume, in whatever phase. */
export async function existingCrns(reads: Reads, crns: readonly string[]): Promise<ReadonlySet<string>> {
  if (crns.length === 0) return new Set()
  const rows = await reads.selectFrom('vpc_volume').select('crn').where('crn', 'in', crns).execute()
  return new Set(rows.map((row) => row.crn))
}

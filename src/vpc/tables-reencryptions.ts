// SQL of volumes that are being re-encrypted. What requests do is by leave of IAM for the volume; the rest is background work,
// as in tables-work.ts: every change is conditional on the phase it starts from.

import type { Selectable } from 'kysely'
import type { VolumeId } from '#base/id.ts'
import type { KeyStanding, WrappedDataKey } from '#kms/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { ReencryptionPhase, VpcReencryptionTables } from '#store/schema/vpc-reencryption.ts'
import { volumeIdText } from './ids.ts'
import type { Reencryption } from './reencryption.ts'
import { grantedOne } from './tables-granted.ts'
import { toVolume } from './tables-volumes.ts'
import type { ReadVolume, UpdateVolume } from './tables-volumes.ts'
import type { Volume } from './volume.ts'
import { servingStandings } from './volume-state.ts'

type Row = Selectable<VpcReencryptionTables['vpc_reencryption']>

const toReencryption = (row: Row): Reencryption => ({
  volumeId: row.volume_id,
  volumeCrn: row.volume_crn,
  accountId: row.account_id,
  region: row.region,
  phase: row.phase,
  olderKeyCrn: row.older_key_crn,
  newerKeyCrn: row.newer_key_crn,
  isProviderManaged: row.provider_managed === 1,
  mibPerSecond: row.mib_per_second,
  createdAt: row.created_at,
  completedAt: row.completed_at,
})

/** The newest of the granted volume; one that has no key yet is not seen. */
export async function readReencryption(reads: Reads, grant: ReadVolume | UpdateVolume): Promise<Reencryption | null> {
  const { accountId, id } = grantedOne(grant, 'volume')
  const row = await reads
    .selectFrom('vpc_reencryption')
    .selectAll()
    .where('volume_id', '=', volumeIdText(id))
    .where('account_id', '=', accountId)
    .where('phase', 'in', ['running', 'changed', 'done'])
    .executeTakeFirst()
  return row ? toReencryption(row) : null
}

/** In the place of one that is done. False while another is not. */
export async function insertReencryption(tx: Tx, grant: UpdateVolume, wanted: Reencryption): Promise<boolean> {
  const { id } = grantedOne(grant, 'volume')
  await tx
    .deleteFrom('vpc_reencryption')
    .where('volume_id', '=', volumeIdText(id))
    .where('phase', '=', 'done')
    .execute()
  const result = await tx
    .insertInto('vpc_reencryption')
    .values({
      volume_id: wanted.volumeId,
      volume_crn: wanted.volumeCrn,
      account_id: wanted.accountId,
      region: wanted.region,
      phase: wanted.phase,
      older_key_crn: wanted.olderKeyCrn,
      newer_key_crn: wanted.newerKeyCrn,
      provider_managed: wanted.isProviderManaged ? 1 : 0,
      mib_per_second: wanted.mibPerSecond,
      created_at: wanted.createdAt,
      completed_at: wanted.completedAt,
    })
    .onConflict((c) => c.column('volume_id').doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

/** The volume has both keys from here on. False when it is not available any more, or the request was given up. */
export async function keepNewerKey(tx: Tx, grant: UpdateVolume, key: WrappedDataKey): Promise<boolean> {
  const id = volumeIdText(grantedOne(grant, 'volume').id)
  const result = await tx
    .updateTable('vpc_volume')
    .set({
      newer_key_crn: key.keyCrn,
      newer_key_version_id: key.keyVersionId,
      newer_wrapped_data_key: key.wrapped,
    })
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .where('phase', '=', 'formatted')
    .where('newer_key_crn', 'is', null)
    .executeTakeFirst()
  if (Number(result.numUpdatedRows) !== 1) return false
  return await moveReencryption(tx, id, 'requested', { phase: 'running', newer_key_crn: key.keyCrn })
}

export async function limitReencryption(tx: Tx, grant: UpdateVolume, mibPerSecond: number | null): Promise<boolean> {
  const { accountId, id } = grantedOne(grant, 'volume')
  const result = await tx
    .updateTable('vpc_reencryption')
    .set({ mib_per_second: mibPerSecond })
    .where('volume_id', '=', volumeIdText(id))
    .where('account_id', '=', accountId)
    .where('phase', '=', 'running')
    .executeTakeFirst()
  return Number(result.numUpdatedRows) === 1
}

/** False when it was in another phase. */
export async function moveReencryption(
  tx: Tx,
  id: VolumeId,
  from: ReencryptionPhase,
  to: Partial<Row> & { readonly phase: ReencryptionPhase },
): Promise<boolean> {
  const result = await tx
    .updateTable('vpc_reencryption')
    .set(to)
    .where('volume_id', '=', id)
    .where('phase', '=', from)
    .executeTakeFirst()
  return Number(result.numUpdatedRows) === 1
}

/** All of the image is under the newer key: it is the volume's only one. */
export async function changeKeys(tx: Tx, { volumeId, isProviderManaged }: Reencryption): Promise<boolean> {
  const result = await tx
    .updateTable('vpc_volume')
    .set(({ ref }) => ({
      key_crn: ref('newer_key_crn').$notNull(),
      key_version_id: ref('newer_key_version_id'),
      wrapped_data_key: ref('newer_wrapped_data_key'),
      newer_key_crn: null,
      newer_key_version_id: null,
      newer_wrapped_data_key: null,
      provider_managed: isProviderManaged ? 1 : 0,
    }))
    .where('id', '=', volumeId)
    .where('newer_key_crn', 'is not', null)
    .executeTakeFirst()
  if (Number(result.numUpdatedRows) !== 1) return false
  return await moveReencryption(tx, volumeId, 'running', { phase: 'changed' })
}

/** False when it was in another phase. */
export async function removeReencryption(tx: Tx, id: VolumeId, phase?: ReencryptionPhase): Promise<boolean> {
  const result = await tx
    .deleteFrom('vpc_reencryption')
    .where('volume_id', '=', id)
    .$if(phase !== undefined, (q) => q.where('phase', '=', phase ?? 'done'))
    .executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

export async function unfinishedReencryptions(reads: Reads, region: string): Promise<readonly Reencryption[]> {
  const rows = await reads
    .selectFrom('vpc_reencryption')
    .selectAll()
    .where('region', '=', region)
    .where('phase', '!=', 'done')
    .orderBy('created_at')
    .execute()
  return rows.map(toReencryption)
}

export async function reencryptionOf(reads: Reads, id: VolumeId): Promise<Reencryption | null> {
  const row = await reads.selectFrom('vpc_reencryption').selectAll().where('volume_id', '=', id).executeTakeFirst()
  return row ? toReencryption(row) : null
}

/** Those of the volumes that serve under two keys, or are about to: nothing else may be made of their images. */
export async function volumesBetweenKeys(reads: Reads, ids: readonly VolumeId[]): Promise<readonly VolumeId[]> {
  const rows = await reads
    .selectFrom('vpc_reencryption as r')
    .innerJoin('vpc_volume as v', 'v.id', 'r.volume_id')
    .select('v.id')
    .where('v.id', 'in', ids)
    .where('r.phase', 'in', ['requested', 'running'])
    .where('v.phase', 'in', ['formatted', 'updating'])
    .where('v.key_standing', 'in', servingStandings)
    .execute()
  return rows.map(({ id }) => id)
}

/** Whose standing is that of two keys. */
export async function runningVolumes(reads: Reads, region: string): Promise<readonly Volume[]> {
  const rows = await reads
    .selectFrom('vpc_volume')
    .selectAll('vpc_volume')
    .innerJoin('vpc_reencryption as r', 'r.volume_id', 'vpc_volume.id')
    .where('r.phase', '=', 'running')
    .where('r.region', '=', region)
    .execute()
  return rows.map(toVolume)
}

/** Null where it has that standing already, or one key again. */
export async function noteStandingBetweenKeys(
  tx: Tx,
  { id }: Pick<Volume, 'id'>,
  standing: KeyStanding,
  now: number,
): Promise<Volume | null> {
  const row = await tx
    .updateTable('vpc_volume')
    .set({ key_standing: standing, waiting_since: now })
    .where('id', '=', id)
    .where('newer_key_crn', 'is not', null)
    .where('key_standing', '!=', standing)
    .returningAll()
    .executeTakeFirst()
  return row ? toVolume(row) : null
}

export interface SecondKey {
  readonly volumeId: VolumeId
  readonly resourceCrn: string
  readonly accountId: string
  readonly keyCrn: string
  readonly keyVersionId: string | null
  readonly isProviderManaged: boolean
  readonly since: number
  /** Whether there certainly is a registration of it. */
  readonly isInUse: boolean
}

/** The keys under which volumes are registered beside the one that their row says. */
export async function secondKeys(
  reads: Reads,
  of: { readonly region?: string; readonly accountId?: string; readonly keyCrn?: string; readonly afterId?: string },
): Promise<readonly SecondKey[]> {
  const rows = await reads
    .selectFrom('vpc_reencryption as r')
    .innerJoin('vpc_volume as v', 'v.id', 'r.volume_id')
    .selectAll('r')
    .select(['v.newer_key_version_id', 'v.key_crn'])
    .where('r.phase', '!=', 'done')
    .$if(of.region !== undefined, (q) => q.where('r.region', '=', of.region ?? ''))
    .$if(of.accountId !== undefined, (q) => q.where('r.account_id', '=', of.accountId ?? ''))
    .$if(of.afterId !== undefined, (q) =>
      q.where(({ eb, cast }) => eb(cast<string>('r.volume_id', 'text'), '>', of.afterId ?? '')),
    )
    .execute()
  return rows
    .map((row) => ({
      volumeId: row.volume_id,
      resourceCrn: row.volume_crn,
      accountId: row.account_id,
      keyCrn: row.phase === 'changed' ? row.older_key_crn : row.newer_key_crn,
      keyVersionId: row.newer_key_version_id,
      isProviderManaged: row.provider_managed === 1,
      since: row.created_at,
      isInUse: row.phase === 'running',
      firstKeyCrn: row.key_crn,
    }))
    .filter((row) => row.keyCrn !== row.firstKeyCrn && (of.keyCrn === undefined || row.keyCrn === of.keyCrn))
}

// SQL that volumes, snapshots and custom images share: all are images under a data key, in a phase, and follow what becomes of their root
// key. Across accounts, for background work; see tables-work.ts.

import { sql } from 'kysely'
import type { ExpressionBuilder } from 'kysely'
import type { ImageId, SnapshotId, VolumeId } from '#base/id.ts'
import type { Grant } from '#iam/port.ts'
import type { KeyStanding, WrappedDataKey } from '#kms/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcReencryptionTables } from '#store/schema/vpc-reencryption.ts'
import type { VolumePhase, VpcTables } from '#store/schema/vpc.ts'
import type { ImageRow } from './tables-images.ts'
import type { SnapshotRow } from './tables-snapshots.ts'
import type { VolumeRow } from './tables-volumes.ts'
import { hiddenPhases, keyStandings } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

interface Rows {
  readonly vpc_volume: VolumeRow
  readonly vpc_snapshot: SnapshotRow
  readonly vpc_image: ImageRow
}

export type KeyedTable = keyof Rows

export const keyedTables: readonly KeyedTable[] = ['vpc_volume', 'vpc_snapshot', 'vpc_image']

/** The columns that are named below are the same in all tables; the compiler takes each for one of them. */
export const like = (table: KeyedTable) => table as 'vpc_volume'

/** The row as it is now, or null when it was in another phase. */
export async function movePhase<Table extends KeyedTable>(
  tx: Tx,
  table: Table,
  id: Rows[Table]['id'],
  from: Rows[Table]['phase'],
  to: Rows[Table]['phase'],
  failure?: StatusReason,
): Promise<Rows[Table] | null> {
  const row = await tx
    .updateTable(like(table))
    .set({ phase: to, ...(failure && { failure_code: failure.code, failure_message: failure.message }) })
    .where('id', '=', id as VolumeId)
    .where('phase', '=', from)
    .returningAll()
    .executeTakeFirst()
  return row === undefined ? null : (row as Rows[KeyedTable] as Rows[Table])
}

/** False when the name is taken: the unique index decides, so of two at once exactly one is inserted. */
export async function insertNamed<Table extends KeyedTable>(tx: Tx, table: Table, row: Rows[Table]): Promise<boolean> {
  const result = await tx
    .insertInto(like(table))
    .values(row as Rows[KeyedTable] as VolumeRow)
    .onConflict((c) => c.columns(['account_id', 'region', 'name']).doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

/** The first key of what was requested: from here on readers see it. Null when it was given up meanwhile. */
export async function keepKey<Table extends KeyedTable>(
  tx: Tx,
  table: Table,
  grant: Grant,
  id: Rows[Table]['id'],
  key: WrappedDataKey,
): Promise<Rows[Table] | null> {
  const row = await tx
    .updateTable(like(table))
    .set({ phase: 'keyed', key_crn: key.keyCrn, key_version_id: key.keyVersionId, wrapped_data_key: key.wrapped })
    .where('id', '=', id as VolumeId)
    .where('account_id', '=', grant.target.accountId)
    .where('phase', '=', 'requested')
    .returningAll()
    .executeTakeFirst()
  return row === undefined ? null : (row as Rows[KeyedTable] as Rows[Table])
}

/** Takes back what was requested and has no key. False when it was given up meanwhile. */
export async function dropRequestedIn<Table extends KeyedTable>(
  tx: Tx,
  table: Table,
  grant: Grant,
  id: Rows[Table]['id'],
): Promise<boolean> {
  const result = await tx
    .deleteFrom(like(table))
    .where('id', '=', id as VolumeId)
    .where('account_id', '=', grant.target.accountId)
    .where('phase', '=', 'requested')
    .executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

/** Volumes between two keys are followed by both; reencrypt.ts. Ids of all kinds are unique together. */
const hasOneKey = ({ eb, selectFrom }: ExpressionBuilder<VpcTables & VpcReencryptionTables, 'vpc_volume'>) =>
  eb('id', 'not in', selectFrom('vpc_reencryption').select('volume_id').where('phase', '=', 'running'))

export interface KeyInUse {
  readonly accountId: string
  readonly keyCrn: string
  /** Noted on them: the least and the greatest, in the order of text, which are one where all agree. */
  readonly standings: readonly KeyStanding[]
}

type KeyOfAccount = Pick<KeyInUse, 'accountId' | 'keyCrn'>

/**
 * The keys that the table's rows lie under, with the account whose they are; in pages. From one key to the next by the index,
 * past the rows between them: a pass costs its keys, however many volumes each of them has.
 */
export async function keysInUse(
  reads: Reads,
  table: KeyedTable,
  region: string,
  after: KeyOfAccount,
  limit: number,
): Promise<KeyInUse[]> {
  const rows = sql.table(table)
  const shown = sql`one.region = ${region} and one.phase not in (${sql.join([...hiddenPhases])})
    and one.id not in (select volume_id from vpc_reencryption where phase = 'running')`
  // In two steps, each of which the index begins at its place: another account of the key, or another key.
  const beyond = (keyCrn: unknown, accountId: unknown) => sql`coalesce(
    (select one.id from ${rows} as one where ${shown} and one.key_crn = ${keyCrn} and one.account_id > ${accountId}
     order by one.account_id limit 1),
    (select one.id from ${rows} as one where ${shown} and one.key_crn > ${keyCrn}
     order by one.key_crn, one.account_id limit 1))`
  const noted = (direction: 'asc' | 'desc') =>
    sql`select one.key_standing from ${rows} as one where ${shown} and one.key_crn = found.key_crn
        and one.account_id = found.account_id order by one.key_standing ${sql.raw(direction)} limit 1`
  const { rows: keys } = await sql<KeyOfAccount & { readonly least: KeyStanding; readonly greatest: KeyStanding }>`
    with recursive found(key_crn, account_id, n) as (
      select next.key_crn, next.account_id, 1 from ${rows} as next where next.id = ${beyond(after.keyCrn, after.accountId)}
      union all
      select next.key_crn, next.account_id, found.n + 1 from found
      join ${rows} as next on next.id = ${beyond(sql.ref('found.key_crn'), sql.ref('found.account_id'))}
      where found.n < ${limit}
    )
    select key_crn as "keyCrn", account_id as "accountId", (${noted('asc')}) as least, (${noted('desc')}) as greatest
    from found order by key_crn, account_id`.execute(reads)
  return keys.map(({ least, greatest, ...key }) => ({ ...key, standings: [least, greatest] }))
}

export interface Noted {
  readonly id: VolumeId | SnapshotId
  readonly accountId: string
  readonly crn: string
  readonly phase: VolumePhase
  readonly keyStanding: KeyStanding
}

/**
 * Notes the standing on some of the account's rows under the key, `limit` at the most; gives those, as they were and are,
 * and nothing when all have it. Time under an unusable key is nobody's delay: they wait for a disk from here on.
 */
export async function noteStanding(
  tx: Tx,
  table: KeyedTable,
  key: KeyOfAccount & { readonly region: string },
  standing: KeyStanding,
  { now, limit }: { readonly now: number; readonly limit: number },
): Promise<readonly { readonly before: Noted; readonly now: Noted }[]> {
  const rows = await tx
    .selectFrom(like(table))
    .select(['id', 'account_id as accountId', 'crn', 'phase', 'key_standing as keyStanding'])
    .where('region', '=', key.region)
    .where('key_crn', '=', key.keyCrn)
    .where('account_id', '=', key.accountId)
    // As a list, which the index can look up.
    .where(
      'key_standing',
      'in',
      keyStandings.filter((other) => other !== standing),
    )
    .where('phase', 'not in', hiddenPhases)
    .where(hasOneKey)
    .limit(limit)
    .execute()
  if (rows.length === 0) return []
  await tx
    .updateTable(like(table))
    .set({ key_standing: standing, waiting_since: now })
    .where(
      'id',
      'in',
      rows.map(({ id }) => id),
    )
    .execute()
  return rows.map((before) => ({ before, now: { ...before, keyStanding: standing } }))
}

export interface HeldDataKey {
  readonly id: VolumeId | SnapshotId | ImageId
  readonly accountId: string
  readonly crn: string
  readonly keyCrn: string
  readonly keyVersionId: string
  readonly wrapped: Uint8Array
}

/** The wrapped data keys that the table holds, in pages by id; rows whose key has no version that is known are none. */
export async function heldDataKeys(
  reads: Reads,
  table: KeyedTable,
  region: string,
  afterId: string,
  limit: number,
): Promise<readonly HeldDataKey[]> {
  const rows = await reads
    .selectFrom(like(table))
    .select(['id', 'account_id', 'crn', 'key_crn', 'key_version_id', 'wrapped_data_key'])
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .where('key_version_id', 'is not', null)
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

/** Only in the place of the key that it was re-wrapped from: false when there is another by now, or has gone. */
export async function replaceDataKey(
  tx: Tx,
  table: KeyedTable,
  held: Pick<HeldDataKey, 'id' | 'keyVersionId' | 'wrapped'>,
  key: WrappedDataKey,
): Promise<boolean> {
  const result = await tx
    .updateTable(like(table))
    .set({ key_version_id: key.keyVersionId, wrapped_data_key: key.wrapped })
    .where('id', '=', held.id as VolumeId)
    .where('key_version_id', '=', held.keyVersionId)
    // The version alone may be that of another data key, which a volume has come to by re-encryption.
    .where('wrapped_data_key', '=', held.wrapped)
    .executeTakeFirst()
  return Number(result.numUpdatedRows) === 1
}

/** Which of the CRNs have a row, in whatever phase. */
export async function existingCrns(
  reads: Reads,
  table: KeyedTable,
  crns: readonly string[],
): Promise<ReadonlySet<string>> {
  if (crns.length === 0) return new Set()
  const rows = await reads.selectFrom(like(table)).select('crn').where('crn', 'in', crns).execute()
  return new Set(rows.map((row) => row.crn))
}

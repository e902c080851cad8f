// SQL of what has been wrapped under a key for whom: written in the transaction that wraps, so that a purge knows what dies.

import type { Reads, Tx } from '#store/database.ts'

/** One wrapped data key, or a resource whose service keeps its wrapped keys to itself. */
export interface WrappedKeyNote {
  readonly keyId: string
  readonly resourceCrn: string
  readonly serviceName: string
  readonly accountId: string
  readonly keyVersionId: string
  readonly sha256: Uint8Array | null
  readonly salt: Uint8Array
  readonly madeAt: number
}

/** What is noted already is not noted again. */
export async function insertWrappedKeys(tx: Tx, notes: readonly WrappedKeyNote[]): Promise<void> {
  for (let from = 0; from < notes.length; from += rowsPerStatement) {
    const rows = notes.slice(from, from + rowsPerStatement).map((note) => ({
      key_id: note.keyId,
      resource_crn: note.resourceCrn,
      service_name: note.serviceName,
      account_id: note.accountId,
      key_version_id: note.keyVersionId,
      sha256: note.sha256,
      salt: note.salt,
      made_at: note.madeAt,
    }))
    await tx
      .insertInto('kms_wrapped_key')
      .values(rows)
      .onConflict((c) => c.columns(['key_id', 'resource_crn', 'sha256']).doNothing())
      .execute()
  }
}

/** Engines bound the parameters of one statement; a row has eight. */
const rowsPerStatement = 100

/** Resources that were registered on the key at some time and of which no wrapped key is known. */
export async function selectUnknown(
  reads: Reads,
  keyId: string,
): Promise<readonly Omit<WrappedKeyNote, 'sha256' | 'salt'>[]> {
  const rows = await reads
    .selectFrom('kms_use_history')
    .select(['resource_crn', 'service_name', 'account_id', 'key_version_id'])
    .select(({ fn }) => fn.min('registered_at').as('since'))
    .where('key_id', '=', keyId)
    .where('resource_crn', 'not in', (e) =>
      e.selectFrom('kms_wrapped_key').select('resource_crn').where('key_id', '=', keyId),
    )
    .groupBy(['resource_crn', 'service_name', 'account_id', 'key_version_id'])
    .orderBy('resource_crn')
    .orderBy('key_version_id')
    .execute()
  return rows.map((row) => ({
    keyId,
    resourceCrn: row.resource_crn,
    serviceName: row.service_name,
    accountId: row.account_id,
    keyVersionId: row.key_version_id,
    madeAt: row.since,
  }))
}

/** In the order in which they were noted: the order of the leaves. */
export async function selectWrappedKeys(
  reads: Reads,
  keyId: string,
  limit?: number,
): Promise<readonly WrappedKeyNote[]> {
  const query = reads.selectFrom('kms_wrapped_key').selectAll().where('key_id', '=', keyId).orderBy('seq')
  const rows = await (limit === undefined ? query : query.limit(limit)).execute()
  return rows.map((row) => ({
    keyId,
    resourceCrn: row.resource_crn,
    serviceName: row.service_name,
    accountId: row.account_id,
    keyVersionId: row.key_version_id,
    sha256: row.sha256,
    salt: row.salt,
    madeAt: row.made_at,
  }))
}

export interface DestroyedKeyRow {
  readonly keyId: string
  readonly keyCrn: string
  readonly accountId: string
  readonly purgedAt: number
  readonly statement: string
  readonly persons: string
  readonly dataKeyCount: number
}

export async function insertDestroyedKey(tx: Tx, key: DestroyedKeyRow): Promise<void> {
  await tx
    .insertInto('kms_destroyed_key')
    .values({
      key_id: key.keyId,
      key_crn: key.keyCrn,
      account_id: key.accountId,
      purged_at: key.purgedAt,
      statement: key.statement,
      persons: key.persons,
      data_key_count: key.dataKeyCount,
    })
    .execute()
}

const destroyed = [
  ...(['key_id as keyId', 'key_crn as keyCrn', 'account_id as accountId', 'purged_at as purgedAt'] as const),
  ...(['statement', 'persons', 'data_key_count as dataKeyCount'] as const),
] as const

/** Of the keys of one account. */
export const selectDestroyedKey = async (
  reads: Reads,
  accountId: string,
  keyId: string,
): Promise<DestroyedKeyRow | null> =>
  (await reads
    .selectFrom('kms_destroyed_key')
    .select(destroyed)
    .where('key_id', '=', keyId)
    .where('account_id', '=', accountId)
    .executeTakeFirst()) ?? null

/** The key that was purged last, or the one that is named, of those that have wrapped a data key for the account's resource. */
export async function selectDestroyedKeyOf(
  reads: Reads,
  wanted: { readonly accountId: string; readonly resourceCrn: string; readonly keyId: string | null },
): Promise<DestroyedKeyRow | null> {
  let query = reads
    .selectFrom('kms_destroyed_key')
    .select(destroyed)
    .where('key_id', 'in', (e) =>
      e
        .selectFrom('kms_wrapped_key as w')
        .select('w.key_id')
        .where('w.account_id', '=', wanted.accountId)
        .where('w.resource_crn', '=', wanted.resourceCrn),
    )
    .orderBy('purged_at', 'desc')
    .orderBy('key_id')
    .limit(1)
  if (wanted.keyId !== null) query = query.where('key_id', '=', wanted.keyId)
  return (await query.executeTakeFirst()) ?? null
}

/** Every version of a key, oldest first, without its material. */
export const selectVersionNames = (reads: Reads, keyId: string) =>
  reads
    .selectFrom('kms_key_version')
    .select(['id', 'created_at as createdAt'])
    .where('key_id', '=', keyId)
    .orderBy('ordinal')
    .execute()

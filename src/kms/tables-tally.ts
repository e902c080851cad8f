// SQL of the tally: how many registrations of each registrant name each version of a key. It is changed by the same
// functions that change registrations, in their transaction, so that it is exact, and it has one row where they may have
// a million: progress, convergence and who has to be told are read from it.

import type { Reads, Tx } from '#store/database.ts'
import type { Registrant } from './resource.ts'

export interface Tallied extends Registrant {
  readonly keyVersionId: string
  readonly registrations: number
  readonly followed: number
}

/** Registrations of one registrant that name one version. */
export interface TallyChange {
  readonly keyId: string
  readonly keyVersionId: string
  readonly by: Registrant
  readonly count: number
}

/** `followed` where they named another version before. */
export async function tallyMore(tx: Tx, change: TallyChange & { readonly followed: boolean }): Promise<void> {
  const { keyId, keyVersionId, by, count, followed } = change
  await tx
    .insertInto('kms_registration_tally')
    .values({
      key_id: keyId,
      key_version_id: keyVersionId,
      service_name: by.serviceName,
      account_id: by.accountId,
      registrations: count,
      followed: followed ? count : 0,
    })
    .onConflict((c) =>
      c.columns(['key_id', 'key_version_id', 'service_name', 'account_id']).doUpdateSet((e) => ({
        registrations: e('kms_registration_tally.registrations', '+', e.ref('excluded.registrations')),
        followed: e('kms_registration_tally.followed', '+', e.ref('excluded.followed')),
      })),
    )
    .execute()
}

export async function tallyFewer(tx: Tx, { keyId, keyVersionId, by, count }: TallyChange): Promise<void> {
  await tx
    .updateTable('kms_registration_tally')
    .set((e) => ({ registrations: e('registrations', '-', count) }))
    .where('key_id', '=', keyId)
    .where('key_version_id', '=', keyVersionId)
    .where('service_name', '=', by.serviceName)
    .where('account_id', '=', by.accountId)
    .execute()
  await tx.deleteFrom('kms_registration_tally').where('key_id', '=', keyId).where('registrations', '=', 0).execute()
}

/** All registrations of the key have gone. */
export async function clearTally(tx: Tx, keyId: string): Promise<void> {
  await tx.deleteFrom('kms_registration_tally').where('key_id', '=', keyId).execute()
}

/** For whoever tells services of what happened to the key; its owner reads it by version (tables-version.ts). */
export async function selectTallyOf(reads: Reads, keyId: string): Promise<readonly Tallied[]> {
  return await reads
    .selectFrom('kms_registration_tally')
    .select(['key_version_id as keyVersionId', 'service_name as serviceName', 'account_id as accountId'])
    .select(['registrations', 'followed'])
    .where('key_id', '=', keyId)
    .orderBy('service_name')
    .orderBy('account_id')
    .orderBy('key_version_id')
    .execute()
}

/** How many registrations of the key name a version other than the newest; of one registrant, where one is given. */
export async function countStale(
  reads: Reads,
  key: { readonly id: string; readonly newestVersionId: string },
  registrant: Registrant | null,
): Promise<number> {
  let query = reads
    .selectFrom('kms_registration_tally')
    .select((e) => e.fn.sum<number | null>('registrations').as('count'))
    .where('key_id', '=', key.id)
    .where('key_version_id', '!=', key.newestVersionId)
  if (registrant) {
    query = query.where('service_name', '=', registrant.serviceName).where('account_id', '=', registrant.accountId)
  }
  return Number((await query.executeTakeFirstOrThrow()).count ?? 0)
}

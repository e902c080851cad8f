// SQL of keys in quarantine, and of who has used them since.

import { sql } from 'kysely'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { Key } from './key.ts'
import { instanceIdOf, keyIdOf } from './tables-rows.ts'

export interface QuarantineUse {
  readonly keyId: string
  readonly accountId: string
  readonly user: string
  readonly count: number
  /** Null for whoever has only gone on. */
  readonly lastAt: number | null
  readonly lastAction: string | null
  readonly lastResourceCrn: string | null
}

export interface NewUse extends QuarantineUse {
  /** When the quarantine began in which it was. */
  readonly since: number
}

export async function setQuarantine(
  tx: Tx,
  grant: Grant<'kms.secrets.disable' | 'kms.secrets.enable'>,
  quarantine: Key['quarantine'],
  now: number,
): Promise<void> {
  await tx
    .updateTable('kms_key')
    .set({ quarantined_at: quarantine?.since ?? null, quarantined_by: quarantine?.by ?? null, updated_at: now })
    .where('id', '=', keyIdOf(grant))
    .where('instance_id', '=', instanceIdOf(grant))
    .execute()
}

/** Of keys that are still in the same quarantine. */
export async function addUses(tx: Tx, uses: readonly NewUse[]): Promise<void> {
  for (const { keyId, since, accountId, user, count, lastAt, lastAction, lastResourceCrn } of uses) {
    const key = await tx
      .selectFrom('kms_key')
      .select('id')
      .where('id', '=', keyId)
      .where('quarantined_at', '=', since)
      .executeTakeFirst()
    if (!key) continue
    const last = { last_at: lastAt, last_action: lastAction, last_resource_crn: lastResourceCrn }
    await tx
      .insertInto('kms_quarantine_use')
      .values({ key_id: keyId, account_id: accountId, user, count, ...last })
      .onConflict((c) =>
        c
          .columns(['key_id', 'account_id', 'user'])
          .doUpdateSet({ ...last, count: sql<number>`kms_quarantine_use.count + ${count}` }),
      )
      .execute()
  }
}

export async function clearUses(tx: Tx, keyId: string): Promise<void> {
  await tx.deleteFrom('kms_quarantine_use').where('key_id', '=', keyId).execute()
}

/** Of one account or of all; who has used it last comes first. */
export async function selectUsers(
  reads: Reads,
  keyId: string,
  accountId: string | null = null,
): Promise<readonly QuarantineUse[]> {
  const rows = reads
    .selectFrom('kms_quarantine_use')
    .select(['key_id as keyId', 'account_id as accountId', 'user', 'count'])
    .select(['last_at as lastAt', 'last_action as lastAction', 'last_resource_crn as lastResourceCrn'])
    .where('key_id', '=', keyId)
    .orderBy('last_at', 'desc')
    .orderBy('account_id')
    .orderBy('user')
  return await (accountId === null ? rows : rows.where('account_id', '=', accountId)).execute()
}

// SQL of what accounts ask of deletions; no row means nothing.

import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'

export async function selectQuarantineHours(reads: Reads, accountId: string): Promise<number> {
  const row = await reads
    .selectFrom('kms_key_safety')
    .select('quarantine_hours')
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  return row?.quarantine_hours ?? 0
}

export async function setQuarantineHours(
  tx: Tx,
  grant: Grant<'keyward.key-safety.write'>,
  hours: number,
  now: number,
): Promise<void> {
  await tx
    .insertInto('kms_key_safety')
    .values({ account_id: grant.target.accountId, quarantine_hours: hours, updated_at: now })
    .onConflict((c) => c.column('account_id').doUpdateSet({ quarantine_hours: hours, updated_at: now }))
    .execute()
}

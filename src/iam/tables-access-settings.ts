// The SQL of who from elsewhere may act in an account. Decisions read it too, so reading needs no grant; its owner shows it.

import type { Reads, Tx } from '#store/database.ts'
import type { IdentityTypes, StoredSettings } from './access-settings.ts'
import type { Grant } from './port.ts'

export async function readAccessSettings(reads: Reads, accountId: string): Promise<StoredSettings | null> {
  const row = await reads
    .selectFrom('iam_access_settings')
    .select(['document', 'revision'])
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  // writeAccessSettings() wrote it.
  return row ? { identityTypes: JSON.parse(row.document) as IdentityTypes, revision: row.revision } : null
}

export async function writeAccessSettings(
  tx: Tx,
  grant: Grant<'iam-access-management.account-settings.update'>,
  { identityTypes, revision }: StoredSettings,
  { at, byId }: { readonly at: number; readonly byId: string },
): Promise<void> {
  const values = {
    document: JSON.stringify(identityTypes),
    revision,
    last_modified_at: at,
    last_modified_by_id: byId,
  }
  await tx
    .insertInto('iam_access_settings')
    .values({ account_id: grant.target.accountId, ...values })
    .onConflict((c) => c.column('account_id').doUpdateSet(values))
    .execute()
}

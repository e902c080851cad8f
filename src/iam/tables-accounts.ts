// The SQL of accounts and their settings.

import type { Insertable, Selectable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { Grant } from './port.ts'

export type AccountRow = Selectable<IamTables['iam_account']>

export async function readAccount(query: Reads, id: string): Promise<AccountRow | null> {
  return (await query.selectFrom('iam_account').selectAll().where('id', '=', id).executeTakeFirst()) ?? null
}

/** For the operator, whose accounts they all are. */
export async function readAccounts(query: Reads): Promise<readonly AccountRow[]> {
  return await query.selectFrom('iam_account').selectAll().orderBy('created_at').orderBy('id').execute()
}

export async function insertAccount(tx: Tx, row: Insertable<IamTables['iam_account']>): Promise<void> {
  await tx.insertInto('iam_account').values(row).execute()
}

/** False when it is in that state already. */
export async function setAccountState(tx: Tx, id: string, state: AccountRow['state']): Promise<boolean> {
  const changed = tx.updateTable('iam_account').set({ state }).where('id', '=', id).where('state', '<>', state)
  return (await changed.executeTakeFirst()).numUpdatedRows > 0n
}

export async function readSettingsRow(
  query: Reads,
  grant: Grant<`iam-identity.account.${'get' | 'update'}`>,
): Promise<Pick<AccountRow, 'settings' | 'settings_revision'> | null> {
  const columns = ['settings', 'settings_revision'] as const
  const row = query.selectFrom('iam_account').select(columns).where('id', '=', grant.target.accountId)
  return (await row.executeTakeFirst()) ?? null
}

/** False when they are no longer as they were read, by their revision. */
export async function writeSettings(
  tx: Tx,
  grant: Grant<'iam-identity.account.update'>,
  readRevision: string,
  change: Pick<AccountRow, 'settings' | 'settings_revision' | 'allowed_ip_addresses'>,
): Promise<boolean> {
  const changed = tx
    .updateTable('iam_account')
    .set(change)
    .where('id', '=', grant.target.accountId)
    .where('settings_revision', '=', readRevision)
  return (await changed.executeTakeFirst()).numUpdatedRows > 0n
}

// The SQL of what hangs on a trusted profile: whom it lets in, its claim rules, its links.

import type { Insertable, Selectable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { Grant } from './port.ts'

export type ProfileIdentityRow = Selectable<IamTables['iam_profile_identity']>
export type ProfilePartRow = Selectable<IamTables['iam_profile_part']>
export type PartKind = ProfilePartRow['kind']
type Reading = Grant<'iam-identity.profile.get'>
type Changing = Grant<'iam-identity.profile.update'>

export async function readProfileIdentities(
  query: Reads,
  _of: Reading | Changing,
  profileIamId: string,
): Promise<readonly ProfileIdentityRow[]> {
  const rows = query.selectFrom('iam_profile_identity').selectAll().where('profile_iam_id', '=', profileIamId)
  return await rows.orderBy('created_at').orderBy('iam_id').execute()
}

/** The profiles that this identity may assume, of whatever account. For checks: nobody is shown them. */
export async function profilesLettingIn(reads: Reads, iamId: string): Promise<readonly string[]> {
  const rows = reads.selectFrom('iam_profile_identity').select('profile_iam_id').where('iam_id', '=', iamId)
  return (await rows.orderBy('profile_iam_id').execute()).map((row) => row.profile_iam_id)
}

export async function putProfileIdentity(
  tx: Tx,
  _of: Changing,
  row: Insertable<IamTables['iam_profile_identity']>,
): Promise<void> {
  const { type, identifier, accounts, description } = row
  await tx
    .insertInto('iam_profile_identity')
    .values(row)
    .onConflict((c) =>
      c.columns(['profile_iam_id', 'iam_id']).doUpdateSet({
        type,
        identifier,
        accounts: accounts ?? null,
        description: description ?? null,
      }),
    )
    .execute()
}

/** One of them, or all. */
export async function deleteProfileIdentities(
  tx: Tx,
  _of: Changing,
  profileIamId: string,
  iamId: string | null,
): Promise<boolean> {
  let rows = tx.deleteFrom('iam_profile_identity').where('profile_iam_id', '=', profileIamId)
  if (iamId !== null) rows = rows.where('iam_id', '=', iamId)
  const { numDeletedRows } = await rows.executeTakeFirst()
  return numDeletedRows > 0n
}

export async function readParts(
  query: Reads,
  _of: Reading | Changing,
  profileIamId: string,
  kind: PartKind,
): Promise<readonly ProfilePartRow[]> {
  const rows = query.selectFrom('iam_profile_part').selectAll().where('profile_iam_id', '=', profileIamId)
  return await rows.where('kind', '=', kind).orderBy('created_at').orderBy('id').execute()
}

export async function insertPart(tx: Tx, _of: Changing, row: Insertable<IamTables['iam_profile_part']>): Promise<void> {
  await tx.insertInto('iam_profile_part').values(row).execute()
}

/** Null when it is no longer as it was read, by its revision. */
export async function updatePart(
  tx: Tx,
  _of: Changing,
  { id, revision }: Pick<ProfilePartRow, 'id' | 'revision'>,
  change: { readonly document: string; readonly modified_at: number; readonly revision: string },
): Promise<ProfilePartRow | null> {
  const row = tx.updateTable('iam_profile_part').set(change).where('id', '=', id).where('revision', '=', revision)
  return (await row.returningAll().executeTakeFirst()) ?? null
}

export async function deletePart(tx: Tx, _of: Changing, id: string): Promise<void> {
  await tx.deleteFrom('iam_profile_part').where('id', '=', id).execute()
}

/** Everything that hangs on a profile which is being deleted. */
export async function deleteProfileParts(
  tx: Tx,
  _of: Grant<'iam-identity.profile.delete'>,
  profileIamId: string,
): Promise<void> {
  await tx.deleteFrom('iam_profile_identity').where('profile_iam_id', '=', profileIamId).execute()
  await tx.deleteFrom('iam_profile_part').where('profile_iam_id', '=', profileIamId).execute()
}

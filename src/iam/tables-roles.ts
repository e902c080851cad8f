// The SQL of custom roles.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { CustomRole } from './custom-roles.ts'
import type { Grant } from './port.ts'

type Row = Selectable<IamTables['iam_custom_role']>

export async function insertRole(tx: Tx, grant: Grant<'iam.customRole.create'>, role: CustomRole): Promise<void> {
  assert(grant.target.accountId === role.accountId, 'a role is made in the account that the grant is for')
  await tx.insertInto('iam_custom_role').values(rowOf(role)).execute()
}

export async function updateRole(tx: Tx, grant: Grant<'iam.customRole.update'>, role: CustomRole): Promise<void> {
  await tx
    .updateTable('iam_custom_role')
    .set(rowOf(role))
    .where('id', '=', role.id)
    .where('account_id', '=', grant.target.accountId)
    .execute()
}

export async function deleteRole(tx: Tx, grant: Grant<'iam.customRole.delete'>, id: string): Promise<void> {
  await tx.deleteFrom('iam_custom_role').where('id', '=', id).where('account_id', '=', grant.target.accountId).execute()
}

/** Whose role an id is, so that the right account can be asked for leave to read it. */
export async function accountOfRole(reads: Reads, id: string): Promise<string | null> {
  const row = await reads.selectFrom('iam_custom_role').select('account_id').where('id', '=', id).executeTakeFirst()
  return row?.account_id ?? null
}

export async function readRole(
  reads: Reads,
  grant: Grant<'iam.customRole.read'>,
  id: string,
): Promise<CustomRole | null> {
  const row = await reads
    .selectFrom('iam_custom_role')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return row ? roleOf(row) : null
}

export async function readRoles(reads: Reads, grant: Grant<'iam.customRole.read'>): Promise<readonly CustomRole[]> {
  return await readRolesForWords(reads, grant.target.accountId)
}

/** For checks among an account's roles, and for the words of roles in policies that somebody may read already. */
export async function readRolesForWords(reads: Reads, accountId: string): Promise<readonly CustomRole[]> {
  const rows = await reads
    .selectFrom('iam_custom_role')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map(roleOf)
}

/** The service that a role of the account is for, or null when there is no such role. */
export async function readServiceOfRole(tx: Tx, accountId: string, crn: string): Promise<string | null> {
  const row = await tx
    .selectFrom('iam_custom_role')
    .select('service_name')
    .where('account_id', '=', accountId)
    .where('crn', '=', crn)
    .executeTakeFirst()
  return row?.service_name ?? null
}

/** An active policy that names the role, or null. A CRN holds no sign that is special in a pattern but `_`, which fits itself. */
export async function policyWithRole(
  tx: Tx,
  grant: Grant<'iam.customRole.delete'>,
  crn: string,
): Promise<string | null> {
  const row = await tx
    .selectFrom('iam_policy')
    .select('id')
    .where('account_id', '=', grant.target.accountId)
    .where('state', '=', 'active')
    .where('facts', 'like', `%${JSON.stringify(crn)}%`)
    .orderBy('id')
    .executeTakeFirst()
  return row?.id ?? null
}

const rowOf = (role: CustomRole): Row => ({
  id: role.id,
  account_id: role.accountId,
  crn: role.crn,
  name: role.name,
  display_name: role.displayName,
  description: role.description,
  service_name: role.serviceName,
  actions: JSON.stringify(role.actions),
  fingerprint: role.fingerprint,
  revision: role.revision,
  created_at: role.createdAt,
  created_by_id: role.createdById,
  last_modified_at: role.lastModifiedAt,
  last_modified_by_id: role.lastModifiedById,
})

const roleOf = (row: Row): CustomRole => ({
  id: row.id,
  accountId: row.account_id,
  crn: row.crn,
  name: row.name,
  displayName: row.display_name,
  description: row.description,
  serviceName: row.service_name,
  // rowOf() wrote a list of texts.
  actions: JSON.parse(row.actions) as string[],
  fingerprint: row.fingerprint,
  revision: row.revision,
  createdAt: row.created_at,
  createdById: row.created_by_id,
  lastModifiedAt: row.last_modified_at,
  lastModifiedById: row.last_modified_by_id,
})

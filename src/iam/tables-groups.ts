// The SQL of access groups and their members.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { Grant } from './port.ts'

export type GroupRow = Selectable<IamTables['iam_access_group']>
export type MemberRow = Selectable<IamTables['iam_access_group_member']>
type ReadMembers = Grant<'iam-groups.members.read'>

export async function insertGroup(tx: Tx, grant: Grant<'iam-groups.groups.create'>, group: GroupRow): Promise<void> {
  assert(grant.target.accountId === group.account_id, 'a group is made in the account that the grant is for')
  await tx.insertInto('iam_access_group').values(group).execute()
}

export async function updateGroup(tx: Tx, grant: Grant<'iam-groups.groups.update'>, group: GroupRow): Promise<void> {
  await tx
    .updateTable('iam_access_group')
    .set(group)
    .where('id', '=', group.id)
    .where('account_id', '=', grant.target.accountId)
    .execute()
}

export async function deleteGroup(tx: Tx, grant: Grant<'iam-groups.groups.delete'>, id: string): Promise<void> {
  const { accountId } = grant.target
  await tx
    .deleteFrom('iam_access_group_member')
    .where('group_id', '=', id)
    .where('account_id', '=', accountId)
    .execute()
  await tx.deleteFrom('iam_access_group').where('id', '=', id).where('account_id', '=', accountId).execute()
}

export const hasGroup = async (reads: Reads, accountId: string, id: string): Promise<boolean> =>
  (await reads
    .selectFrom('iam_access_group')
    .select('id')
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .executeTakeFirst()) !== undefined

/** Whether somebody in the account is called that, but for one. */
export async function groupByName(tx: Tx, accountId: string, name: string): Promise<GroupRow | null> {
  const row = tx.selectFrom('iam_access_group').selectAll().where('account_id', '=', accountId).where('name', '=', name)
  return (await row.executeTakeFirst()) ?? null
}

export async function countGroups(tx: Tx, accountId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('iam_access_group')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Without a grant, to find out whose it is; nobody sees it before they were allowed to. */
export async function readGroup(reads: Reads, id: string): Promise<GroupRow | null> {
  return (await reads.selectFrom('iam_access_group').selectAll().where('id', '=', id).executeTakeFirst()) ?? null
}

/** All of an account, which is not many; whoever lists them leaves out what the caller may not see. */
export async function readGroups(reads: Reads, accountId: string, iamId: string | null): Promise<readonly GroupRow[]> {
  let rows = reads.selectFrom('iam_access_group').selectAll().where('account_id', '=', accountId)
  if (iamId !== null) {
    const mine = reads
      .selectFrom('iam_access_group_member')
      .select('group_id')
      .where('iam_id', '=', iamId)
      .where('account_id', '=', accountId)
    rows = rows.where('id', 'in', mine)
  }
  return await rows.orderBy('name').execute()
}

/** False when they are in it already. */
export async function insertMember(
  tx: Tx,
  grant: Grant<'iam-groups.members.add'>,
  member: MemberRow,
): Promise<boolean> {
  assert(grant.target.accountId === member.account_id, 'members are added in the account that the grant is for')
  const result = await tx
    .insertInto('iam_access_group_member')
    .values(member)
    .onConflict((c) => c.columns(['group_id', 'iam_id']).doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) > 0
}

/** False when they were not in it. */
export async function deleteMember(
  tx: Tx,
  grant: Grant<'iam-groups.members.remove'>,
  member: { readonly groupId: string; readonly iamId: string },
): Promise<boolean> {
  const result = await tx
    .deleteFrom('iam_access_group_member')
    .where('group_id', '=', member.groupId)
    .where('iam_id', '=', member.iamId)
    .where('account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return Number(result.numDeletedRows) > 0
}

export async function hasMember(reads: Reads, _grant: ReadMembers, groupId: string, iamId: string): Promise<boolean> {
  const row = await reads
    .selectFrom('iam_access_group_member')
    .select('iam_id')
    .where('group_id', '=', groupId)
    .where('iam_id', '=', iamId)
    .executeTakeFirst()
  return row !== undefined
}

export async function countMembers(reads: Reads, groupId: string, type: MemberRow['type'] | null): Promise<number> {
  let rows = reads
    .selectFrom('iam_access_group_member')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('group_id', '=', groupId)
  if (type) rows = rows.where('type', '=', type)
  return Number((await rows.executeTakeFirstOrThrow()).count)
}

/** With what is known of the identity, where the account knows it. */
export interface ListedMember extends MemberRow {
  readonly name: string | null
  readonly email: string | null
  readonly description: string | null
}

export async function readMembers(
  reads: Reads,
  grant: ReadMembers,
  page: {
    readonly groupId: string
    readonly type: MemberRow['type'] | null
    readonly offset: number
    readonly limit: number
  },
): Promise<readonly ListedMember[]> {
  const { accountId } = grant.target
  let rows = reads
    .selectFrom('iam_access_group_member as m')
    // Of identities that are at home elsewhere the account knows no more than the id.
    .leftJoin('iam_identity as i', (join) => join.onRef('i.iam_id', '=', 'm.iam_id').on('i.account_id', '=', accountId))
    .selectAll('m')
    .select(['i.name', 'i.email', 'i.description'])
    .where('m.group_id', '=', page.groupId)
    .where('m.account_id', '=', accountId)
  if (page.type) rows = rows.where('m.type', '=', page.type)
  return await rows.orderBy('m.created_at').orderBy('m.iam_id').limit(page.limit).offset(page.offset).execute()
}

/** The groups of an account that somebody is in. */
export async function groupsWith(tx: Tx, accountId: string, iamId: string): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom('iam_access_group_member')
    .select('group_id')
    .where('iam_id', '=', iamId)
    .where('account_id', '=', accountId)
    .orderBy('group_id')
    .execute()
  return rows.map((row) => row.group_id)
}

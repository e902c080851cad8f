// The SQL of policies. Whoever changes or reads one brings the grant for it; what decisions read is in tables-decisions.ts.

import { sql } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { SubjectKey } from './policy-keys.ts'
import { policyOf, rowOf, rowOfDraft } from './policy-rows.ts'
import { fingerprintOf } from './policy.ts'
import type { Policy, PolicyDraft } from './policy.ts'
import type { Grant } from './port.ts'

export async function insertPolicy(tx: Tx, grant: Grant<'iam.policy.create'>, policy: Policy): Promise<void> {
  assert(grant.target.accountId === policy.accountId, 'a policy is made in the account that the grant is for')
  await tx.insertInto('iam_policy').values(rowOf(policy)).execute()
}

/** The policies an account is born with: before them nobody could permit anything. For accounts.ts only. */
export async function insertFoundingPolicy(tx: Tx, policy: Policy): Promise<void> {
  await tx.insertInto('iam_policy').values(rowOf(policy)).execute()
}

/** The active policy of the account that means the same and is not `exceptId`, or null. */
export async function readTwin(
  tx: Tx,
  draft: PolicyDraft,
  exceptId: string | null,
): Promise<{ id: string; revision: string } | null> {
  let twin = tx
    .selectFrom('iam_policy')
    .select(['id', 'revision'])
    .where('account_id', '=', draft.accountId)
    .where('state', '=', 'active')
    .where('fingerprint', '=', fingerprintOf(draft.type, draft.facts))
  if (exceptId !== null) twin = twin.where('id', '!=', exceptId)
  return (await twin.executeTakeFirst()) ?? null
}

/** How many active policies there are; of one subject, if one is given. */
export async function countActivePolicies(tx: Tx, accountId: string, subject: SubjectKey | null): Promise<number> {
  let rows = tx
    .selectFrom('iam_policy')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .where('state', '=', 'active')
  if (subject !== null) rows = rows.where('subject_key', '=', subject)
  return Number((await rows.executeTakeFirstOrThrow()).count)
}

/** Whose policy an id is, so that the right account can be asked for leave to read it. Null when there is none. */
export async function ownersOfPolicy(
  reads: Reads,
  id: string,
): Promise<{ readonly accountId: string; readonly delegatedBy: string | null } | null> {
  const row = await reads
    .selectFrom('iam_policy')
    .select(['account_id as accountId', 'delegated_by as delegatedBy'])
    .where('id', '=', id)
    .executeTakeFirst()
  return row ?? null
}

export async function readPolicy(reads: Reads, grant: Grant<'iam.policy.read'>, id: string): Promise<Policy | null> {
  const row = await reads
    .selectFrom('iam_policy')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return row ? policyOf(row) : null
}

/** What was derived from an authorization and is active: it stands and falls with it. */
export async function readChildren(tx: Tx, grant: Grant, parentId: string): Promise<readonly Policy[]> {
  const rows = await tx
    .selectFrom('iam_policy')
    .selectAll()
    .where('parent_id', '=', parentId)
    .where('account_id', '=', grant.target.accountId)
    .where('state', '=', 'active')
    .orderBy('id')
    .execute()
  return rows.map(policyOf)
}

/** Authorizations that may have children and name the role, or have a child that does. As policyWithRole() finds them. */
export async function parentsWithRole(
  tx: Tx,
  grant: Grant<'iam.customRole.update'>,
  crn: string,
): Promise<readonly Policy[]> {
  const naming = `%${JSON.stringify(crn)}%`
  const children = tx.selectFrom('iam_policy').select('parent_id').where('facts', 'like', naming)
  const rows = await tx
    .selectFrom('iam_policy')
    .selectAll()
    .where('account_id', '=', grant.target.accountId)
    .where('state', '=', 'active')
    .where('delegates', '=', 1)
    .where((e) =>
      e.or([
        e('facts', 'like', naming),
        e('id', 'in', children.where('account_id', '=', grant.target.accountId).where('parent_id', 'is not', null)),
      ]),
    )
    .orderBy('id')
    .execute()
  return rows.map(policyOf)
}

export interface Change {
  readonly id: string
  /** That was read: a policy that has moved on since is left alone. */
  readonly from: string
  readonly revision: string
  readonly at: number
  readonly byId: string
}

const stamp = ({ revision, at, byId }: Change) => ({ revision, last_modified_at: at, last_modified_by_id: byId })

export const replaceDraft = async (
  tx: Tx,
  grant: Grant<'iam.policy.update'>,
  change: Change,
  draft: PolicyDraft,
): Promise<Policy | null> => update(tx, grant, change, { ...rowOfDraft(draft), ...stamp(change) }, 'active')

export const markActive = (tx: Tx, grant: Grant<'iam.policy.update'>, change: Change): Promise<Policy | null> =>
  update(tx, grant, change, { state: 'active', ...stamp(change) }, 'deleted')

export const markDeleted = (tx: Tx, grant: Grant<'iam.policy.delete'>, change: Change): Promise<Policy | null> =>
  update(tx, grant, change, { state: 'deleted', ...stamp(change) }, 'active')

/** What it is now, or null when it is not, or no longer, what the change began with. */
async function update(
  tx: Tx,
  grant: Grant<'iam.policy.update' | 'iam.policy.delete'>,
  { id, from }: Change,
  values: Partial<ReturnType<typeof rowOf>>,
  state: Policy['state'],
): Promise<Policy | null> {
  const row = await tx
    .updateTable('iam_policy')
    .set({ ...values, facts_before: state === 'active' ? sql<string>`facts` : null })
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .where('state', '=', state)
    .where('revision', '=', from)
    .returningAll()
    .executeTakeFirst()
  return row ? policyOf(row) : null
}

/** Deleted policies whose time to be made active again is over. */
export async function forgetDeletedPolicies(tx: Tx, accountId: string, before: number): Promise<void> {
  const gone = await tx
    .deleteFrom('iam_policy')
    .where('account_id', '=', accountId)
    .where('state', '=', 'deleted')
    .where('last_modified_at', '<', before)
    .returning('id')
    .execute()
  for (const { id } of gone) {
    await tx.deleteFrom('iam_policy_permit').where('policy_id', '=', id).execute()
    await tx.deleteFrom('iam_bound_passed').where('policy_id', '=', id).execute()
  }
}

/** For the end of an access group; gives the ids of the policies that went with it. */
export async function deletePoliciesOf(
  tx: Tx,
  grant: Grant<'iam-groups.groups.delete'>,
  subject: SubjectKey,
  { at, byId }: { readonly at: number; readonly byId: string },
): Promise<readonly string[]> {
  const rows = await tx
    .updateTable('iam_policy')
    .set({ state: 'deleted', last_modified_at: at, last_modified_by_id: byId, facts_before: sql<string>`facts` })
    .where('account_id', '=', grant.target.accountId)
    .where('subject_key', '=', subject)
    .where('state', '=', 'active')
    .returning('id')
    .execute()
  return rows.map((row) => row.id)
}

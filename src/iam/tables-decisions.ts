// The SQL behind decisions: what has been granted, to whom it may concern, as facts for decide.ts and its neighbours. No
// Grant: nothing here is shown to anybody. One statement sees one moment, so a decision never mixes two states of an
// account.

import { sql } from 'kysely'
import type { Reads } from '#store/database.ts'
import type { PolicyFacts } from './decide.ts'
import { groupKey, iamIdKey } from './policy-keys.ts'
import type { ResourceKey, SubjectKey } from './policy-keys.ts'
import { parseFacts } from './policy-rows.ts'

/** Whose policies, for what. */
export interface Wanted {
  readonly accountId: string
  readonly subjects: readonly SubjectKey[]
  /** The identity whose access groups count too; null for services, which are in none. */
  readonly iamId: string | null
  /** Null for all that the subject has in the account. */
  readonly resources: readonly ResourceKey[] | null
}

export interface Candidate extends PolicyFacts {
  readonly subjectKey: SubjectKey
}

/** Active policies of the account that may be for this subject and this resource. */
export async function readCandidates(reads: Reads, wanted: Wanted): Promise<readonly Candidate[]> {
  const rows = await candidates(reads, wanted).execute()
  return rows.map((row) => candidateOf(row, row.facts))
}

/** What was derived from a bounded authorization is bounded with it. */
function candidateOf(
  row: {
    readonly id: string
    readonly subject_key: string
    readonly parent_facts: string | null
    parent_id: string | null
  },
  facts: string,
): Candidate {
  const { id, subject_key: subjectKey, parent_id: parentId, parent_facts: parentFacts } = row
  const parent = parentFacts === null ? null : parseFacts(parentFacts)
  const under = parentId !== null && parent?.bounds ? { under: { ...parent, id: parentId } } : {}
  return { ...parseFacts(facts), ...under, id, subjectKey }
}

/** Apart from readCandidates() so that a test can ask the engine how it runs. */
export const candidates = (reads: Reads, wanted: Wanted) =>
  of(reads, wanted).select('p.facts').where('p.state', '=', 'active')

/** The same as it stood for decisions `until` that moment: what changed since counts as it was before. */
export async function readCandidatesAt(reads: Reads, wanted: Wanted, until: number): Promise<readonly Candidate[]> {
  const rows = await of(reads, wanted).select(['p.facts', 'p.facts_before', 'p.state', 'p.last_modified_at']).execute()
  return rows.flatMap((row) => {
    const now = row.state === 'active' ? row.facts : null
    const facts = row.last_modified_at > until ? row.facts_before : now
    return facts === null ? [] : [candidateOf(row, facts)]
  })
}

/** A derived authorization counts while the one that it was derived from is active and still lets its source hand on. */
function of(reads: Reads, { accountId, subjects, iamId, resources }: Wanted) {
  const rows = reads
    .selectFrom('iam_policy as p')
    .leftJoin('iam_policy as parent', 'parent.id', 'p.parent_id')
    .select(['p.id', 'p.subject_key', 'p.parent_id', 'parent.facts as parent_facts'])
    .where('p.account_id', '=', accountId)
    .where('p.subject_key', 'in', iamId === null ? [...subjects] : keysOf(accountId, subjects, iamId))
    .where((e) =>
      e.or([e('p.parent_id', 'is', null), e.and([e('parent.state', '=', 'active'), e('parent.delegates', '=', 1)])]),
    )
    .orderBy('p.id')
  return resources ? rows.where('p.resource_key', 'in', [...resources]) : rows
}

/** The subject's own keys and those of the account's groups that it is in, in the same statement. */
const keysOf = (accountId: string, subjects: readonly SubjectKey[], iamId: string) => {
  const own = subjects.map((key) => sql`select ${key}`)
  const groups = sql`select ${groupKey('')} || group_id from iam_access_group_member
    where iam_id = ${iamId} and account_id = ${accountId}`
  return sql<string>`(${sql.join([...own, groups], sql` union all `)})`
}

/** Accounts in which something is given to this identity, or to a group that it is in. */
export async function accountsGivingTo(reads: Reads, iamId: string): Promise<readonly string[]> {
  const own = reads.selectFrom('iam_policy').select('account_id').where('subject_key', '=', iamIdKey(iamId))
  const groups = reads.selectFrom('iam_access_group_member').select('account_id').where('iam_id', '=', iamId)
  const rows = await own.where('state', '=', 'active').union(groups).execute()
  return rows.map((row) => row.account_id)
}

/** Authorizations of the account that let one of these sources hand its access on. */
export async function readDelegations(
  reads: Reads,
  accountId: string,
  subjects: readonly SubjectKey[],
): Promise<readonly PolicyFacts[]> {
  const rows = await reads
    .selectFrom('iam_policy')
    .select(['id', 'facts'])
    .where('account_id', '=', accountId)
    .where('subject_key', 'in', subjects)
    .where('state', '=', 'active')
    .where('delegates', '=', 1)
    .where('parent_id', 'is', null)
    .orderBy('id')
    .execute()
  return rows.map((row) => ({ ...parseFacts(row.facts), id: row.id }))
}

/** What an active policy of the account says, or null when there is none of that id. */
export async function readActiveFacts(reads: Reads, accountId: string, id: string): Promise<PolicyFacts | null> {
  const row = await reads
    .selectFrom('iam_policy')
    .select('facts')
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('state', '=', 'active')
    .executeTakeFirst()
  return row ? { ...parseFacts(row.facts), id } : null
}

/** Role CRN to actions, of those that the account has made. */
export async function readCustomActions(
  reads: Reads,
  accountId: string,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const rows = await reads
    .selectFrom('iam_custom_role')
    .select(['crn', 'actions'])
    .where('account_id', '=', accountId)
    .execute()
  // insertRole() wrote a list of texts.
  return new Map(rows.map((row) => [row.crn, new Set(JSON.parse(row.actions) as string[])]))
}

// The SQL of policies. Whoever changes or reads one brings the grant for it; decisions have a query of their own, which
// reveals facts to decide.ts and to nobody else.

import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { PolicyId } from '#base/id.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'
import type { SubjectKey } from './attributes.ts'
import type { PolicyFacts } from './decide.ts'
import { fingerprintOf, serviceTypeOfFacts, subjectKeyOf } from './policy.ts'
import type { Facts, Policy, PolicyDocument } from './policy.ts'
import type { Grant } from './port.ts'

type PolicyRow = Selectable<IamTables['iam_policy']>

/** Active policies of the account whose subject may be one of these; for decisions. */
export async function readCandidates(
  query: Reads,
  accountId: string,
  subjects: readonly SubjectKey[],
): Promise<readonly PolicyFacts[]> {
  const rows = await candidates(query, accountId, subjects).execute()
  return rows.map((row) => ({ id: row.id, ...parseFacts(row.facts) }))
}

/** Apart from readCandidates() so that a test can ask the engine how it runs. */
export const candidates = (query: Reads, accountId: string, subjects: readonly SubjectKey[]) =>
  query
    .selectFrom('iam_policy')
    .select(['id', 'facts'])
    .where('account_id', '=', accountId)
    .where('subject_key', 'in', subjects)
    .where('state', '=', 'active')
    .orderBy('id')

export async function insertPolicy(tx: Tx, grant: Grant<'iam.policy.create'>, policy: Policy): Promise<void> {
  assert(grant.target.accountId === policy.accountId, 'a policy is made in the account that the grant is for')
  await insert(tx, policy)
}

/** The policies an account is born with: before them nobody could permit anything. For accounts.ts only. */
export const insertFoundingPolicy = async (tx: Tx, policy: Policy): Promise<void> => insert(tx, policy)

async function insert(tx: Tx, policy: Policy): Promise<void> {
  const { type, facts, sent } = policy
  const subject = subjectKeyOf(facts)
  assert(subject !== null, 'a policy that is stored can be found by its subject')
  const row = {
    id: policy.id,
    account_id: policy.accountId,
    type,
    state: policy.state,
    subject_key: subject,
    service_type: serviceTypeOfFacts(facts),
    document: JSON.stringify(sent),
    facts: JSON.stringify(facts),
    fingerprint: fingerprintOf(type, facts),
    revision: policy.revision,
    created_at: policy.createdAt,
    created_by_id: policy.createdById,
    last_modified_at: policy.lastModifiedAt,
    last_modified_by_id: policy.lastModifiedById,
  }
  await tx.insertInto('iam_policy').values(row).execute()
}

/** The active policy of the account that means the same, or null. */
export async function readTwin(tx: Tx, policy: Policy): Promise<{ id: string; revision: string } | null> {
  const twin = await tx
    .selectFrom('iam_policy')
    .select(['id', 'revision'])
    .where('account_id', '=', policy.accountId)
    .where('state', '=', 'active')
    .where('fingerprint', '=', fingerprintOf(policy.type, policy.facts))
    .executeTakeFirst()
  return twin ?? null
}

export async function countActivePolicies(tx: Tx, accountId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('iam_policy')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .where('state', '=', 'active')
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Whose policy an id is, so that the right account can be asked for leave to read it. Null when there is none. */
export async function accountOfPolicy(query: Reads, id: string): Promise<string | null> {
  const row = await query.selectFrom('iam_policy').select('account_id').where('id', '=', id).executeTakeFirst()
  return row?.account_id ?? null
}

export async function readPolicy(query: Reads, grant: Grant<'iam.policy.read'>, id: string): Promise<Policy | null> {
  const row = await query
    .selectFrom('iam_policy')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return row ? policyOf(row) : null
}

/** What is deleted, or null when there is no active policy of that id in the grant's account. */
export async function markPolicyDeleted(
  tx: Tx,
  grant: Grant<'iam.policy.delete'>,
  change: { readonly id: string; readonly revision: string; readonly at: number; readonly byId: string },
): Promise<Policy | null> {
  const row = await tx
    .updateTable('iam_policy')
    .set({
      state: 'deleted',
      revision: change.revision,
      last_modified_at: change.at,
      last_modified_by_id: change.byId,
    })
    .where('id', '=', change.id)
    .where('account_id', '=', grant.target.accountId)
    .where('state', '=', 'active')
    .returningAll()
    .executeTakeFirst()
  return row ? policyOf(row) : null
}

export type PolicyOrder =
  | 'id'
  | 'type'
  | 'created_at'
  | 'created_by_id'
  | 'last_modified_at'
  | 'last_modified_by_id'
  | 'state'

export interface PolicyPage {
  readonly state: 'active' | 'deleted'
  readonly type?: 'access' | 'authorization'
  readonly subject?: SubjectKey
  readonly serviceType?: 'service' | 'platform_service'
  readonly order: PolicyOrder
  readonly descending: boolean
  /** The last row of the page before, by its ordered column and its id. */
  readonly after?: { readonly value: string | number; readonly id: string }
  readonly limit: number
}

export async function readPolicies(
  query: Reads,
  grant: Grant<'iam.policy.read'>,
  page: PolicyPage,
): Promise<readonly Policy[]> {
  const { type, subject, serviceType, after } = page
  const direction = page.descending ? 'desc' : 'asc'
  const beyond = page.descending ? sql`<` : sql`>`
  const column = sql.ref(page.order)
  let rows = query
    .selectFrom('iam_policy')
    .selectAll()
    .where('account_id', '=', grant.target.accountId)
    .where('state', '=', page.state)
  if (type) rows = rows.where('type', '=', type)
  if (subject) rows = rows.where('subject_key', '=', subject)
  if (serviceType) rows = rows.where('service_type', '=', serviceType)
  if (after) rows = rows.where(sql<boolean>`(${column}, id) ${beyond} (${after.value}, ${after.id})`)
  const found = await rows.orderBy(page.order, direction).orderBy('id', direction).limit(page.limit).execute()
  return found.map(policyOf)
}

function policyOf(row: PolicyRow): Policy {
  return {
    // Ids of rows were made for policies.
    id: row.id as PolicyId,
    accountId: row.account_id,
    type: row.type,
    state: row.state,
    sent: parseDocument(row.document),
    facts: parseFacts(row.facts),
    revision: row.revision,
    createdAt: row.created_at,
    createdById: row.created_by_id,
    lastModifiedAt: row.last_modified_at,
    lastModifiedById: row.last_modified_by_id,
  }
}

// Both were written by insert() above from values of these types.
const parseFacts = (text: string): Facts => JSON.parse(text) as Facts
const parseDocument = (text: string): PolicyDocument => JSON.parse(text) as PolicyDocument

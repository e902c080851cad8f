// SQL for who makes authorizations visible across accounts (port.ts, `AuthorizationsPort`). What is read here are ids and
// times: whoever is shown them is party to the authorization.

import type { Reads } from '#store/database.ts'
import type { Authorization } from './port.ts'

/** Rules that end at a time are of access policies only: an authorization ends by its bounds, or its parent's. */
export async function readAuthorization(reads: Reads, policyId: string): Promise<Authorization | null> {
  const row = await reads
    .selectFrom('iam_policy as p')
    .leftJoin('iam_policy as parent', 'parent.id', 'p.parent_id')
    .select(['p.id as policyId', 'p.account_id as accountId', 'p.created_at as createdAt'])
    .select(['p.ends_at', 'parent.ends_at as parent_ends_at'])
    .where('p.id', '=', policyId)
    .where('p.type', '=', 'authorization')
    .where('p.state', '=', 'active')
    .executeTakeFirst()
  if (!row) return null
  const { ends_at: own, parent_ends_at: inherited, ...authorization } = row
  const ends = [own, inherited].filter((end) => end !== null)
  return { ...authorization, endsAt: ends.length === 0 ? null : Math.min(...ends) }
}

export async function readChildIds(reads: Reads, policyId: string): Promise<readonly string[]> {
  const rows = await reads
    .selectFrom('iam_policy')
    .select('id')
    .where('parent_id', '=', policyId)
    .where('state', '=', 'active')
    .execute()
  return rows.map((row) => row.id)
}

/** Whose an active policy is, or null. */
export async function accountOfPolicy(reads: Reads, policyId: string): Promise<string | null> {
  const row = await reads
    .selectFrom('iam_policy')
    .select('account_id')
    .where('id', '=', policyId)
    .where('state', '=', 'active')
    .executeTakeFirst()
  return row?.account_id ?? null
}

// SQL for who makes authorizations visible across accounts (port.ts, `AuthorizationsPort`). What is read here are ids and
// times: whoever is shown them is party to the authorization.

import type { Reads } from '#store/database.ts'
import type { Authorization } from './port.ts'

/** Rules that end at a time are of access policies only, so an authorization ends when somebody ends it. */
export async function readAuthorization(reads: Reads, policyId: string): Promise<Authorization | null> {
  const row = await reads
    .selectFrom('iam_policy')
    .select(['id as policyId', 'account_id as accountId', 'created_at as createdAt'])
    .where('id', '=', policyId)
    .where('type', '=', 'authorization')
    .where('state', '=', 'active')
    .executeTakeFirst()
  return row ? { ...row, endsAt: null } : null
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

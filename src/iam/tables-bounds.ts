// The SQL of bounded authorizations: which end when, and what has passed their bounds.

import { sql } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { BoundName, PassedTally } from './port.ts'

export interface PassedKey {
  readonly policyId: string
  readonly isEnforced: boolean
}

export async function addPassed(tx: Tx, { policyId, isEnforced }: PassedKey, tally: PassedTally): Promise<void> {
  const last = {
    last_at: tally.lastAt,
    last_bound: tally.lastBound,
    last_action: tally.lastAction,
    last_account_id: tally.lastAccountId,
    last_service: tally.lastService,
    last_resource: tally.lastResource,
  }
  await tx
    .insertInto('iam_bound_passed')
    .values({ policy_id: policyId, enforced: isEnforced ? 1 : 0, count: tally.count, ...last })
    .onConflict((c) =>
      c
        .columns(['policy_id', 'enforced'])
        .doUpdateSet({ ...last, count: sql<number>`iam_bound_passed.count + ${tally.count}` }),
    )
    .execute()
}

export async function selectPassed(
  reads: Reads,
  policyId: string,
): Promise<{ readonly enforced: PassedTally | null; readonly monitored: PassedTally | null }> {
  const rows = await reads.selectFrom('iam_bound_passed').selectAll().where('policy_id', '=', policyId).execute()
  const tallyOf = (enforced: 0 | 1): PassedTally | null => {
    const row = rows.find((one) => one.enforced === enforced)
    if (!row) return null
    return {
      count: row.count,
      lastAt: row.last_at,
      // addPassed() wrote one of them.
      lastBound: row.last_bound as BoundName,
      lastAction: row.last_action,
      lastAccountId: row.last_account_id,
      lastService: row.last_service,
      lastResource: row.last_resource,
    }
  }
  return { enforced: tallyOf(1), monitored: tallyOf(0) }
}

export interface EndingPolicy {
  readonly policyId: string
  readonly accountId: string
  readonly endsAt: number
}

/** Active authorizations that have ended and of which that is not written down yet; says so of them. */
export async function noteEnded(tx: Tx, now: number, limit: number): Promise<readonly EndingPolicy[]> {
  const ended = tx
    .selectFrom('iam_policy')
    .select('id')
    .where('end_noted', '=', 0)
    .where('ends_at', '<=', now)
    .orderBy('ends_at')
    .limit(limit)
  const rows = await tx
    .updateTable('iam_policy')
    .set({ end_noted: 1 })
    .where('id', 'in', ended)
    .returning(['id as policyId', 'account_id as accountId', 'ends_at as endsAt', 'state'])
    .execute()
  return rows.flatMap(({ endsAt, state, ...row }) =>
    endsAt === null || state !== 'active' ? [] : [{ ...row, endsAt }],
  )
}

/** Active authorizations that end in the time given, its end included; what was derived from them too. */
export async function selectEnding(reads: Reads, after: number, until: number): Promise<readonly EndingPolicy[]> {
  const rows = await reads
    .selectFrom('iam_policy as p')
    .leftJoin('iam_policy as child', 'child.parent_id', 'p.id')
    .select(['p.id', 'p.account_id as accountId', 'p.ends_at as endsAt', 'child.id as childId'])
    .where('p.end_noted', '=', 0)
    .where('p.ends_at', '>', after)
    .where('p.ends_at', '<=', until)
    .where('p.state', '=', 'active')
    .execute()
  const all = rows.flatMap(({ id, childId, accountId, endsAt }) =>
    endsAt === null
      ? []
      : [id, childId].flatMap((policyId) => (policyId === null ? [] : [{ policyId, accountId, endsAt }])),
  )
  return [...new Map(all.map((one) => [one.policyId, one])).values()]
}

/** Active authorizations that have bounds: one, or an account's, in pages ordered by id. */
export async function selectBounded(
  reads: Reads,
  of: { readonly id: string } | { readonly accountId: string; readonly after: string; readonly limit: number },
): Promise<readonly { readonly id: string; readonly document: string; readonly facts: string }[]> {
  const bounded = reads
    .selectFrom('iam_policy')
    .select(['id', 'document', 'facts'])
    .where('state', '=', 'active')
    .where('bounded', '=', 1)
  if ('id' in of) return await bounded.where('id', '=', of.id).execute()
  const { accountId, after, limit } = of
  return await bounded.where('account_id', '=', accountId).where('id', '>', after).orderBy('id').limit(limit).execute()
}

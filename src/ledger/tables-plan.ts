// SQL of planned actions and of the answers to them.

import type { Reads, Tx } from '#store/database.ts'
import type { Moment } from './page.ts'
import type { Answer, Plan } from './plan.ts'

const plans = (reads: Reads) =>
  reads
    .selectFrom('ledger_plan')
    .select(['id', 'owner_account_id as ownerAccountId', 'key_crn as keyCrn', 'key_id as keyId', 'action', 'reason'])
    .select(['planned_at as plannedAt', 'state', 'created_at as createdAt', 'created_by as createdBy'])
    .select('ended_at as endedAt')

export async function insertPlan(tx: Tx, plan: Plan): Promise<void> {
  const row = {
    id: plan.id,
    owner_account_id: plan.ownerAccountId,
    key_crn: plan.keyCrn,
    key_id: plan.keyId,
    action: plan.action,
    reason: plan.reason,
    planned_at: plan.plannedAt,
    state: plan.state,
    created_at: plan.createdAt,
    created_by: plan.createdBy,
    ended_at: plan.endedAt,
  }
  await tx.insertInto('ledger_plan').values(row).execute()
}

export async function selectPlan(reads: Reads, id: string): Promise<Plan | null> {
  return (await plans(reads).where('id', '=', id).executeTakeFirst()) ?? null
}

/** The newest first. */
export async function selectPlansOfKey(
  reads: Reads,
  keyCrn: string,
  page: { readonly before: Moment | null; readonly limit: number },
): Promise<readonly Plan[]> {
  let query = plans(reads).where('key_crn', '=', keyCrn)
  if (page.before) {
    const { createdAt, id } = page.before
    query = query.where(({ eb, or, and }) =>
      or([eb('created_at', '<', createdAt), and([eb('created_at', '=', createdAt), eb('id', '<', id)])]),
    )
  }
  return await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(page.limit).execute()
}

/** Of one key, or of all. */
export async function selectOpenPlans(reads: Reads, keyCrn: string | null): Promise<readonly Plan[]> {
  const query = plans(reads).where('state', '=', 'announced')
  return await (keyCrn === null ? query : query.where('key_crn', '=', keyCrn)).orderBy('id').execute()
}

/** False where it had ended before. */
export async function endPlan(tx: Tx, id: string, state: 'done' | 'withdrawn', now: number): Promise<boolean> {
  const result = await tx
    .updateTable('ledger_plan')
    .set({ state, ended_at: now })
    .where('id', '=', id)
    .where('state', '=', 'announced')
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

export async function selectAnswers(reads: Reads, planId: string): Promise<readonly Answer[]> {
  return await reads
    .selectFrom('ledger_plan_answer')
    .select(['account_id as accountId', 'answer', 'reason', 'answered_at as answeredAt', 'answered_by as answeredBy'])
    .where('plan_id', '=', planId)
    .orderBy('account_id')
    .execute()
}

/** In the place of what the account has said before. */
export async function writeAnswer(tx: Tx, planId: string, answer: Answer): Promise<void> {
  const change = {
    answer: answer.answer,
    reason: answer.reason,
    answered_at: answer.answeredAt,
    answered_by: answer.answeredBy,
  }
  await tx
    .insertInto('ledger_plan_answer')
    .values({ plan_id: planId, account_id: answer.accountId, ...change })
    .onConflict((c) => c.columns(['plan_id', 'account_id']).doUpdateSet(change))
    .execute()
}

/** Who has been told of the plan. */
export async function selectTold(reads: Reads, planId: string): Promise<ReadonlySet<string>> {
  const rows = await reads
    .selectFrom('ledger_notice')
    .select('account_id')
    .where('plan_id', '=', planId)
    .where('type', '=', 'action.planned')
    .execute()
  return new Set(rows.map((row) => row.account_id))
}

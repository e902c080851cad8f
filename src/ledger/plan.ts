// A planned action: what the owner of a key has announced, and what those whom it concerns have said. Pure.

import { rfc3339 } from '#base/clock.ts'
import type { PlannableAction } from '#kms/port.ts'

export interface Plan {
  readonly id: string
  readonly ownerAccountId: string
  readonly keyCrn: string
  readonly keyId: string
  readonly action: PlannableAction
  readonly reason: string
  readonly plannedAt: number
  readonly state: 'announced' | 'done' | 'withdrawn'
  readonly createdAt: number
  readonly createdBy: string
  readonly endedAt: number | null
}

export interface Answer {
  readonly accountId: string
  readonly answer: 'acknowledged' | 'objected'
  readonly reason: string | null
  readonly answeredAt: number
  readonly answeredBy: string
}

/** An account whose resources lie under the key, and its answer if it has given one. */
export interface Concerned {
  readonly accountId: string
  readonly resourceCount: number
  readonly answer: Answer | null
}

/** Why the owner may not go on without breaking the glass, in sentences; empty where he may. */
export function standsAgainst(plan: Plan, concerned: readonly Concerned[], now: number): readonly string[] {
  const silent = concerned.filter((one) => one.answer === null).map((one) => one.accountId)
  const against = concerned.filter((one) => one.answer?.answer === 'objected').map((one) => one.accountId)
  return [
    ...(now < plan.plannedAt ? [`it is planned for ${rfc3339(plan.plannedAt)}`] : []),
    ...(silent.length > 0 ? [`accounts have not answered: ${silent.join(', ')}`] : []),
    ...(against.length > 0 ? [`accounts object: ${against.join(', ')}`] : []),
  ]
}

export const planFacts = (plan: Plan) => ({
  id: plan.id,
  action: plan.action,
  planned_at: rfc3339(plan.plannedAt),
  reason: plan.reason,
})

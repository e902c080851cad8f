// Planned actions on the wire.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { ledgerTextLengthMax } from '#base/limits-ledger.ts'
import { accountId, orNull, pageLinks, pageQuery, time } from './schemas.ts'

const action = Type.Union([Type.Literal('disable'), Type.Literal('delete'), Type.Literal('rotate')])
const reason = Type.String({ minLength: 1, maxLength: ledgerTextLengthMax })

const plan = Type.Object({
  id: Type.String(),
  action,
  key_crn: Type.String(),
  owner_account_id: accountId,
  reason,
  planned_at: time,
  state: Type.Union([Type.Literal('announced'), Type.Literal('done'), Type.Literal('withdrawn')]),
  created_at: time,
  created_by: Type.String(),
  ended_at: orNull(time),
  stands_against: Type.Array(Type.String()),
  accounts: Type.Array(
    Type.Object({
      account_id: accountId,
      resources: Type.Integer(),
      answer: orNull(Type.Union([Type.Literal('acknowledged'), Type.Literal('objected')])),
      reason: orNull(Type.String()),
      answered_at: orNull(time),
    }),
  ),
})

export const planContract = {
  announcePlan: {
    method: 'POST',
    path: '/keyward/v1/keys/{id}/plans',
    summary: 'Announce an action on a key to every account whose resources lie under it',
    action: 'kms.secrets.delete',
    body: Type.Object({ action, planned_at: time, reason }, { additionalProperties: false }),
    status: 201,
    reply: plan,
  },
  listPlans: {
    method: 'GET',
    path: '/keyward/v1/keys/{id}/plans',
    summary: 'List what was announced for a key, the newest first',
    action: 'kms.registrations.listforkey',
    query: Type.Object(pageQuery),
    status: 200,
    reply: Type.Object({ ...pageLinks, plans: Type.Array(plan) }),
  },
  getPlan: {
    method: 'GET',
    path: '/keyward/v1/plans/{id}',
    summary: 'Read a plan, who has answered it and how, and what stands against it',
    action: 'kms.registrations.listforkey',
    status: 200,
    reply: plan,
  },
  withdrawPlan: {
    method: 'POST',
    path: '/keyward/v1/plans/{id}/withdraw',
    summary: 'Withdraw a plan; who was told of it is told of that',
    action: 'kms.secrets.delete',
    status: 200,
    reply: plan,
  },
  proceedWithPlan: {
    method: 'POST',
    path: '/keyward/v1/plans/{id}/proceed',
    summary: 'Do what was planned; `break_glass` says why although something stands against it',
    action: 'kms.secrets.delete',
    body: Type.Object(
      { break_glass: Type.Optional(reason), force: Type.Optional(Type.Boolean()) },
      { additionalProperties: false },
    ),
    status: 200,
    reply: plan,
  },
} as const satisfies Contract

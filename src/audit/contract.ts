// The audit trail on the wire: Keyward's own. The records have the form of IBM Cloud Activity Tracker events.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { auditPageMax } from '#base/limits-audit.ts'

const text = Type.String({ minLength: 1, maxLength: 1024 })
const data = Type.Record(Type.String(), Type.Unknown())
const outcome = Type.Union([Type.Literal('success'), Type.Literal('failure')])
const severity = Type.Union([Type.Literal('normal'), Type.Literal('warning'), Type.Literal('critical')])

const record = Type.Object({
  id: Type.String(),
  eventTime: Type.String(),
  action: Type.String(),
  outcome,
  severity,
  reason: Type.Object({ reasonCode: Type.Integer(), reasonForFailure: Type.Optional(Type.String()) }),
  initiator: Type.Object({
    id: Type.String(),
    name: Type.String(),
    typeURI: Type.String(),
    host: Type.Optional(Type.Object({ address: Type.String(), agent: Type.Optional(Type.String()) })),
  }),
  target: Type.Object({ id: Type.String(), typeURI: Type.String() }),
  correlationId: Type.String(),
  counterpartId: Type.Optional(Type.String()),
  requestData: data,
  responseData: data,
})

export const auditContract = {
  listAuditRecords: {
    method: 'GET',
    path: '/keyward/v1/audit',
    summary: "List an account's audit records",
    action: 'keyward.audit.read',
    query: Type.Object({
      account_id: Type.String({ pattern: '^[0-9a-f]{32}$' }),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: auditPageMax })),
      start: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,14}$' })),
      order: Type.Optional(Type.Union([Type.Literal('newest'), Type.Literal('oldest')])),
      action: Type.Optional(text),
      outcome: Type.Optional(outcome),
      severity: Type.Optional(severity),
      initiator_id: Type.Optional(text),
      target_id: Type.Optional(text),
      correlation_id: Type.Optional(text),
      from: Type.Optional(Type.String({ format: 'date-time' })),
      to: Type.Optional(Type.String({ format: 'date-time' })),
    }),
    status: 200,
    reply: Type.Object({
      limit: Type.Integer(),
      next: Type.Optional(Type.Object({ start: Type.String(), href: Type.String() })),
      records: Type.Array(record),
    }),
  },
} as const satisfies Contract

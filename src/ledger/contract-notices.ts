// Notices and their stream on the wire. The event of a notice is a CloudEvent 1.0 in JSON.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { ledgerTextLengthMax } from '#base/limits-ledger.ts'
import { accountId, noticeType, ofAccount, orNull, pageLinks, pageQuery, time } from './schemas.ts'

const event = Type.Object({
  specversion: Type.Literal('1.0'),
  id: Type.String(),
  source: Type.String(),
  type: Type.String(),
  subject: Type.String(),
  time,
  datacontenttype: Type.Literal('application/json'),
  data: Type.Object({
    account_id: accountId,
    owner_account_id: accountId,
    key_crn: Type.String(),
    resources: Type.Integer(),
    resource_crns: Type.Array(Type.String()),
    key_version_id: Type.Optional(Type.String()),
    expires_at: Type.Optional(time),
    days_left: Type.Optional(Type.Integer()),
    service: Type.Optional(Type.String()),
    policy_id: Type.Optional(Type.String()),
    plan: Type.Optional(
      Type.Object({ id: Type.String(), action: Type.String(), planned_at: time, reason: Type.String() }),
    ),
  }),
})

const notice = Type.Object({
  id: Type.String(),
  account_id: accountId,
  type: noticeType,
  created_at: time,
  read_at: orNull(time),
  acknowledged_at: orNull(time),
  acknowledged_by: orNull(Type.String()),
  event,
})

const answer = Type.Object(
  {
    answer: Type.Optional(Type.Union([Type.Literal('acknowledged'), Type.Literal('objected')])),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: ledgerTextLengthMax })),
  },
  { additionalProperties: false },
)

export const noticeContract = {
  listNotices: {
    method: 'GET',
    path: '/keyward/v1/notices',
    summary: 'List what an account was told, the newest first',
    action: 'keyward.notices.read',
    query: Type.Object({
      ...ofAccount,
      ...pageQuery,
      type: Type.Optional(noticeType),
      unread: Type.Optional(Type.Boolean()),
      unacknowledged: Type.Optional(Type.Boolean()),
    }),
    status: 200,
    reply: Type.Object({ ...pageLinks, notices: Type.Array(notice) }),
  },
  streamNotices: {
    method: 'GET',
    path: '/keyward/v1/notices/stream',
    summary: 'Receive notices as they come, as server-sent events; Last-Event-ID resumes',
    action: 'keyward.notices.read',
    query: Type.Object(ofAccount),
    status: 200,
    replyType: 'event-stream',
  },
  getNotice: {
    method: 'GET',
    path: '/keyward/v1/notices/{id}',
    summary: 'Read a notice',
    action: 'keyward.notices.read',
    status: 200,
    reply: notice,
  },
  readNotice: {
    method: 'POST',
    path: '/keyward/v1/notices/{id}/read',
    summary: 'Mark a notice as read',
    action: 'keyward.notices.read',
    status: 200,
    reply: notice,
  },
  acknowledgeNotice: {
    method: 'POST',
    path: '/keyward/v1/notices/{id}/acknowledge',
    summary: 'Acknowledge a notice, or object to a planned action',
    action: 'keyward.notices.acknowledge',
    body: answer,
    bodyOptional: true,
    status: 200,
    reply: notice,
  },
} as const satisfies Contract

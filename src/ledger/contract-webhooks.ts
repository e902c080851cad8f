// Webhooks on the wire. Deliveries are Standard Webhooks: docs/formats.md, "Webhook delivery".

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { ledgerTextLengthMax, webhookUrlLengthMax } from '#base/limits-ledger.ts'
import { accountId, noticeType, ofAccount, orNull, pageLinks, pageQuery, time } from './schemas.ts'

const url = Type.String({ minLength: 1, maxLength: webhookUrlLengthMax })
const description = Type.String({ maxLength: ledgerTextLengthMax })
const types = orNull(Type.Array(noticeType, { minItems: 1, maxItems: 32 }))

const webhookFields = {
  id: Type.String(),
  account_id: accountId,
  url,
  description,
  types,
  enabled: Type.Boolean(),
  created_at: time,
  created_by: Type.String(),
} as const
const webhook = Type.Object(webhookFields)
const madeWebhook = Type.Object({ ...webhookFields, secret: Type.String() })

const deliveryState = Type.Union([Type.Literal('pending'), Type.Literal('delivered'), Type.Literal('dead')])
const delivery = Type.Object({
  id: Type.String(),
  notice_id: Type.String(),
  state: deliveryState,
  attempts: Type.Integer(),
  created_at: time,
  next_at: orNull(time),
  last_at: orNull(time),
  last_status: orNull(Type.Integer()),
  last_problem: orNull(Type.String()),
})

const optional = {
  description: Type.Optional(description),
  types: Type.Optional(types),
  enabled: Type.Optional(Type.Boolean()),
} as const

export const webhookContract = {
  listWebhooks: {
    method: 'GET',
    path: '/keyward/v1/webhooks',
    summary: "List an account's webhooks",
    action: 'keyward.webhooks.read',
    query: Type.Object(ofAccount),
    status: 200,
    reply: Type.Object({ webhooks: Type.Array(webhook) }),
  },
  createWebhook: {
    method: 'POST',
    path: '/keyward/v1/webhooks',
    summary: 'Have notices sent to a URL; the answer shows the signing secret, this once',
    action: 'keyward.webhooks.write',
    query: Type.Object(ofAccount),
    body: Type.Object({ url, ...optional }, { additionalProperties: false }),
    status: 201,
    reply: madeWebhook,
  },
  getWebhook: {
    method: 'GET',
    path: '/keyward/v1/webhooks/{id}',
    summary: 'Read a webhook',
    action: 'keyward.webhooks.read',
    query: Type.Object(ofAccount),
    status: 200,
    reply: webhook,
  },
  updateWebhook: {
    method: 'PATCH',
    path: '/keyward/v1/webhooks/{id}',
    summary: 'Change a webhook',
    action: 'keyward.webhooks.write',
    query: Type.Object(ofAccount),
    body: Type.Object({ url: Type.Optional(url), ...optional }, { additionalProperties: false }),
    status: 200,
    reply: webhook,
  },
  deleteWebhook: {
    method: 'DELETE',
    path: '/keyward/v1/webhooks/{id}',
    summary: 'Delete a webhook, with what waits for it',
    action: 'keyward.webhooks.write',
    query: Type.Object(ofAccount),
    status: 204,
  },
  rotateWebhookSecret: {
    method: 'POST',
    path: '/keyward/v1/webhooks/{id}/rotate_secret',
    summary: 'Replace the signing secret; the old one signs beside it for a day',
    action: 'keyward.webhooks.write',
    query: Type.Object(ofAccount),
    status: 200,
    reply: madeWebhook,
  },
  listWebhookDeliveries: {
    method: 'GET',
    path: '/keyward/v1/webhooks/{id}/deliveries',
    summary: 'List deliveries, the newest first; `state=dead` lists those that were given up',
    action: 'keyward.webhooks.read',
    query: Type.Object({ ...ofAccount, ...pageQuery, state: Type.Optional(deliveryState) }),
    status: 200,
    reply: Type.Object({ ...pageLinks, deliveries: Type.Array(delivery) }),
  },
  redriveWebhookDelivery: {
    method: 'POST',
    path: '/keyward/v1/webhooks/{id}/deliveries/{delivery_id}/redrive',
    summary: 'Send a dead delivery again, with all its attempts before it',
    action: 'keyward.webhooks.write',
    query: Type.Object(ofAccount),
    status: 202,
  },
} as const satisfies Contract

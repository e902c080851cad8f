// The wire of what surrounds policies: who from other accounts may act here at all, and the question why not. Sources: IBM
// Cloud IAM policy management API, "Account settings"; the second is Keyward's own.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { externalAccountsMax, policyValueLengthMax } from '#base/limits.ts'

const closed = { additionalProperties: false }
const text = Type.String({ minLength: 1, maxLength: policyValueLengthMax })

const interaction = Type.Object(
  {
    state: Type.Union([Type.Literal('enabled'), Type.Literal('monitor'), Type.Literal('limited')]),
    external_allowed_accounts: Type.Array(Type.String({ pattern: '^[0-9a-f]{32}$' }), {
      maxItems: externalAccountsMax,
    }),
  },
  closed,
)
const identityTypes = { user: interaction, service_id: interaction, service: interaction }

export const accessSettingsReply = Type.Object({
  external_account_identity_interaction: Type.Object({ identity_types: Type.Object(identityTypes) }),
})

export const accessSettingsPatch = Type.Object(
  {
    external_account_identity_interaction: Type.Optional(
      Type.Object({ identity_types: Type.Optional(Type.Partial(Type.Object(identityTypes, closed), closed)) }, closed),
    ),
  },
  closed,
)

const path = '/v1/accounts/{account_id}/settings/access_management'

export const accessSettingsContract = {
  getSettings: {
    method: 'GET',
    path,
    summary: 'Who from other accounts may act in this one',
    action: 'iam-access-management.account-settings.read',
    status: 200,
    reply: accessSettingsReply,
  },
  updateSettings: {
    method: 'PATCH',
    path,
    summary: 'Say who from other accounts may act in this one',
    action: 'iam-access-management.account-settings.update',
    body: accessSettingsPatch,
    status: 200,
    reply: accessSettingsReply,
  },
} as const satisfies Contract

/** Somebody known by an IAM id, or a service of an account. Whoever asks means themselves when they name nobody. */
const subject = Type.Union([
  Type.Object({ iam_id: text }, closed),
  Type.Object(
    {
      service_name: text,
      account_id: text,
      service_instance: Type.Optional(text),
      region: Type.Optional(text),
      resource_type: Type.Optional(text),
      resource: Type.Optional(text),
      resource_group_id: Type.Optional(text),
    },
    closed,
  ),
])

export const explainRequest = Type.Object(
  {
    action: text,
    subject: Type.Optional(subject),
    resource: Type.Object(
      {
        account_id: text,
        service_name: text,
        service_instance: Type.Optional(text),
        region: Type.Optional(text),
        resource_type: Type.Optional(text),
        resource: Type.Optional(text),
        resource_group_id: Type.Optional(text),
        key_ring: Type.Optional(text),
      },
      closed,
    ),
  },
  closed,
)

export const explainReply = Type.Object({
  decision: Type.Union([Type.Literal('Permit'), Type.Literal('Deny')]),
  /** Of the caller's own account only. */
  policy_id: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
  explanation: Type.Optional(Type.Object({}, { additionalProperties: true })),
})

export const explainContract = {
  explainDecision: {
    method: 'POST',
    path: '/keyward/v1/explain',
    summary: 'Whether a request would be permitted, and if not, what is missing',
    action: 'iam.policy.read',
    body: explainRequest,
    status: 200,
    reply: explainReply,
  },
} as const satisfies Contract

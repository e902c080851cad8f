// Version 2 of the policies' wire: the same policies, with more to say. Source: IBM Cloud IAM policy management API.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import {
  policyAttributesMax,
  policyRolesMax,
  policyRuleConditionsMax,
  policyValueLengthMax,
  policyValuesMax,
} from '#base/limits.ts'
import { boundsSent, boundsShown } from './contract-bounds.ts'
import {
  description,
  lastPermit,
  listFields,
  listLinks,
  madeAndChanged,
  policyFormat,
  policyState,
  policyType,
  roleId,
} from './contract-policy.ts'

const closed = { additionalProperties: false }
const text = Type.String({ minLength: 1, maxLength: policyValueLengthMax })
const texts = Type.Array(text, { minItems: 1, maxItems: policyValuesMax })
const some = { minItems: 1, maxItems: policyAttributesMax }

const equalTo = Type.Object({ key: text, operator: Type.Literal('stringEquals'), value: text }, closed)
const like = Type.Object({ key: text, operator: Type.Literal('stringMatch'), value: text }, closed)
const existing = Type.Object({ key: text, operator: Type.Literal('stringExists'), value: Type.Boolean() }, closed)
/** Of a subject, that it has an attribute can be said; that it lacks one would be true of strangers. */
const having = Type.Object({ key: text, operator: Type.Literal('stringExists'), value: Type.Literal(true) }, closed)
const oneOf = (operator: 'stringEqualsAnyOf' | 'stringMatchAnyOf') =>
  Type.Object({ key: text, operator: Type.Literal(operator), value: texts }, closed)

const subjectAttribute = Type.Union([equalTo, having])
const resourceAttribute = Type.Union([equalTo, like, existing, oneOf('stringEqualsAnyOf'), oneOf('stringMatchAnyOf')])
const tag = Type.Union([equalTo, like])

/** Which operator takes which value depends on the key: policy-parse-v2.ts. */
const ruleText = Type.String({ maxLength: policyValueLengthMax })
const dayNumber = Type.Integer({ minimum: 1, maximum: 7 })
const ruleValue = Type.Union([
  ruleText,
  Type.Boolean(),
  dayNumber,
  Type.Array(Type.Union([ruleText, dayNumber]), { minItems: 1, maxItems: policyValuesMax }),
])
const condition = Type.Object({ key: text, operator: text, value: ruleValue }, closed)
const combining = Type.Union([Type.Literal('and'), Type.Literal('or')])
const conditions = { minItems: 1, maxItems: policyRuleConditionsMax }
/** IBM Cloud IAM, "IAM condition properties": at most two levels. */
const inner = Type.Object({ operator: combining, conditions: Type.Array(condition, conditions) }, closed)
const outer = Type.Object(
  { operator: combining, conditions: Type.Array(Type.Union([condition, inner]), conditions) },
  closed,
)
const rule = Type.Union([condition, outer])

const subject = Type.Object({ attributes: Type.Array(subjectAttribute, some) }, closed)
const resource = Type.Object(
  { attributes: Type.Array(resourceAttribute, some), tags: Type.Optional(Type.Array(tag, some)) },
  closed,
)

const roleAction = Type.Object({ id: Type.String(), display_name: Type.String(), description: Type.String() })
/** What `format=display` adds to a role is ours; a client that sends it back is not refused for it. */
const shownRole = {
  role_id: roleId,
  display_name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  actions: Type.Optional(Type.Array(roleAction)),
}

export const policyRequestV2 = Type.Object(
  {
    type: policyType,
    description: Type.Optional(description),
    subject,
    resource,
    control: Type.Object(
      {
        grant: Type.Object(
          { roles: Type.Array(Type.Object(shownRole, closed), { minItems: 1, maxItems: policyRolesMax }) },
          closed,
        ),
      },
      closed,
    ),
    pattern: Type.Optional(Type.String({ minLength: 1, maxLength: policyValueLengthMax })),
    rule: Type.Optional(rule),
    bounds: boundsSent,
  },
  closed,
)

export const policyReplyV2 = Type.Object({
  id: Type.String(),
  type: policyType,
  description: Type.Optional(Type.String()),
  subject: Type.Object({ attributes: Type.Array(subjectAttribute) }),
  resource: Type.Object({ attributes: Type.Array(resourceAttribute), tags: Type.Optional(Type.Array(tag)) }),
  control: Type.Object({ grant: Type.Object({ roles: Type.Array(Type.Object(shownRole)) }) }),
  pattern: Type.Optional(Type.String()),
  rule: Type.Optional(rule),
  bounds: boundsShown,
  href: Type.String(),
  ...madeAndChanged,
  ...lastPermit,
  state: policyState,
})

export const policyQueryV2 = Type.Object(listFields)
export const policyListV2 = Type.Object({ ...listLinks, policies: Type.Array(policyReplyV2) })

export const policyContractV2 = {
  createV2Policy: {
    method: 'POST',
    path: '/v2/policies',
    summary: 'Create a policy in the account of its resource, with conditions',
    action: 'iam.policy.create',
    body: policyRequestV2,
    status: 201,
    reply: policyReplyV2,
  },
  listV2Policies: {
    method: 'GET',
    path: '/v2/policies',
    summary: 'List the policies of an account that the caller may read',
    action: 'iam.policy.read',
    query: policyQueryV2,
    status: 200,
    reply: policyListV2,
  },
  getV2Policy: {
    method: 'GET',
    path: '/v2/policies/{id}',
    summary: 'Read a policy, also a deleted one',
    action: 'iam.policy.read',
    query: Type.Object({ format: Type.Optional(policyFormat) }),
    status: 200,
    reply: policyReplyV2,
  },
  replaceV2Policy: {
    method: 'PUT',
    path: '/v2/policies/{id}',
    summary: 'Replace a policy as it was read',
    action: 'iam.policy.update',
    body: policyRequestV2,
    status: 200,
    reply: policyReplyV2,
  },
  deleteV2Policy: {
    method: 'DELETE',
    path: '/v2/policies/{id}',
    summary: 'Delete a policy; decisions forget it at once',
    action: 'iam.policy.delete',
    status: 204,
  },
} as const satisfies Contract

// Version 1 of the policies' wire. Source: IBM Cloud IAM policy management API.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { boundsSent, boundsShown } from './contract-bounds.ts'
import { policiesPerAccountMax, policyAttributesMax, policyRolesMax, policyValueLengthMax } from '#base/limits.ts'

const closed = { additionalProperties: false }

const value = Type.String({ minLength: 1, maxLength: policyValueLengthMax })
const name = Type.String({ minLength: 1, maxLength: policyValueLengthMax })

const stringEquals = Type.Literal('stringEquals')
const stringMatch = Type.Literal('stringMatch')
const attribute = Type.Object({ name, value, operator: Type.Optional(Type.Union([stringEquals, stringMatch])) }, closed)

/** IBM Cloud has one subject and one resource in every policy. */
const one = { minItems: 1, maxItems: 1 }
const some = { minItems: 1, maxItems: policyAttributesMax }

export const policyType = Type.Union([Type.Literal('access'), Type.Literal('authorization')])
export const policyState = Type.Union([Type.Literal('active'), Type.Literal('deleted')])
export const description = Type.String({ maxLength: policyValueLengthMax })
export const roleId = Type.String({ minLength: 1, maxLength: policyValueLengthMax })

/** The name and description of a role are ours; a client that sends back what it received is not refused for them. */
const sentRole = Type.Object(
  { role_id: roleId, display_name: Type.Optional(Type.String()), description: Type.Optional(Type.String()) },
  closed,
)

export const policyRequest = Type.Object(
  {
    type: policyType,
    subjects: Type.Array(Type.Object({ attributes: Type.Array(attribute, some) }, closed), one),
    roles: Type.Array(sentRole, { minItems: 1, maxItems: policyRolesMax }),
    resources: Type.Array(
      Type.Object(
        { attributes: Type.Array(attribute, some), tags: Type.Optional(Type.Array(attribute, some)) },
        closed,
      ),
      one,
    ),
    description: Type.Optional(description),
    bounds: boundsSent,
  },
  closed,
)

export const madeAndChanged = {
  created_at: Type.String(),
  created_by_id: Type.String(),
  last_modified_at: Type.String(),
  last_modified_by_id: Type.String(),
}

export const lastPermit = {
  last_permit_at: Type.Optional(Type.String()),
  last_permit_frequency: Type.Optional(Type.Integer()),
}

/** A policy that only version 2 can show has its account here, and of the rest as much as version 1 has words for. */
export const policyReply = Type.Object({
  id: Type.String(),
  type: policyType,
  description: Type.Optional(Type.String()),
  subjects: Type.Array(Type.Object({ attributes: Type.Array(attribute) })),
  roles: Type.Array(Type.Object({ role_id: Type.String(), display_name: Type.String(), description: Type.String() })),
  resources: Type.Array(Type.Object({ attributes: Type.Array(attribute), tags: Type.Optional(Type.Array(attribute)) })),
  bounds: boundsShown,
  href: Type.String(),
  ...madeAndChanged,
  ...lastPermit,
  state: policyState,
})

export const policyFormat = Type.Union([Type.Literal('include_last_permit'), Type.Literal('display')])

/** What both versions' lists are asked with. */
export const listFields = {
  account_id: Type.String({ minLength: 1 }),
  iam_id: Type.Optional(Type.String()),
  access_group_id: Type.Optional(Type.String()),
  type: Type.Optional(policyType),
  service_type: Type.Optional(Type.Union([Type.Literal('service'), Type.Literal('platform_service')])),
  service_name: Type.Optional(Type.String()),
  service_group_id: Type.Optional(Type.String()),
  sort: Type.Optional(Type.String()),
  format: Type.Optional(policyFormat),
  state: Type.Optional(policyState),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: policiesPerAccountMax })),
  start: Type.Optional(Type.String()),
}

export const policyQuery = Type.Object({
  ...listFields,
  tag_name: Type.Optional(Type.String()),
  tag_value: Type.Optional(Type.String()),
})

const link = Type.Object({ href: Type.String() })
const place = Type.Object({ href: Type.String(), start: Type.String() })

export const listLinks = {
  limit: Type.Integer(),
  first: link,
  next: Type.Optional(place),
  previous: Type.Optional(Type.Object({ href: Type.String(), start: Type.Optional(Type.String()) })),
}

export const policyList = Type.Object({ ...listLinks, policies: Type.Array(policyReply) })

export const policyContractV1 = {
  createPolicy: {
    method: 'POST',
    path: '/v1/policies',
    summary: 'Create a policy in the account of its resource',
    action: 'iam.policy.create',
    body: policyRequest,
    status: 201,
    reply: policyReply,
  },
  listPolicies: {
    method: 'GET',
    path: '/v1/policies',
    summary: 'List the policies of an account that the caller may read',
    action: 'iam.policy.read',
    query: policyQuery,
    status: 200,
    reply: policyList,
  },
  getPolicy: {
    method: 'GET',
    path: '/v1/policies/{id}',
    summary: 'Read a policy, also a deleted one',
    action: 'iam.policy.read',
    status: 200,
    reply: policyReply,
  },
  replacePolicy: {
    method: 'PUT',
    path: '/v1/policies/{id}',
    summary: 'Replace a policy as it was read',
    action: 'iam.policy.update',
    body: policyRequest,
    status: 200,
    reply: policyReply,
  },
  updatePolicyState: {
    method: 'PATCH',
    path: '/v1/policies/{id}',
    summary: 'Make a deleted policy active again',
    action: 'iam.policy.update',
    body: Type.Object({ state: Type.Literal('active') }, closed),
    status: 200,
    reply: policyReply,
  },
  deletePolicy: {
    method: 'DELETE',
    path: '/v1/policies/{id}',
    summary: 'Delete a policy; decisions forget it at once',
    action: 'iam.policy.delete',
    status: 204,
  },
} as const satisfies Contract

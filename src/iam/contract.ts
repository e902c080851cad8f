// The wire of IAM as data. Sources: IBM Cloud IAM token API ("POST /identity/token"), IAM policy management API v1.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { policiesPerAccountMax, policyAttributesMax, policyRolesMax, policyValueLengthMax } from '#base/limits.ts'

const closed = { additionalProperties: false }

// Tokens and keys -----------------------------------------------------------------------------------------------------

/** Clients send more fields (response_type, scope); they change nothing here. */
const tokenForm = Type.Object({
  grant_type: Type.String(),
  apikey: Type.Optional(Type.String()),
})

export const tokenReply = Type.Object({
  access_token: Type.String(),
  refresh_token: Type.String(),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer(),
  expiration: Type.Integer(),
  scope: Type.String(),
})

const keySet = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.String(),
      n: Type.String(),
      e: Type.String(),
      alg: Type.String(),
      use: Type.String(),
      kid: Type.String(),
    }),
  ),
})

export const openidConfiguration = Type.Object({
  issuer: Type.String(),
  token_endpoint: Type.String(),
  jwks_uri: Type.String(),
  grant_types_supported: Type.Array(Type.String()),
  scopes_supported: Type.Array(Type.String()),
  response_types_supported: Type.Array(Type.String()),
  subject_types_supported: Type.Array(Type.String()),
  id_token_signing_alg_values_supported: Type.Array(Type.String()),
})

const createToken = {
  method: 'POST',
  action: null,
  bodyType: 'form',
  body: tokenForm,
  status: 200,
  reply: tokenReply,
} as const
const listSigningKeys = { method: 'GET', action: null, status: 200, reply: keySet } as const

export const identityContract = {
  createToken: { ...createToken, path: '/identity/token', summary: 'Give an access token for an API key' },
  /** Where the Key Protect clients for Go and Python ask. */
  createTokenOldPath: { ...createToken, path: '/oidc/token', summary: 'Give an access token for an API key' },
  listSigningKeys: { ...listSigningKeys, path: '/identity/keys', summary: 'The keys that verify tokens' },
  listSigningKeysOldPath: { ...listSigningKeys, path: '/oidc/jwks', summary: 'The keys that verify tokens' },
  getOpenidConfiguration: {
    method: 'GET',
    path: '/identity/.well-known/openid-configuration',
    summary: 'Where to find tokens and keys',
    action: null,
    status: 200,
    reply: openidConfiguration,
  },
} as const satisfies Contract

// Policies --------------------------------------------------------------------------------------------------------------

const value = Type.String({ minLength: 1, maxLength: policyValueLengthMax })
const name = Type.String({ minLength: 1, maxLength: policyValueLengthMax })

const subjectAttribute = Type.Object({ name, value, operator: Type.Optional(Type.Literal('stringEquals')) }, closed)
const attribute = Type.Object(
  { name, value, operator: Type.Optional(Type.Union([Type.Literal('stringEquals'), Type.Literal('stringMatch')])) },
  closed,
)

/** IBM Cloud has one subject and one resource in every policy. */
const one = { minItems: 1, maxItems: 1 }
const some = { minItems: 1, maxItems: policyAttributesMax }

const policyType = Type.Union([Type.Literal('access'), Type.Literal('authorization')])
const policyState = Type.Union([Type.Literal('active'), Type.Literal('deleted')])

/** The name and description of a role are ours; a client that sends back what it received is not refused for them. */
const sentRole = Type.Object(
  {
    role_id: Type.String({ minLength: 1, maxLength: policyValueLengthMax }),
    display_name: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
  },
  closed,
)

export const policyRequest = Type.Object(
  {
    type: policyType,
    subjects: Type.Array(Type.Object({ attributes: Type.Array(subjectAttribute, some) }, closed), one),
    roles: Type.Array(sentRole, { minItems: 1, maxItems: policyRolesMax }),
    resources: Type.Array(Type.Object({ attributes: Type.Array(attribute, some) }, closed), one),
    description: Type.Optional(Type.String({ maxLength: policyValueLengthMax })),
  },
  closed,
)

const echoed = Type.Array(Type.Object({ attributes: Type.Array(attribute) }))

export const policyReply = Type.Object({
  id: Type.String(),
  type: policyType,
  description: Type.Optional(Type.String()),
  subjects: echoed,
  roles: Type.Array(Type.Object({ role_id: Type.String(), display_name: Type.String(), description: Type.String() })),
  resources: echoed,
  href: Type.String(),
  created_at: Type.String(),
  created_by_id: Type.String(),
  last_modified_at: Type.String(),
  last_modified_by_id: Type.String(),
  state: policyState,
})

export const policyQuery = Type.Object({
  account_id: Type.String({ minLength: 1 }),
  iam_id: Type.Optional(Type.String()),
  type: Type.Optional(policyType),
  service_type: Type.Optional(Type.Union([Type.Literal('service'), Type.Literal('platform_service')])),
  state: Type.Optional(policyState),
  sort: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: policiesPerAccountMax })),
  start: Type.Optional(Type.String()),
})

const link = Type.Object({ href: Type.String() })

export const policyList = Type.Object({
  limit: Type.Integer(),
  first: link,
  next: Type.Optional(Type.Object({ href: Type.String(), start: Type.String() })),
  policies: Type.Array(policyReply),
})

export const policyContract = {
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
  deletePolicy: {
    method: 'DELETE',
    path: '/v1/policies/{id}',
    summary: 'Delete a policy; decisions forget it at once',
    action: 'iam.policy.delete',
    status: 204,
  },
} as const satisfies Contract

// The wire of tokens and of the keys that verify them, as data. Source: IBM Cloud IAM token API ("POST /identity/token").

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'

/** Which of the fields is needed depends on the grant: token-grants.ts. Clients send more, and it changes nothing. */
export const tokenForm = Type.Object({
  grant_type: Type.String(),
  apikey: Type.Optional(Type.String()),
  refresh_token: Type.Optional(Type.String()),
  access_token: Type.Optional(Type.String()),
  profile_id: Type.Optional(Type.String()),
  profile_crn: Type.Optional(Type.String()),
  profile_name: Type.Optional(Type.String()),
  account: Type.Optional(Type.String()),
  desired_iam_id: Type.Optional(Type.String()),
  response_type: Type.Optional(Type.String()),
  receiver_client_ids: Type.Optional(Type.String()),
  delegated_refresh_token_expiry: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,8}$' })),
})

export const tokenReply = Type.Object({
  access_token: Type.String(),
  refresh_token: Type.String(),
  delegated_refresh_token: Type.Optional(Type.String()),
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
  summary: 'Give an access token for an API key, a refresh token, a trusted profile or a resource of a service',
  action: null,
  bodyType: 'form',
  body: tokenForm,
  status: 200,
  reply: tokenReply,
} as const
const listSigningKeys = {
  method: 'GET',
  summary: 'The keys that verify tokens',
  action: null,
  status: 200,
  reply: keySet,
} as const

export const tokenContract = {
  createToken: { ...createToken, path: '/identity/token' },
  /** Where the Key Protect clients for Go and Python ask. */
  createTokenOldPath: { ...createToken, path: '/oidc/token' },
  listSigningKeys: { ...listSigningKeys, path: '/identity/keys' },
  listSigningKeysOldPath: { ...listSigningKeys, path: '/oidc/jwks' },
  getOpenidConfiguration: {
    method: 'GET',
    path: '/identity/.well-known/openid-configuration',
    summary: 'Where to find tokens and keys',
    action: null,
    status: 200,
    reply: openidConfiguration,
  },
} as const satisfies Contract

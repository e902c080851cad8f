// The wire of whoever runs this server: Keyward's own, in no API of IBM Cloud's. Its credential is the operator token; no
// token of a tenant is taken here, and the operator token nowhere else.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { identityNameLengthMax } from '#base/limits.ts'

const text = Type.String({ minLength: 1, maxLength: identityNameLengthMax })
const closed = { additionalProperties: false }

const account = {
  id: Type.String(),
  name: Type.String(),
  state: Type.Union([Type.Literal('active'), Type.Literal('disabled')]),
  owner_iam_id: Type.String(),
  created_at: Type.String(),
}

export const accountReply = Type.Object(account)
export const madeAccountReply = Type.Object({
  ...account,
  /** The owner's, shown this once. */
  apikey: Type.String(),
  resource_group_id: Type.String(),
})

const user = {
  iam_id: Type.String(),
  account_id: Type.String(),
  name: Type.String(),
  email: Type.String(),
  created_at: Type.String(),
}
export const userReply = Type.Object(user)
export const madeUserReply = Type.Object({ ...user, apikey: Type.String() })

export const signingKeyReply = Type.Object({
  kid: Type.String(),
  state: Type.Union([Type.Literal('published'), Type.Literal('signing'), Type.Literal('verifying')]),
  created_at: Type.String(),
  signs_from: Type.String(),
})

export const operatorContract = {
  createAccount: {
    method: 'POST',
    path: '/keyward/v1/operator/accounts',
    summary: 'Make an account with an owner, who receives an API key',
    action: 'keyward.account.create',
    body: Type.Object({ name: text, owner_name: Type.Optional(text), owner_email: Type.Optional(text) }, closed),
    status: 201,
    reply: madeAccountReply,
  },
  listAccounts: {
    method: 'GET',
    path: '/keyward/v1/operator/accounts',
    summary: 'List all accounts',
    action: 'keyward.account.list',
    status: 200,
    reply: Type.Object({ accounts: Type.Array(accountReply) }),
  },
  getAccount: {
    method: 'GET',
    path: '/keyward/v1/operator/accounts/{account_id}',
    summary: 'Read an account',
    action: 'keyward.account.get',
    status: 200,
    reply: accountReply,
  },
  disableAccount: {
    method: 'POST',
    path: '/keyward/v1/operator/accounts/{account_id}/disable',
    summary: 'Let nobody of the account in; its tokens are refused at once',
    action: 'keyward.account.disable',
    status: 204,
  },
  enableAccount: {
    method: 'DELETE',
    path: '/keyward/v1/operator/accounts/{account_id}/disable',
    summary: 'Let the account in again',
    action: 'keyward.account.enable',
    status: 204,
  },
  createUser: {
    method: 'POST',
    path: '/keyward/v1/operator/accounts/{account_id}/users',
    summary: 'Make a user of the account, who receives an API key and has no access yet',
    action: 'keyward.user.create',
    body: Type.Object({ name: text, email: Type.Optional(text) }, closed),
    status: 201,
    reply: madeUserReply,
  },
  listUsers: {
    method: 'GET',
    path: '/keyward/v1/operator/accounts/{account_id}/users',
    summary: 'List the users of the account',
    action: 'keyward.user.list',
    status: 200,
    reply: Type.Object({ users: Type.Array(userReply) }),
  },
  deleteUser: {
    method: 'DELETE',
    path: '/keyward/v1/operator/accounts/{account_id}/users/{iam_id}',
    summary: 'Remove a user and the API keys of that user',
    action: 'keyward.user.delete',
    status: 204,
  },
  listSigningKeys: {
    method: 'GET',
    path: '/keyward/v1/operator/signing_keys',
    summary: 'List the keys that sign or verify tokens',
    action: 'keyward.signing-key.list',
    status: 200,
    reply: Type.Object({ signing_keys: Type.Array(signingKeyReply) }),
  },
  rotateSigningKey: {
    method: 'POST',
    path: '/keyward/v1/operator/signing_keys/rotate',
    summary: 'Publish a new key, which signs ten minutes later',
    action: 'keyward.signing-key.rotate',
    status: 201,
    reply: signingKeyReply,
  },
} as const satisfies Contract

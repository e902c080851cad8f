// The operator's operations, one line each.

import { rfc3339 } from '#base/clock.ts'
import type { Routes } from '#base/contract.ts'
import type { operatorContract } from './contract-operator.ts'
import type { Operator } from './operator.ts'
import type { Anyone } from './port.ts'
import type { SigningKeyState } from './signing-keys.ts'
import type { AccountRow } from './tables-accounts.ts'
import type { IdentityRow } from './tables-identities.ts'

export function operatorRoutes(operator: Operator): Routes<typeof operatorContract, Anyone, Anyone> {
  const { accounts, users, signingKeys } = operator
  return {
    createAccount: async (_, { body }) => {
      const { account, apiKey, resourceGroupId } = await operator.createAccount(body)
      return { ...accountView(account), apikey: apiKey, resource_group_id: resourceGroupId }
    },
    listAccounts: async () => ({ accounts: (await accounts.list()).map(accountView) }),
    getAccount: async (_, { path }) => accountView(await accounts.get(path.account_id)),
    disableAccount: (_, { path }) => accounts.setEnabled(path.account_id, false),
    enableAccount: (_, { path }) => accounts.setEnabled(path.account_id, true),
    createUser: async (_, { path, body }) => {
      const { row, apiKey } = await users.create({ ...body, accountId: path.account_id })
      return { ...userView(row), apikey: apiKey.apiKey }
    },
    listUsers: async (_, { path }) => ({ users: (await users.list(path.account_id)).map(userView) }),
    deleteUser: (_, { path }) => users.delete(path.account_id, path.iam_id),
    listSigningKeys: async () => ({ signing_keys: (await signingKeys.list()).map(signingKeyView) }),
    rotateSigningKey: async () => signingKeyView(await signingKeys.rotate('operator')),
  }
}

const accountView = (row: AccountRow) => ({
  id: row.id,
  name: row.name,
  state: row.state,
  owner_iam_id: row.owner_iam_id,
  created_at: rfc3339(row.created_at),
})

const userView = (row: IdentityRow) => ({
  iam_id: row.iam_id,
  account_id: row.account_id,
  name: row.name,
  email: row.email,
  created_at: rfc3339(row.created_at),
})

const signingKeyView = ({ kid, state, createdAt, signsFrom }: SigningKeyState) => ({
  kid,
  state,
  created_at: rfc3339(createdAt),
  signs_from: rfc3339(signsFrom),
})

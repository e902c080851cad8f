// What whoever runs the server may do: accounts and their users come and go by their word, and signing keys are replaced.

import { makeHex32 } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Accounts } from './accounts.ts'
import { makeApiKey } from './api-key.ts'
import type { SigningKeys } from './signing-keys.ts'
import type { AccountRow } from './tables-accounts.ts'
import type { Users } from './users.ts'

export interface MadeAccount {
  readonly account: AccountRow
  /** The owner's; it is kept nowhere. */
  readonly apiKey: string
  readonly resourceGroupId: string
}

export interface Operator {
  readonly accounts: Accounts
  readonly users: Users
  readonly signingKeys: SigningKeys
  createAccount(wanted: {
    readonly name: string
    readonly owner_name?: string
    readonly owner_email?: string
  }): Promise<MadeAccount>
}

export function makeOperator(parts: {
  readonly random: Random
  readonly accounts: Accounts
  readonly users: Users
  readonly signingKeys: SigningKeys
  /** The account layer's part of a new account: its resource group of this id. May be repeated. */
  readonly addDefaultGroup: (accountId: string, resourceGroupId: string) => Promise<void>
}): Operator {
  const { random, accounts, users, signingKeys } = parts
  return {
    accounts,
    users,
    signingKeys,
    async createAccount({ name, owner_name: ownerName, owner_email: ownerEmail }) {
      const [accountId, resourceGroupId, apiKey] = [makeHex32(random), makeHex32(random), makeApiKey(random)]
      // The group first: an account without one cannot be used, a group without an account is nobody's.
      await parts.addDefaultGroup(accountId, resourceGroupId)
      await accounts.createAccount({ accountId, name, ownerName, ownerEmail, apiKey })
      return { account: await accounts.get(accountId), apiKey, resourceGroupId }
    },
  }
}

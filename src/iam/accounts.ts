// Accounts, and how one begins: with an owner, a key to log in with, and two policies that make the owner its
// administrator. Ownership is nothing but these policies; no code asks who the owner is. Accounts are the operator's
// (operator.ts): no token of a tenant reaches them.

import { Fault } from '#base/fault.ts'
import { isHex32, makeUuid } from '#base/id.ts'
import type { PolicyId } from '#base/id.ts'
import type { Clock } from '#base/clock.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Tx } from '#store/database.ts'
import { checkApiKey, hashApiKey } from './api-key.ts'
import { addApiKey } from './api-key-making.ts'
import type { Changes } from './changes.ts'
import { notFound } from './identity-access.ts'
import type { Policy } from './policy.ts'
import { firstRevision } from './revision.ts'
import { administratorRole, managerRole } from './roles.ts'
import type { ServiceType } from './actions.ts'
import { insertAccount, readAccount, readAccounts, setAccountState } from './tables-accounts.ts'
import type { AccountRow } from './tables-accounts.ts'
import { readApiKeyByHash } from './tables-api-keys.ts'
import { insertFoundingPolicy } from './tables-policies.ts'
import { addUser } from './users.ts'

export interface NewAccount {
  readonly accountId: string
  readonly name: string
  readonly ownerName?: string | undefined
  readonly ownerEmail?: string | undefined
  /** In plain text and the caller's: repeated after a crash, it finds the account made or makes it. */
  readonly apiKey: string
}

export interface Account {
  readonly accountId: string
  readonly ownerIamId: string
}

export interface Accounts {
  /**
   * Makes the account, or finds it as it was made with this key. Fault 'conflict' when the account is there and the key is
   * not its owner's.
   */
  createAccount(account: NewAccount): Promise<Account>
  hasAccount(accountId: string): Promise<boolean>
  list(): Promise<readonly AccountRow[]>
  get(accountId: string): Promise<AccountRow>
  /** Nobody of a disabled account logs in, and its tokens are refused, from the next request on. */
  setEnabled(accountId: string, enabled: boolean): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly changes: Changes
}

export function makeAccounts(parts: Parts): Accounts {
  const { database, outbox } = parts

  async function get(accountId: string): Promise<AccountRow> {
    const account = await readAccount(database.reads, accountId)
    if (!account) throw notFound('account', accountId)
    return account
  }

  return {
    async createAccount(account) {
      if (!isHex32(account.accountId)) {
        throw new Fault('invalid', `account id ${JSON.stringify(account.accountId)} is not 32 hexadecimal digits`)
      }
      checkApiKey(account.apiKey)
      return await database.transaction(
        async (tx) => (await existing(tx, account)) ?? (await found(parts, tx, account)),
      )
    },
    hasAccount: async (accountId) => (await readAccount(database.reads, accountId)) !== null,
    list: () => readAccounts(database.reads),
    get,
    async setEnabled(accountId, enabled) {
      await get(accountId)
      await database.transaction(async (tx) => {
        if (!(await setAccountState(tx, accountId, enabled ? 'active' : 'disabled'))) return
        await outbox.append(tx, { type: enabled ? 'iam.account.enabled' : 'iam.account.disabled', accountId })
      })
    },
  }
}

async function existing(tx: Tx, { accountId, apiKey }: NewAccount): Promise<Account | null> {
  const account = await readAccount(tx, accountId)
  const key = await readApiKeyByHash(tx, hashApiKey(apiKey))
  if (!account && !key) return null
  if (!account || key?.account_id !== accountId || key.iam_id !== account.owner_iam_id) {
    throw new Fault('conflict', `account ${accountId} cannot be made: the account or the API key is in use already`)
  }
  return { accountId, ownerIamId: account.owner_iam_id }
}

async function found(parts: Parts, tx: Tx, account: NewAccount): Promise<Account> {
  const { outbox, clock, random } = parts
  const { accountId, name } = account
  const now = clock.now()
  const ownerName = account.ownerName ?? `Owner ${name}`
  const owner = await addUser(parts, tx, { accountId, name: ownerName, email: account.ownerEmail, by: null })
  const ownerIamId = owner.iam_id
  await insertAccount(tx, {
    id: accountId,
    name,
    state: 'active',
    owner_iam_id: ownerIamId,
    created_at: now,
    settings: '{}',
    settings_revision: firstRevision(random),
    allowed_ip_addresses: '',
  })
  await outbox.append(tx, { type: 'iam.account.created', accountId, name })
  const self = { accountId, iamId: ownerIamId }
  await addApiKey(parts, tx, { owner: self, by: self, wanted: { name: 'owner', apiKey: account.apiKey } })
  for (const [serviceType, roles] of ownerRoles) {
    const id = makeUuid(random) as PolicyId // made for a policy
    const revision = firstRevision(random)
    await insertFoundingPolicy(tx, ownerPolicy({ id, revision, now, accountId, ownerIamId, serviceType, roles }))
    await outbox.append(tx, { type: 'iam.policy.created', accountId, policyId: id, policyType: 'access' })
  }
  return { accountId, ownerIamId }
}

const ownerRoles: readonly (readonly [ServiceType, readonly string[]])[] = [
  ['service', [administratorRole, managerRole]],
  ['platform_service', [administratorRole]],
]

function ownerPolicy(given: {
  readonly id: PolicyId
  readonly revision: string
  readonly now: number
  readonly accountId: string
  readonly ownerIamId: string
  readonly serviceType: ServiceType
  readonly roles: readonly string[]
}): Policy {
  const { accountId, ownerIamId, serviceType, roles, now } = given
  const subject = [{ name: 'iam_id', value: ownerIamId }]
  const resource = [
    { name: 'accountId', value: accountId },
    { name: 'serviceType', value: serviceType },
  ]
  const equals = (attribute: { name: string; value: string }) => ({ ...attribute, operator: 'stringEquals' })
  return {
    id: given.id,
    accountId,
    type: 'access',
    state: 'active',
    revision: given.revision,
    sent: { description: 'The owner of the account is its administrator', subject, resource },
    facts: { subject: subject.map(equals), resource: resource.map(equals), roles },
    createdAt: now,
    createdById: ownerIamId,
    lastModifiedAt: now,
    lastModifiedById: ownerIamId,
  }
}

// Accounts, and how one begins: with an owner, a key to log in with, and two policies that make the owner its
// administrator. Ownership is nothing but these policies; no code asks who the owner is.

import { Fault } from '#base/fault.ts'
import { isHex32, makeHex32, makeUuid } from '#base/id.ts'
import type { PolicyId } from '#base/id.ts'
import type { Clock } from '#base/clock.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Tx } from '#store/database.ts'
import { checkApiKey, hashApiKey } from './api-keys.ts'
import type { Policy } from './policy.ts'
import { administratorRole, managerRole } from './roles.ts'
import type { ServiceType } from './actions.ts'
import { insertAccount, insertApiKey, insertIdentity, readAccount, readApiKeyByHash } from './tables-accounts.ts'
import { insertFoundingPolicy } from './tables-policies.ts'

export interface NewAccount {
  readonly accountId: string
  readonly name: string
  readonly ownerName?: string
  readonly ownerEmail?: string
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
}

interface Parts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
}

export function makeAccounts(parts: Parts): Accounts {
  return {
    async createAccount(account) {
      if (!isHex32(account.accountId)) {
        throw new Fault('invalid', `account id ${JSON.stringify(account.accountId)} is not 32 hexadecimal digits`)
      }
      checkApiKey(account.apiKey)
      return await parts.database.transaction(
        async (tx) => (await existing(tx, account)) ?? (await found(parts, tx, account)),
      )
    },
    hasAccount: async (accountId) => (await readAccount(parts.database.reads, accountId)) !== null,
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

async function found({ outbox, clock, random }: Parts, tx: Tx, account: NewAccount): Promise<Account> {
  const { accountId, name } = account
  const ownerIamId = makeUserId(random)
  const apiKeyId = `ApiKey-${makeUuid(random)}`
  const now = clock.now()
  await insertAccount(tx, { id: accountId, name, state: 'active', owner_iam_id: ownerIamId, created_at: now })
  await insertIdentity(tx, {
    iam_id: ownerIamId,
    account_id: accountId,
    kind: 'user',
    name: account.ownerName ?? `Owner ${name}`,
    // RFC 2606: a domain that never receives mail, for owners who gave no address.
    email: account.ownerEmail ?? `owner@${accountId}.invalid`,
    state: 'active',
    created_at: now,
  })
  await outbox.append(tx, { type: 'iam.account.created', accountId, name })
  await insertApiKey(tx, {
    id: apiKeyId,
    account_id: accountId,
    iam_id: ownerIamId,
    name: 'owner',
    hash: hashApiKey(account.apiKey),
    locked: 0,
    disabled: 0,
    created_at: now,
    created_by_id: ownerIamId,
  })
  await outbox.append(tx, { type: 'iam.api-key.created', accountId, apiKeyId, iamId: ownerIamId })
  for (const [serviceType, roles] of ownerRoles) {
    const id = makeUuid(random) as PolicyId // made for a policy
    const revision = `1-${makeHex32(random)}`
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

/** `IBMid-` and ten capitals or digits. */
function makeUserId(random: Random): string {
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  // 32 signs: the lower five bits of a byte choose one evenly.
  return `IBMid-${Array.from(random.bytes(10), (byte) => alphabet[byte & 31]).join('')}`
}

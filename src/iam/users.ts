// Users: people of an account. There is no login page and no directory here: the operator makes a user together with an
// API key, and the user makes further keys. Removed, a user is out at the next request.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { usersPerAccountMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Database, Tx } from '#store/database.ts'
import { addApiKey } from './api-key-making.ts'
import type { MadeApiKey } from './api-key-making.ts'
import type { Changes } from './changes.ts'
import { accountTarget, isFull, notFound } from './identity-access.ts'
import { makeGrant } from './port.ts'
import type { Grant } from './port.ts'
import { firstRevision } from './revision.ts'
import { readAccount } from './tables-accounts.ts'
import { deleteApiKeysOf } from './tables-api-keys.ts'
import { countIdentities, deleteIdentity, insertIdentity, readIdentities, readIdentity } from './tables-identities.ts'
import type { IdentityRow } from './tables-identities.ts'

export interface NewUser {
  readonly accountId: string
  readonly name: string
  readonly email?: string | undefined
}

/** For the operator alone: routes-operator.ts. */
export interface Users {
  create(user: NewUser): Promise<{ readonly row: IdentityRow; readonly apiKey: MadeApiKey }>
  list(accountId: string): Promise<readonly IdentityRow[]>
  /** With the user's API keys. Fault 'conflict' for the owner, without whom nobody administers the account. */
  delete(accountId: string, iamId: string): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly changes: Changes
}

/** What histories call the operator, who is nobody of any account. */
export const operatorId = 'operator'

export function makeUsers(parts: Parts): Users {
  const { database, changes } = parts

  return {
    async create({ accountId, name, email }) {
      if (!(await readAccount(database.reads, accountId))) throw notFound('account', accountId)
      return await database.transaction(async (tx) => {
        if ((await countIdentities(tx, accountId, 'user')) >= usersPerAccountMax) {
          throw isFull(`account ${accountId} has ${usersPerAccountMax} users`)
        }
        const row = await addUser(parts, tx, { accountId, name, email, by: operatorId })
        const owner = { accountId, iamId: row.iam_id }
        const by = { accountId, iamId: operatorId }
        return { row, apiKey: await addApiKey(parts, tx, { owner, by, wanted: { name: 'first' } }) }
      })
    },

    async list(accountId) {
      const page = {
        order: 'created_at',
        descending: false,
        offset: 0,
        after: null,
        limit: usersPerAccountMax,
      } as const
      return await readIdentities(database.reads, operatorGrant(accountId), { kind: 'user', name: undefined }, page)
    },

    async delete(accountId, iamId) {
      const grant = operatorGrant(accountId)
      const account = await readAccount(database.reads, accountId)
      const row = await readIdentity(database.reads, grant, iamId)
      if (!account || row?.kind !== 'user') throw notFound('user', iamId)
      if (account.owner_iam_id === iamId)
        throw new Fault('conflict', `${iamId} owns account ${accountId}: disable that`)
      await database.transaction(async (tx) => {
        const by = { iamId: operatorId }
        for (const apiKeyId of await deleteApiKeysOf(tx, grant, iamId)) {
          await changes.announce(tx, { type: 'iam.api-key.deleted', accountId, apiKeyId, iamId }, by)
        }
        if (await deleteIdentity(tx, grant, iamId)) {
          await changes.announce(tx, { type: 'iam.user.deleted', accountId, iamId }, by)
        }
      })
    },
  }
}

/** The operator needs no policy: every account is on their machine. */
function operatorGrant(accountId: string): Grant {
  const subject = { kind: 'service', serviceName: 'operator', accountId } as const
  return makeGrant('keyward.user.manage', subject, accountTarget(accountId), operatorId)
}

export async function addUser(
  { clock, random, changes }: Pick<Parts, 'clock' | 'random' | 'changes'>,
  tx: Tx,
  { accountId, name, email, by }: NewUser & { readonly by: string | null },
): Promise<IdentityRow> {
  const iamId = makeUserId(random)
  const now = clock.now()
  const row: IdentityRow = {
    iam_id: iamId,
    account_id: accountId,
    kind: 'user',
    name,
    description: null,
    // RFC 2606: a domain that never receives mail, for those who gave no address.
    email: email ?? `${by === null ? 'owner' : iamId.toLowerCase()}@${accountId}.invalid`,
    state: 'active',
    locked: 0,
    group_id: null,
    unique_instance_crns: null,
    created_at: now,
    created_by_id: by ?? iamId,
    modified_at: now,
    revision: firstRevision(random),
  }
  await insertIdentity(tx, row)
  if (by !== null) {
    const event = { type: 'iam.user.created', accountId, iamId } as const
    await changes.record(tx, { event, entityId: iamId, by: { accountId, iamId: by }, action: 'create' })
  }
  return row
}

/** `IBMid-` and ten capitals or digits. */
function makeUserId(random: Random): string {
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  // 32 signs: the lower five bits of a byte choose one evenly.
  return `IBMid-${Array.from(random.bytes(10), (byte) => alphabet[byte & 31]).join('')}`
}

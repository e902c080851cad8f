// Service ids: who a program is, apart from the person who runs it. A locked one is neither changed nor deleted.

import type { Clock } from '#base/clock.ts'
import { makeUuid } from '#base/id.ts'
import { serviceIdsPerAccountMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Database } from '#store/database.ts'
import { addApiKey } from './api-key-making.ts'
import type { MadeApiKey, NewApiKey } from './api-key-making.ts'
import type { Changes } from './changes.ts'
import { accountTarget, changedMeanwhile, isFull, isLocked } from './identity-access.ts'
import type { Listing, Page } from './identity-page.ts'
import { iamIdOf, makeIdentityReading, targetOf } from './identity-reading.ts'
import type { ShownIdentity } from './identity-reading.ts'
import type { Permissions } from './permissions.ts'
import { makeGrant } from './port.ts'
import type { Caller, Context, Grant } from './port.ts'
import { checkRevision, firstRevision, nextRevision } from './revision.ts'
import { parseSettings } from './settings.ts'
import { activeAccount } from './tables-bearers.ts'
import { deleteApiKeysOf } from './tables-api-keys.ts'
import { countIdentities, deleteIdentity, insertIdentity, updateIdentity } from './tables-identities.ts'
import type { IdentityRow } from './tables-identities.ts'
import type { Throttle } from './throttle.ts'

export interface NewServiceId {
  readonly accountId: string
  readonly name: string
  readonly description?: string | undefined
  readonly groupId?: string | undefined
  readonly uniqueInstanceCrns?: readonly string[] | undefined
  readonly apiKey?: NewApiKey | undefined
  readonly locked: boolean
}

export interface ServiceIdChange {
  readonly name?: string | undefined
  readonly description?: string | undefined
  readonly uniqueInstanceCrns?: readonly string[] | undefined
}

export interface ServiceIds {
  create(context: Context, wanted: NewServiceId): Promise<{ row: IdentityRow; apiKey: MadeApiKey | null }>
  /** Empty, not refused, where the caller may see none. */
  list(context: Context, accountId: string, name: string | undefined, page: Page): Promise<Listing<IdentityRow>>
  get(context: Context, id: string, withHistory: boolean): Promise<ShownIdentity>
  update(context: Context, id: string, ifMatch: string | undefined, change: ServiceIdChange): Promise<ShownIdentity>
  /** With its API keys. Policies that name it stay and permit nobody: ids are not used again. */
  delete(context: Context, id: string): Promise<void>
  setLocked(context: Context, id: string, locked: boolean): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly changes: Changes
  readonly permissions: Permissions
  readonly throttle: Throttle
}

export const serviceIdOf = (row: IdentityRow): string => row.iam_id.replace(/^iam-/, '')

type Verb = 'update' | 'lock' | 'unlock'
const eventOf = {
  update: 'iam.service-id.updated',
  lock: 'iam.service-id.locked',
  unlock: 'iam.service-id.unlocked',
} as const satisfies Record<Verb, string>

export function makeServiceIds(parts: Parts): ServiceIds {
  const { database, clock, random, changes, permissions, throttle } = parts
  const { readable, get, list } = makeIdentityReading('serviceId', parts)

  async function change(
    { caller }: Context,
    row: IdentityRow,
    verb: Verb,
    set: Partial<IdentityRow>,
  ): Promise<IdentityRow> {
    const grant = await permissions.authorize(caller, `iam-identity.serviceid.${verb}`, targetOf(row))
    return await database.transaction(async (tx) => {
      const revision = nextRevision(row.revision, random)
      const changed = await updateIdentity(tx, grant, row, { ...set, modified_at: clock.now(), revision })
      if (!changed) throw changedMeanwhile()
      const event = { type: eventOf[verb], accountId: row.account_id, iamId: row.iam_id }
      await changes.record(tx, { event, entityId: row.iam_id, by: caller, action: verb, params: Object.keys(set) })
      return changed
    })
  }

  return {
    async create({ caller, remoteAddress }, wanted) {
      const { accountId } = wanted
      const grant = await grantToCreate(parts, caller, accountId)
      const row = rowOf(wanted, { caller, now: clock.now(), random })
      return await database.transaction(async (tx) => {
        if ((await countIdentities(tx, grant.target.accountId, 'serviceId')) >= serviceIdsPerAccountMax) {
          throw isFull(`account ${accountId} has ${serviceIdsPerAccountMax} service ids`)
        }
        await insertIdentity(tx, row)
        const event = { type: 'iam.service-id.created', accountId, iamId: row.iam_id } as const
        await changes.record(tx, {
          event,
          entityId: row.iam_id,
          by: caller,
          action: 'create',
          params: Object.keys(wanted),
        })
        const owner = { accountId, iamId: row.iam_id }
        const guard = { throttle, remoteAddress }
        const made = wanted.apiKey && { owner, by: caller, wanted: wanted.apiKey, guard }
        return { row, apiKey: made ? await addApiKey(parts, tx, made) : null }
      })
    },

    list,
    get,

    async update(context, id, ifMatch, { name, description, uniqueInstanceCrns }) {
      const { row } = await readable(context, id)
      checkRevision(ifMatch, row.revision)
      if (row.locked) throw isLocked('service id', id)
      const set = {
        ...(name !== undefined && { name }),
        ...(description !== undefined && { description }),
        ...(uniqueInstanceCrns !== undefined && { unique_instance_crns: JSON.stringify(uniqueInstanceCrns) }),
      }
      return { row: await change(context, row, 'update', set), history: null }
    },

    async delete(context, id) {
      const { row } = await readable(context, id)
      const { caller } = context
      const grant = await permissions.authorize(caller, 'iam-identity.serviceid.delete', targetOf(row))
      if (row.locked) throw isLocked('service id', id)
      await database.transaction(async (tx) => {
        const { account_id: accountId, iam_id: iamId } = row
        for (const apiKeyId of await deleteApiKeysOf(tx, grant, iamId)) {
          await changes.announce(tx, { type: 'iam.api-key.deleted', accountId, apiKeyId, iamId }, caller)
        }
        if (!(await deleteIdentity(tx, grant, iamId))) throw changedMeanwhile()
        await changes.announce(tx, { type: 'iam.service-id.deleted', accountId, iamId }, caller)
      })
    },

    async setLocked(context, id, locked) {
      const { row } = await readable(context, id)
      if ((row.locked === 1) !== locked)
        await change(context, row, locked ? 'lock' : 'unlock', { locked: locked ? 1 : 0 })
    },
  }
}

/**
 * IBM Cloud IAM, "Restricting users from creating service IDs": the users of an account may create them, until the account
 * restricts it to those whom a policy lets. A new service id may do nothing, so this gives nothing away.
 */
async function grantToCreate({ database, permissions }: Parts, caller: Caller, accountId: string): Promise<Grant> {
  const action = 'iam-identity.serviceid.create'
  const target = accountTarget(accountId)
  const account =
    caller.kind === 'user' && caller.accountId === accountId ? await activeAccount(database.reads, accountId) : null
  const isFree = account && parseSettings(account.settings).restrict_create_service_id !== 'RESTRICTED'
  return isFree ? makeGrant(action, caller, target, 'own-account') : await permissions.authorize(caller, action, target)
}

function rowOf(wanted: NewServiceId, made: { caller: Caller; now: number; random: Random }): IdentityRow {
  const { uniqueInstanceCrns } = wanted
  return {
    iam_id: iamIdOf(`ServiceId-${makeUuid(made.random)}`),
    account_id: wanted.accountId,
    kind: 'serviceId',
    name: wanted.name,
    description: wanted.description ?? null,
    email: '',
    state: 'active',
    locked: wanted.locked ? 1 : 0,
    group_id: wanted.groupId ?? null,
    unique_instance_crns: uniqueInstanceCrns ? JSON.stringify(uniqueInstanceCrns) : null,
    created_at: made.now,
    created_by_id: made.caller.iamId,
    modified_at: made.now,
    revision: firstRevision(made.random),
  }
}

// API keys, for those who manage them. A user's are made by that user and nobody else; a service id's by whoever a policy
// lets. Another account's are as good as none.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import type { Database } from '#store/database.ts'
import { hashApiKey } from './api-key.ts'
import { addApiKey, expiry } from './api-key-making.ts'
import type { MadeApiKey, NewApiKey } from './api-key-making.ts'
import type { Changes } from './changes.ts'
import { checkKeyFor } from './handing.ts'
import {
  accountTarget,
  authorizeOn,
  changedMeanwhile,
  grantOn,
  identityTarget,
  isLocked,
  isOwn,
  notFound,
} from './identity-access.ts'
import { listingOf } from './identity-page.ts'
import type { Listing, Page } from './identity-page.ts'
import type { Permissions } from './permissions.ts'
import { makeGrant } from './port.ts'
import type { Caller, Context, Grant } from './port.ts'
import { checkRevision, nextRevision } from './revision.ts'
import { parseSettings } from './settings.ts'
import { activeAccount } from './tables-bearers.ts'
import {
  deleteApiKey,
  ownerOfApiKey,
  readApiKey,
  readApiKeyByHash,
  readApiKeys,
  updateApiKey,
} from './tables-api-keys.ts'
import type { ApiKeyFilter, ApiKeyRow } from './tables-api-keys.ts'
import { readHistory } from './tables-history.ts'
import type { HistoryRow } from './tables-history.ts'
import { knownIdentity } from './tables-identities.ts'
import type { Throttle } from './throttle.ts'

export interface ShownApiKey {
  readonly row: ApiKeyRow
  /** Null when nobody asked for it. */
  readonly history: readonly HistoryRow[] | null
}

export interface ApiKeyChange {
  readonly name?: string | undefined
  readonly description?: string | undefined
  readonly supportSessions?: boolean | undefined
  readonly actionWhenLeaked?: ApiKeyRow['action_when_leaked'] | undefined
  readonly expiresAt?: string | undefined
}

export interface ApiKeyQuery {
  readonly accountId: string | undefined
  readonly iamId: string | undefined
  readonly scope: 'entity' | 'account'
  readonly kind: 'user' | 'serviceId' | undefined
  readonly withHistory: boolean
  readonly page: Page
}

export interface ApiKeys {
  create(
    context: Context,
    wanted: NewApiKey & { readonly iamId: string; readonly accountId: string | undefined },
  ): Promise<MadeApiKey>
  /** Empty, not refused, where the caller may see none. */
  list(context: Context, query: ApiKeyQuery): Promise<Listing<ShownApiKey & ApiKeyRow>>
  get(context: Context, id: string, withHistory: boolean): Promise<ShownApiKey>
  /** Of the key that is shown: whoever has it may know what it is. Fault 'over_limit' for those who guess. */
  details(context: Context, apiKey: string | undefined, withHistory: boolean): Promise<ShownApiKey>
  update(context: Context, id: string, ifMatch: string | undefined, change: ApiKeyChange): Promise<ShownApiKey>
  delete(context: Context, id: string): Promise<void>
  setLocked(context: Context, id: string, locked: boolean): Promise<void>
  setDisabled(context: Context, id: string, disabled: boolean): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly changes: Changes
  readonly permissions: Permissions
  readonly throttle: Throttle
}

type Verb = 'update' | 'lock' | 'unlock' | 'disable' | 'enable'
const eventOf = {
  update: 'iam.api-key.updated',
  lock: 'iam.api-key.locked',
  unlock: 'iam.api-key.unlocked',
  disable: 'iam.api-key.disabled',
  enable: 'iam.api-key.enabled',
} as const satisfies Record<Verb, string>

const ownerOf = (row: ApiKeyRow) => ({ accountId: row.account_id, iamId: row.iam_id })

export function makeApiKeys(parts: Parts): ApiKeys {
  const { database, clock, random, changes, permissions, throttle } = parts
  const { reads } = database

  async function readable({ caller }: Context, id: string): Promise<{ row: ApiKeyRow; grant: Grant }> {
    const owner = await ownerOfApiKey(reads, id)
    const grant = owner && (await grantOn(permissions, caller, 'iam-identity.apikey.get', owner))
    const row = grant && (await readApiKey(reads, grant, id))
    if (!row) throw notFound('API key', id)
    return { row, grant }
  }

  const shown = async (row: ApiKeyRow, grant: Grant, withHistory: boolean): Promise<ShownApiKey> => ({
    row,
    history: withHistory ? await readHistory(reads, grant, row.id) : null,
  })

  async function change(
    { caller }: Context,
    row: ApiKeyRow,
    verb: Verb,
    set: Partial<ApiKeyRow>,
    params: readonly string[] = [],
  ): Promise<ApiKeyRow> {
    const grant = await authorizeOn(permissions, caller, `iam-identity.apikey.${verb}`, ownerOf(row))
    return await database.transaction(async (tx) => {
      const revision = nextRevision(row.revision, random)
      const changed = await updateApiKey(tx, grant, row, { ...set, modified_at: clock.now(), revision })
      if (!changed) throw changedMeanwhile()
      const event = { type: eventOf[verb], accountId: row.account_id, apiKeyId: row.id, iamId: row.iam_id }
      await changes.record(tx, { event, entityId: row.id, by: caller, action: verb, params })
      return changed
    })
  }

  return {
    async create({ caller, remoteAddress }, { iamId, accountId, ...wanted }) {
      const owner = await grantedOwner(parts, caller, iamId)
      if (accountId !== undefined && accountId !== owner.accountId) {
        const target = { type: 'field', name: 'account_id' } as const
        throw new Fault('invalid', `account_id is not the account of ${iamId}`, { target })
      }
      return await database.transaction(async (tx) => {
        await checkKeyFor(tx, caller, owner.iamId, clock.now())
        return await addApiKey(parts, tx, { owner, by: caller, wanted, guard: { throttle, remoteAddress } })
      })
    },

    async list({ caller }, query) {
      const accountId = query.accountId ?? caller.accountId
      const iamId = query.scope === 'entity' ? (query.iamId ?? caller.iamId) : query.iamId
      const filter: ApiKeyFilter = { ...(iamId && { iamId }), ...(query.kind && { kind: query.kind }) }
      const action = 'iam-identity.apikey.list'
      const grant =
        iamId === undefined
          ? await permissions.grant(caller, action, accountTarget(accountId))
          : await grantOn(permissions, caller, action, { accountId, iamId })
      if (!grant) return listingOf([], query.page)
      const listing = listingOf(await readApiKeys(reads, grant, filter, query.page), query.page)
      const each = listing.rows.map(async (row) => ({ ...row, ...(await shown(row, grant, query.withHistory)) }))
      return { ...listing, rows: await Promise.all(each) }
    },

    async get(context, id, withHistory) {
      const { row, grant } = await readable(context, id)
      return await shown(row, grant, withHistory)
    },

    async details({ caller, remoteAddress }, apiKey, withHistory) {
      const target = { type: 'header', name: 'IAM-ApiKey' } as const
      if (!apiKey) throw new Fault('invalid', 'IAM-ApiKey is required: the API key that is asked about', { target })
      throttle.check(remoteAddress)
      const row = await readApiKeyByHash(reads, hashApiKey(apiKey))
      if (!row) throw throttle.failed({ apiKey, remoteAddress }, new Fault('not_found', 'this API key is not known'))
      const grant = makeGrant('iam-identity.apikey.get', caller, identityTarget(ownerOf(row)), 'shown-api-key')
      return await shown(row, grant, withHistory)
    },

    async update(context, id, ifMatch, wanted) {
      const { row } = await readable(context, id)
      checkRevision(ifMatch, row.revision)
      if (row.locked) throw isLocked('API key', id)
      const { name, description, supportSessions, actionWhenLeaked, expiresAt } = wanted
      const set: Partial<ApiKeyRow> = {
        ...(name !== undefined && { name }),
        ...(description !== undefined && { description }),
        ...(supportSessions !== undefined && { support_sessions: supportSessions ? 1 : 0 }),
        ...(actionWhenLeaked !== undefined && { action_when_leaked: actionWhenLeaked }),
        ...(expiresAt !== undefined && expiry(expiresAt)),
      }
      const params = Object.keys(set).filter((field) => field !== 'expires_at_ms')
      return { row: await change(context, row, 'update', set, params), history: null }
    },

    async delete(context, id) {
      const { row } = await readable(context, id)
      const { caller } = context
      const grant = await authorizeOn(permissions, caller, 'iam-identity.apikey.delete', ownerOf(row))
      if (row.locked) throw isLocked('API key', id)
      await database.transaction(async (tx) => {
        if (!(await deleteApiKey(tx, grant, id))) throw changedMeanwhile()
        const event = {
          type: 'iam.api-key.deleted',
          accountId: row.account_id,
          apiKeyId: id,
          iamId: row.iam_id,
        } as const
        await changes.announce(tx, event, caller)
      })
    },

    async setLocked(context, id, locked) {
      const { row } = await readable(context, id)
      if ((row.locked === 1) !== locked)
        await change(context, row, locked ? 'lock' : 'unlock', { locked: locked ? 1 : 0 })
    },

    async setDisabled(context, id, disabled) {
      const { row } = await readable(context, id)
      if ((row.disabled === 1) === disabled) return
      await change(context, row, disabled ? 'disable' : 'enable', { disabled: disabled ? 1 : 0 })
    },
  }
}

/**
 * Whose key is to be made, when the caller may. A user's own needs no policy unless the account restricts it (IBM Cloud
 * IAM, "Restricting users from creating API keys").
 */
async function grantedOwner(
  { database, permissions }: Parts,
  caller: Caller,
  iamId: string,
): Promise<{ accountId: string; iamId: string }> {
  const identity = await knownIdentity(database.reads, iamId)
  const owner = identity && { accountId: identity.account_id, iamId }
  const action = 'iam-identity.apikey.create'
  if (owner && isOwn(caller, owner)) {
    const account = await activeAccount(database.reads, owner.accountId)
    const settings = parseSettings(account?.settings ?? '{}')
    if (settings.restrict_create_platform_apikey === 'RESTRICTED') {
      await permissions.authorize(caller, action, accountTarget(owner.accountId))
    }
    return owner
  }
  const isOurs = owner?.accountId === caller.accountId
  const grant = owner && (await permissions.grant(caller, action, identityTarget(owner)))
  if (!owner || (!grant && !isOurs)) throw notFound('identity', iamId)
  if (!grant) await permissions.authorize(caller, action, identityTarget(owner))
  if (identity.kind !== 'serviceId') throw new Fault('forbidden', `API keys of ${iamId} are made by nobody else`)
  if (identity.locked) throw isLocked('service id', iamId)
  return owner
}

// The settings of an account, read and changed. What was not sent stays as it was; what is unknown was refused before.

import type { BlockList } from 'node:net'
import { Fault } from '#base/fault.ts'
import type { Clock } from '#base/clock.ts'
import { isHex32 } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Database } from '#store/database.ts'
import { allowsAddress, parseAllowedAddresses } from './allowed-addresses.ts'
import type { Changes } from './changes.ts'
import { accountTarget, changedMeanwhile, notFound } from './identity-access.ts'
import type { Permissions } from './permissions.ts'
import type { Context } from './port.ts'
import { checkRevision, nextRevision } from './revision.ts'
import { lifetimeBounds, parseSettings } from './settings.ts'
import type { Settings } from './settings.ts'
import { readSettingsRow, writeSettings } from './tables-accounts.ts'
import { readHistory } from './tables-history.ts'
import type { HistoryRow } from './tables-history.ts'

export interface ShownSettings {
  readonly accountId: string
  readonly revision: string
  readonly settings: Settings
  readonly history: readonly HistoryRow[]
}

export interface AccountSettings {
  /** Fault 'not_found' for an account that is not there, and for one that lets the caller see nothing. */
  get(context: Context, accountId: string, withHistory: boolean): Promise<ShownSettings>
  update(
    context: Context,
    accountId: string,
    ifMatch: string | undefined,
    change: Partial<Settings>,
  ): Promise<ShownSettings>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly changes: Changes
  readonly permissions: Permissions
}

export function makeAccountSettings({ database, random, changes, permissions }: Parts): AccountSettings {
  const { reads } = database

  async function get({ caller }: Context, accountId: string, withHistory: boolean): Promise<ShownSettings> {
    if (!isHex32(accountId)) throw notFound('account', accountId)
    const target = accountTarget(accountId)
    const action = 'iam-identity.account.get'
    // A member of the account learns which policy is missing; nobody else learns that the account exists.
    const grant = await (caller.accountId === accountId
      ? permissions.authorize(caller, action, target)
      : permissions.grant(caller, action, target))
    const row = grant && (await readSettingsRow(reads, grant))
    if (!row) throw notFound('account', accountId)
    const history = withHistory ? await readHistory(reads, grant, entityOf(accountId)) : []
    return { accountId, revision: row.settings_revision, settings: parseSettings(row.settings), history }
  }

  return {
    get,

    async update(context, accountId, ifMatch, change) {
      const { caller } = context
      const before = await get(context, accountId, false)
      const grant = await permissions.authorize(caller, 'iam-identity.account.update', accountTarget(accountId))
      checkRevision(ifMatch, before.revision)
      check(change, context.remoteAddress)
      const settings = { ...before.settings, ...change }
      const revision = nextRevision(before.revision, random)
      await database.transaction(async (tx) => {
        const row = {
          settings: JSON.stringify(settings),
          settings_revision: revision,
          allowed_ip_addresses: settings.allowed_ip_addresses,
        }
        if (!(await writeSettings(tx, grant, before.revision, row))) throw changedMeanwhile()
        const event = { type: 'iam.account-settings.updated', accountId } as const
        const entityId = entityOf(accountId)
        await changes.record(tx, { event, entityId, by: caller, action: 'update', params: Object.keys(change) })
      })
      return { accountId, revision, settings, history: [] }
    },
  }
}

const entityOf = (accountId: string): string => `settings/${accountId}`

function check(change: Partial<Settings>, remoteAddress: string): void {
  for (const [name, { min, max }] of Object.entries(lifetimeBounds)) {
    const value = change[name as keyof typeof lifetimeBounds] // its keys are all there are
    if (value === undefined || value === 'NOT_SET') continue
    if (/^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max) continue
    throw wrong(name, `must be a whole number of seconds from ${min} to ${max}, as text, or NOT_SET`)
  }
  const list = change.allowed_ip_addresses ? parseAllowedAddresses(change.allowed_ip_addresses) : null
  if (list) refuseLockout(list, remoteAddress)
}

/** Whoever leaves out the own address could not put it in again. */
function refuseLockout(list: BlockList, remoteAddress: string): void {
  if (allowsAddress(list, remoteAddress)) return
  throw wrong('allowed_ip_addresses', `does not contain ${remoteAddress}, from where this request came`)
}

const wrong = (name: string, what: string): Fault =>
  new Fault('invalid', `${name} ${what}`, { target: { type: 'field', name } })

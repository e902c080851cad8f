// Who from other accounts may act in an account at all: IBM Cloud IAM, "Restricting external account identity
// interaction". The setting stands above policies: it is the one thing here that takes away.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { isHex32 } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { asService } from './attributes.ts'
import type { Permissions } from './permissions.ts'
import type { Context, Subject, Target } from './port.ts'
import { checkRevision, firstRevision, nextRevision } from './revision.ts'
import { readAccessSettings, writeAccessSettings } from './tables-access-settings.ts'

export type IdentityType = 'user' | 'service_id' | 'service'

export interface Interaction {
  readonly state: 'enabled' | 'monitor' | 'limited'
  readonly external_allowed_accounts: readonly string[]
}

export type IdentityTypes = Readonly<Record<IdentityType, Interaction>>

export interface StoredSettings {
  readonly identityTypes: IdentityTypes
  readonly revision: string
}

export interface AccessSettings {
  get(context: Context, accountId: string): Promise<StoredSettings>
  /** What the patch does not mention stays. */
  update(
    context: Context,
    accountId: string,
    change: { readonly ifMatch: string | undefined; readonly patch: Partial<IdentityTypes> },
  ): Promise<StoredSettings>
}

const open: Interaction = { state: 'enabled', external_allowed_accounts: [] }

/** What holds in an account that has never said anything. */
const unset: StoredSettings = {
  identityTypes: { user: open, service_id: open, service: open },
  revision: `0-${'0'.repeat(32)}`,
}

const targetIn = (accountId: string): Target => ({ accountId, serviceName: 'iam-access-management' })

export function makeAccessSettings(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly permissions: Permissions
}): AccessSettings {
  const { database, outbox, clock, random, permissions } = parts

  return {
    async get({ caller }, accountId) {
      const action = 'iam-access-management.account-settings.read'
      checkId(accountId)
      const grant = await permissions.grant(caller, action, targetIn(accountId))
      if (!grant) throw notFound(accountId)
      return (await readAccessSettings(database.reads, accountId)) ?? unset
    },

    async update({ caller }, accountId, { ifMatch, patch }) {
      checkId(accountId)
      const reading = 'iam-access-management.account-settings.read'
      if (!(await permissions.grant(caller, reading, targetIn(accountId)))) throw notFound(accountId)
      const action = 'iam-access-management.account-settings.update'
      const grant = await permissions.authorize(caller, action, targetIn(accountId))
      return await database.transaction(async (tx) => {
        const before = await readAccessSettings(tx, accountId)
        checkRevision(ifMatch, (before ?? unset).revision)
        const after: StoredSettings = {
          identityTypes: { ...(before ?? unset).identityTypes, ...patch },
          revision: before ? nextRevision(before.revision, random) : firstRevision(random),
        }
        await writeAccessSettings(tx, grant, after, { at: clock.now(), byId: caller.iamId })
        await outbox.append(tx, { type: 'iam.access-settings.updated', accountId, initiatorId: caller.iamId })
        return after
      })
    },
  }
}

const notFound = (accountId: string): Fault =>
  new Fault('not_found', `account ${accountId.slice(0, 64)} not found`, { reason: 'not_found' })

/** Decisions are about accounts: what can be none is not asked about. */
function checkId(accountId: string): void {
  if (!isHex32(accountId)) throw notFound(accountId)
}

/** A profile of another account is asked for like a service id: nobody but its account stands behind it. */
export function identityTypeOf(subject: Subject): IdentityType {
  if (asService(subject)) return 'service'
  return 'iamId' in subject && subject.kind === 'user' ? 'user' : 'service_id'
}

/** Whether the setting lets an identity of that account in, and whether somebody is to be told. */
export function gate(
  { state, external_allowed_accounts: allowed }: Interaction,
  accountId: string,
): { readonly admits: boolean; readonly isEnforced: boolean; readonly isWatched: boolean } {
  if (state === 'enabled' || allowed.includes(accountId)) return { admits: true, isEnforced: false, isWatched: false }
  return { admits: state === 'monitor', isEnforced: state === 'limited', isWatched: true }
}

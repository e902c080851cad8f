// Trusted profiles: an identity that others assume for an hour, instead of having access themselves. Who may is written in
// the profile (profile-identities.ts); what it may is written in policies.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { profilesPerAccountMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Database, Tx } from '#store/database.ts'
import type { Changes } from './changes.ts'
import { accountTarget, changedMeanwhile, isFull } from './identity-access.ts'
import type { Listing, Page } from './identity-page.ts'
import { iamIdOf, makeIdentityReading, targetOf } from './identity-reading.ts'
import type { ReadableIdentity, ShownIdentity } from './identity-reading.ts'
import type { Permissions } from './permissions.ts'
import type { Context, Grant } from './port.ts'
import { checkRevision, firstRevision, nextRevision } from './revision.ts'
import { countIdentities, deleteIdentity, hasName, insertIdentity, updateIdentity } from './tables-identities.ts'
import type { IdentityRow } from './tables-identities.ts'
import { deleteProfileParts } from './tables-profiles.ts'

export interface NewProfile {
  readonly accountId: string
  readonly name: string
  readonly description?: string | undefined
  readonly email?: string | undefined
}

export interface ProfileChange {
  readonly name?: string | undefined
  readonly description?: string | undefined
  readonly email?: string | undefined
}

/** A profile that its grant lets one change, and what hangs on it. */
export interface ChangingProfile {
  readonly row: IdentityRow
  readonly grant: Grant<'iam-identity.profile.update'>
}

export interface Profiles {
  create(context: Context, wanted: NewProfile): Promise<IdentityRow>
  /** Empty, not refused, where the caller may see none. */
  list(context: Context, accountId: string, name: string | undefined, page: Page): Promise<Listing<IdentityRow>>
  get(context: Context, id: string, withHistory: boolean): Promise<ShownIdentity>
  update(context: Context, id: string, ifMatch: string | undefined, change: ProfileChange): Promise<ShownIdentity>
  delete(context: Context, id: string): Promise<void>
  /** For what hangs on a profile. Fault 'not_found' for another account's and for what is none. */
  readable(context: Context, id: string): Promise<ReadableIdentity<'profile'>>
  changing(context: Context, id: string): Promise<ChangingProfile>
  /** A new revision of the profile, for a change of what hangs on it. */
  touch(tx: Tx, context: Context, profile: ChangingProfile, params: readonly string[]): Promise<IdentityRow>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly changes: Changes
  readonly permissions: Permissions
}

export const profileIdOf = (row: IdentityRow): string => row.iam_id.replace(/^iam-/, '')

export function makeProfiles({ database, clock, random, changes, permissions }: Parts): Profiles {
  const { readable, get, list } = makeIdentityReading('profile', { database, permissions })

  async function changing(context: Context, id: string): Promise<ChangingProfile> {
    const { row } = await readable(context, id)
    const grant = await permissions.authorize(context.caller, 'iam-identity.profile.update', targetOf(row))
    return { row, grant }
  }

  async function write(
    tx: Tx,
    { caller }: Context,
    { row, grant }: ChangingProfile,
    set: Partial<IdentityRow>,
    params: readonly string[],
  ): Promise<IdentityRow> {
    const revision = nextRevision(row.revision, random)
    const changed = await updateIdentity(tx, grant, row, { ...set, modified_at: clock.now(), revision })
    if (!changed) throw changedMeanwhile()
    const event = { type: 'iam.profile.updated', accountId: row.account_id, iamId: row.iam_id } as const
    await changes.record(tx, { event, entityId: row.iam_id, by: caller, action: 'update', params })
    return changed
  }

  return {
    async create({ caller }, wanted) {
      const { accountId, name } = wanted
      await permissions.authorize(caller, 'iam-identity.profile.create', accountTarget(accountId))
      const now = clock.now()
      const row: IdentityRow = {
        iam_id: iamIdOf(`Profile-${makeUuid(random)}`),
        account_id: accountId,
        kind: 'profile',
        name,
        description: wanted.description ?? null,
        email: wanted.email ?? '',
        state: 'active',
        locked: 0,
        group_id: null,
        unique_instance_crns: null,
        created_at: now,
        created_by_id: caller.iamId,
        modified_at: now,
        revision: firstRevision(random),
      }
      await database.transaction(async (tx) => {
        await refuseTwin(tx, accountId, name)
        if ((await countIdentities(tx, accountId, 'profile')) >= profilesPerAccountMax) {
          throw isFull(`account ${accountId} has ${profilesPerAccountMax} trusted profiles`)
        }
        await insertIdentity(tx, row)
        const event = { type: 'iam.profile.created', accountId, iamId: row.iam_id } as const
        await changes.record(tx, {
          event,
          entityId: row.iam_id,
          by: caller,
          action: 'create',
          params: Object.keys(wanted),
        })
      })
      return row
    },

    list,
    get,

    async update(context, id, ifMatch, { name, description, email }) {
      const profile = await changing(context, id)
      const { row } = profile
      checkRevision(ifMatch, row.revision)
      const set = {
        ...(name !== undefined && { name }),
        ...(description !== undefined && { description }),
        ...(email !== undefined && { email }),
      }
      const changed = await database.transaction(async (tx) => {
        if (name !== undefined && name !== row.name) await refuseTwin(tx, row.account_id, name)
        return await write(tx, context, profile, set, Object.keys(set))
      })
      return { row: changed, history: null }
    },

    async delete(context, id) {
      const { row } = await readable(context, id)
      const { caller } = context
      const grant = await permissions.authorize(caller, 'iam-identity.profile.delete', targetOf(row))
      await database.transaction(async (tx) => {
        const { account_id: accountId, iam_id: iamId } = row
        await deleteProfileParts(tx, grant, iamId)
        if (!(await deleteIdentity(tx, grant, iamId))) throw changedMeanwhile()
        await changes.announce(tx, { type: 'iam.profile.deleted', accountId, iamId }, caller)
      })
    },

    readable,
    changing,
    touch: (tx, context, profile, params) => write(tx, context, profile, {}, params),
  }
}

/** A name finds a profile when somebody assumes it, so it is an account's only one. */
async function refuseTwin(tx: Tx, accountId: string, name: string): Promise<void> {
  if (!(await hasName(tx, accountId, 'profile', name))) return
  throw new Fault('conflict', `account ${accountId} has a trusted profile ${JSON.stringify(name)} already`)
}

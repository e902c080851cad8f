// Whom a trusted profile lets in: users and service ids by their IAM ids, services and their resources by their CRNs, also
// those of other accounts. Whoever is taken out is out at the next request.

import type { Clock } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { profileIdentitiesMax } from '#base/limits.ts'
import type { Database, Tx } from '#store/database.ts'
import { checkLettingIn } from './handing.ts'
import { isFull, notFound } from './identity-access.ts'
import type { Context } from './port.ts'
import type { ChangingProfile, Profiles } from './profiles.ts'
import { checkRevision } from './revision.ts'
import { deleteProfileIdentities, putProfileIdentity, readProfileIdentities } from './tables-profiles.ts'
import type { ProfileIdentityRow } from './tables-profiles.ts'

export interface NewProfileIdentity {
  readonly type: ProfileIdentityRow['type']
  readonly identifier: string
  readonly accounts?: readonly string[] | undefined
  readonly description?: string | undefined
}

export interface ProfileIdentityList {
  readonly revision: string
  readonly rows: readonly ProfileIdentityRow[]
}

export interface ProfileIdentities {
  list(context: Context, profileId: string): Promise<ProfileIdentityList>
  /** All of them at once: who is not in the list is out. */
  replace(
    context: Context,
    profileId: string,
    ifMatch: string | undefined,
    wanted: readonly NewProfileIdentity[],
  ): Promise<ProfileIdentityList>
  /** `type` is the path's, and has to be the body's. */
  put(context: Context, profileId: string, type: string, wanted: NewProfileIdentity): Promise<ProfileIdentityRow>
  get(context: Context, profileId: string, type: string, identifier: string): Promise<ProfileIdentityRow>
  delete(context: Context, profileId: string, type: string, identifier: string): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly profiles: Profiles
}

export function makeProfileIdentities({ database, clock, profiles }: Parts): ProfileIdentities {
  const rowOf = (profileIamId: string, wanted: NewProfileIdentity): ProfileIdentityRow => ({
    profile_iam_id: profileIamId,
    type: wanted.type,
    identifier: wanted.identifier,
    iam_id: iamIdOf(wanted),
    accounts: wanted.accounts ? JSON.stringify(wanted.accounts) : null,
    description: wanted.description ?? null,
    created_at: clock.now(),
  })

  async function find(context: Context, profileId: string, type: string, identifier: string) {
    const { row, grant } = await profiles.readable(context, profileId)
    const rows = await readProfileIdentities(database.reads, grant, row.iam_id)
    const found = rows.find((one) => one.type === type && one.identifier === identifier)
    if (!found) throw notFound('identity', identifier)
    return found
  }

  /** Whoever is in already, on the same terms, is given nothing. */
  async function checkNew(
    tx: Tx,
    { caller }: Context,
    { row, grant }: ChangingProfile,
    wanted: readonly ProfileIdentityRow[],
  ): Promise<void> {
    const before = await readProfileIdentities(tx, grant, row.iam_id)
    if (wanted.every((one) => before.some((old) => isSame(old, one)))) return
    await checkLettingIn(tx, caller, row.iam_id, clock.now())
  }

  return {
    async list(context, profileId) {
      const { row, grant } = await profiles.readable(context, profileId)
      return { revision: row.revision, rows: await readProfileIdentities(database.reads, grant, row.iam_id) }
    },

    async replace(context, profileId, ifMatch, wanted) {
      const profile = await profiles.changing(context, profileId)
      const { iam_id: iamId, revision } = profile.row
      checkRevision(ifMatch, revision)
      const fresh = wanted.map((one) => rowOf(iamId, one))
      return await database.transaction(async (tx) => {
        await checkNew(tx, context, profile, fresh)
        await deleteProfileIdentities(tx, profile.grant, iamId, null)
        for (const one of fresh) await putProfileIdentity(tx, profile.grant, one)
        const touched = await profiles.touch(tx, context, profile, ['identities'])
        return { revision: touched.revision, rows: await readProfileIdentities(tx, profile.grant, iamId) }
      })
    },

    async put(context, profileId, type, wanted) {
      if (type !== wanted.type) throw wrong('type', `is not the ${JSON.stringify(type.slice(0, 40))} of the path`)
      const profile = await profiles.changing(context, profileId)
      const fresh = rowOf(profile.row.iam_id, wanted)
      await database.transaction(async (tx) => {
        await checkNew(tx, context, profile, [fresh])
        await putProfileIdentity(tx, profile.grant, fresh)
        const rows = await readProfileIdentities(tx, profile.grant, profile.row.iam_id)
        if (rows.length > profileIdentitiesMax) throw isFull(`the profile lets ${profileIdentitiesMax} identities in`)
        await profiles.touch(tx, context, profile, ['identities'])
      })
      return fresh
    },

    get: find,

    async delete(context, profileId, type, identifier) {
      const { iam_id: iamId } = await find(context, profileId, type, identifier)
      const profile = await profiles.changing(context, profileId)
      await database.transaction(async (tx) => {
        if (!(await deleteProfileIdentities(tx, profile.grant, profile.row.iam_id, iamId))) {
          throw notFound('identity', identifier)
        }
        await profiles.touch(tx, context, profile, ['identities'])
      })
    },
  }
}

const isSame = (one: ProfileIdentityRow, other: ProfileIdentityRow): boolean =>
  one.iam_id === other.iam_id && one.type === other.type && one.accounts === other.accounts

/** A user is named by the IAM id; a service id by its id or IAM id; a service by its CRN, bare or as an IAM id. */
function iamIdOf({ type, identifier }: NewProfileIdentity): string {
  const bare = identifier.replace(/^(iam|crn)-(?=ServiceId-|crn:)/, '')
  if (type === 'user' && identifier !== '' && !identifier.startsWith('iam-')) return identifier
  if (type === 'serviceid' && bare.startsWith('ServiceId-')) return `iam-${bare}`
  if (type === 'crn' && parseCrn(bare)) return `crn-${bare}`
  throw wrong('identifier', `${JSON.stringify(identifier.slice(0, 200))} names no ${type}`)
}

const wrong = (name: string, what: string): Fault =>
  new Fault('invalid', `${name} ${what}`, { target: { type: 'field', name } })

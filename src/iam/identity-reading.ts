// How service ids and trusted profiles are read: the same way, under the actions of their own kind.

import type { Database } from '#store/database.ts'
import { accountTarget, identityTarget, notFound } from './identity-access.ts'
import { listingOf } from './identity-page.ts'
import type { Listing, Page } from './identity-page.ts'
import type { Permissions } from './permissions.ts'
import type { Context, Grant, Target } from './port.ts'
import { readHistory } from './tables-history.ts'
import type { HistoryRow } from './tables-history.ts'
import { knownIdentity, readIdentities, readIdentity } from './tables-identities.ts'
import type { IdentityRow } from './tables-identities.ts'

export interface ShownIdentity {
  readonly row: IdentityRow
  /** Null when nobody asked for it. */
  readonly history: readonly HistoryRow[] | null
}

const kinds = {
  serviceId: {
    what: 'service id',
    get: 'iam-identity.serviceid.get',
    list: 'iam-identity.serviceid.list',
  },
  profile: {
    what: 'trusted profile',
    get: 'iam-identity.profile.get',
    list: 'iam-identity.profile.list',
  },
} as const

type Kind = keyof typeof kinds

export interface ReadableIdentity<K extends Kind> {
  readonly row: IdentityRow
  readonly grant: Grant<(typeof kinds)[K]['get']>
}

export interface IdentityReading<K extends Kind> {
  /** Fault 'not_found' for what is none, for another kind's, and for what the caller may not see. */
  readable(context: Context, id: string): Promise<ReadableIdentity<K>>
  get(context: Context, id: string, withHistory: boolean): Promise<ShownIdentity>
  /** Empty, not refused, where the caller may see none. */
  list(context: Context, accountId: string, name: string | undefined, page: Page): Promise<Listing<IdentityRow>>
}

interface Parts {
  readonly database: Database
  readonly permissions: Permissions
}

export const iamIdOf = (id: string): string => `iam-${id}`

export const targetOf = (row: Pick<IdentityRow, 'iam_id' | 'account_id'>): Target =>
  identityTarget({ accountId: row.account_id, iamId: row.iam_id })

export function makeIdentityReading<K extends Kind>(kind: K, { database, permissions }: Parts): IdentityReading<K> {
  const { reads } = database
  const { what, get, list } = kinds[kind]

  async function readable({ caller }: Context, id: string): Promise<ReadableIdentity<K>> {
    const known = await knownIdentity(reads, iamIdOf(id))
    const target = known?.kind === kind ? targetOf(known) : null
    const grant = target && (await permissions.grant<(typeof kinds)[K]['get']>(caller, get, target))
    const row = grant && (await readIdentity(reads, grant, iamIdOf(id)))
    if (!row) throw notFound(what, id)
    return { row, grant }
  }

  return {
    readable,

    async get(context, id, withHistory) {
      const { row, grant } = await readable(context, id)
      return { row, history: withHistory ? await readHistory(reads, grant, row.iam_id) : null }
    },

    async list({ caller }, accountId, name, page) {
      const grant = await permissions.grant(caller, list, accountTarget(accountId))
      const rows = grant ? await readIdentities(reads, grant, { kind, name }, page) : []
      return listingOf(rows, page)
    },
  }
}

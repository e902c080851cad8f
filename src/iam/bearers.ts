// Whom a token speaks for, and whether they may still act. Asked again for every request, so that what is disabled, deleted
// or taken out of a profile is out at once, whatever its tokens say. (IBM Cloud lets such tokens live out their hour;
// docs/compatibility.md records the difference.)

import type { Clock } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { Database } from '#store/database.ts'
import { makeAllowLists } from './allowed-addresses.ts'
import { hashApiKey } from './api-key.ts'
import type { VerifiedToken } from './claims.ts'
import type { Caller } from './port.ts'
import {
  activeAccount,
  assumableById,
  assumableByName,
  loginByApiKey,
  loginByHash,
  loginByIamId,
} from './tables-bearers.ts'
import type { Assumable, Login } from './tables-bearers.ts'

/** Who somebody is, apart from what account they act in. */
export interface Person {
  readonly iamId: string
  readonly kind: Caller['kind']
  readonly name: string
  /** Empty but for users, and profiles that were given one. */
  readonly email: string
}

export interface Bearer extends Person {
  /** The account that tokens of this bearer are scoped to. */
  readonly accountId: string
  /** Who logged in; somebody else where a profile was assumed or a service speaks for a resource. */
  readonly authn: Person
  /** The key that stands behind all of it; null for services, which have none. */
  readonly apiKeyId: string | null
  readonly uniqueInstanceCrns: readonly string[] | null
  /** JSON of the account's settings. */
  readonly settings: string
  readonly allowedIpAddresses: string
}

/** How a profile may be named. */
export type ProfileName = { readonly iamId: string } | { readonly accountId: string; readonly name: string }

export interface Bearers {
  byApiKey(apiKey: string): Promise<Bearer | null>
  byApiKeyId(apiKeyId: string): Promise<Bearer | null>
  /** Of a service id, which has shown who it is in another way. */
  byIamId(iamId: string): Promise<Bearer | null>
  /** Null when whoever the token was given to may act no longer. */
  ofToken(token: VerifiedToken): Promise<Bearer | null>
  /** Null when there is no such profile or it does not let the bearer in: the bearer learns no more. */
  assuming(bearer: Bearer, profile: ProfileName): Promise<Bearer | null>
  /** A service, or one of its resources, by its CRN. Null when its account may act no longer, or no CRN names it. */
  service(crn: string, authn: Person | null): Promise<Bearer | null>
  /** Fault 'forbidden' when the account lets nobody in from there; nobody's address is asked for calls from within. */
  checkAddress(bearer: Bearer, remoteAddress: string | undefined): void
}

export function makeBearers({ database, clock }: { readonly database: Database; readonly clock: Clock }): Bearers {
  const { reads } = database
  const allowLists = makeAllowLists()

  async function byApiKeyId(apiKeyId: string): Promise<Bearer | null> {
    const login = await loginByApiKey(reads, apiKeyId, clock.now())
    return login && bearerOf(login)
  }

  async function service(crn: string, authn: Person | null): Promise<Bearer | null> {
    const accountId = parseCrn(crn)?.accountId
    const account = accountId ? await activeAccount(reads, accountId) : null
    if (!accountId || !account) return null
    const person: Person = { iamId: `crn-${crn}`, kind: 'service', name: crn, email: '' }
    return { ...person, ...account, accountId, authn: authn ?? person, apiKeyId: null, uniqueInstanceCrns: null }
  }

  async function assuming(bearer: Bearer, profile: ProfileName): Promise<Bearer | null> {
    const found =
      'iamId' in profile
        ? await assumableById(reads, bearer.iamId, profile.iamId)
        : await assumableByName(reads, bearer.iamId, profile)
    return found && mayAssume(bearer, found) ? asProfile(bearer, found) : null
  }

  return {
    async byApiKey(apiKey) {
      const login = await loginByHash(reads, hashApiKey(apiKey), clock.now())
      return login && bearerOf(login)
    },

    byApiKeyId,

    async byIamId(iamId) {
      const login = await loginByIamId(reads, iamId)
      return login && { ...bearerOf({ ...login, apiKeyId: '' }), apiKeyId: null }
    },

    async ofToken({ iamId, accountId, authnIamId, apiKeyId }) {
      const root = apiKeyId === null ? await service(authnIamId.slice('crn-'.length), null) : await byApiKeyId(apiKeyId)
      if (!root || root.iamId !== authnIamId) return null
      const bearer = await (iamId === root.iamId
        ? root
        : iamId.startsWith('crn-')
          ? service(iamId.slice('crn-'.length), root)
          : assuming(root, { iamId }))
      return bearer?.accountId === accountId ? bearer : null
    },

    assuming,
    service,

    checkAddress({ accountId, allowedIpAddresses }, remoteAddress) {
      if (remoteAddress === undefined || allowLists.allows(allowedIpAddresses, remoteAddress)) return
      throw new Fault('forbidden', `account ${accountId} does not allow requests from ${remoteAddress}`)
    },
  }
}

function bearerOf({ uniqueInstanceCrns, ...login }: Login): Bearer {
  const { iamId, kind, name, email } = login
  const crns = uniqueInstanceCrns === null ? null : (JSON.parse(uniqueInstanceCrns) as string[])
  return { ...login, authn: { iamId, kind, name, email }, uniqueInstanceCrns: crns }
}

/** IBM Cloud IAM, "Trusted profiles": a user is let in from the accounts that are named, or from the profile's own. */
function mayAssume(bearer: Bearer, { type, accounts, accountId }: Assumable): boolean {
  const named = accounts === null ? [] : (JSON.parse(accounts) as string[])
  if (named.length > 0) return named.includes(bearer.accountId)
  return type !== 'user' || bearer.accountId === accountId
}

function asProfile(bearer: Bearer, profile: Assumable): Bearer {
  const { iamId, accountId, name, email, settings, allowedIpAddresses } = profile
  const { authn, apiKeyId } = bearer
  return {
    iamId,
    kind: 'profile',
    name,
    email,
    accountId,
    authn,
    apiKeyId,
    uniqueInstanceCrns: null,
    settings,
    allowedIpAddresses,
  }
}

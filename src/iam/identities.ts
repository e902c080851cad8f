// Identities, put together: who exists, and how they show who they are.

import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Consumer } from '#events/dispatcher.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Static } from 'typebox'
import type { Database } from '#store/database.ts'
import { makeAccountSettings } from './account-settings.ts'
import type { AccountSettings } from './account-settings.ts'
import { makeAccounts } from './accounts.ts'
import type { Accounts } from './accounts.ts'
import { makeApiKeys } from './api-keys.ts'
import type { ApiKeys } from './api-keys.ts'
import { makeBearers } from './bearers.ts'
import type { Bearers } from './bearers.ts'
import { makeChanges } from './changes.ts'
import type { Permissions } from './permissions.ts'
import { makeProfileIdentities } from './profile-identities.ts'
import type { ProfileIdentities } from './profile-identities.ts'
import { makeProfileParts } from './profile-parts.ts'
import type { ProfileParts } from './profile-parts.ts'
import { makeProfiles } from './profiles.ts'
import type { Profiles } from './profiles.ts'
import type { claimRule, profileLink } from './schemas-identity.ts'
import { makeServiceIds } from './service-ids.ts'
import type { ServiceIds } from './service-ids.ts'
import { openSigningKeys } from './signing-keys.ts'
import type { SigningKeys } from './signing-keys.ts'
import { makeThrottle } from './throttle.ts'
import type { Throttle } from './throttle.ts'
import { makeTokens } from './tokens.ts'
import type { Tokens } from './tokens.ts'
import { makeUsers } from './users.ts'
import type { Users } from './users.ts'

export interface Identities {
  readonly accounts: Accounts
  readonly users: Users
  readonly tokens: Tokens
  readonly bearers: Bearers
  readonly signingKeys: SigningKeys
  readonly apiKeys: ApiKeys
  readonly serviceIds: ServiceIds
  readonly profiles: Profiles
  readonly profileIdentities: ProfileIdentities
  readonly claimRules: ProfileParts<Static<typeof claimRule>>
  readonly links: ProfileParts<Static<typeof profileLink>>
  readonly accountSettings: AccountSettings
  /** For whoever tries the operator token: the failures of tenants, who may come from the same address, do not count. */
  readonly operatorThrottle: Throttle
  readonly consumers: readonly Consumer[]
}

export async function makeIdentities(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly log: Log
  readonly permissions: Permissions
}): Promise<Identities> {
  const { outbox, clock } = parts
  const signingKeys = await openSigningKeys(parts)
  const shared = { ...parts, throttle: makeThrottle(clock), changes: makeChanges(outbox, clock) }
  const profiles = makeProfiles(shared)
  const bearers = makeBearers(shared)
  return {
    accounts: makeAccounts(shared),
    users: makeUsers(shared),
    tokens: makeTokens({ ...shared, keys: signingKeys, bearers }),
    bearers,
    signingKeys,
    apiKeys: makeApiKeys(shared),
    serviceIds: makeServiceIds(shared),
    profiles,
    profileIdentities: makeProfileIdentities({ ...shared, profiles }),
    claimRules: makeProfileParts('rule', { ...shared, profiles }),
    links: makeProfileParts('link', { ...shared, profiles }),
    accountSettings: makeAccountSettings(shared),
    operatorThrottle: makeThrottle(clock),
    consumers: [
      { name: 'iam.signing-keys', types: ['iam.signing-key.created'], reconcile: () => signingKeys.follow() },
    ],
  }
}

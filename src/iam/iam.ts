// IAM, put together: who exists, who is this, who may do what.

import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { makeAccessGroups } from './access-groups.ts'
import type { AccessGroups } from './access-groups.ts'
import { makeAccessSettings } from './access-settings.ts'
import type { AccessSettings } from './access-settings.ts'
import { makeAuthorizations, makeEndings } from './authorizations.ts'
import type { KeyPlaces } from './bounds-parse.ts'
import { makeCustomRoles } from './custom-roles.ts'
import type { CustomRoles } from './custom-roles.ts'
import { makeDecisionRecords } from './decision-records.ts'
import { makeExplanations } from './explanations.ts'
import type { Explanations } from './explanations.ts'
import { makeGroupMembers } from './group-members.ts'
import type { GroupMembers } from './group-members.ts'
import { makeIdentities } from './identities.ts'
import type { Identities } from './identities.ts'
import { makeListing } from './listing.ts'
import { makePermissions } from './permissions.ts'
import { makePolicies } from './policies.ts'
import type { Policies } from './policies.ts'
import { makePolicyRights } from './policy-rights.ts'
import type { AuthorizationsPort, CredentialsPort, IamPort, ListingPort } from './port.ts'
import { makeServiceCredentials } from './service-credentials.ts'
import { readAccount } from './tables-accounts.ts'

export interface Iam extends Identities {
  readonly port: IamPort & ListingPort
  readonly authorizations: AuthorizationsPort
  readonly credentials: CredentialsPort
  readonly policies: Policies
  readonly customRoles: CustomRoles
  readonly accessGroups: AccessGroups
  readonly groupMembers: GroupMembers
  readonly accessSettings: AccessSettings
  readonly explanations: Explanations
  /** Writes down which authorizations have ended; by the clock they have already. To be called again and again. */
  noteEnded(): Promise<void>
  /** Writes what decisions have left to be written. */
  close(): Promise<void>
}

/** Makes the first signing key if there is none; the promise rejects when the master key does not open the one there is. */
export async function makeIam(given: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  /** By which bounds of authorizations end: may be a virtual one. */
  readonly keyClock?: Clock
  /** What bounds of authorizations may name. */
  readonly places?: KeyPlaces
  readonly random: Random
  readonly sealer: Sealer
  readonly log: Log
  /** How long a change of a policy takes to count; for users' tests of their clients. */
  readonly policyPropagationMs?: number
}): Promise<Iam> {
  const { keyClock = given.clock, places = { profiles: [], zones: [] } } = given
  const parts = { ...given, keyClock, places }
  const records = makeDecisionRecords(parts)
  const permissions = makePermissions({ ...parts, records, propagationMs: parts.policyPropagationMs ?? 0 })
  const identities = await makeIdentities({ ...parts, permissions })
  const access = { ...parts, permissions }
  const policies = makePolicies({ ...parts, records, rights: makePolicyRights(parts) })
  const port: IamPort & ListingPort = {
    authorize: permissions.authorize,
    decide: permissions.decide,
    explain: permissions.explain,
    ...makeListing({ ...parts, permissions, records }),
    authenticate: (token, remoteAddress) => identities.tokens.authenticate(token, remoteAddress),
    hasAccount: (accountId) => identities.accounts.hasAccount(accountId),
    isDisabled: async (accountId) => (await readAccount(parts.database.reads, accountId))?.state === 'disabled',
  }
  return {
    ...identities,
    port,
    credentials: makeServiceCredentials({ ...parts, ...identities, policies }),
    authorizations: makeAuthorizations({ ...parts, permissions, records }),
    noteEnded: makeEndings(parts),
    policies,
    customRoles: makeCustomRoles(access),
    accessGroups: makeAccessGroups(access),
    groupMembers: makeGroupMembers(access),
    accessSettings: makeAccessSettings(access),
    explanations: makeExplanations(access),
    close: () => records.close(),
  }
}

// IAM, put together: who exists, who is this, who may do what.

import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { makeAccounts } from './accounts.ts'
import type { Accounts } from './accounts.ts'
import { makePermissions } from './permissions.ts'
import { makePolicies } from './policies.ts'
import type { Policies } from './policies.ts'
import type { IamPort } from './port.ts'
import { openSigningKeys } from './signing-keys.ts'
import { makeTokens } from './tokens.ts'
import type { Tokens } from './tokens.ts'

export interface Iam {
  readonly port: IamPort
  readonly accounts: Accounts
  readonly tokens: Tokens
  readonly policies: Policies
}

/** Makes the first signing key if there is none; the promise rejects when the master key does not open the one there is. */
export async function makeIam(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly log: Log
}): Promise<Iam> {
  const keys = await openSigningKeys(parts)
  const accounts = makeAccounts(parts)
  const tokens = makeTokens({ ...parts, keys })
  const permissions = makePermissions(parts.database)
  const policies = makePolicies({ ...parts, permissions })
  const port: IamPort = {
    authorize: permissions.authorize,
    decide: permissions.decide,
    explain: permissions.explain,
    authenticate: (token) => tokens.authenticate(token),
    hasAccount: (accountId) => accounts.hasAccount(accountId),
  }
  return { port, accounts, tokens, policies }
}

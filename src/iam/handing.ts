// Who may hand an identity on, by making a key for it or by letting somebody into a profile: whoever does could act as that
// identity afterwards, so nobody gains by it what they do not have. In the transaction that does it.

import { Fault } from '#base/fault.ts'
import type { Reads } from '#store/database.ts'
import { heldBy, roleAbove } from './granting.ts'
import type { Holdings } from './granting.ts'
import type { Facts } from './policy.ts'
import { readHoldings } from './holdings.ts'
import { iamIdKey } from './policy-keys.ts'
import type { Caller } from './port.ts'
import { accountsGivingTo, readCandidates } from './tables-decisions.ts'
import { profilesLettingIn } from './tables-profiles.ts'

/** Of a service id, and of the profiles that it may assume: its keys are for whoever holds what they hold. */
export async function checkKeyFor(reads: Reads, caller: Caller, iamId: string, now: number): Promise<void> {
  if (caller.iamId === iamId) return
  const isHeld = (holdings: Holdings, facts: Facts): boolean => roleAbove(holdings, facts) === null
  for (const one of [iamId, ...(await profilesLettingIn(reads, iamId))]) {
    await checkAll(reads, { caller, iamId: one, now }, isHeld)
  }
}

/** Letting somebody in gives them all that the profile has, as adding a member to a group does (group-members.ts). */
export async function checkLettingIn(reads: Reads, caller: Caller, profileIamId: string, now: number): Promise<void> {
  await checkAll(reads, { caller, iamId: profileIamId, now }, mayGive)
}

const mayGive = (holdings: Holdings, facts: Facts): boolean =>
  heldBy(holdings, 'iam.policy.create', facts) !== null && roleAbove(holdings, facts) === null

/** In every account: others too may have given it something. */
async function checkAll(
  reads: Reads,
  { caller, iamId, now }: { readonly caller: Caller; readonly iamId: string; readonly now: number },
  may: (holdings: Holdings, facts: Facts) => boolean,
): Promise<void> {
  for (const accountId of await accountsGivingTo(reads, iamId)) {
    const policies = await readCandidates(reads, { accountId, subjects: [iamIdKey(iamId)], iamId, resources: null })
    const holdings = await readHoldings(reads, caller, accountId, { now, also: policies })
    const above = policies.find((policy) => !may(holdings, policy))
    if (!above) continue
    // Another account's policies are not told of.
    const what = accountId === caller.accountId ? `policy ${above.id} gives` : 'another account gives'
    throw new Fault('forbidden', `${caller.iamId} may not hand on what ${what} to ${iamId}`)
  }
}

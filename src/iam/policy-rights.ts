// Who may read, make, change and delete which policy. The questions are granting.ts's and delegation.ts's; here are the
// facts for them, read in the transaction of the change, and the words for no.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Reads } from '#store/database.ts'
import { asService } from './attributes.ts'
import { equals } from './conditions.ts'
import { isSource, isWithin, parentOf } from './delegation.ts'
import type { Deriver } from './delegation.ts'
import { explain } from './explain.ts'
import type { PolicyBody } from './explain.ts'
import { fixOf } from './fixes.ts'
import { heldBy, roleAbove } from './granting.ts'
import type { Holdings } from './granting.ts'
import { readHoldings, rolesIn } from './holdings.ts'
import { notFound } from './policy-ending.ts'
import { subjectKeys } from './policy-keys.ts'
import { rightBody } from './policy-view.ts'
import { valueOf } from './policy.ts'
import type { Facts, Parent, Policy, PolicyDraft } from './policy.ts'
import { makeGrant } from './port.ts'
import type { Caller, Grant, Target } from './port.ts'
import { administratorRole } from './roles.ts'
import { readActiveFacts, readDelegations } from './tables-decisions.ts'
import { ownersOfPolicy, readPolicy } from './tables-policies.ts'

type Read = Grant<'iam.policy.read'>

/** Who may read policies of an account: all of them, or those on what they may see. */
export interface Reader {
  readonly grant: Read
  mayRead(facts: Facts): boolean
}

export interface PolicyRights {
  /** Null for whoever has nothing in the account. */
  toRead(reads: Reads, caller: Caller, accountId: string): Promise<Reader | null>
  /** Fault 'not_found' for what the caller may not read: nobody tells it from what is not there. */
  readable(reads: Reads, caller: Caller, id: string): Promise<{ readonly policy: Policy; readonly grant: Read }>
  /** With the parent, where the leave comes from another authorization. */
  toCreate(
    reads: Reads,
    caller: Caller,
    draft: PolicyDraft,
  ): Promise<{ readonly grant: Grant<'iam.policy.create'>; readonly parent: Parent | null }>
  toReplace(reads: Reads, caller: Caller, policy: Policy, draft: PolicyDraft): Promise<Grant<'iam.policy.update'>>
  toDelete(reads: Reads, caller: Caller, policy: Policy): Promise<Grant<'iam.policy.delete'>>
  /** Whoever narrows an authorization ends what was derived from it and no longer fits. */
  toRemoveUnder(grant: Grant<'iam.policy.update'>): Grant<'iam.policy.delete'>
}

const targetIn = (accountId: string): Target => ({ accountId, serviceName: 'iam-access-management' })

/** The account's own list of policies: whoever may see IAM's access management sees them all. */
const everyPolicy = (accountId: string) => ({
  resource: [equals('accountId', accountId), equals('serviceName', 'iam-access-management')],
})

export function makePolicyRights({ clock }: { readonly clock: Clock }): PolicyRights {
  const grantIn = <Action extends string>(action: Action, caller: Caller, accountId: string, by: string) =>
    makeGrant(action, caller, targetIn(accountId), by)

  async function toRead(reads: Reads, caller: Caller, accountId: string): Promise<Reader | null> {
    const holdings = await readHoldings(reads, caller, accountId, { now: clock.now() })
    const all = heldBy(holdings, 'iam.policy.read', everyPolicy(accountId))
    const by = all ?? holdings.policies[0]?.id
    if (by === undefined) return null
    return {
      grant: grantIn('iam.policy.read', caller, accountId, by),
      mayRead: (facts) => all !== null || heldBy(holdings, 'iam.policy.read', facts) !== null,
    }
  }

  async function readable(reads: Reads, caller: Caller, id: string) {
    const owners = await ownersOfPolicy(reads, id)
    if (!owners) throw notFound(id)
    const reader = await toRead(reads, caller, owners.accountId)
    // What was derived in the caller's account may be theirs to see; its facts tell, and they are told nothing before.
    const grant = reader?.grant ?? grantIn('iam.policy.read', caller, owners.accountId, id)
    const policy = await readPolicy(reads, grant, id)
    const may = policy && (reader?.mayRead(policy.facts) || (await isDeriver(reads, caller, policy)))
    if (!may) throw notFound(id)
    return { policy, grant }
  }

  /** Whether the policy was derived in the caller's account, by what the caller is or administers. */
  async function isDeriver(reads: Reads, caller: Caller, { parent, facts }: Policy): Promise<boolean> {
    return parent?.accountId === caller.accountId && (await deriverOf(reads, caller, facts)) !== null
  }

  /** As what the caller may derive an authorization with this source; null when as nothing. */
  async function deriverOf(reads: Reads, caller: Caller, { subject }: Facts): Promise<Deriver | null> {
    const accountId = valueOf(subject, 'accountId')
    const serviceName = valueOf(subject, 'serviceName')
    if (accountId !== caller.accountId || serviceName === undefined) return null
    if (asService(caller)) return { as: 'service', caller }
    const holdings = await readHoldings(reads, caller, accountId, { now: clock.now() })
    const resource = [equals('accountId', accountId), equals('serviceName', serviceName)]
    return heldBy(holdings, 'iam.policy.create', { resource }) === null ? null : { as: 'administrator' }
  }

  /** Whoever could have derived the policy as it is, and as it is to be, under the parent that it has. */
  async function mayRederive(
    reads: Reads,
    caller: Caller,
    { policyId }: Parent,
    { policy, draft }: { readonly policy: Policy; readonly draft: PolicyDraft },
  ): Promise<boolean> {
    if (!(await isDeriver(reads, caller, policy))) return false
    const deriver = await deriverOf(reads, caller, draft.facts)
    const parent = await readActiveFacts(reads, policy.accountId, policyId)
    return deriver !== null && parent !== null && isSource(parent, draft.facts, deriver)
  }

  async function findParent(reads: Reads, caller: Caller, draft: PolicyDraft): Promise<Parent | null> {
    if (draft.type !== 'authorization') return null
    const deriver = await deriverOf(reads, caller, draft.facts)
    if (!deriver) return null
    const parents = await readDelegations(reads, draft.accountId, sourceKeys(caller, draft.facts))
    const roles = await rolesIn(reads, draft.accountId, [draft.facts, ...parents])
    const parent = parentOf(draft.facts, deriver, parents, { roles, now: clock.now() })
    return parent && { policyId: parent.id, accountId: caller.accountId }
  }

  return {
    toRead,
    readable,

    async toCreate(reads, caller, draft) {
      const { accountId } = draft
      const holdings = await readHoldings(reads, caller, accountId, { now: clock.now(), also: [draft.facts] })
      const by = mayGive(holdings, 'iam.policy.create', draft.facts)
      if (by !== null) return { grant: grantIn('iam.policy.create', caller, accountId, by), parent: null }
      const parent = await findParent(reads, caller, draft)
      if (!parent) throw mayNotGive(holdings, caller, draft)
      return { grant: grantIn('iam.policy.create', caller, accountId, parent.policyId), parent }
    },

    async toReplace(reads, caller, policy, draft) {
      const { accountId, parent } = policy
      if (draft.accountId !== accountId || draft.type !== policy.type) {
        throw new Fault('invalid', `policy ${policy.id} stays of its account and type: make another one instead`)
      }
      if (parent) await checkParent(reads, parent, policy, draft)
      const holdings = await readHoldings(reads, caller, accountId, { now: clock.now(), also: [draft.facts] })
      const administers = heldBy(holdings, 'iam.policy.update', policy.facts)
      const by = administers === null ? null : mayGive(holdings, 'iam.policy.update', draft.facts)
      if (by !== null) return grantIn('iam.policy.update', caller, accountId, by)
      if (!parent || !(await mayRederive(reads, caller, parent, { policy, draft })))
        throw mayNotGive(holdings, caller, administers === null ? policy : draft)
      return grantIn('iam.policy.update', caller, accountId, parent.policyId)
    },

    async toDelete(reads, caller, policy) {
      const { accountId, parent } = policy
      const holdings = await readHoldings(reads, caller, accountId, { now: clock.now() })
      const by = heldBy(holdings, 'iam.policy.delete', policy.facts)
      if (by !== null) return grantIn('iam.policy.delete', caller, accountId, by)
      if (parent && (await isDeriver(reads, caller, policy))) {
        return grantIn('iam.policy.delete', caller, accountId, parent.policyId)
      }
      throw mayNotGive(holdings, caller, policy)
    },

    toRemoveUnder: ({ subject, target, policyId }) => makeGrant('iam.policy.delete', subject, target, policyId),
  }

  async function checkParent(reads: Reads, { policyId }: Parent, policy: Policy, draft: PolicyDraft): Promise<void> {
    const parent = await readActiveFacts(reads, policy.accountId, policyId)
    const roles = await rolesIn(reads, policy.accountId, [draft.facts, ...(parent ? [parent] : [])])
    if (parent && isWithin(parent, draft.facts, { roles, now: clock.now() })) return
    throw new Fault('conflict', `policy ${policy.id} was derived from an authorization that does not allow this`, {
      reason: 'policy_conflict_error',
      extra: { conflicts_with: { policy: policyId } },
    })
  }
}

/** Where authorizations lie that let the caller, or the source named, hand its access on. */
function sourceKeys(caller: Caller, { subject }: Facts): readonly string[] {
  if (asService(caller)) return subjectKeys(caller)
  const accountId = valueOf(subject, 'accountId') ?? ''
  return subjectKeys({ kind: 'service', accountId, serviceName: valueOf(subject, 'serviceName') ?? '' })
}

/** The policy by which somebody may give this, or null. */
function mayGive(holdings: Holdings, action: string, facts: Facts): string | null {
  const by = heldBy(holdings, action, facts)
  return by !== null && roleAbove(holdings, facts) === null ? by : null
}

/**
 * IBM Cloud IAM, "Using authorizations": the account of the target makes the policy. A caller of another account is told
 * which account has to, and given the body to send there, by its right attribute names.
 */
function mayNotGive(holdings: Holdings, caller: Caller, draft: PolicyDraft): Fault {
  const { accountId, facts } = draft
  const action = 'iam.policy.create'
  const { missingPolicy: _, fix: __, ...reasons } = explain(caller, action, targetIn(accountId))
  if (holdings.policies.length === 0) {
    const sentence = `account ${accountId} owns the resource of this policy: account ${accountId} must create it`
    return new Fault('forbidden', `${sentence}, and ${caller.iamId} may not create policies there`, {
      explanation: { ...reasons, ...missing(rightBody(draft)) },
    })
  }
  const above = heldBy(holdings, action, facts) === null ? null : roleAbove(holdings, facts)
  const body = rightBody({
    ...draft,
    type: 'access',
    sent: { ...draft.sent, subject: [], description: null },
    facts: { ...facts, subject: [equals('iam_id', caller.iamId)], roles: [above ?? administratorRole] },
  })
  const sentence =
    above === null
      ? `${caller.iamId} is not Administrator of all that this policy covers`
      : `${caller.iamId} does not hold all of role ${above} on what this policy covers, and may give no more than that`
  return new Fault('forbidden', sentence, { explanation: { ...reasons, ...missing(body) } })
}

const missing = (body: PolicyBody | null) => (body ? { missingPolicy: body, fix: fixOf(body) } : {})

// Policies: who may do what, and which service of which account may act on another's things. A policy belongs to the
// account of its resource, and only somebody who holds at least as much there may make it: nobody gives away what is not
// theirs. The exception is an authorization derived from another, which that other has allowed (delegation.ts).

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import type { PolicyId } from '#base/id.ts'
import { deletedPolicyMs } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Tx } from '#store/database.ts'
import { checkBounds } from './bounds-parse.ts'
import type { KeyPlaces } from './bounds-parse.ts'
import type { DecisionRecords } from './decision-records.ts'
import { checkRoom, checkTwin, checkWords } from './policy-checks.ts'
import { factsOf, makePolicyEnding, notFound } from './policy-ending.ts'
import { listVisible } from './policy-listing.ts'
import type { PolicyListing } from './policy-listing.ts'
import type { PolicyRights } from './policy-rights.ts'
import type { Policy, PolicyDraft } from './policy.ts'
import type { Caller, Context, Grant } from './port.ts'
import { checkRevision, firstRevision } from './revision.ts'
import { forgetDeletedPolicies, insertPolicy, markActive, replaceDraft } from './tables-policies.ts'
import { readLastPermit } from './tables-policy-lists.ts'
import type { ListedPolicy, PolicyPage } from './tables-policy-lists.ts'

export interface Policies {
  create(context: Context, draft: PolicyDraft): Promise<Policy>
  /** What the caller may not read is left out, which may be all. */
  list(context: Context, accountId: string, page: PolicyPage): Promise<PolicyListing>
  /** A deleted policy too. Fault 'not_found' for another account's, which nobody learns of. */
  get(context: Context, id: string, withLastPermit?: boolean): Promise<ListedPolicy>
  replace(
    context: Context,
    id: string,
    change: { readonly ifMatch: string | undefined; readonly draft: (policy: Policy) => PolicyDraft },
  ): Promise<Policy>
  /** Makes a deleted policy active again; an active one is left as it is. */
  restore(context: Context, id: string, ifMatch: string | undefined): Promise<Policy>
  delete(context: Context, id: string): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  /** By which bounds end. */
  readonly keyClock: Clock
  readonly places: KeyPlaces
  readonly rights: PolicyRights
  readonly records: DecisionRecords
}

export function makePolicies(parts: Parts): Policies {
  const { database, outbox, clock, random, keyClock, places, rights, records } = parts
  const ending = makePolicyEnding(parts)

  /** Deletes with what was derived from it, and forgets what has been deleted for long. */
  async function remove(tx: Tx, grant: Grant<'iam.policy.delete'>, caller: Caller, policy: Policy): Promise<void> {
    await ending.end(tx, grant, caller, policy)
    await forgetDeletedPolicies(tx, policy.accountId, clock.now() - deletedPolicyMs)
  }

  return {
    create: ({ caller }, draft) =>
      database.transaction(async (tx) => {
        const { grant, parent } = await rights.toCreate(tx, caller, draft)
        await checkWords(tx, draft)
        checkBounds(draft, null, { now: keyClock.now(), places })
        await checkTwin(tx, draft, null)
        await checkRoom(tx, draft)
        const policy = { ...newPolicy(draft, { caller, now: clock.now(), random }), ...(parent && { parent }) }
        await insertPolicy(tx, grant, policy)
        await outbox.append(tx, { type: 'iam.policy.created', ...factsOf(policy, caller) })
        return policy
      }),

    async list({ caller }, accountId, page) {
      if (page.withLastPermit) await records.flush()
      const reader = await rights.toRead(database.reads, caller, accountId)
      return reader ? await listVisible(database.reads, reader, page) : { page, policies: [], next: null }
    },

    async get({ caller }, id, withLastPermit = false) {
      if (withLastPermit) await records.flush()
      const { policy, grant } = await rights.readable(database.reads, caller, id)
      return { ...policy, lastPermit: withLastPermit ? await readLastPermit(database.reads, grant, id) : null }
    },

    replace: ({ caller }, id, { ifMatch, draft: draftFor }) =>
      database.transaction(async (tx) => {
        const { policy } = await rights.readable(tx, caller, id)
        if (policy.state !== 'active') throw notFound(id)
        const draft = draftFor(policy)
        const grant = await rights.toReplace(tx, caller, policy, draft)
        checkMatch(ifMatch, policy)
        await checkWords(tx, draft)
        checkBounds(draft, policy, { now: keyClock.now(), places })
        await checkTwin(tx, draft, policy.id)
        const replaced = await replaceDraft(tx, grant, ending.changeOf(policy, caller), draft)
        if (!replaced) throw notFound(id)
        await outbox.append(tx, { type: 'iam.policy.updated', ...factsOf(replaced, caller) })
        // Whoever may narrow an authorization may end what no longer fits under it.
        await ending.endStrays(tx, rights.toRemoveUnder(grant), caller, replaced)
        return replaced
      }),

    restore: ({ caller }, id, ifMatch) =>
      database.transaction(async (tx) => {
        const { policy } = await rights.readable(tx, caller, id)
        checkMatch(ifMatch, policy)
        if (policy.state === 'active') return policy
        const grant = await rights.toReplace(tx, caller, policy, policy)
        await checkWords(tx, policy)
        await checkTwin(tx, policy, policy.id)
        await checkRoom(tx, policy)
        const restored = await markActive(tx, grant, ending.changeOf(policy, caller))
        if (!restored) throw notFound(id)
        await outbox.append(tx, { type: 'iam.policy.restored', ...factsOf(restored, caller) })
        return restored
      }),

    delete: ({ caller }, id) =>
      database.transaction(async (tx) => {
        const { policy } = await rights.readable(tx, caller, id)
        if (policy.state !== 'active') throw notFound(id)
        await remove(tx, await rights.toDelete(tx, caller, policy), caller, policy)
      }),
  }
}

function newPolicy(draft: PolicyDraft, made: { caller: Caller; now: number; random: Random }): Policy {
  const { caller, now, random } = made
  return {
    ...draft,
    id: makeUuid(random) as PolicyId, // made for a policy
    state: 'active',
    revision: firstRevision(random),
    createdAt: now,
    createdById: caller.iamId,
    lastModifiedAt: now,
    lastModifiedById: caller.iamId,
  }
}

/** The service has no code for a precondition: a revision that has moved on is a conflict with what there is now. */
function checkMatch(ifMatch: string | undefined, policy: Policy): void {
  try {
    checkRevision(ifMatch, policy.revision)
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'conflict') throw cause
    throw new Fault('conflict', `policy ${policy.id} has been changed since it was read: read it again`, {
      reason: 'policy_conflict_error',
      extra: { conflicts_with: { policy: policy.id, etag: policy.revision } },
      cause,
    })
  }
}

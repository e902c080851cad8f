// Policies: who may do what, and which service of which account may act on another's things. A policy belongs to the
// account of its resource, and only somebody whom that account lets may make it: nobody gives away what is not theirs.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeHex32, makeUuid } from '#base/id.ts'
import type { PolicyId } from '#base/id.ts'
import { policiesPerAccountMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Tx } from '#store/database.ts'
import { explain } from './explain.ts'
import type { Permissions } from './permissions.ts'
import type { Policy, PolicyDraft } from './policy.ts'
import type { Caller, Context, Grant, Target } from './port.ts'
import {
  accountOfPolicy,
  countActivePolicies,
  insertPolicy,
  markPolicyDeleted,
  readPolicies,
  readPolicy,
  readTwin,
} from './tables-policies.ts'
import type { PolicyPage } from './tables-policies.ts'
import { rightPolicyBody } from './views.ts'

export interface PolicyListing {
  readonly page: PolicyPage
  readonly policies: readonly Policy[]
  /** Whether there are more after these. */
  readonly more: boolean
}

export interface Policies {
  create(context: Context, draft: PolicyDraft): Promise<Policy>
  /** What the caller may not read is left out, which may be all. */
  list(context: Context, accountId: string, page: PolicyPage): Promise<PolicyListing>
  /** A deleted policy too. Fault 'not_found' for another account's, which nobody learns of. */
  get(context: Context, id: string): Promise<Policy>
  delete(context: Context, id: string): Promise<void>
}

interface Parts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly permissions: Permissions
}

const targetIn = (accountId: string): Target => ({ accountId, serviceName: 'iam-access-management' })

export function makePolicies(parts: Parts): Policies {
  const { database, outbox, clock, random, permissions } = parts

  const grantToRead = (caller: Caller, accountId: string): Promise<Grant<'iam.policy.read'> | null> =>
    permissions.grant(caller, 'iam.policy.read', targetIn(accountId))

  async function readable(context: Context, id: string): Promise<Policy> {
    const accountId = await accountOfPolicy(database.reads, id)
    const grant = accountId === null ? null : await grantToRead(context.caller, accountId)
    const policy = grant && (await readPolicy(database.reads, grant, id))
    if (!policy) throw notFound(id)
    return policy
  }

  return {
    async create({ caller }, draft) {
      const grant = await grantToCreate(permissions, caller, draft)
      const policy = makePolicy(draft, { caller, now: clock.now(), random })
      await database.transaction(async (tx) => {
        await refuseTwin(tx, policy)
        await refuseTooMany(tx, policy.accountId)
        await insertPolicy(tx, grant, policy)
        await outbox.append(tx, { type: 'iam.policy.created', ...factsOf(policy, caller) })
      })
      return policy
    },

    async list({ caller }, accountId, page) {
      const grant = await grantToRead(caller, accountId)
      if (!grant) return { page, policies: [], more: false }
      const found = await readPolicies(database.reads, grant, { ...page, limit: page.limit + 1 })
      return { page, policies: found.slice(0, page.limit), more: found.length > page.limit }
    },

    get: readable,

    async delete(context, id) {
      const { caller } = context
      const { accountId, revision } = await readable(context, id)
      const grant = await permissions.authorize(caller, 'iam.policy.delete', targetIn(accountId))
      const change = { id, revision: nextRevision(revision, random), at: clock.now(), byId: caller.iamId }
      await database.transaction(async (tx) => {
        const policy = await markPolicyDeleted(tx, grant, change)
        if (!policy) throw notFound(id)
        await outbox.append(tx, { type: 'iam.policy.deleted', ...factsOf(policy, caller) })
      })
    },
  }
}

/**
 * IBM Cloud IAM, "Using authorizations": the account of the target makes the policy. A caller of another account is told
 * which account has to, and given the body to send there, by its right attribute names.
 */
async function grantToCreate(
  permissions: Permissions,
  caller: Caller,
  draft: PolicyDraft,
): Promise<Grant<'iam.policy.create'>> {
  const action = 'iam.policy.create'
  const target = targetIn(draft.accountId)
  const grant = await permissions.grant(caller, action, target)
  if (grant) return grant
  const { accountId } = draft
  const sentence = `account ${accountId} owns the resource of this policy: account ${accountId} must create it`
  throw new Fault('forbidden', `${sentence}, and ${caller.iamId} may not create policies there`, {
    explanation: { ...explain(caller, action, target), missingPolicy: rightPolicyBody(draft) },
  })
}

function makePolicy(draft: PolicyDraft, made: { caller: Caller; now: number; random: Random }): Policy {
  const { caller, now, random } = made
  return {
    ...draft,
    id: makeUuid(random) as PolicyId, // made for a policy
    state: 'active',
    revision: `1-${makeHex32(random)}`,
    createdAt: now,
    createdById: caller.iamId,
    lastModifiedAt: now,
    lastModifiedById: caller.iamId,
  }
}

async function refuseTwin(tx: Tx, policy: Policy): Promise<void> {
  const twin = await readTwin(tx, policy)
  if (!twin) return
  throw new Fault('conflict', `policy ${twin.id} grants the same roles to the same subject on the same resource`, {
    reason: 'policy_conflict_error',
    extra: { conflicts_with: { policy: twin.id, etag: twin.revision } },
  })
}

async function refuseTooMany(tx: Tx, accountId: string): Promise<void> {
  if ((await countActivePolicies(tx, accountId)) < policiesPerAccountMax) return
  const quota = `account ${accountId} has ${policiesPerAccountMax} policies, which is the quota`
  throw new Fault('unprocessable', quota, { reason: 'unable_to_process' })
}

const notFound = (id: string): Fault => new Fault('not_found', `policy ${id} not found`, { reason: 'policy_not_found' })

const factsOf = (policy: Policy, caller: Caller) => ({
  accountId: policy.accountId,
  initiatorId: caller.iamId,
  policyId: policy.id,
  policyType: policy.type,
})

/** Revisions look like CouchDB's: a count and 32 hexadecimal digits. */
function nextRevision(revision: string, random: Random): string {
  const count = Number.parseInt(revision, 10)
  return `${count + 1}-${makeHex32(random)}`
}

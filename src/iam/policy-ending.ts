// How policies end: each with its event, and with what was derived from it. Here because not only a change of a policy ends
// some: a role that changes does too.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Tx } from '#store/database.ts'
import { isWithin } from './delegation.ts'
import { rolesIn } from './holdings.ts'
import type { Policy } from './policy.ts'
import type { Caller, Grant } from './port.ts'
import { nextRevision } from './revision.ts'
import { markDeleted, readChildren } from './tables-policies.ts'
import type { Change } from './tables-policies.ts'

type Removing = Grant<'iam.policy.delete'>

export interface PolicyEnding {
  changeOf(policy: Policy, caller: Caller): Change
  /** With what was derived from it: a child never outlives its parent. */
  end(tx: Tx, grant: Removing, caller: Caller, policy: Policy): Promise<void>
  /** Of what was derived from it, that which its parent no longer allows. */
  endStrays(tx: Tx, grant: Removing, caller: Caller, parent: Policy): Promise<void>
}

export function makePolicyEnding(parts: {
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
}): PolicyEnding {
  const { outbox, clock, random } = parts

  const changeOf = (policy: Policy, caller: Caller): Change => ({
    id: policy.id,
    from: policy.revision,
    revision: nextRevision(policy.revision, random),
    at: clock.now(),
    byId: caller.iamId,
  })

  async function mark(tx: Tx, grant: Removing, caller: Caller, policy: Policy): Promise<void> {
    if (!(await markDeleted(tx, grant, changeOf(policy, caller)))) throw notFound(policy.id)
    const parent = policy.parent ? { parentId: policy.parent.policyId } : {}
    await outbox.append(tx, { type: 'iam.policy.deleted', ...factsOf(policy, caller), ...parent })
  }

  return {
    changeOf,

    async end(tx, grant, caller, policy) {
      for (const child of await readChildren(tx, grant, policy.id)) await mark(tx, grant, caller, child)
      await mark(tx, grant, caller, policy)
    },

    async endStrays(tx, grant, caller, parent) {
      const children = await readChildren(tx, grant, parent.id)
      if (children.length === 0) return
      const facts = [parent.facts, ...children.map((child) => child.facts)]
      const context = { roles: await rolesIn(tx, parent.accountId, facts), now: clock.now() }
      const strays = children.filter((child) => !isWithin(parent.facts, child.facts, context))
      for (const child of strays) await mark(tx, grant, caller, child)
    },
  }
}

export const notFound = (id: string): Fault =>
  new Fault('not_found', `policy ${id.slice(0, 64)} not found`, { reason: 'policy_not_found' })

export const factsOf = (policy: Policy, caller: Caller) => ({
  accountId: policy.accountId,
  initiatorId: caller.iamId,
  policyId: policy.id,
  policyType: policy.type,
})

// Access groups: many identities that policies name as one. Source: IBM Cloud IAM access groups API. Who may see a group is
// decided for each; who may not reads the same words as for one that is not there.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { accessGroupsPerAccountMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Reads, Tx } from '#store/database.ts'
import type { Permissions } from './permissions.ts'
import { groupKey } from './policy-keys.ts'
import type { Caller, Context, Grant, Target } from './port.ts'
import { checkRevision, firstRevision, nextRevision } from './revision.ts'
import {
  countGroups,
  countMembers,
  deleteGroup,
  groupByName,
  insertGroup,
  readGroup,
  readGroups,
  updateGroup,
} from './tables-groups.ts'
import type { GroupRow } from './tables-groups.ts'
import { deletePoliciesOf } from './tables-policies.ts'

export interface AccessGroups {
  create(
    context: Context,
    group: { readonly accountId: string; readonly name: string; readonly description: string },
  ): Promise<GroupRow>
  /** Fault 'not_found' for another account's. */
  get(context: Context, id: string): Promise<GroupRow>
  /** Those that the caller may see, by name; of one identity, if one is given. */
  list(context: Context, accountId: string, iamId: string | null): Promise<readonly GroupRow[]>
  update(
    context: Context,
    id: string,
    change: {
      readonly ifMatch: string | undefined
      readonly name: string | undefined
      readonly description: string | undefined
    },
  ): Promise<GroupRow>
  /** With the policies that name it. One with members only when forced. */
  delete(context: Context, id: string, force: boolean): Promise<void>
}

const groupsOf = (accountId: string): Target => ({ accountId, serviceName: 'iam-groups' })

/** IBM Cloud IAM, "Access groups": a policy may be for one group, `resource` being its id. */
export const targetOf = (group: Pick<GroupRow, 'id' | 'account_id'>): Target => ({
  ...groupsOf(group.account_id),
  resource: group.id,
})

export function makeAccessGroups(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly permissions: Permissions
}): AccessGroups {
  const { database, outbox, clock, random, permissions } = parts

  const event = (group: GroupRow, { iamId }: Caller) => ({
    accountId: group.account_id,
    initiatorId: iamId,
    groupId: group.id,
  })

  return {
    async create({ caller }, { accountId, name, description }) {
      const grant = await permissions.authorize(caller, 'iam-groups.groups.create', groupsOf(accountId))
      const at = clock.now()
      const group: GroupRow = {
        id: `AccessGroupId-${makeUuid(random)}`,
        account_id: accountId,
        name,
        description,
        revision: firstRevision(random),
        created_at: at,
        created_by_id: caller.iamId,
        last_modified_at: at,
        last_modified_by_id: caller.iamId,
      }
      await database.transaction(async (tx) => {
        await checkName(tx, group)
        if ((await countGroups(tx, accountId)) >= accessGroupsPerAccountMax) {
          throw new Fault('unprocessable', `account ${accountId} has ${accessGroupsPerAccountMax} groups, the quota`)
        }
        await insertGroup(tx, grant, group)
        await outbox.append(tx, { type: 'iam.access-group.created', ...event(group, caller) })
      })
      return group
    },

    get: ({ caller }, id) => readableGroup(permissions, database.reads, caller, id),

    async list({ caller }, accountId, iamId) {
      const groups = await readGroups(database.reads, accountId, iamId)
      const action = 'iam-groups.groups.list'
      if ((await permissions.decide(caller, action, groupsOf(accountId))).permitted) return groups
      const decisions = await Promise.all(groups.map((group) => permissions.decide(caller, action, targetOf(group))))
      return groups.filter((_, at) => decisions[at]?.permitted)
    },

    async update({ caller }, id, { ifMatch, name, description }) {
      const seen = await readableGroup(permissions, database.reads, caller, id)
      const grant = await permissions.authorize(caller, 'iam-groups.groups.update', targetOf(seen))
      return await database.transaction(async (tx) => {
        const before = await readableGroup(permissions, tx, caller, id)
        checkRevision(ifMatch, before.revision)
        const after: GroupRow = {
          ...before,
          name: name ?? before.name,
          description: description ?? before.description,
          revision: nextRevision(before.revision, random),
          last_modified_at: clock.now(),
          last_modified_by_id: caller.iamId,
        }
        await checkName(tx, after)
        await updateGroup(tx, grant, after)
        await outbox.append(tx, { type: 'iam.access-group.updated', ...event(after, caller) })
        return after
      })
    },

    async delete({ caller }, id, force) {
      const seen = await readableGroup(permissions, database.reads, caller, id)
      const grant = await permissions.authorize(caller, 'iam-groups.groups.delete', targetOf(seen))
      await database.transaction(async (tx) => {
        const group = await readableGroup(permissions, tx, caller, id)
        if (!force && (await countMembers(tx, id, null)) > 0) {
          throw new Fault('conflict', `access group ${id} has members: remove them, or say force`, {
            reason: 'group_conflict_error',
          })
        }
        await endPolicies(tx, grant, group, caller)
        await deleteGroup(tx, grant, id)
        await outbox.append(tx, { type: 'iam.access-group.deleted', ...event(group, caller) })
      })
    },
  }

  /** A policy that names nobody any more would come back to life with nobody's leave if ids were ever used again. */
  async function endPolicies(
    tx: Tx,
    grant: Grant<'iam-groups.groups.delete'>,
    { id, account_id: accountId }: GroupRow,
    { iamId: initiatorId }: Caller,
  ): Promise<void> {
    const change = { at: clock.now(), byId: initiatorId }
    for (const policyId of await deletePoliciesOf(tx, grant, groupKey(id), change)) {
      await outbox.append(tx, { type: 'iam.policy.deleted', accountId, initiatorId, policyId, policyType: 'access' })
    }
  }
}

export async function readableGroup(
  permissions: Permissions,
  reads: Reads,
  caller: Caller,
  id: string,
): Promise<GroupRow> {
  const group = await readGroup(reads, id)
  const decision = group && (await permissions.decide(caller, 'iam-groups.groups.read', targetOf(group)))
  if (group && decision?.permitted) return group
  throw new Fault('not_found', `access group ${id.slice(0, 64)} not found`, { reason: 'not_found' })
}

async function checkName(tx: Tx, group: GroupRow): Promise<void> {
  const other = await groupByName(tx, group.account_id, group.name)
  if (!other || other.id === group.id) return
  throw new Fault('conflict', `access group ${other.id} has that name already`, { reason: 'group_conflict_error' })
}

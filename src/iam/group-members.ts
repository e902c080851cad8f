// Who is in an access group. Becoming a member is receiving all that the group has, so whoever adds somebody could give
// them each of its policies; taking somebody out asks for less.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { accessGroupMembersMax } from '#base/limits.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Tx } from '#store/database.ts'
import { readableGroup, targetOf } from './access-groups.ts'
import { heldBy, roleAbove } from './granting.ts'
import { readHoldings } from './holdings.ts'
import type { Permissions } from './permissions.ts'
import { groupKey } from './policy-keys.ts'
import type { Caller, Context, Grant } from './port.ts'
import { readCandidates } from './tables-decisions.ts'
import {
  countMembers,
  deleteMember,
  groupsWith,
  hasMember,
  insertMember,
  readGroup,
  readMembers,
} from './tables-groups.ts'
import type { GroupRow, ListedMember, MemberRow } from './tables-groups.ts'

export type MemberType = MemberRow['type']

/** How it went for one of several. */
export type Outcome<Of> = Of & { readonly fault: Fault | null }

export interface GroupMembers {
  isMember(context: Context, groupId: string, iamId: string): Promise<boolean>
  list(
    context: Context,
    groupId: string,
    page: { readonly type: MemberType | null; readonly offset: number; readonly limit: number },
  ): Promise<{ readonly members: readonly ListedMember[]; readonly totalCount: number }>
  /** Whoever is in it already stays in it, and that is no fault. */
  add(
    context: Context,
    groupId: string,
    members: readonly { readonly iamId: string; readonly type: MemberType }[],
  ): Promise<readonly Outcome<{ readonly member: MemberRow }>[]>
  remove(context: Context, groupId: string, iamIds: readonly string[]): Promise<readonly Outcome<{ iamId: string }>[]>
  addToGroups(
    context: Context,
    accountId: string,
    member: { readonly iamId: string; readonly type: MemberType; readonly groupIds: readonly string[] },
  ): Promise<readonly Outcome<{ readonly groupId: string }>[]>
  removeFromAll(
    context: Context,
    accountId: string,
    iamId: string,
  ): Promise<readonly Outcome<{ readonly groupId: string }>[]>
}

export function makeGroupMembers(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly permissions: Permissions
}): GroupMembers {
  const { database, outbox, clock, permissions } = parts
  const { reads } = database

  const found = (caller: Caller, groupId: string): Promise<GroupRow> =>
    readableGroup(permissions, reads, caller, groupId)

  async function insert(
    tx: Tx,
    grant: Grant<'iam-groups.members.add'>,
    { caller, group }: { readonly caller: Caller; readonly group: GroupRow },
    { iamId, type }: { readonly iamId: string; readonly type: MemberType },
  ): Promise<Outcome<{ readonly member: MemberRow }>> {
    const member: MemberRow = {
      group_id: group.id,
      account_id: group.account_id,
      iam_id: iamId,
      type,
      created_at: clock.now(),
      created_by_id: caller.iamId,
    }
    if (!fitsType(iamId, type)) {
      return { member, fault: new Fault('invalid', `${iamId} is not the id of a ${type}`, { reason: 'invalid_body' }) }
    }
    if ((await countMembers(tx, group.id, null)) >= accessGroupMembersMax) {
      const quota = `access group ${group.id} has ${accessGroupMembersMax} members, which is the quota`
      return { member, fault: new Fault('unprocessable', quota) }
    }
    if (await insertMember(tx, grant, member)) {
      const event = { accountId: group.account_id, initiatorId: caller.iamId, groupId: group.id, iamId }
      await outbox.append(tx, { type: 'iam.access-group.member-added', ...event })
    }
    return { member, fault: null }
  }

  async function take(
    tx: Tx,
    grant: Grant<'iam-groups.members.remove'>,
    { caller, group }: { readonly caller: Caller; readonly group: GroupRow },
    iamId: string,
  ): Promise<boolean> {
    const gone = await deleteMember(tx, grant, { groupId: group.id, iamId })
    if (gone) {
      const event = { accountId: group.account_id, initiatorId: caller.iamId, groupId: group.id, iamId }
      await outbox.append(tx, { type: 'iam.access-group.member-removed', ...event })
    }
    return gone
  }

  /** Membership is a grant of everything the group has (granting.ts). */
  async function checkGiving(tx: Tx, caller: Caller, group: GroupRow): Promise<void> {
    const { account_id: accountId } = group
    const policies = await readCandidates(tx, {
      accountId,
      subjects: [groupKey(group.id)],
      iamId: null,
      resources: null,
    })
    const holdings = await readHoldings(tx, caller, accountId, { now: clock.now(), also: policies })
    for (const policy of policies) {
      if (heldBy(holdings, 'iam.policy.create', policy) !== null && roleAbove(holdings, policy) === null) continue
      throw new Fault(
        'forbidden',
        `${caller.iamId} may not give what policy ${policy.id} gives to members of the group`,
      )
    }
  }

  return {
    async isMember({ caller }, groupId, iamId) {
      const group = await found(caller, groupId)
      const grant = await permissions.authorize(caller, 'iam-groups.members.read', targetOf(group))
      return await hasMember(reads, grant, groupId, iamId)
    },

    async list({ caller }, groupId, page) {
      const group = await found(caller, groupId)
      const grant = await permissions.authorize(caller, 'iam-groups.members.read', targetOf(group))
      return {
        members: await readMembers(reads, grant, { ...page, groupId }),
        totalCount: await countMembers(reads, groupId, page.type),
      }
    },

    async add({ caller }, groupId, members) {
      const group = await found(caller, groupId)
      const grant = await permissions.authorize(caller, 'iam-groups.members.add', targetOf(group))
      return await database.transaction(async (tx) => {
        await checkGiving(tx, caller, group)
        const outcomes: Outcome<{ readonly member: MemberRow }>[] = []
        for (const member of members) outcomes.push(await insert(tx, grant, { caller, group }, member))
        return outcomes
      })
    },

    async remove({ caller }, groupId, iamIds) {
      const group = await found(caller, groupId)
      const grant = await permissions.authorize(caller, 'iam-groups.members.remove', targetOf(group))
      return await database.transaction(async (tx) => {
        const outcomes: Outcome<{ iamId: string }>[] = []
        for (const iamId of iamIds) {
          const gone = await take(tx, grant, { caller, group }, iamId)
          outcomes.push({ iamId, fault: gone ? null : notMember(groupId, iamId) })
        }
        if (outcomes.every(({ fault }) => fault !== null)) throw notMember(groupId, iamIds.join(', '))
        return outcomes
      })
    },

    addToGroups: ({ caller }, accountId, { iamId, type, groupIds }) =>
      each(groupIds, async (groupId) => {
        const group = await found(caller, groupId)
        if (group.account_id !== accountId) throw new Fault('not_found', `access group ${groupId} not found`)
        const grant = await permissions.authorize(caller, 'iam-groups.members.add', targetOf(group))
        const { fault } = await database.transaction(async (tx) => {
          await checkGiving(tx, caller, group)
          return await insert(tx, grant, { caller, group }, { iamId, type })
        })
        if (fault) throw fault
      }),

    async removeFromAll({ caller }, accountId, iamId) {
      const may = await permissions.grant(caller, 'iam-groups.members.read', { accountId, serviceName: 'iam-groups' })
      const groupIds = may ? await database.transaction((tx) => groupsWith(tx, accountId, iamId)) : []
      if (groupIds.length === 0) throw new Fault('not_found', `${iamId} is in no access group of this account`)
      return await each(groupIds, async (groupId) => {
        const group = await readGroup(reads, groupId)
        if (!group) throw notMember(groupId, iamId)
        const grant = await permissions.authorize(caller, 'iam-groups.members.remove', targetOf(group))
        await database.transaction((tx) => take(tx, grant, { caller, group }, iamId))
      })
    },
  }
}

/** One after the other, each for itself: what cannot be done for one does not keep the others from it. */
async function each(
  groupIds: readonly string[],
  act: (groupId: string) => Promise<void>,
): Promise<readonly Outcome<{ readonly groupId: string }>[]> {
  const outcomes: Outcome<{ readonly groupId: string }>[] = []
  for (const groupId of groupIds) {
    try {
      await act(groupId)
      outcomes.push({ groupId, fault: null })
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      outcomes.push({ groupId, fault: error })
    }
  }
  return outcomes
}

const fitsType = (iamId: string, type: MemberType): boolean => {
  if (type === 'service') return iamId.startsWith('iam-ServiceId-')
  if (type === 'profile') return iamId.startsWith('iam-Profile-')
  return !iamId.startsWith('iam-') && !iamId.startsWith('crn-')
}

const notMember = (groupId: string, iamId: string): Fault =>
  new Fault('not_found', `${iamId} is not a member of access group ${groupId}`, { reason: 'not_found' })

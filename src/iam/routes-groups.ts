// Access groups: operation to method, one line each.

import { reply } from '#base/contract.ts'
import type { Routes } from '#base/contract.ts'
import type { groupContract } from './contract-groups.ts'
import {
  addedView,
  groupListView,
  groupOutcomesView,
  groupWithEtag,
  memberListView,
  memberPage,
  removedView,
} from './group-views.ts'
import type { Iam } from './iam.ts'
import type { Anyone, Context } from './port.ts'

export const groupRoutes = ({ accessGroups, groupMembers }: Iam): Routes<typeof groupContract, Context, Anyone> => ({
  createAccessGroup: async (context, { query, body }) =>
    groupWithEtag(
      await accessGroups.create(context, {
        accountId: query.account_id,
        name: body.name,
        description: body.description ?? '',
      }),
      context,
    ),
  listAccessGroups: async (context, { query }) =>
    groupListView(await accessGroups.list(context, query.account_id, query.iam_id ?? null), query, context),
  getAccessGroup: async (context, { path, query }) =>
    groupWithEtag(await accessGroups.get(context, path.access_group_id), context, query.show_crn),
  updateAccessGroup: async (context, { path, body, headers }) =>
    groupWithEtag(
      await accessGroups.update(context, path.access_group_id, {
        ifMatch: headers['if-match'],
        name: body.name,
        description: body.description,
      }),
      context,
    ),
  deleteAccessGroup: (context, { path, query }) =>
    accessGroups.delete(context, path.access_group_id, query.force === true),
  isMemberOfAccessGroup: async (context, { path }) =>
    reply(undefined, {}, (await groupMembers.isMember(context, path.access_group_id, path.iam_id)) ? 204 : 404),
  addMembersToAccessGroup: async (context, { path, body }) =>
    addedView(
      await groupMembers.add(
        context,
        path.access_group_id,
        body.members.map(({ iam_id, type }) => ({ iamId: iam_id, type })),
      ),
      context,
    ),
  listAccessGroupMembers: async (context, { path, query }) =>
    memberListView(
      path.access_group_id,
      await groupMembers.list(context, path.access_group_id, memberPage(query)),
      query,
      context,
    ),
  removeMemberFromAccessGroup: async (context, { path }) => {
    await groupMembers.remove(context, path.access_group_id, [path.iam_id])
  },
  removeMembersFromAccessGroup: async (context, { path, body }) =>
    removedView(path.access_group_id, await groupMembers.remove(context, path.access_group_id, body.members), context),
  removeMemberFromAllAccessGroups: async (context, { path, query }) =>
    groupOutcomesView(path.iam_id, await groupMembers.removeFromAll(context, query.account_id, path.iam_id), context),
  addMemberToMultipleAccessGroups: async (context, { path, query, body }) =>
    groupOutcomesView(
      path.iam_id,
      await groupMembers.addToGroups(context, query.account_id, {
        iamId: path.iam_id,
        type: body.type,
        groupIds: body.groups,
      }),
      context,
    ),
})

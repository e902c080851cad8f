// The wire of access groups. Source: IBM Cloud IAM access groups API, version 2.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { accessGroupMembersPerRequestMax, accessGroupPageMax, policyValueLengthMax } from '#base/limits.ts'
import { madeAndChanged } from './contract-policy.ts'

const closed = { additionalProperties: false }
const name = Type.String({ minLength: 1, maxLength: policyValueLengthMax })
const description = Type.String({ maxLength: policyValueLengthMax })
const iamId = Type.String({ minLength: 1, maxLength: policyValueLengthMax })
const memberType = Type.Union([Type.Literal('user'), Type.Literal('service'), Type.Literal('profile')])
const membershipType = Type.Union([Type.Literal('static'), Type.Literal('dynamic'), Type.Literal('all')])

const groupReply = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  account_id: Type.String(),
  ...madeAndChanged,
  href: Type.String(),
  is_federated: Type.Boolean(),
  crn: Type.Optional(Type.String()),
})

const paged = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: accessGroupPageMax })),
  offset: Type.Optional(Type.Integer({ minimum: 0 })),
  sort: Type.Optional(Type.String()),
}
const link = Type.Object({ href: Type.String() })
const links = {
  limit: Type.Integer(),
  offset: Type.Integer(),
  total_count: Type.Integer(),
  first: link,
  previous: Type.Optional(link),
  next: Type.Optional(link),
  last: link,
}

export const groupQuery = Type.Object({
  account_id: Type.String({ minLength: 1 }),
  iam_id: Type.Optional(Type.String()),
  search: Type.Optional(Type.String()),
  membership_type: Type.Optional(membershipType),
  ...paged,
  show_federated: Type.Optional(Type.Boolean()),
  hide_public_access: Type.Optional(Type.Boolean()),
  show_crn: Type.Optional(Type.Boolean()),
})

export const memberQuery = Type.Object({
  membership_type: Type.Optional(membershipType),
  type: Type.Optional(memberType),
  verbose: Type.Optional(Type.Boolean()),
  ...paged,
})

export const groupList = Type.Object({ ...links, groups: Type.Array(groupReply) })

const memberReply = Type.Object({
  iam_id: Type.String(),
  type: memberType,
  membership_type: Type.Literal('static'),
  name: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  href: Type.String(),
  created_at: Type.String(),
  created_by_id: Type.String(),
})

export const memberList = Type.Object({ ...links, members: Type.Array(memberReply) })

/** How one of several went: the API answers 207 for the request and a status for each. */
const outcome = {
  status_code: Type.Integer(),
  trace: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ code: Type.String(), message: Type.String() }))),
}
const several = { minItems: 1, maxItems: accessGroupMembersPerRequestMax }
const account = Type.Object({ account_id: Type.String({ minLength: 1 }) })

const groupOperations = {
  createAccessGroup: {
    method: 'POST',
    path: '/v2/groups',
    summary: 'Create an access group',
    action: 'iam-groups.groups.create',
    query: account,
    body: Type.Object({ name, description: Type.Optional(description) }, closed),
    status: 201,
    reply: groupReply,
  },
  listAccessGroups: {
    method: 'GET',
    path: '/v2/groups',
    summary: 'List the access groups of an account that the caller may see',
    action: 'iam-groups.groups.list',
    query: groupQuery,
    status: 200,
    reply: groupList,
  },
  getAccessGroup: {
    method: 'GET',
    path: '/v2/groups/{access_group_id}',
    summary: 'Read an access group',
    action: 'iam-groups.groups.read',
    query: Type.Object({ show_federated: Type.Optional(Type.Boolean()), show_crn: Type.Optional(Type.Boolean()) }),
    status: 200,
    reply: groupReply,
  },
  updateAccessGroup: {
    method: 'PATCH',
    path: '/v2/groups/{access_group_id}',
    summary: 'Change the name or description of an access group',
    action: 'iam-groups.groups.update',
    body: Type.Object({ name: Type.Optional(name), description: Type.Optional(description) }, closed),
    status: 200,
    reply: groupReply,
  },
  deleteAccessGroup: {
    method: 'DELETE',
    path: '/v2/groups/{access_group_id}',
    summary: 'Delete an access group and the policies that name it; with members only if forced',
    action: 'iam-groups.groups.delete',
    query: Type.Object({ force: Type.Optional(Type.Boolean()) }),
    status: 204,
  },
} as const satisfies Contract

const memberOperations = {
  isMemberOfAccessGroup: {
    method: 'HEAD',
    path: '/v2/groups/{access_group_id}/members/{iam_id}',
    summary: 'Whether somebody is a member',
    action: 'iam-groups.members.read',
    status: 204,
  },
  addMembersToAccessGroup: {
    method: 'PUT',
    path: '/v2/groups/{access_group_id}/members',
    summary: 'Add members to an access group',
    action: 'iam-groups.members.add',
    body: Type.Object(
      { members: Type.Array(Type.Object({ iam_id: iamId, type: memberType }, closed), several) },
      closed,
    ),
    status: 207,
    reply: Type.Object({
      members: Type.Array(
        Type.Object({
          iam_id: Type.String(),
          type: memberType,
          created_at: Type.Optional(Type.String()),
          created_by_id: Type.Optional(Type.String()),
          ...outcome,
        }),
      ),
    }),
  },
  listAccessGroupMembers: {
    method: 'GET',
    path: '/v2/groups/{access_group_id}/members',
    summary: 'List the members of an access group',
    action: 'iam-groups.members.read',
    query: memberQuery,
    status: 200,
    reply: memberList,
  },
  removeMemberFromAccessGroup: {
    method: 'DELETE',
    path: '/v2/groups/{access_group_id}/members/{iam_id}',
    summary: 'Remove a member from an access group',
    action: 'iam-groups.members.remove',
    status: 204,
  },
  removeMembersFromAccessGroup: {
    method: 'POST',
    path: '/v2/groups/{access_group_id}/members/delete',
    summary: 'Remove members from an access group',
    action: 'iam-groups.members.remove',
    body: Type.Object({ members: Type.Array(iamId, several) }, closed),
    status: 207,
    reply: Type.Object({
      access_group_id: Type.String(),
      members: Type.Array(Type.Object({ iam_id: Type.String(), ...outcome })),
    }),
  },
  removeMemberFromAllAccessGroups: {
    method: 'DELETE',
    path: '/v2/groups/_allgroups/members/{iam_id}',
    summary: 'Remove somebody from all access groups of an account',
    action: 'iam-groups.members.remove',
    query: account,
    status: 207,
    reply: Type.Object({
      iam_id: Type.String(),
      groups: Type.Array(Type.Object({ access_group_id: Type.String(), ...outcome })),
    }),
  },
  addMemberToMultipleAccessGroups: {
    method: 'PUT',
    path: '/v2/groups/_allgroups/members/{iam_id}',
    summary: 'Add somebody to several access groups of an account',
    action: 'iam-groups.members.add',
    query: account,
    body: Type.Object({ type: memberType, groups: Type.Array(Type.String({ minLength: 1 }), several) }, closed),
    status: 207,
    reply: Type.Object({
      iam_id: Type.String(),
      groups: Type.Array(Type.Object({ access_group_id: Type.String(), ...outcome })),
    }),
  },
} as const satisfies Contract

export const groupContract = { ...groupOperations, ...memberOperations } as const satisfies Contract

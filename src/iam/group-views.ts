// Access groups, from inside to the wire.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import { formatCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { accessGroupPageDefault } from '#base/limits.ts'
import type { groupContract, groupList, groupQuery, memberList, memberQuery } from './contract-groups.ts'
import type { Outcome } from './group-members.ts'
import type { Anyone } from './port.ts'
import type { GroupRow, ListedMember, MemberRow } from './tables-groups.ts'

type GroupView = Static<(typeof groupContract)['getAccessGroup']['reply']>

export const groupView = (group: GroupRow, { baseUrl }: Anyone, withCrn = false): GroupView => ({
  id: group.id,
  name: group.name,
  description: group.description,
  account_id: group.account_id,
  created_at: rfc3339(group.created_at),
  created_by_id: group.created_by_id,
  last_modified_at: rfc3339(group.last_modified_at),
  last_modified_by_id: group.last_modified_by_id,
  href: `${baseUrl}/v2/groups/${group.id}`,
  // Rules that make members of whom an identity provider says so are not built.
  is_federated: false,
  ...(withCrn && {
    crn: formatCrn({
      serviceName: 'iam-groups',
      accountId: group.account_id,
      resourceType: 'access-group',
      resource: group.id,
    }),
  }),
})

export const groupWithEtag = (group: GroupRow, anyone: Anyone, withCrn = false): Reply<GroupView> =>
  reply(groupView(group, anyone, withCrn), { etag: group.revision })

type GroupQuery = Static<typeof groupQuery>

/** Groups are few, so filters, order and page are made here from all that the caller may see. */
export function groupListView(
  groups: readonly GroupRow[],
  query: GroupQuery,
  anyone: Anyone,
): Static<typeof groupList> {
  const found = query.membership_type === 'dynamic' ? [] : groups.filter(searched(query.search))
  const { offset = 0, limit = accessGroupPageDefault } = query
  const page = ordered(found, query.sort).slice(offset, offset + limit)
  return {
    ...links(`${anyone.baseUrl}/v2/groups`, { ...query, offset, limit }, found.length),
    groups: page.map((group) => groupView(group, anyone, query.show_crn)),
  }
}

function searched(search: string | undefined): (group: GroupRow) => boolean {
  if (search === undefined) return () => true
  const [, field, text = ''] = /^(id|name|description):(.*)$/s.exec(search) ?? []
  if (field === undefined) throw wrongParameter('search', 'begins with id:, name: or description:')
  const wanted = text.toLowerCase()
  return (group) =>
    (field === 'id' ? group.id : field === 'name' ? group.name : group.description).toLowerCase().includes(wanted)
}

function ordered(groups: readonly GroupRow[], sort = 'name'): readonly GroupRow[] {
  const field = sort.replace(/^-/, '')
  if (field === 'is_federated') return groups
  if (field !== 'id' && field !== 'name' && field !== 'description') {
    throw wrongParameter('sort', 'is id, name, description or is_federated, or one of them after a minus')
  }
  const up = groups.toSorted((a, b) => (a[field] < b[field] ? -1 : a[field] > b[field] ? 1 : 0))
  return sort.startsWith('-') ? up.toReversed() : up
}

const wrongParameter = (name: string, what: string): Fault =>
  new Fault('invalid', `${name} ${what}`, { target: { type: 'parameter', name } })

type MemberQuery = Static<typeof memberQuery>

export const memberPage = (query: MemberQuery) => ({
  type: query.type ?? null,
  offset: query.offset ?? 0,
  limit: query.membership_type === 'dynamic' ? 0 : (query.limit ?? accessGroupPageDefault),
})

export function memberListView(
  groupId: string,
  { members, totalCount }: { readonly members: readonly ListedMember[]; readonly totalCount: number },
  query: MemberQuery,
  { baseUrl }: Anyone,
): Static<typeof memberList> {
  const url = `${baseUrl}/v2/groups/${groupId}/members`
  const { offset = 0, limit = accessGroupPageDefault } = query
  return {
    ...links(url, { ...query, offset, limit }, query.membership_type === 'dynamic' ? 0 : totalCount),
    members: members.map((member) => ({
      iam_id: member.iam_id,
      type: member.type,
      membership_type: 'static',
      ...(query.verbose && member.name !== null && { name: member.name }),
      ...(query.verbose && member.email !== null && member.type === 'user' && { email: member.email }),
      ...(query.verbose && member.description !== null && { description: member.description }),
      href: `${url}/${encodeURIComponent(member.iam_id)}`,
      created_at: rfc3339(member.created_at),
      created_by_id: member.created_by_id,
    })),
  }
}

type Paged = Readonly<Record<string, unknown>> & { readonly offset: number; readonly limit: number }

function links(url: string, query: Paged, totalCount: number) {
  const { offset, limit } = query
  const at = (start: number) => {
    const parameters = new URLSearchParams()
    for (const [name, value] of Object.entries({ ...query, offset: start })) parameters.set(name, String(value))
    return { href: `${url}?${parameters}` }
  }
  return {
    limit,
    offset,
    total_count: totalCount,
    first: at(0),
    ...(offset > 0 && { previous: at(Math.max(offset - limit, 0)) }),
    ...(offset + limit < totalCount && { next: at(offset + limit) }),
    last: at(Math.max(Math.ceil(totalCount / limit) - 1, 0) * limit),
  }
}

/** A status for each of several; a refusal carries its code and sentence. */
export function outcomeView({ fault }: { readonly fault: Fault | null }, { requestId }: Anyone) {
  if (!fault) return { status_code: 200, trace: requestId }
  const status = { invalid: 400, forbidden: 403, not_found: 404, conflict: 409, unprocessable: 422 } as const
  const code = fault.code in status ? status[fault.code as keyof typeof status] : 400
  const reason = fault.reason ?? (fault.code === 'forbidden' ? 'insufficent_permissions' : fault.code)
  return { status_code: code, trace: requestId, errors: [{ code: reason, message: fault.message }] }
}

export const addedView = (outcomes: readonly Outcome<{ readonly member: MemberRow }>[], anyone: Anyone) => ({
  members: outcomes.map(({ member, fault }) => ({
    iam_id: member.iam_id,
    type: member.type,
    ...(!fault && { created_at: rfc3339(member.created_at), created_by_id: member.created_by_id }),
    ...outcomeView({ fault }, anyone),
  })),
})

export const removedView = (groupId: string, outcomes: readonly Outcome<{ iamId: string }>[], anyone: Anyone) => ({
  access_group_id: groupId,
  members: outcomes.map(({ iamId, fault }) => ({ iam_id: iamId, ...outcomeView({ fault }, anyone) })),
})

export const groupOutcomesView = (
  iamId: string,
  outcomes: readonly Outcome<{ readonly groupId: string }>[],
  anyone: Anyone,
) => ({
  iam_id: iamId,
  groups: outcomes.map(({ groupId, fault }) => ({ access_group_id: groupId, ...outcomeView({ fault }, anyone) })),
})

// A policy as version 1 of the API shows it, and what both versions share.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import type { policyList, policyReply } from './contract-policy.ts'
import type { Condition } from './conditions.ts'
import type { PolicyBody } from './explain.ts'
import { startAfter } from './policy-list.ts'
import type { PolicyQuery } from './policy-list.ts'
import type { PolicyListing } from './policy-listing.ts'
import type { Policy, PolicyDocument, PolicyDraft, SentAttribute } from './policy.ts'
import type { Anyone } from './port.ts'
import { rolesByCrn } from './roles.ts'
import type { LastPermit } from './tables-policy-lists.ts'

type PolicyView = Static<typeof policyReply>
type AttributeView = PolicyView['subjects'][number]['attributes'][number]

/** What of a role people read: its own words for roles of the account, which the policy knows by CRN alone. */
export interface RoleWords {
  readonly displayName: string
  readonly description: string | null
  readonly actions: readonly string[]
}
export type Vocabulary = Pick<ReadonlyMap<string, RoleWords>, 'get'>

export type Shown = Policy & { readonly lastPermit?: LastPermit | null }

/** Subjects and resources as they were sent, in their order; roles with what people call them. */
export function policyView(policy: Shown, anyone: Anyone, words: Vocabulary): PolicyView {
  const { sent, facts } = policy
  const document = inVersion1(sent)
  return {
    id: policy.id,
    type: policy.type,
    ...(sent.description !== null && { description: sent.description }),
    subjects: [{ attributes: document?.subject ?? [] }],
    roles: document ? facts.roles.map((crn) => roleView(crn, words)) : [unsupported],
    resources: [
      {
        attributes: document?.resource ?? [],
        ...(document?.tags && { tags: document.tags }),
      },
    ],
    ...(sent.bounds && { bounds: sent.bounds }),
    href: `${anyone.baseUrl}/v1/policies/${policy.id}`,
    ...stamps(policy),
  }
}

/** What version 1 shows of a policy that only version 2 can express: that it is there. */
const unsupported = {
  role_id: 'crn:v1:bluemix:public:iam::::role:UnsupportedVersion',
  display_name: 'UnsupportedVersion',
  description: 'This policy has conditions that version 1 of the API cannot show: read it with version 2',
}

export const stamps = (policy: Shown) => ({
  created_at: rfc3339(policy.createdAt),
  created_by_id: policy.createdById,
  last_modified_at: rfc3339(policy.lastModifiedAt),
  last_modified_by_id: policy.lastModifiedById,
  state: policy.state,
  ...(policy.lastPermit && {
    last_permit_at: rfc3339(policy.lastPermit.at),
    last_permit_frequency: policy.lastPermit.count,
  }),
})

export const policyWithEtag = (policy: Policy, anyone: Anyone, words: Vocabulary): Reply<PolicyView> =>
  reply(policyView(policy, anyone, words), { etag: policy.revision })

function roleView(crn: string, words: Vocabulary): PolicyView['roles'][number] {
  const role = rolesByCrn.get(crn) ?? words.get(crn)
  return { role_id: crn, display_name: role?.displayName ?? crn, description: role?.description ?? '' }
}

interface Version1 {
  readonly subject: AttributeView[]
  readonly resource: AttributeView[]
  readonly tags?: AttributeView[]
}

/** The document in the words of version 1, or null when it has not enough of them. */
export function inVersion1({ subject, resource, tags, rule }: PolicyDocument): Version1 | null {
  if (rule) return null
  const lists = [subject, resource, tags ?? []].map((list) => list.map(attributeView))
  const [subjects, resources, tagged] = lists.map((list) => list.filter((one) => one !== null))
  if (lists.some((list) => list.includes(null)) || !subjects || !resources || !tagged) return null
  return { subject: subjects, resource: resources, ...(tags && { tags: tagged }) }
}

function attributeView({ name, value, operator }: SentAttribute): AttributeView | null {
  if (operator === 'stringExists' && value === true) return { name, value: '*', operator: 'stringMatch' }
  if (typeof value !== 'string') return null
  if (operator === undefined) return { name, value }
  return operator === 'stringEquals' || operator === 'stringMatch' ? { name, value, operator } : null
}

/** A draft by its right names, ready to be sent by somebody else; null where version 1 has no words for it. */
export function rightBody({ type, sent, facts }: PolicyDraft): PolicyBody | null {
  if (!inVersion1(sent)) return null
  const [subject, resource] = [facts.subject, facts.resource].map((list) => list.map(rightAttribute))
  if (!subject || !resource) return null
  return {
    type,
    ...(sent.description !== null && { description: sent.description }),
    subjects: [{ attributes: subject }],
    roles: facts.roles.map((role_id) => ({ role_id })),
    resources: [{ attributes: resource, ...(facts.tags && { tags: facts.tags.map(rightAttribute) }) }],
  }
}

function rightAttribute({ name, operator, value }: Condition): SentAttribute {
  if (operator === 'stringExists') return { name, operator: 'stringMatch', value: '*' }
  return operator === 'stringEquals' ? { name, value } : { name, operator, value }
}

export const policyListView = (
  listing: PolicyListing,
  query: PolicyQuery,
  anyone: Anyone,
  words: Vocabulary,
): Static<typeof policyList> => ({
  ...listLinks(listing, query, `${anyone.baseUrl}/v1/policies`),
  policies: listing.policies.map((policy) => policyView(policy, anyone, words)),
})

export function listLinks({ page, next }: PolicyListing, query: PolicyQuery, url: string) {
  const start = next ? startAfter(next, page.order) : null
  return {
    limit: page.limit,
    first: { href: pageHref(url, query, null) },
    ...(start !== null && { next: { href: pageHref(url, query, start), start } }),
  }
}

/** The query as it was asked, from the given start on; null for the first page. */
function pageHref(url: string, query: PolicyQuery, start: string | null): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (name !== 'start') parameters.set(name, String(value))
  if (start !== null) parameters.set('start', start)
  return `${url}?${parameters}`
}

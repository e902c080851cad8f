// A policy as version 2 of the API shows it. Version 1's attributes without an operator have one here, since clients insist
// on it.

import type { Static } from 'typebox'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import type { policyListV2, policyReplyV2 } from './contract-policy-v2.ts'
import { listLinks, stamps } from './policy-view.ts'
import type { Shown, Vocabulary } from './policy-view.ts'
import type { PolicyQuery } from './policy-list.ts'
import type { PolicyListing } from './policy-listing.ts'
import type { Policy, SentAttribute } from './policy.ts'
import type { Anyone } from './port.ts'
import { rolesByCrn } from './roles.ts'

type PolicyViewV2 = Static<typeof policyReplyV2>
type RoleView = PolicyViewV2['control']['grant']['roles'][number]

/** With what people call the roles and what those contain, where the client has asked for it. */
export function policyViewV2(policy: Shown, { baseUrl }: Anyone, words: Vocabulary | null): PolicyViewV2 {
  const { sent, facts } = policy
  const view = {
    id: policy.id,
    type: policy.type,
    ...(sent.description !== null && { description: sent.description }),
    subject: { attributes: sent.subject.map(keyedSubject) },
    resource: { attributes: sent.resource.map(keyed), ...(sent.tags && { tags: sent.tags.map(keyed) }) },
    control: { grant: { roles: facts.roles.map((crn) => roleView(crn, words)) } },
    ...(sent.pattern !== undefined && { pattern: sent.pattern }),
    ...(sent.rule && { rule: sent.rule }),
    ...(sent.bounds && { bounds: sent.bounds }),
    href: `${baseUrl}/v2/policies/${policy.id}`,
    ...stamps(policy),
  }
  // What was sent has passed the schema of one of the versions; the edge checks replies in tests.
  return view as PolicyViewV2
}

export const policyV2WithEtag = (
  policy: Shown & Policy,
  anyone: Anyone,
  words: Vocabulary | null,
): Reply<PolicyViewV2> => reply(policyViewV2(policy, anyone, words), { etag: policy.revision })

const keyed = ({ name, value, operator = 'stringEquals' }: SentAttribute) => ({ key: name, operator, value })

/** How version 1 says "any" of a subject is an operator here. */
const keyedSubject = (sent: SentAttribute) =>
  sent.operator === 'stringMatch' ? { key: sent.name, operator: 'stringExists', value: true } : keyed(sent)

function roleView(crn: string, words: Vocabulary | null): RoleView {
  if (!words) return { role_id: crn }
  const role = rolesByCrn.get(crn) ?? words.get(crn)
  return {
    role_id: crn,
    display_name: role?.displayName ?? crn,
    description: role?.description ?? '',
    actions: (role?.actions ?? []).map((id) => ({ id, display_name: id, description: id })),
  }
}

export const policyListViewV2 = (
  listing: PolicyListing,
  query: PolicyQuery,
  anyone: Anyone,
  words: Vocabulary | null,
): Static<typeof policyListV2> => ({
  ...listLinks(listing, query, `${anyone.baseUrl}/v2/policies`),
  policies: listing.policies.map((policy) => policyViewV2(policy, anyone, words)),
})

// From inside to the wire.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import { apiKeyGrant, issuer, tokenScope } from './claims.ts'
import type { openidConfiguration, policyList, policyReply, tokenReply } from './contract.ts'
import type { Condition } from './decide.ts'
import { startAfter } from './policy-list.ts'
import type { PolicyListing } from './policies.ts'
import type { PolicyQuery } from './policy-list.ts'
import type { Policy, PolicyDraft } from './policy.ts'
import type { Anyone } from './port.ts'
import { rolesByCrn } from './roles.ts'
import type { IssuedToken } from './tokens.ts'

export const tokenView = (token: IssuedToken): Static<typeof tokenReply> => ({
  access_token: token.accessToken,
  // What IBM Cloud sends for an API key without a client of its own; clients insist on the field.
  refresh_token: 'not_supported',
  token_type: 'Bearer',
  expires_in: token.lifetimeSeconds,
  expiration: token.expiresAtSeconds,
  scope: token.scope,
})

/** OpenID Connect Discovery 1.0, section 3. The issuer is the one in the tokens, not where they come from. */
export const openidView = ({ baseUrl }: Anyone): Static<typeof openidConfiguration> => ({
  issuer,
  token_endpoint: `${baseUrl}/identity/token`,
  jwks_uri: `${baseUrl}/identity/keys`,
  grant_types_supported: [apiKeyGrant],
  scopes_supported: tokenScope.split(' '),
  response_types_supported: ['cloud_iam'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
})

type PolicyView = Static<typeof policyReply>

/** Subjects and resources as they were sent, in their order; roles with what people call them. */
export function policyView(policy: Policy, { baseUrl }: Anyone): PolicyView {
  const { sent, facts } = policy
  return {
    id: policy.id,
    type: policy.type,
    ...(sent.description !== null && { description: sent.description }),
    subjects: [{ attributes: [...sent.subject] }],
    roles: facts.roles.map(roleView),
    resources: [{ attributes: [...sent.resource] }],
    href: `${baseUrl}/v1/policies/${policy.id}`,
    created_at: rfc3339(policy.createdAt),
    created_by_id: policy.createdById,
    last_modified_at: rfc3339(policy.lastModifiedAt),
    last_modified_by_id: policy.lastModifiedById,
    state: policy.state,
  }
}

export const policyWithEtag = (policy: Policy, anyone: Anyone): Reply<PolicyView> =>
  reply(policyView(policy, anyone), { etag: policy.revision })

function roleView(crn: string): PolicyView['roles'][number] {
  const role = rolesByCrn.get(crn)
  return { role_id: crn, display_name: role?.displayName ?? crn, description: role?.description ?? '' }
}

/** A draft by its right names, ready to be sent by somebody else. */
export const rightPolicyBody = ({ type, sent, facts }: PolicyDraft) => ({
  type,
  ...(sent.description !== null && { description: sent.description }),
  subjects: [{ attributes: facts.subject.map(({ name, value }) => ({ name, value })) }],
  roles: facts.roles.map((role_id) => ({ role_id })),
  resources: [{ attributes: facts.resource.map(resourceAttribute) }],
})

const resourceAttribute = ({ name, operator, value }: Condition) =>
  operator === 'stringEquals' ? { name, value } : { name, operator, value }

export function policyListView(listing: PolicyListing, query: PolicyQuery, anyone: Anyone): Static<typeof policyList> {
  const { page } = listing
  const last = listing.policies.at(-1)
  const start = listing.more && last ? startAfter(last, page.order) : null
  return {
    limit: page.limit,
    first: { href: pageHref(anyone, query, null) },
    ...(start !== null && { next: { href: pageHref(anyone, query, start), start } }),
    policies: listing.policies.map((policy) => policyView(policy, anyone)),
  }
}

/** The query as it was asked, from the given start on; null for the first page. */
function pageHref({ baseUrl }: Anyone, query: PolicyQuery, start: string | null): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (name !== 'start') parameters.set(name, String(value))
  if (start !== null) parameters.set('start', start)
  return `${baseUrl}/v1/policies?${parameters}`
}

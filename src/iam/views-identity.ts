// Tokens and identities, from inside to the wire.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import { formatCrn } from '#base/crn.ts'
import type { ShownSettings } from './account-settings.ts'
import type { MadeApiKey } from './api-key-making.ts'
import type { ShownApiKey } from './api-keys.ts'
import { historyView } from './changes.ts'
import { issuer, tokenScope } from './claims.ts'
import type { openidConfiguration, tokenReply } from './contract-tokens.ts'
import { pageHead } from './identity-page.ts'
import type { Listing, PageQuery } from './identity-page.ts'
import type { ShownIdentity } from './identity-reading.ts'
import type { Anyone } from './port.ts'
import type { ProfileIdentityList } from './profile-identities.ts'
import type { Part } from './profile-parts.ts'
import { profileIdOf } from './profiles.ts'
import type * as shapes from './schemas-identity.ts'
import { serviceIdOf } from './service-ids.ts'
import { effective } from './settings.ts'
import type { Settings } from './settings.ts'
import type { ApiKeyRow } from './tables-api-keys.ts'
import type { HistoryRow } from './tables-history.ts'
import type { IdentityRow } from './tables-identities.ts'
import type { ProfileIdentityRow } from './tables-profiles.ts'
import { grantTypes } from './token-grants.ts'
import type { IssuedToken } from './tokens.ts'

export const tokenView = (token: IssuedToken): Static<typeof tokenReply> => ({
  access_token: token.accessToken,
  // What IBM Cloud sends where there is none; clients insist on the field.
  refresh_token: token.refreshToken ?? 'not_supported',
  ...(token.delegatedRefreshToken !== null && { delegated_refresh_token: token.delegatedRefreshToken }),
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
  grant_types_supported: Object.values(grantTypes),
  scopes_supported: tokenScope.split(' '),
  response_types_supported: ['cloud_iam', 'delegated_refresh_token'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
})

const optional = <Name extends string, Value>(name: Name, value: Value | null): { [N in Name]?: Value } =>
  // The computed name is the only key there is.
  (value === null ? {} : { [name]: value }) as { [N in Name]?: Value }

const historyOf = (history: readonly HistoryRow[] | null) => optional('history', history && historyView(history))

const crnOf = (resourceType: string, accountId: string, resource: string): string =>
  formatCrn({ serviceName: 'iam-identity', accountId, resourceType, resource })

const tagged = <Body extends { readonly entity_tag: string }>(body: Body): Reply<Body> =>
  reply(body, { etag: body.entity_tag })

// API keys ----------------------------------------------------------------------------------------------------------------

type ApiKeyView = Static<typeof shapes.apiKeyReply>

/** `apiKey` is the key itself, in the one answer that shows it. */
export function apiKeyView({ row, history }: ShownApiKey, apiKey = ''): ApiKeyView {
  return {
    id: row.id,
    entity_tag: row.revision,
    crn: crnOf('apikey', row.account_id, row.id),
    locked: row.locked === 1,
    disabled: row.disabled === 1,
    created_at: rfc3339(row.created_at),
    created_by: row.created_by_id,
    modified_at: rfc3339(row.modified_at),
    name: row.name,
    ...optional('description', row.description),
    support_sessions: row.support_sessions === 1,
    action_when_leaked: row.action_when_leaked,
    ...optional('expires_at', row.expires_at),
    iam_id: row.iam_id,
    account_id: row.account_id,
    apikey: apiKey,
    ...historyOf(history),
  }
}

export const madeApiKeyView = ({ row, apiKey }: MadeApiKey): ApiKeyView => apiKeyView({ row, history: null }, apiKey)
export const apiKeyWithTag = (shown: ShownApiKey): Reply<ApiKeyView> => tagged(apiKeyView(shown))
export const madeApiKeyWithTag = (made: MadeApiKey): Reply<ApiKeyView> => tagged(madeApiKeyView(made))

export const apiKeyListView = (listing: Listing<ShownApiKey & ApiKeyRow>, query: PageQuery, anyone: Anyone) => ({
  ...pageHead(listing, { id: (row) => row.id, path: '/v1/apikeys', query, anyone }),
  apikeys: listing.rows.map((row) => apiKeyView({ row, history: row.history })),
})

// Service ids and profiles ------------------------------------------------------------------------------------------------

type ServiceIdView = Static<typeof shapes.serviceIdReply>

export function serviceIdView({ row, history }: ShownIdentity, apiKey: MadeApiKey | null = null): ServiceIdView {
  const id = serviceIdOf(row)
  const crns = row.unique_instance_crns
  return {
    id,
    iam_id: row.iam_id,
    entity_tag: row.revision,
    crn: crnOf('serviceid', row.account_id, id),
    locked: row.locked === 1,
    created_at: rfc3339(row.created_at),
    modified_at: rfc3339(row.modified_at),
    account_id: row.account_id,
    ...optional('group_id', row.group_id),
    name: row.name,
    ...optional('description', row.description),
    // service-ids.ts wrote it.
    ...optional('unique_instance_crns', crns === null ? null : (JSON.parse(crns) as string[])),
    ...optional('apikey', apiKey && madeApiKeyView(apiKey)),
    ...historyOf(history),
  }
}

export const serviceIdWithTag = (shown: ShownIdentity): Reply<ServiceIdView> => tagged(serviceIdView(shown))
export const madeServiceIdWithTag = ({ row, apiKey }: { row: IdentityRow; apiKey: MadeApiKey | null }) =>
  tagged(serviceIdView({ row, history: null }, apiKey))

export const serviceIdListView = (listing: Listing<IdentityRow>, query: PageQuery, anyone: Anyone) => ({
  ...pageHead(listing, { id: (row) => row.iam_id, path: '/v1/serviceids/', query, anyone }),
  serviceids: listing.rows.map((row) => serviceIdView({ row, history: null })),
})

type ProfileView = Static<typeof shapes.profileReply>

function profileView({ row, history }: ShownIdentity): ProfileView {
  const id = profileIdOf(row)
  return {
    id,
    entity_tag: row.revision,
    crn: crnOf('profile', row.account_id, id),
    name: row.name,
    ...optional('description', row.description),
    ...optional('email', row.email === '' ? null : row.email),
    created_at: rfc3339(row.created_at),
    modified_at: rfc3339(row.modified_at),
    iam_id: row.iam_id,
    account_id: row.account_id,
    ...historyOf(history),
  }
}

export const profileWithTag = (shown: ShownIdentity): Reply<ProfileView> => tagged(profileView(shown))

export const profileListView = (listing: Listing<IdentityRow>, query: PageQuery, anyone: Anyone) => ({
  ...pageHead(listing, { id: (row) => row.iam_id, path: '/v1/profiles', query, anyone }),
  profiles: listing.rows.map((row) => profileView({ row, history: null })),
})

export const profileIdentityView = (row: ProfileIdentityRow): Static<typeof shapes.profileIdentityReply> => ({
  iam_id: row.iam_id,
  identifier: row.identifier,
  type: row.type,
  // profile-identities.ts wrote it.
  ...optional('accounts', row.accounts === null ? null : (JSON.parse(row.accounts) as string[])),
  ...optional('description', row.description),
})

export const profileIdentitiesWithTag = ({ revision, rows }: ProfileIdentityList) =>
  tagged({ entity_tag: revision, identities: rows.map(profileIdentityView) })

type ClaimRule = Static<typeof shapes.claimRule>
type Link = Static<typeof shapes.profileLink>

const partHead = ({ id, revision, createdAt, modifiedAt }: Part<unknown>) => ({
  id,
  entity_tag: revision,
  created_at: rfc3339(createdAt),
  modified_at: rfc3339(modifiedAt),
})

/** IBM Cloud IAM identity API: a rule whose expiration was not given has 0 there. */
export const claimRuleView = (part: Part<ClaimRule>) => ({ expiration: 0, ...part.body, ...partHead(part) })
export const claimRuleWithTag = (part: Part<ClaimRule>) => tagged(claimRuleView(part))
export const linkView = (part: Part<Link>) => ({ ...part.body, ...partHead(part) })
export const linkWithTag = (part: Part<Link>) => tagged(linkView(part))

// Account settings --------------------------------------------------------------------------------------------------------

/** The types of the wire have arrays that may be written; ours may not. */
const settingsView = (settings: Settings) =>
  structuredClone(settings) as Static<typeof shapes.settingsChange> & Writable<Settings>
type Writable<T> = T extends readonly (infer E)[]
  ? Writable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Writable<T[K]> }
    : T

const settingsBody = ({ accountId, revision, settings, history }: ShownSettings) => ({
  account_id: accountId,
  entity_tag: revision,
  ...settingsView(settings),
  history: historyView(history),
})

export const settingsWithTag = (shown: ShownSettings) => tagged(settingsBody(shown))

export const effectiveSettingsView = (shown: ShownSettings) => ({
  account_id: shown.accountId,
  effective: settingsView(effective(shown.settings)),
  account: settingsBody(shown),
})

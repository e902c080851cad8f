// The shapes of the identity API. Source: IBM Cloud IAM identity services API. Bodies may hold fields that we do not know;
// clients of other versions send them.

import { Type } from 'typebox'
import {
  identityDescriptionLengthMax,
  identityNameLengthMax,
  identityPageMax,
  profileIdentitiesMax,
} from '#base/limits.ts'

const some = Type.Optional
export const accountId = Type.String({ pattern: '^[0-9a-f]{32}$' })
const name = Type.String({ minLength: 1, maxLength: identityNameLengthMax })
const description = Type.String({ maxLength: identityDescriptionLengthMax })
const crns = Type.Array(Type.String({ minLength: 1, maxLength: 1024 }), { maxItems: 100 })
const leaked = Type.Union([Type.Literal('none'), Type.Literal('disable'), Type.Literal('delete')])
const truth = Type.Boolean()

const given = Type.String({ minLength: 1, maxLength: 1024 })

// What is asked ---------------------------------------------------------------------------------------------------------

export const pageQuery = {
  pagesize: some(Type.Integer({ minimum: 1, maximum: identityPageMax })),
  pagetoken: some(Type.String({ maxLength: 2000 })),
  sort: some(Type.String()),
  order: some(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
  include_history: some(truth),
}

export const historyQuery = Type.Object({ include_history: some(truth), include_activity: some(truth) })

export const apiKeyQuery = Type.Object({
  ...pageQuery,
  account_id: some(given),
  iam_id: some(given),
  scope: some(Type.Union([Type.Literal('entity'), Type.Literal('account')])),
  type: some(Type.Union([Type.Literal('user'), Type.Literal('serviceid')])),
})

export const identityQuery = Type.Object({ ...pageQuery, account_id: some(given), name: some(Type.String()) })
export const profileQuery = Type.Object({ ...pageQuery, account_id: given, name: some(Type.String()) })

// API keys ----------------------------------------------------------------------------------------------------------------

const newApiKey = {
  name,
  description: some(description),
  apikey: some(Type.String()),
  /** Accepted and without effect: what is kept is a hash, and a key is shown once. */
  store_value: some(truth),
  support_sessions: some(truth),
  action_when_leaked: some(leaked),
  expires_at: some(Type.String({ maxLength: 64 })),
}

export const apiKeyRequest = Type.Object({
  ...newApiKey,
  iam_id: Type.String({ minLength: 1 }),
  account_id: some(accountId),
})

export const apiKeyChange = Type.Object({
  name: some(name),
  description: some(description),
  support_sessions: some(truth),
  action_when_leaked: some(leaked),
  expires_at: some(Type.String({ maxLength: 64 })),
})

const history = Type.Array(
  Type.Object({
    timestamp: Type.String(),
    iam_id: Type.String(),
    iam_id_account: Type.String(),
    action: Type.String(),
    params: Type.Array(Type.String()),
    message: Type.String(),
  }),
)

export const apiKeyReply = Type.Object({
  id: Type.String(),
  entity_tag: Type.String(),
  crn: Type.String(),
  locked: truth,
  disabled: truth,
  created_at: Type.String(),
  created_by: Type.String(),
  modified_at: Type.String(),
  name: Type.String(),
  description: some(Type.String()),
  support_sessions: truth,
  action_when_leaked: leaked,
  expires_at: some(Type.String()),
  iam_id: Type.String(),
  account_id: Type.String(),
  /** Empty but in the answer that made the key. */
  apikey: Type.String(),
  history: some(history),
})

const collection = { offset: Type.Integer(), limit: Type.Integer(), first: Type.String(), next: some(Type.String()) }

export const apiKeyList = Type.Object({ ...collection, apikeys: Type.Array(apiKeyReply) })

// Service ids -------------------------------------------------------------------------------------------------------------

export const serviceIdRequest = Type.Object({
  account_id: accountId,
  name,
  description: some(description),
  group_id: some(Type.String({ maxLength: identityNameLengthMax })),
  unique_instance_crns: some(crns),
  apikey: some(Type.Object(newApiKey)),
})

export const serviceIdChange = Type.Object({
  name: some(name),
  description: some(description),
  unique_instance_crns: some(crns),
})

export const serviceIdReply = Type.Object({
  id: Type.String(),
  iam_id: Type.String(),
  entity_tag: Type.String(),
  crn: Type.String(),
  locked: truth,
  created_at: Type.String(),
  modified_at: Type.String(),
  account_id: Type.String(),
  group_id: some(Type.String()),
  name: Type.String(),
  description: some(Type.String()),
  unique_instance_crns: some(Type.Array(Type.String())),
  apikey: some(apiKeyReply),
  history: some(history),
})

export const serviceIdList = Type.Object({ ...collection, serviceids: Type.Array(serviceIdReply) })

// Trusted profiles --------------------------------------------------------------------------------------------------------

export const profileRequest = Type.Object({
  account_id: accountId,
  name,
  description: some(description),
  email: some(Type.String({ maxLength: identityNameLengthMax })),
})

export const profileChange = Type.Object({
  name: some(name),
  description: some(description),
  email: some(Type.String({ maxLength: identityNameLengthMax })),
})

export const profileReply = Type.Object({
  id: Type.String(),
  entity_tag: Type.String(),
  crn: Type.String(),
  name: Type.String(),
  description: some(Type.String()),
  email: some(Type.String()),
  created_at: Type.String(),
  modified_at: Type.String(),
  iam_id: Type.String(),
  account_id: Type.String(),
  history: some(history),
})

export const profileList = Type.Object({ ...collection, profiles: Type.Array(profileReply) })

const identityType = Type.Union([Type.Literal('user'), Type.Literal('serviceid'), Type.Literal('crn')])

export const profileIdentity = Type.Object({
  identifier: Type.String({ minLength: 1, maxLength: 1024 }),
  type: identityType,
  accounts: some(Type.Array(accountId, { maxItems: 100 })),
  description: some(description),
})

export const profileIdentitySet = Type.Object({
  identities: Type.Array(profileIdentity, { maxItems: profileIdentitiesMax }),
})

export const profileIdentityReply = Type.Object({
  iam_id: Type.String(),
  identifier: Type.String(),
  type: identityType,
  accounts: some(Type.Array(Type.String())),
  description: some(Type.String()),
})

export const profileIdentityList = Type.Object({
  entity_tag: Type.String(),
  identities: Type.Array(profileIdentityReply),
})

export const claimRule = Type.Object({
  name: some(name),
  type: Type.Union([Type.Literal('Profile-SAML'), Type.Literal('Profile-CR')]),
  realm_name: some(Type.String({ maxLength: 1024 })),
  cr_type: some(Type.String({ maxLength: 64 })),
  expiration: some(Type.Integer({ minimum: 0 })),
  conditions: Type.Array(
    Type.Object({
      claim: Type.String({ maxLength: 255 }),
      operator: Type.String({ maxLength: 64 }),
      value: Type.String({ maxLength: 2000 }),
    }),
    { maxItems: 20 },
  ),
})

const kept = {
  id: Type.String(),
  entity_tag: Type.String(),
  created_at: Type.String(),
  modified_at: Type.String(),
}

export const claimRuleReply = Type.Object({ ...claimRule.properties, ...kept, expiration: Type.Integer() })
export const claimRuleList = Type.Object({ rules: Type.Array(claimRuleReply) })

export const profileLink = Type.Object({
  name: some(name),
  cr_type: Type.String({ minLength: 1, maxLength: 64 }),
  link: Type.Object({
    crn: Type.String({ minLength: 1, maxLength: 1024 }),
    namespace: some(Type.String({ maxLength: 255 })),
    name: some(Type.String({ maxLength: 255 })),
    component_name: some(Type.String({ maxLength: 255 })),
    component_type: some(Type.String({ maxLength: 255 })),
  }),
})

export const profileLinkReply = Type.Object({ ...profileLink.properties, ...kept })
export const profileLinkList = Type.Object({ links: Type.Array(profileLinkReply) })

/** The documented names of what was linked, as query parameters. */
export const profileLinkQuery = Type.Object({
  type: Type.String(),
  crn: some(Type.String()),
  namespace: some(Type.String()),
  name: some(Type.String()),
  component_name: some(Type.String()),
  component_type: some(Type.String()),
})

// Account settings --------------------------------------------------------------------------------------------------------

const restriction = Type.Union([Type.Literal('RESTRICTED'), Type.Literal('NOT_RESTRICTED'), Type.Literal('NOT_SET')])
const seconds = Type.String({ pattern: '^([0-9]{1,9}|NOT_SET)$' })
const mfa = Type.String({ maxLength: 32 })

const settings = {
  restrict_create_service_id: restriction,
  restrict_create_platform_apikey: restriction,
  restrict_user_list_visibility: restriction,
  restrict_user_domains: Type.Array(
    Type.Object({
      realm_id: Type.String({ maxLength: 64 }),
      invitation_email_allow_patterns: some(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100 })),
      restrict_invitation: some(truth),
    }),
    { maxItems: 100 },
  ),
  allowed_ip_addresses: Type.String({ maxLength: 10_000 }),
  mfa,
  user_mfa: Type.Array(Type.Object({ iam_id: Type.String({ maxLength: 255 }), mfa }), { maxItems: 1000 }),
  session_expiration_in_seconds: seconds,
  session_invalidation_in_seconds: seconds,
  max_sessions_per_identity: seconds,
  system_access_token_expiration_in_seconds: seconds,
  system_refresh_token_expiration_in_seconds: seconds,
}

export const settingsChange = Type.Partial(Type.Object(settings))
export const settingsReply = Type.Object({
  account_id: Type.String(),
  entity_tag: Type.String(),
  ...settings,
  history,
})
export const effectiveSettingsReply = Type.Object({
  account_id: Type.String(),
  effective: Type.Object(settings),
  account: settingsReply,
})

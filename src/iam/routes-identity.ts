// Operation to method, one line each; and the fields of bodies, by their names inside.

import type { Static } from 'typebox'
import type { Routes } from '#base/contract.ts'
import type { NewApiKey } from './api-key-making.ts'
import { clientIdOf } from './client-id.ts'
import type { identityContract } from './contract-identity.ts'
import type { tokenContract, tokenForm } from './contract-tokens.ts'
import type { Iam } from './iam.ts'
import { parsePage } from './identity-page.ts'
import type { Anyone, Context } from './port.ts'
import type * as shapes from './schemas-identity.ts'
import type { TokenRequest } from './token-grants.ts'
import * as view from './views-identity.ts'

type Headers = Readonly<Record<string, string | undefined>>

export function tokenRoutes({ tokens }: Iam): Routes<typeof tokenContract, Context, Anyone> {
  const issue = async (anyone: Anyone, body: Static<typeof tokenForm>, headers: Headers) =>
    view.tokenView(await tokens.issue(tokenRequest(anyone, body, headers)))
  const keys = async () => ({ keys: [...(await tokens.publicJwks())] })
  return {
    createToken: (anyone, { body, headers }) => issue(anyone, body, headers),
    createTokenOldPath: (anyone, { body, headers }) => issue(anyone, body, headers),
    listSigningKeys: keys,
    listSigningKeysOldPath: keys,
    getOpenidConfiguration: async (anyone) => view.openidView(anyone),
  }
}

const tokenRequest = (anyone: Anyone, body: Static<typeof tokenForm>, headers: Headers): TokenRequest => ({
  grantType: body.grant_type,
  apiKey: body.apikey,
  refreshToken: body.refresh_token,
  accessToken: body.access_token,
  profileId: body.profile_id,
  profileCrn: body.profile_crn,
  profileName: body.profile_name,
  account: body.account,
  desiredIamId: body.desired_iam_id,
  responseType: body.response_type,
  receiverClientIds: body.receiver_client_ids,
  delegatedSeconds:
    body.delegated_refresh_token_expiry === undefined ? undefined : Number(body.delegated_refresh_token_expiry),
  clientId: clientIdOf(headers['authorization']),
  remoteAddress: anyone.remoteAddress,
})

export function identityRoutes(iam: Iam): Routes<typeof identityContract, Context, Anyone> {
  return { ...apiKeyRoutes(iam), ...serviceIdRoutes(iam), ...profileRoutes(iam), ...settingsRoutes(iam) }
}

type IdentityRoutes = ReturnType<typeof identityRoutes>
type Of<Word extends string> = Pick<IdentityRoutes, Extract<keyof IdentityRoutes, `${string}${Word}${string}`>>

function apiKeyRoutes({ apiKeys }: Iam): Of<'ApiKey'> {
  return {
    listApiKeys: async (context, { query }) =>
      view.apiKeyListView(await apiKeys.list(context, apiKeyQuery(query)), query, context),
    createApiKey: async (context, { body, headers }) =>
      view.madeApiKeyWithTag(
        await apiKeys.create(context, {
          ...newApiKey(body, headers),
          iamId: body.iam_id,
          accountId: body.account_id,
        }),
      ),
    getApiKeyDetails: async (context, { headers, query }) =>
      view.apiKeyView(await apiKeys.details(context, headers['iam-apikey'], query.include_history === true)),
    getApiKey: async (context, { path, query }) =>
      view.apiKeyWithTag(await apiKeys.get(context, path.id, query.include_history === true)),
    updateApiKey: async (context, { path, headers, body }) =>
      view.apiKeyWithTag(await apiKeys.update(context, path.id, headers['if-match'], apiKeyChange(body))),
    deleteApiKey: (context, { path }) => apiKeys.delete(context, path.id),
    lockApiKey: (context, { path }) => apiKeys.setLocked(context, path.id, true),
    unlockApiKey: (context, { path }) => apiKeys.setLocked(context, path.id, false),
    disableApiKey: (context, { path }) => apiKeys.setDisabled(context, path.id, true),
    enableApiKey: (context, { path }) => apiKeys.setDisabled(context, path.id, false),
  }
}

function serviceIdRoutes({ serviceIds }: Iam): Of<'ServiceId'> {
  return {
    listServiceIds: async (context, { query }) =>
      view.serviceIdListView(
        await serviceIds.list(context, query.account_id ?? context.caller.accountId, query.name, parsePage(query)),
        query,
        context,
      ),
    createServiceId: async (context, { body, headers }) =>
      view.madeServiceIdWithTag(await serviceIds.create(context, newServiceId(body, headers))),
    getServiceId: async (context, { path, query }) =>
      view.serviceIdWithTag(await serviceIds.get(context, path.id, query.include_history === true)),
    updateServiceId: async (context, { path, headers, body }) =>
      view.serviceIdWithTag(
        await serviceIds.update(context, path.id, headers['if-match'], {
          name: body.name,
          description: body.description,
          uniqueInstanceCrns: body.unique_instance_crns,
        }),
      ),
    deleteServiceId: (context, { path }) => serviceIds.delete(context, path.id),
    lockServiceId: (context, { path }) => serviceIds.setLocked(context, path.id, true),
    unlockServiceId: (context, { path }) => serviceIds.setLocked(context, path.id, false),
  }
}

function profileRoutes(
  iam: Iam,
): Omit<IdentityRoutes, keyof Of<'ApiKey'> | keyof Of<'ServiceId'> | keyof Of<'Settings'>> {
  const { profiles, profileIdentities, claimRules, links } = iam
  return {
    listProfiles: async (context, { query }) =>
      view.profileListView(
        await profiles.list(context, query.account_id, query.name, parsePage(query)),
        query,
        context,
      ),
    createProfile: async (context, { body }) =>
      view.profileWithTag({
        row: await profiles.create(context, { ...body, accountId: body.account_id }),
        history: null,
      }),
    getProfile: async (context, { path, query }) =>
      view.profileWithTag(await profiles.get(context, path.id, query.include_history === true)),
    updateProfile: async (context, { path, headers, body }) =>
      view.profileWithTag(await profiles.update(context, path.id, headers['if-match'], body)),
    deleteProfile: (context, { path }) => profiles.delete(context, path.id),
    listProfileIdentities: async (context, { path }) =>
      view.profileIdentitiesWithTag(await profileIdentities.list(context, path.id)),
    setProfileIdentities: async (context, { path, headers, body }) =>
      view.profileIdentitiesWithTag(
        await profileIdentities.replace(context, path.id, headers['if-match'], body.identities),
      ),
    setProfileIdentity: async (context, { path, body }) =>
      view.profileIdentityView(await profileIdentities.put(context, path.id, path.type, body)),
    getProfileIdentity: async (context, { path }) =>
      view.profileIdentityView(await profileIdentities.get(context, path.id, path.type, path.identifier)),
    deleteProfileIdentity: (context, { path }) =>
      profileIdentities.delete(context, path.id, path.type, path.identifier),
    listClaimRules: async (context, { path }) => ({
      rules: (await claimRules.list(context, path.id)).map(view.claimRuleView),
    }),
    createClaimRule: async (context, { path, body }) =>
      view.claimRuleWithTag(await claimRules.create(context, path.id, body)),
    getClaimRule: async (context, { path }) =>
      view.claimRuleWithTag(await claimRules.get(context, path.id, path.rule_id)),
    updateClaimRule: async (context, { path, headers, body }) =>
      view.claimRuleWithTag(await claimRules.update(context, path.id, path.rule_id, headers['if-match'], body)),
    deleteClaimRule: (context, { path }) => claimRules.delete(context, path.id, path.rule_id),
    listLinks: async (context, { path }) => ({ links: (await links.list(context, path.id)).map(view.linkView) }),
    createLink: async (context, { path, body }) => view.linkWithTag(await links.create(context, path.id, body)),
    deleteLinkByParameters: (context, { path, query }) => links.deleteWhere(context, path.id, isLinkTo(query)),
    getLink: async (context, { path }) => view.linkWithTag(await links.get(context, path.id, path.link_id)),
    deleteLink: (context, { path }) => links.delete(context, path.id, path.link_id),
  }
}

function settingsRoutes({ accountSettings }: Iam): Of<'Settings'> {
  return {
    getAccountSettings: async (context, { path, query }) =>
      view.settingsWithTag(await accountSettings.get(context, path.account_id, query.include_history === true)),
    updateAccountSettings: async (context, { path, headers, body }) =>
      view.settingsWithTag(await accountSettings.update(context, path.account_id, headers['if-match'], body)),
    getEffectiveAccountSettings: async (context, { path }) =>
      view.effectiveSettingsView(await accountSettings.get(context, path.account_id, false)),
  }
}

const newApiKey = (
  body: NonNullable<Static<typeof shapes.serviceIdRequest>['apikey']>,
  headers: Headers,
): NewApiKey => ({
  ...apiKeyChange(body),
  name: body.name,
  apiKey: body.apikey,
  locked: headers['entity-lock'] === 'true',
  disabled: headers['entity-disable'] === 'true',
})

const apiKeyChange = (body: Static<typeof shapes.apiKeyChange>) => ({
  name: body.name,
  description: body.description,
  supportSessions: body.support_sessions,
  actionWhenLeaked: body.action_when_leaked,
  expiresAt: body.expires_at,
})

const apiKeyQuery = (query: Static<typeof shapes.apiKeyQuery>) => ({
  accountId: query.account_id,
  iamId: query.iam_id,
  scope: query.scope ?? 'entity',
  kind: query.type === 'serviceid' ? ('serviceId' as const) : query.type,
  withHistory: query.include_history === true,
  page: parsePage(query),
})

const newServiceId = (body: Static<typeof shapes.serviceIdRequest>, headers: Headers) => ({
  accountId: body.account_id,
  name: body.name,
  description: body.description,
  groupId: body.group_id,
  uniqueInstanceCrns: body.unique_instance_crns,
  // The header locks what is made here; a key has its own.
  apiKey: body.apikey && newApiKey(body.apikey, {}),
  locked: headers['entity-lock'] === 'true',
})

/** The type and CRN it must have, and whatever else is named. */
function isLinkTo(query: Static<typeof shapes.profileLinkQuery>) {
  const { type, ...wanted } = query
  return ({ cr_type, link }: Static<typeof shapes.profileLink>): boolean =>
    cr_type === type && Object.entries(wanted).every(([name, value]) => Reflect.get(link, name) === value)
}

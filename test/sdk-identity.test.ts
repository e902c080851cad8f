// IBM's platform SDK for Node, unchanged, in the flows of its own integration test for IAM identity: API keys, service
// ids, trusted profiles, account settings. The steps are IBM's, the words are ours.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import IamIdentity from '@ibm-cloud/platform-services/iam-identity/v1.js'
import { BearerTokenAuthenticator, IamAssumeAuthenticator, IamAuthenticator } from 'ibm-cloud-sdk-core'
import type { Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'

const newDescription = 'This is an updated description'
const notFound = { status: 404 }

async function start(t: TestContext) {
  const { a, b, bootstrap } = await startServer(t, tempFolder(t))
  const url = bootstrap.endpoints.iam
  const apikey = a.account.apiKey
  const service = new IamIdentity({ authenticator: new IamAuthenticator({ apikey, url }), serviceUrl: url })
  const [, payload = ''] = (await a.token()).split('.')
  const iamId: string = JSON.parse(Buffer.from(payload, 'base64url').toString()).iam_id
  return { a, b, url, service, apikey, accountId: a.account.id, iamId }
}

/** As a client finds the next page: by a token in a link. */
const pageTokenOf = (link: string | undefined): string | null =>
  link === undefined ? null : new URL(link).searchParams.get('pagetoken')

const etagOf = (answer: { headers: unknown }): Json => (answer.headers as Json).etag

test('API keys', async (t) => {
  const { service, apikey, accountId, iamId } = await start(t)
  const name = 'Node-SDK-IT-ApiKey'

  const first = await service.createApiKey({
    name,
    iamId,
    description: 'NodeSDK test apikey #1',
    expiresAt: '2049-01-02T18:30:00+0000',
  })
  assert.equal(first.status, 201)
  const second = await service.createApiKey({ name, iamId, description: 'NodeSDK test apikey #2' })
  assert.equal(second.status, 201)
  const [id1, id2] = [first.result.id, second.result.id]

  const read = await service.getApiKey({ id: id1, includeHistory: true, includeActivity: true })
  assert.equal(read.status, 200)
  const { result } = read
  assert.deepEqual(
    [result.id, result.name, result.iam_id, result.account_id, result.created_by, result.locked, result.disabled],
    [id1, name, iamId, accountId, iamId, false, false],
  )
  assert.equal(result.support_sessions, false)
  assert.ok(result.created_at && result.crn && result.action_when_leaked && result.entity_tag)
  assert.equal(etagOf(read), result.entity_tag)

  const details = await service.getApiKeysDetails({ iamApiKey: apikey, includeHistory: true })
  assert.deepEqual(
    [
      details.status,
      details.result.iam_id,
      details.result.account_id,
      details.result.created_by,
      details.result.locked,
    ],
    [200, iamId, accountId, iamId, false],
  )

  for (const pagesize of [100, 1]) {
    const found: string[] = []
    let pagetoken: string | null = null
    do {
      const page: Json = await service.listApiKeys({
        accountId,
        iamId,
        pagesize,
        includeHistory: true,
        ...(pagetoken !== null && { pagetoken }),
      })
      assert.deepEqual([page.status, page.result.limit], [200, pagesize])
      found.push(...page.result.apikeys.filter((key: Json) => key.name === name).map((key: Json) => key.id))
      pagetoken = pageTokenOf(page.result.next)
    } while (pagetoken !== null)
    assert.deepEqual(found.toSorted(), [id1, id2].toSorted())
  }

  const updated = await service.updateApiKey({
    id: id1,
    ifMatch: result.entity_tag ?? '',
    description: newDescription,
    expiresAt: '2026-01-02T18:30:00+0000',
  })
  assert.deepEqual([updated.status, updated.result.description], [200, newDescription])

  assert.equal((await service.lockApiKey({ id: id2 })).status, 204)
  assert.equal((await service.getApiKey({ id: id2 })).result.locked, true)
  assert.equal((await service.unlockApiKey({ id: id2 })).status, 204)
  assert.equal((await service.getApiKey({ id: id2 })).result.locked, false)
  assert.equal((await service.disableApiKey({ id: id2 })).status, 204)
  assert.equal((await service.getApiKey({ id: id2 })).result.disabled, true)
  assert.equal((await service.enableApiKey({ id: id2 })).status, 204)
  assert.equal((await service.getApiKey({ id: id2 })).result.disabled, false)

  for (const id of [id1, id2]) {
    assert.equal((await service.deleteApiKey({ id })).status, 204)
    await assert.rejects(service.getApiKey({ id }), notFound)
  }
})

test('service ids', async (t) => {
  const { service, url, accountId } = await start(t)
  const name = 'Node-SDK-IT-ServiceId'

  const created = await service.createServiceId({
    accountId,
    name,
    description: 'NodeSDK ServiceId desc',
    apikey: { name: 'APIKey Name', store_value: true, expires_at: '2049-01-02T18:30:00+0000' },
  })
  assert.equal(created.status, 201)
  const { id } = created.result

  const read = await service.getServiceId({ id, includeHistory: true, includeActivity: true })
  assert.deepEqual(
    [read.status, read.result.id, read.result.name, read.result.description],
    [200, id, name, 'NodeSDK ServiceId desc'],
  )
  const listed = await service.listServiceIds({ accountId, name, pagesize: 100 })
  assert.deepEqual([listed.status, listed.result.serviceids.length, listed.result.offset], [200, 1, 0])
  assert.equal(listed.result.next, undefined)
  const updated = await service.updateServiceId({ id, ifMatch: read.result.entity_tag, description: newDescription })
  assert.deepEqual([updated.status, updated.result.description], [200, newDescription])

  assert.equal((await service.lockServiceId({ id })).status, 204)
  assert.equal((await service.getServiceId({ id })).result.locked, true)
  assert.equal((await service.unlockServiceId({ id })).status, 204)
  assert.equal((await service.getServiceId({ id })).result.locked, false)

  // The key that came with it logs in, and is out when the service id is gone.
  const authenticator = new IamAuthenticator({ apikey: created.result.apikey?.apikey ?? '', url })
  const robot = new IamIdentity({ authenticator, serviceUrl: url })
  assert.equal((await robot.listApiKeys({})).status, 200)
  assert.equal((await service.deleteServiceId({ id })).status, 204)
  await assert.rejects(service.getServiceId({ id }), notFound)
  await assert.rejects(robot.listApiKeys({}), { status: 401 })
})

test('trusted profiles, their rules, links and identities', async (t) => {
  const { service, accountId, iamId } = await start(t)
  const [name1, name2] = ['Node-SDK-IT-Profile1', 'Node-SDK-IT-Profile2']

  const first = await service.createProfile({ name: name1, description: 'NodeSDK test profile #1', accountId })
  const second = await service.createProfile({ name: name2, description: 'NodeSDK test profile #2', accountId })
  assert.deepEqual([first.status, second.status], [201, 201])
  const [profileId1, profileId] = [first.result.id, second.result.id]

  const read = await service.getProfile({ profileId: profileId1, includeActivity: true })
  assert.deepEqual(
    [read.status, read.result.id, read.result.name, read.result.iam_id, read.result.account_id],
    [200, profileId1, name1, first.result.iam_id, accountId],
  )
  assert.ok(read.result.crn)

  const found: string[] = []
  let pagetoken: string | null = null
  do {
    const more = pagetoken !== null && { pagetoken }
    const page: Json = await service.listProfiles({ accountId, pagesize: 1, includeHistory: false, ...more })
    assert.deepEqual([page.status, page.result.limit], [200, 1])
    found.push(...page.result.profiles.map((profile: Json) => profile.name))
    pagetoken = pageTokenOf(page.result.next)
  } while (pagetoken !== null)
  assert.deepEqual(found.toSorted(), [name1, name2])

  const ifMatch = read.result.entity_tag
  const updated = await service.updateProfile({ profileId: profileId1, ifMatch, description: newDescription })
  assert.deepEqual([updated.status, updated.result.description], [200, newDescription])
  assert.equal((await service.deleteProfile({ profileId: profileId1 })).status, 204)
  await assert.rejects(service.getProfile({ profileId: profileId1 }), notFound)

  const ruleOf = (group: string) => ({
    type: 'Profile-SAML',
    realmName: 'https://sdk.test.realm/1234',
    expiration: 43_200,
    conditions: [{ claim: 'blueGroups', operator: 'EQUALS', value: JSON.stringify(group) }],
  })
  const rule1 = await service.createClaimRule({ profileId, ...ruleOf("{'cloud-docs-dev'}") })
  const rule2 = await service.createClaimRule({ profileId, ...ruleOf("{'Europe_Group'}") })
  assert.deepEqual([rule1.status, rule2.status], [201, 201])
  const ruleId = rule1.result.id
  const rule = await service.getClaimRule({ profileId, ruleId })
  assert.deepEqual(
    [rule.status, rule.result.id, rule.result.type, rule.result.realm_name, rule.result.conditions],
    [200, ruleId, 'Profile-SAML', 'https://sdk.test.realm/1234', ruleOf("{'cloud-docs-dev'}").conditions],
  )
  assert.equal((await service.listClaimRules({ profileId })).result.rules.length, 2)
  const changedRule = { ...ruleOf("{'Europe_Group'}"), expiration: 33_200, ifMatch: rule.result.entity_tag }
  assert.equal((await service.updateClaimRule({ profileId, ruleId, ...changedRule })).status, 200)
  assert.equal((await service.deleteClaimRule({ profileId, ruleId })).status, 204)
  await assert.rejects(service.getClaimRule({ profileId, ruleId }), notFound)
  assert.equal((await service.deleteClaimRule({ profileId, ruleId: rule2.result.id })).status, 204)

  const crn = `crn:v1:staging:public:iam-identity::a/${accountId}::computeresource:Fake-Compute-Resource`
  const link = { crn, namespace: 'default', name: 'nice name' }
  const linked = await service.createLink({ profileId, name: 'nice link', crType: 'ROKS_SA', link })
  assert.equal(linked.status, 201)
  const linkId = linked.result.id
  const readLink = await service.getLink({ profileId, linkId })
  assert.deepEqual(
    [readLink.result.id, readLink.result.name, readLink.result.cr_type],
    [linkId, 'nice link', 'ROKS_SA'],
  )
  assert.deepEqual(
    (await service.listLinks({ profileId })).result.links.map((one) => one.id),
    [linkId],
  )
  assert.equal((await service.deleteLink({ profileId, linkId })).status, 204)
  await assert.rejects(service.getLink({ profileId, linkId }), notFound)
  const component = { component_name: 'test_component_name', component_type: 'test_component_type' }
  const other = await service.createLink({ profileId, name: 'Great link', crType: 'CE', link: { crn, ...component } })
  assert.equal(other.status, 201)
  const parameters = { componentName: component.component_name, componentType: component.component_type }
  assert.equal((await service.deleteLinkByParameters({ profileId, type: 'CE', crn, ...parameters })).status, 204)
  await assert.rejects(service.getLink({ profileId, linkId: other.result.id }), notFound)

  const before = await service.getProfileIdentities({ profileId })
  assert.deepEqual([before.status, before.result.identities], [200, []])
  const me = { identifier: iamId, type: 'user', accounts: [accountId], description: 'identity description' }
  const tag = before.result.entity_tag ?? ''
  const set = await service.setProfileIdentities({ profileId, identities: [me], ifMatch: tag })
  assert.deepEqual([set.status, set.result.identities?.map((one) => one.identifier)], [200, [iamId]])
  const one = { profileId, identityType: 'user', identifierId: iamId }
  assert.equal((await service.getProfileIdentity(one)).result.identifier, iamId)
  assert.equal((await service.deleteProfileIdentity(one)).status, 204)
  const put = await service.setProfileIdentity({ profileId, identityType: 'user', ...me })
  assert.deepEqual([put.status, put.result.identifier], [200, iamId])
  assert.equal((await service.deleteProfileIdentity(one)).status, 204)
})

test('what is not there, and what is wrong', async (t) => {
  const { service, accountId } = await start(t)
  const profileId = 'invalid'
  const rule = { type: 'Profile-SAML', expiration: 43_200, conditions: [] }
  const crn = `crn:v1:staging:public:iam-identity::a/${accountId}::computeresource:Fake-Compute-Resource`
  await assert.rejects(service.createProfile({ name: 'p', accountId: 'invalid' }), { status: 400 })
  const missing = [
    service.getProfile({ profileId }),
    service.updateProfile({ profileId, ifMatch: 'invalid', description: 'invalid' }),
    service.deleteProfile({ profileId }),
    service.createClaimRule({ profileId, ...rule }),
    service.getClaimRule({ profileId, ruleId: 'invalid' }),
    service.updateClaimRule({ profileId, ruleId: 'invalid', ifMatch: 'invalid', ...rule }),
    service.deleteClaimRule({ profileId, ruleId: 'invalid' }),
    service.createLink({ profileId, name: 'nice link', crType: 'ROKS_SA', link: { crn, namespace: 'default' } }),
    service.getLink({ profileId, linkId: 'invalid' }),
    service.deleteLink({ profileId, linkId: 'invalid' }),
  ]
  for (const answer of await Promise.allSettled(missing)) {
    assert.equal(answer.status === 'rejected' ? answer.reason.status : answer.value.status, 404)
  }
})

test('account settings', async (t) => {
  const { service, accountId, iamId } = await start(t)
  const { status, result } = await service.getAccountSettings({ accountId, includeHistory: false })
  assert.deepEqual([status, result.account_id], [200, accountId])
  for (const name of [
    'restrict_create_service_id',
    'restrict_create_platform_apikey',
    'entity_tag',
    'mfa',
    'user_mfa',
    'history',
    'session_expiration_in_seconds',
    'session_invalidation_in_seconds',
    'system_access_token_expiration_in_seconds',
    'system_refresh_token_expiration_in_seconds',
  ] as const) {
    assert.notEqual(result[name], undefined, name)
  }

  const restrictUserDomains = [
    { realm_id: 'IBMid', invitation_email_allow_patterns: ['*.*@ibm.com'], restrict_invitation: false },
  ]
  const wanted = {
    restrictCreateServiceId: 'NOT_RESTRICTED',
    restrictCreatePlatformApikey: 'NOT_RESTRICTED',
    restrictUserListVisibility: 'NOT_RESTRICTED',
    restrictUserDomains,
    mfa: 'NONE',
    userMfa: [{ iam_id: iamId, mfa: 'NONE' }],
    sessionExpirationInSeconds: '86400',
    sessionInvalidationInSeconds: '7200',
    maxSessionsPerIdentity: '10',
    systemAccessTokenExpirationInSeconds: '3600',
    systemRefreshTokenExpirationInSeconds: '259200',
  }
  const updated = await service.updateAccountSettings({ ifMatch: result.entity_tag, accountId, ...wanted })
  assert.equal(updated.status, 200)
  assert.equal(updated.result.entity_tag, etagOf(updated))
  assert.deepEqual(
    [
      updated.result.account_id,
      updated.result.restrict_create_service_id,
      updated.result.restrict_create_platform_apikey,
      updated.result.restrict_user_list_visibility,
      updated.result.restrict_user_domains,
      updated.result.mfa,
      updated.result.session_expiration_in_seconds,
      updated.result.session_invalidation_in_seconds,
    ],
    [accountId, 'NOT_RESTRICTED', 'NOT_RESTRICTED', 'NOT_RESTRICTED', restrictUserDomains, 'NONE', '86400', '7200'],
  )
  const effective = await service.getEffectiveAccountSettings({ accountId, includeHistory: false })
  assert.equal(effective.status, 200)
  assert.ok(effective.result.effective && effective.result.account)
})

test('the SDK assumes a trusted profile of another account, and is out when it is taken out', async (t) => {
  const { service, b, url, accountId } = await start(t)
  const profile = await service.createProfile({ name: 'for B', accountId })
  const authenticator = new IamAuthenticator({ apikey: b.account.apiKey, url })
  const theirs = new IamIdentity({ authenticator, serviceUrl: url })
  const robot = await theirs.createServiceId({ accountId: b.account.id, name: 'robot', apikey: { name: 'k' } })
  const profileId = profile.result.id
  const identity = { identifier: robot.result.iam_id, type: 'serviceid' }
  await service.setProfileIdentity({ profileId, identityType: 'serviceid', ...identity })

  const apikey = robot.result.apikey?.apikey ?? ''
  const assuming = new IamIdentity({
    authenticator: new IamAssumeAuthenticator({ apikey, url, iamProfileId: profileId }),
    serviceUrl: url,
  })
  const listed = await assuming.listServiceIds({ accountId })
  // It may see nothing yet: no policy names it. But it is somebody of account A now.
  assert.deepEqual([listed.status, listed.result.serviceids], [200, []])
  await service.deleteProfileIdentity({ profileId, identityType: 'serviceid', identifierId: robot.result.iam_id })
  await assert.rejects(assuming.listServiceIds({ accountId }), { status: 401 })
})

test('a client with a name refreshes its token', async (t) => {
  const { url, apikey } = await start(t)
  const ask = async (form: Record<string, string>): Promise<Json> => {
    const headers = { authorization: `Basic ${Buffer.from('bx:bx').toString('base64')}` }
    const body = new URLSearchParams({ response_type: 'cloud_iam', ...form })
    const answer = await fetch(`${url}/identity/token`, { method: 'POST', headers, body })
    assert.equal(answer.status, 200)
    return await answer.json()
  }
  const first = await ask({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey })
  const second = await ask({ grant_type: 'refresh_token', refresh_token: first.refresh_token })
  const authenticator = new BearerTokenAuthenticator({ bearerToken: second.access_token })
  const client = new IamIdentity({ authenticator, serviceUrl: url })
  assert.equal((await client.listApiKeys({})).status, 200)
})

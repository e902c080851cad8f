// Service ids, trusted profiles, account settings and the operator, over HTTP with every reply checked.

import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { roles } from './roles.ts'
import { basic, makeServiceId, operatorToken, serveIdentities, tokenFor } from './testing/identity-world.ts'
import type { Asked } from './testing/identity-world.ts'
import { accountA, accountB, apiKeyOf, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

async function as(world: World, accountId: string) {
  const server = serveIdentities(world)
  const { accessToken: token } = await tokenFor(world, apiKeyOf(accountId))
  return { server, token, ask: (url: string, asked: Asked = {}) => server.ask(url, { token, ...asked }) }
}

const star = { 'if-match': '*' }
const robotCrn = (accountId: string) => `crn:v1:bluemix:public:kms:us-south:a/${accountId}:x::`

test('a service id is made with a key, read, listed, changed, locked and deleted with its keys', async () => {
  await using world = await makeWorld()
  const { ask } = await as(world, accountA)
  const unique_instance_crns = [robotCrn(accountA)]
  const body = { account_id: accountA, name: 'robot', description: 'd', group_id: 'g', unique_instance_crns }
  const made = await ask('/v1/serviceids/', {
    method: 'POST',
    body: { ...body, apikey: { name: 'first', store_value: true } },
  })
  equal(made.status, 201)
  const { apikey, ...robot } = made.body
  deepEqual(
    [robot.iam_id, robot.crn, robot.locked, robot.group_id, robot.unique_instance_crns, made.headers['etag']],
    [
      `iam-${robot.id}`,
      `crn:v1:bluemix:public:iam-identity::a/${accountA}::serviceid:${robot.id}`,
      false,
      'g',
      unique_instance_crns,
      robot.entity_tag,
    ],
  )
  equal(apikey.iam_id, robot.iam_id)
  const { accessToken } = await tokenFor(world, apikey.apikey)
  const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())
  deepEqual([claims.sub_type, claims.unique_instance_crns], ['ServiceId', unique_instance_crns])

  const url = `/v1/serviceids/${robot.id}`
  deepEqual((await ask(url)).body, robot)
  for (const list of ['/v1/serviceids', '/v1/serviceids/']) {
    const listed = (await ask(`${list}?account_id=${accountA}&name=robot`)).body
    deepEqual(listed.serviceids, [robot])
    deepEqual([listed.offset, listed.limit, 'next' in listed], [0, 20, false])
  }
  const headers = { 'if-match': robot.entity_tag }
  equal((await ask(url, { method: 'PUT', headers, body: { description: 'new' } })).body.description, 'new')
  equal((await ask(url, { method: 'PUT', headers, body: { description: 'newer' } })).status, 409)
  equal((await ask(`${url}/lock`, { method: 'POST' })).status, 204)
  equal((await ask(url)).body.locked, true)
  equal((await ask(url, { method: 'PUT', headers: star, body: {} })).status, 409)
  equal((await ask(url, { method: 'DELETE' })).status, 409)
  equal((await ask('/v1/apikeys', { method: 'POST', body: { name: 'k', iam_id: robot.iam_id } })).status, 409)
  equal((await ask(`${url}/lock`, { method: 'DELETE' })).status, 204)
  equal((await ask(url, { method: 'DELETE' })).status, 204)
  equal((await ask(url)).status, 404)
  equal((await ask(`/v1/apikeys/${apikey.id}`)).status, 404)
})

test('a user of the account makes service ids until the account restricts it; nobody else ever', async () => {
  await using world = await makeWorld()
  const { apiKey } = await world.iam.users.create({ accountId: accountA, name: 'Ada' })
  const server = serveIdentities(world)
  const make = async (key: string) => {
    const { accessToken: token } = await tokenFor(world, key)
    return await server.ask('/v1/serviceids/', { token, method: 'POST', body: { account_id: accountA, name: 'r' } })
  }
  const robot = await makeServiceId(world, accountA)
  equal((await make(apiKey.apiKey)).status, 201)
  equal((await make(robot.apiKey)).status, 403)
  equal((await make(apiKeyOf(accountB))).status, 403)
  const restrict = { restrict_create_service_id: 'RESTRICTED' } as const
  await world.iam.accountSettings.update(await world.owner(accountA), accountA, '*', restrict)
  const refused = await make(apiKey.apiKey)
  deepEqual([refused.status, refused.body.explanation.action], [403, 'iam-identity.serviceid.create'])
  equal((await make(apiKeyOf(accountA))).status, 201)
})

test('a profile is made, named once, read, changed and deleted', async () => {
  await using world = await makeWorld()
  const { ask } = await as(world, accountA)
  const body = { account_id: accountA, name: 'p', description: 'd', email: 'p@example.com' }
  const made = await ask('/v1/profiles', { method: 'POST', body })
  equal(made.status, 201)
  equal((await ask('/v1/profiles', { method: 'POST', body })).status, 409)
  equal((await ask('/v1/profiles', { method: 'POST', body: { ...body, account_id: 'invalid' } })).status, 400)
  const url = `/v1/profiles/${made.body.id}`
  deepEqual((await ask(url)).body, made.body)
  const listed = (await ask(`/v1/profiles?account_id=${accountA}&pagesize=100`)).body
  deepEqual([listed.profiles, listed.limit], [[made.body], 100])
  const changed = await ask(url, { method: 'PUT', headers: { 'if-match': made.body.entity_tag }, body: { name: 'q' } })
  deepEqual([changed.body.name, changed.headers['etag']], ['q', changed.body.entity_tag])
  equal((await ask(`${url}?include_history=true`)).body.history.length, 2)
  equal((await ask(url, { method: 'DELETE' })).status, 204)
  equal((await ask(url)).status, 404)
})

test('whom a profile lets in is set, read and taken out, with the revision of the profile', async () => {
  await using world = await makeWorld()
  const { ask } = await as(world, accountA)
  const { body: profile } = await ask('/v1/profiles', { method: 'POST', body: { account_id: accountA, name: 'p' } })
  const url = `/v1/profiles/${profile.id}/identities`
  const iamId = (await world.owner(accountA)).caller.iamId
  const user = { identifier: iamId, type: 'user', accounts: [accountA], description: 'me' }
  const empty = await ask(url)
  deepEqual(empty.body, { entity_tag: profile.entity_tag, identities: [] })
  const headers = { 'if-match': empty.body.entity_tag }
  const set = await ask(url, { method: 'PUT', headers, body: { identities: [user] } })
  deepEqual(set.body.identities, [{ ...user, iam_id: iamId }])
  notEqual(set.body.entity_tag, empty.body.entity_tag)
  equal((await ask(url, { method: 'PUT', headers, body: { identities: [] } })).status, 409)
  deepEqual((await ask(`${url}/user/${iamId}`)).body, { ...user, iam_id: iamId })
  equal((await ask(`${url}/serviceid/${iamId}`)).status, 404)
  const crn = { identifier: robotCrn(accountB), type: 'crn' }
  const added = await ask(`${url}/crn`, { method: 'POST', body: crn })
  deepEqual([added.status, added.body.iam_id], [200, `crn-${crn.identifier}`])
  equal((await ask(`${url}/user`, { method: 'POST', body: crn })).status, 400)
  equal((await ask(`${url}/crn`, { method: 'POST', body: { ...crn, identifier: 'nonsense' } })).status, 400)
  equal((await ask(`${url}/crn/${encodeURIComponent(crn.identifier)}`, { method: 'DELETE' })).status, 204)
  equal((await ask(`${url}/user/${iamId}`, { method: 'DELETE' })).status, 204)
  equal((await ask(`${url}/user/${iamId}`, { method: 'DELETE' })).status, 404)
})

test('claim rules and links are kept as they were sent', async () => {
  await using world = await makeWorld()
  const { ask } = await as(world, accountA)
  const { body: profile } = await ask('/v1/profiles', { method: 'POST', body: { account_id: accountA, name: 'p' } })
  const url = `/v1/profiles/${profile.id}`
  const conditions = [{ claim: 'groups', operator: 'EQUALS', value: '"x"' }]
  const rule = { type: 'Profile-SAML', realm_name: 'https://realm', expiration: 43200, conditions }
  const made = await ask(`${url}/rules`, { method: 'POST', body: rule })
  equal(made.status, 201)
  const { id, entity_tag } = made.body
  match(id, /^ClaimRule-/)
  deepEqual((await ask(`${url}/rules`)).body.rules, [{ ...rule, ...made.body }])
  const headers = { 'if-match': entity_tag }
  const changed = await ask(`${url}/rules/${id}`, { method: 'PUT', headers, body: { ...rule, expiration: 1 } })
  deepEqual([changed.status, changed.body.expiration], [200, 1])
  equal((await ask(`${url}/rules/${id}`, { method: 'PUT', headers, body: rule })).status, 409)
  equal((await ask(`${url}/rules/${id}`, { method: 'DELETE' })).status, 204)
  equal((await ask(`${url}/rules/${id}`)).status, 404)

  const link = { name: 'l', cr_type: 'ROKS_SA', link: { crn: robotCrn(accountA), namespace: 'default', name: 'n' } }
  const linked = await ask(`${url}/links`, { method: 'POST', body: link })
  deepEqual([linked.status, linked.body.link], [201, link.link])
  equal((await ask(`${url}/links/${linked.body.id}`)).body.cr_type, 'ROKS_SA')
  const query = new URLSearchParams({ type: 'ROKS_SA', crn: link.link.crn, namespace: 'other' })
  equal((await ask(`${url}/links?${query}`, { method: 'DELETE' })).status, 404)
  query.set('namespace', 'default')
  equal((await ask(`${url}/links?${query}`, { method: 'DELETE' })).status, 204)
  deepEqual((await ask(`${url}/links`)).body.links, [])
})

test('account settings are read, changed under If-Match, and shown with what holds', async () => {
  await using world = await makeWorld()
  const { ask } = await as(world, accountA)
  const url = `/v1/accounts/${accountA}/settings/identity`
  const before = await ask(url)
  deepEqual(
    [before.status, before.body.restrict_create_service_id, before.headers['etag']],
    [200, 'NOT_SET', before.body.entity_tag],
  )
  const headers = { 'if-match': before.body.entity_tag }
  const body = { mfa: 'NONE', session_expiration_in_seconds: '3600', restrict_user_domains: [{ realm_id: 'IBMid' }] }
  const changed = await ask(url, { method: 'PUT', headers, body })
  deepEqual(
    [changed.body.session_expiration_in_seconds, changed.body.restrict_user_domains],
    ['3600', body.restrict_user_domains],
  )
  equal((await ask(url, { method: 'PUT', headers, body })).status, 409)
  equal((await ask(url, { method: 'PUT', body })).status, 400)
  const wrong = [
    { system_access_token_expiration_in_seconds: '899' },
    { system_access_token_expiration_in_seconds: '3601' },
    { system_refresh_token_expiration_in_seconds: '259201' },
    { system_refresh_token_expiration_in_seconds: 'soon' },
    { restrict_create_service_id: 'MAYBE' },
    { allowed_ip_addresses: 'nonsense' },
  ]
  for (const settings of wrong) {
    equal((await ask(url, { method: 'PUT', headers: star, body: settings })).status, 400, JSON.stringify(settings))
  }
  const effective = (await ask(`/v1/accounts/${accountA}/effective_settings/identity`)).body
  equal(effective.effective.system_access_token_expiration_in_seconds, '3600')
  equal(effective.account.system_access_token_expiration_in_seconds, 'NOT_SET')
  equal((await ask(`${url}?include_history=true`)).body.history.length, 1)
})

test('an account’s allowed addresses hold for logins and for every request, and nobody locks themselves out', async () => {
  await using world = await makeWorld()
  const { server, token, ask } = await as(world, accountA)
  const url = `/v1/accounts/${accountA}/settings/identity`
  const allow = (allowed_ip_addresses: string, from: string) =>
    ask(url, { method: 'PUT', headers: star, body: { allowed_ip_addresses }, from })
  equal((await allow('192.0.2.0/24', '198.51.100.1')).status, 400)
  equal((await allow('192.0.2.0/24', '192.0.2.9')).status, 200)
  equal((await ask(url, { from: '198.51.100.1' })).status, 403)
  equal((await ask(url, { from: '192.0.2.1' })).status, 200)
  const form = { grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: apiKeyOf(accountA) }
  equal((await server.ask('/identity/token', { form, from: '198.51.100.1' })).status, 403)
  equal((await server.ask('/identity/token', { form, from: '192.0.2.1' })).status, 200)
  const other = { ...form, apikey: apiKeyOf(accountB) }
  equal((await server.ask('/identity/token', { form: other, from: '198.51.100.1' })).status, 200)
  equal((await allow('', '192.0.2.9')).status, 200)
  equal((await server.ask(url, { token, from: '198.51.100.1' })).status, 200)
})

test('another account’s service ids, profiles and settings read like unknown ones', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountA)
  const context = await world.owner(accountA)
  const profile = await world.iam.profiles.create(context, { accountId: accountA, name: 'p' })
  const { ask } = await as(world, accountB)
  const compared: [string, string, string][] = [
    ['/v1/serviceids/ID', robot.id, 'ServiceId-00000000-0000-4000-8000-000000000000'],
    ['/v1/profiles/ID', profile.iam_id.slice(4), 'Profile-00000000-0000-4000-8000-000000000000'],
    ['/v1/profiles/ID/identities', profile.iam_id.slice(4), 'Profile-00000000-0000-4000-8000-000000000000'],
    ['/v1/profiles/ID/rules', profile.iam_id.slice(4), 'Profile-00000000-0000-4000-8000-000000000000'],
    ['/v1/accounts/ID/settings/identity', accountA, 'c'.repeat(32)],
  ]
  for (const [url, theirs, nobodys] of compared) {
    const answers = []
    for (const id of [theirs, nobodys]) {
      const { status, body } = await ask(url.replace('ID', id))
      answers.push([status, body.errorCode, body.errorMessage.replaceAll(id, 'ID')])
    }
    deepEqual(answers[0], answers[1], url)
    equal(answers[0]?.[0], 404)
  }
  deepEqual((await ask(`/v1/serviceids/?account_id=${accountA}`)).body.serviceids, [])
  deepEqual((await ask(`/v1/profiles?account_id=${accountA}`)).body.profiles, [])
  equal((await ask('/v1/profiles', { method: 'POST', body: { account_id: accountA, name: 'x' } })).status, 403)
})

test('roles hold the identity actions, each level those of the one below', () => {
  const actionsOf = (name: string) =>
    (roles.find((role) => role.displayName === name)?.actions ?? []).filter((action) =>
      action.startsWith('iam-identity.'),
    )
  const levels = ['Viewer', 'Operator', 'Editor', 'Administrator'].map(actionsOf)
  const added = levels.map((actions, level) => actions.filter((action) => !levels[level - 1]?.includes(action)))
  deepEqual(
    added.map((actions) => [...new Set(actions.map((action) => action.split('.').slice(1).join('.')))].toSorted()),
    [
      ['account.get', 'apikey.get', 'apikey.list', 'profile.get', 'profile.list', 'serviceid.get', 'serviceid.list'],
      ['create', 'delete', 'disable', 'enable', 'lock', 'unlock', 'update'].map((verb) => `apikey.${verb}`),
      [
        ...['create', 'delete', 'update'].map((verb) => `profile.${verb}`),
        ...['create', 'delete', 'lock', 'unlock', 'update'].map((verb) => `serviceid.${verb}`),
      ],
      ['account.update'],
    ],
  )
})

// The operator ------------------------------------------------------------------------------------------------------------

test('the operator makes accounts, whose owners can begin at once, and ends them', async () => {
  await using world = await makeWorld()
  const groups: string[] = []
  const { ask } = serveIdentities(world, groups)
  const token = operatorToken
  const url = '/keyward/v1/operator/accounts'
  const made = await ask(url, {
    token,
    method: 'POST',
    body: { name: 'C', owner_name: 'Ada Lovelace', owner_email: 'ada@example.com' },
  })
  equal(made.status, 201)
  const { apikey, resource_group_id, ...account } = made.body
  ok(resource_group_id)
  deepEqual(groups, [account.id])
  deepEqual((await ask(`${url}/${account.id}`, { token })).body, account)
  equal((await ask(url, { token })).body.accounts.length, 3)
  const { accessToken } = await tokenFor(world, apikey)
  const { caller } = { caller: await world.iam.port.authenticate(accessToken) }
  deepEqual([caller.name, caller.accountId], ['ada@example.com', account.id])
  const target = { accountId: account.id, serviceName: 'kms' }
  equal((await world.iam.port.decide(caller, 'kms.secrets.create', target)).permitted, true)
  equal((await ask(`${url}/${account.id}/disable`, { token, method: 'POST' })).status, 204)
  equal((await ask('/v1/apikeys', { token: accessToken })).status, 401)
  equal((await ask(`${url}/${account.id}/disable`, { token, method: 'DELETE' })).status, 204)
  equal((await ask('/v1/apikeys', { token: accessToken })).status, 200)
  equal((await ask(`${url}/${'d'.repeat(32)}`, { token })).status, 404)
})

test('the operator makes and removes users; the owner stays', async () => {
  await using world = await makeWorld()
  const { ask } = serveIdentities(world)
  const token = operatorToken
  const url = `/keyward/v1/operator/accounts/${accountA}/users`
  const made = await ask(url, { token, method: 'POST', body: { name: 'Ada Lovelace', email: 'ada@example.com' } })
  equal(made.status, 201)
  const { accessToken } = await tokenFor(world, made.body.apikey)
  equal((await ask('/v1/apikeys', { token: accessToken })).body.apikeys.length, 1)
  const { users } = (await ask(url, { token })).body
  equal(users.length, 2)
  equal((await ask(`${url}/${made.body.iam_id}`, { token, method: 'DELETE' })).status, 204)
  equal((await ask('/v1/apikeys', { token: accessToken })).status, 401)
  equal((await ask(`${url}/${users[0].iam_id}`, { token, method: 'DELETE' })).status, 409)
  equal(
    (await ask(`/keyward/v1/operator/accounts/${accountB}/users/${users[0].iam_id}`, { token, method: 'DELETE' }))
      .status,
    404,
  )
})

test('the operator replaces the signing key', async () => {
  await using world = await makeWorld()
  const { ask } = serveIdentities(world)
  const url = '/keyward/v1/operator/signing_keys'
  const rotated = await ask(`${url}/rotate`, { token: operatorToken, method: 'POST' })
  deepEqual([rotated.status, rotated.body.state], [201, 'published'])
  equal((await ask(url, { token: operatorToken })).body.signing_keys.length, 2)
  ok((await ask('/identity/keys')).body.keys.some((key: { kid: string }) => key.kid === rotated.body.kid))
})

test('tenants are nobody to the operator’s operations, and the operator is nobody elsewhere', async () => {
  await using world = await makeWorld()
  const { server, token } = await as(world, accountA)
  const operations: [string, Asked][] = [
    ['/keyward/v1/operator/accounts', {}],
    ['/keyward/v1/operator/accounts', { method: 'POST', body: { name: 'mine' } }],
    [`/keyward/v1/operator/accounts/${accountB}/disable`, { method: 'POST' }],
    ['/keyward/v1/operator/signing_keys/rotate', { method: 'POST' }],
  ]
  for (const [url, asked] of operations) {
    equal((await server.ask(url, { ...asked, token })).status, 401)
    equal((await server.ask(url, asked)).status, 401)
    equal((await server.ask(url, { ...asked, headers: { authorization: basic(`x:${operatorToken}`) } })).status, 401)
  }
  for (const url of [
    '/v1/apikeys',
    `/v1/serviceids/?account_id=${accountA}`,
    `/v1/accounts/${accountA}/settings/identity`,
  ]) {
    equal((await server.ask(url, { token: operatorToken })).status, 401)
  }
})

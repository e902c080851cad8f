import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  apiKeysPerIdentityMax,
  historyLinesMax,
  loginFailuresPerKeyMax,
  loginFailuresPerSourceMax,
} from '#base/limits.ts'
import { makeServiceId, serveIdentities, tokenFor } from './testing/identity-world.ts'
import type { Asked, Asker } from './testing/identity-world.ts'
import { accountA, accountB, apiKeyOf, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

async function as(world: World, accountId: string, server = serveIdentities(world)) {
  const { accessToken: token } = await tokenFor(world, apiKeyOf(accountId))
  const { caller } = await world.owner(accountId)
  const ask = (url: string, asked: Asked = {}): ReturnType<Asker['ask']> => server.ask(url, { token, ...asked })
  return { ask, iamId: caller.iamId }
}

test('a key is made, shown once, read, changed, locked, disabled and deleted', async () => {
  await using world = await makeWorld()
  const { ask, iamId } = await as(world, accountA)
  const expires_at = '2049-01-02T18:30:00+0000'
  const body = {
    name: 'k',
    iam_id: iamId,
    description: 'd',
    action_when_leaked: 'disable',
    expires_at,
    store_value: true,
  }
  const made = await ask('/v1/apikeys', { method: 'POST', body })
  equal(made.status, 201)
  const { apikey, ...key } = made.body
  equal(apikey.length, 44)
  const time = new Date(world.clock.now()).toISOString()
  match(key.entity_tag, /^1-[0-9a-f]{32}$/)
  deepEqual(key, {
    id: key.id,
    entity_tag: key.entity_tag,
    crn: `crn:v1:bluemix:public:iam-identity::a/${accountA}::apikey:${key.id}`,
    locked: false,
    disabled: false,
    created_at: time,
    created_by: iamId,
    modified_at: time,
    name: 'k',
    description: 'd',
    support_sessions: false,
    action_when_leaked: 'disable',
    expires_at,
    iam_id: iamId,
    account_id: accountA,
  })
  const url = `/v1/apikeys/${key.id}`
  const read = await ask(url)
  deepEqual([read.body, read.headers['etag']], [{ ...key, apikey: '' }, key.entity_tag])
  equal((await world.iam.port.authenticate((await tokenFor(world, apikey)).accessToken)).iamId, iamId)

  const headers = { 'if-match': key.entity_tag }
  const changed = await ask(url, { method: 'PUT', headers, body: { description: 'new', expires_at: '' } })
  deepEqual([changed.status, changed.body.description, changed.body.expires_at], [200, 'new', undefined])
  match(changed.body.entity_tag, /^2-/)
  equal((await ask(url, { method: 'PUT', headers, body: { name: 'x' } })).status, 409)
  equal((await ask(url, { method: 'PUT', body: { name: 'x' } })).status, 400)
  equal((await ask(url, { method: 'PUT', headers: { 'if-match': '*' }, body: { name: 'y' } })).body.name, 'y')

  equal((await ask(`${url}/lock`, { method: 'POST' })).status, 204)
  equal((await ask(`${url}/lock`, { method: 'POST' })).status, 204)
  equal((await ask(url)).body.locked, true)
  equal((await ask(url, { method: 'PUT', headers: { 'if-match': '*' }, body: { name: 'z' } })).status, 409)
  equal((await ask(url, { method: 'DELETE' })).status, 409)
  equal((await ask(`${url}/lock`, { method: 'DELETE' })).status, 204)
  equal((await ask(`${url}/disable`, { method: 'POST' })).status, 204)
  equal((await ask(url)).body.disabled, true)
  equal((await ask(`${url}/disable`, { method: 'DELETE' })).status, 204)

  const { history } = (await ask(`${url}?include_history=true`)).body
  deepEqual(
    history.map((line: { action: string }) => line.action),
    ['create', 'update', 'update', 'lock', 'unlock', 'disable', 'enable'],
  )
  deepEqual(history[1].params, ['description', 'expires_at'])
  equal((await ask(url, { method: 'DELETE' })).status, 204)
  equal((await ask(url)).status, 404)
  equal((await ask(url, { method: 'DELETE' })).status, 404)
  const events = await world.database.reads.selectFrom('event_outbox').select(['type', 'body']).orderBy('seq').execute()
  deepEqual(
    events.filter(({ body }) => body.includes(key.id)).map(({ type }) => type.slice('iam.api-key.'.length)),
    ['created', 'updated', 'updated', 'locked', 'unlocked', 'disabled', 'enabled', 'deleted'],
  )
  ok(events.every(({ body }) => !body.includes(apikey)))
})

test('the headers Entity-Lock and Entity-Disable make a key that is locked or disabled', async () => {
  await using world = await makeWorld()
  const { ask, iamId } = await as(world, accountA)
  const headers = { 'entity-lock': 'true', 'entity-disable': 'true' }
  const { body } = await ask('/v1/apikeys', { method: 'POST', headers, body: { name: 'k', iam_id: iamId } })
  deepEqual([body.locked, body.disabled], [true, true])
})

test('a key that the caller brings along has 32 characters, and is nobody else’s', async () => {
  await using world = await makeWorld()
  const { ask, iamId } = await as(world, accountA)
  const make = (apikey: string) => ask('/v1/apikeys', { method: 'POST', body: { name: 'k', iam_id: iamId, apikey } })
  const own = 'a-key-of-my-own-making-with-32-characters'
  equal((await make(own)).body.apikey, own)
  deepEqual([(await make(own)).status, (await make('short')).status, (await make(`${own} `)).status], [409, 400, 400])
  const row = await world.database.reads.selectFrom('iam_api_key').selectAll().execute()
  ok(!JSON.stringify(row).includes(own))
})

test('details tell whoever has a key what it is, and count who guesses', async () => {
  await using world = await makeWorld()
  const { ask } = await as(world, accountA)
  const asked = (key: string) => ask('/v1/apikeys/details?include_history=true', { headers: { 'iam-apikey': key } })
  const own = await asked(apiKeyOf(accountA))
  deepEqual([own.status, own.body.account_id, own.body.apikey, own.body.history.length], [200, accountA, '', 1])
  const unknown = 'nobody-has-a-key-that-looks-like-this'
  for (let n = 0; n < 10; n++) equal((await asked(unknown)).status, 404)
  equal((await asked(unknown)).status, 429)
  equal((await ask('/v1/apikeys/details')).status, 400)
})

test('pages follow each other by their links, and the last has none', async () => {
  await using world = await makeWorld()
  const { ask, iamId } = await as(world, accountA)
  for (let n = 0; n < 6; n++) {
    world.clock.advance(n % 2)
    await ask('/v1/apikeys', { method: 'POST', body: { name: `k${n % 3}`, iam_id: iamId } })
  }
  for (const sort of ['', '&sort=name&order=desc', '&sort=created_at&order=desc', '&sort=modified_at']) {
    const seen: string[] = []
    let url: string | undefined = `/v1/apikeys?account_id=${accountA}&iam_id=${iamId}&pagesize=3${sort}`
    let offset = 0
    while (url) {
      const { status, body } = await ask(url)
      deepEqual([status, body.limit, body.offset], [200, 3, offset])
      ok(!('previous' in body))
      seen.push(...body.apikeys.map((key: { id: string }) => key.id))
      offset += body.apikeys.length
      url = body.next?.replace('http://iam.test', '')
    }
    equal(new Set(seen).size, 7, sort)
    equal(seen.length, 7, sort)
  }
  equal((await ask('/v1/apikeys?pagetoken=nonsense')).status, 400)
  equal((await ask('/v1/apikeys?pagesize=101')).status, 400)
  equal((await ask('/v1/apikeys?sort=hash')).status, 400)
})

test('scope and type choose among the keys of an account', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountA)
  const { ask, iamId } = await as(world, accountA)
  const owners = async (query: string) =>
    (await ask(`/v1/apikeys?${query}`)).body.apikeys.map((key: { iam_id: string }) => key.iam_id)
  deepEqual(await owners(''), [iamId])
  deepEqual(await owners(`iam_id=${robot.iamId}`), [robot.iamId])
  deepEqual((await owners('scope=account')).toSorted(), [iamId, robot.iamId].toSorted())
  deepEqual(await owners('scope=account&type=serviceid'), [robot.iamId])
  deepEqual(await owners('scope=account&type=user'), [iamId])
  deepEqual(await owners(`scope=account&account_id=${accountB}`), [])
})

test('an identity has as many keys as the quota says', async () => {
  await using world = await makeWorld()
  const { ask, iamId } = await as(world, accountA)
  const make = () => ask('/v1/apikeys', { method: 'POST', body: { name: 'k', iam_id: iamId } })
  for (let n = 1; n < apiKeysPerIdentityMax; n++) equal((await make()).status, 201)
  equal((await make()).status, 422)
})

test('whoever tries which keys are in use is told to wait, and is told nothing beyond the quota', async () => {
  await using world = await makeWorld()
  const { ask, iamId } = await as(world, accountA)
  const taken = apiKeyOf(accountB)
  const make = async (apikey?: string) =>
    (await ask('/v1/apikeys', { method: 'POST', body: { name: 'k', iam_id: iamId, apikey } })).status
  const makeRobot = async () => {
    const body = { account_id: accountA, name: 'r', apikey: { name: 'k', apikey: taken } }
    return (await ask('/v1/serviceids', { method: 'POST', body })).status
  }
  for (let n = 0; n < loginFailuresPerKeyMax / 2; n++) deepEqual([await make(taken), await makeRobot()], [409, 409])
  deepEqual([await make(taken), await makeRobot()], [429, 429])
  for (let n = 1; n < apiKeysPerIdentityMax; n++) equal(await make(), 201)
  equal(await make(taken), 422)
})

test('whoever tries many keys that are in use is told to wait by where they come from', async () => {
  await using world = await makeWorld()
  const { ask, iamId } = await as(world, accountA)
  const make = async (apikey: string) =>
    (await ask('/v1/apikeys', { method: 'POST', body: { name: 'k', iam_id: iamId, apikey } })).status
  for (let n = 0; n < loginFailuresPerSourceMax; n++) equal([409, 429].includes(await make(apiKeyOf(accountB))), true)
  equal(await make('a-key-of-my-own-making-with-32-characters'), 429)
})

test('a user manages the own keys without a policy, until the account restricts making them', async () => {
  await using world = await makeWorld()
  const server = serveIdentities(world)
  const { row, apiKey } = await world.iam.users.create({ accountId: accountA, name: 'Ada' })
  const { accessToken: token } = await tokenFor(world, apiKey.apiKey)
  const make = () => server.ask('/v1/apikeys', { token, method: 'POST', body: { name: 'k', iam_id: row.iam_id } })
  const made = await make()
  equal(made.status, 201)
  const url = `/v1/apikeys/${made.body.id}`
  equal((await server.ask(url, { token })).status, 200)
  equal((await server.ask('/v1/apikeys', { token })).body.apikeys.length, 2)
  equal((await server.ask('/v1/apikeys?scope=account', { token })).body.apikeys.length, 0)
  const restrict = { restrict_create_platform_apikey: 'RESTRICTED' } as const
  await world.iam.accountSettings.update(await world.owner(accountA), accountA, '*', restrict)
  const refused = await make()
  deepEqual([refused.status, refused.body.explanation.action], [403, 'iam-identity.apikey.create'])
  equal((await server.ask(url, { token, method: 'DELETE' })).status, 204)
})

test('keys of another user are made by nobody else, not even the administrator', async () => {
  await using world = await makeWorld()
  const { ask } = await as(world, accountA)
  const { row } = await world.iam.users.create({ accountId: accountA, name: 'Ada' })
  const body = { name: 'k', iam_id: row.iam_id }
  equal((await ask('/v1/apikeys', { method: 'POST', body })).status, 403)
})

test('another account’s keys and identities read like unknown ones', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountA)
  const { ask } = await as(world, accountB)
  const sentence = async (url: string, id: string, asked: Asked = {}) => {
    const answer = await ask(url.replace('ID', id), JSON.parse(JSON.stringify(asked).replace('ID', id)))
    return [answer.status, answer.body.errorCode, answer.body.errorMessage.replaceAll(id, 'ID')]
  }
  const star = { 'if-match': '*' }
  const requests: [string, Asked][] = [
    ['/v1/apikeys/ID', {}],
    ['/v1/apikeys/ID', { method: 'PUT', headers: star, body: { name: 'x' } }],
    ['/v1/apikeys/ID', { method: 'DELETE' }],
    ['/v1/apikeys/ID/lock', { method: 'POST' }],
    ['/v1/apikeys/ID/disable', { method: 'DELETE' }],
  ]
  for (const [url, asked] of requests) {
    const unknown = await sentence(url, 'ApiKey-00000000-0000-4000-8000-000000000000', asked)
    deepEqual(await sentence(url, robot.keyId, asked), unknown)
    equal(unknown[0], 404)
  }
  const make: Asked = { method: 'POST', body: { name: 'k', iam_id: 'ID' } }
  const unknown = await sentence('/v1/apikeys', 'iam-ServiceId-00000000-0000-4000-8000-000000000000', make)
  deepEqual(await sentence('/v1/apikeys', robot.iamId, make), unknown)
  equal(unknown[0], 404)
})

test('histories keep the newest lines and no more', async () => {
  await using world = await makeWorld()
  const robot = await makeServiceId(world, accountA)
  for (let n = 0; n < historyLinesMax; n++) {
    await world.iam.apiKeys.setDisabled(robot.context, robot.keyId, n % 2 === 0)
  }
  const { history } = await world.iam.apiKeys.get(robot.context, robot.keyId, true)
  equal(history?.length, historyLinesMax)
  equal(history?.[0]?.action, 'disable')
})

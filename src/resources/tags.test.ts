import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountA, accountB, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

const volume = `crn:v1:bluemix:public:is:us-south-1:a/${accountA}::volume:r006-1`

const change = (
  world: World,
  verb: 'attach' | 'detach',
  crns: readonly string[],
  names: readonly string[],
  query = '',
) =>
  world.call('POST', `/v3/tags/${verb}?${query}`, {
    body: { resources: crns.map((resource_id) => ({ resource_id, resource_type: '' })), tag_names: names },
  })

const names = async (world: World, query = ''): Promise<string[]> =>
  (await world.call('GET', `/v3/tags?${query}`)).body.items.map((item: { name: string }) => item.name)

const on = (world: World, crn: string, type = 'user') =>
  names(world, `attached_to=${encodeURIComponent(crn)}&tag_type=${type}&providers=ghost`)

test('user tags are attached, replaced, updated and detached', async () => {
  await using world = await makeWorld()
  const { crn } = await world.instance()
  const attached = await change(world, 'attach', [crn], ['Env:Prod', 'team-a', 'team-a'])
  assert.deepEqual(attached.body, { results: [{ resource_id: crn, is_error: false }] })
  assert.deepEqual(await on(world, crn), ['env:prod', 'team-a'])
  await change(world, 'attach', [crn], ['env:test'], 'update=true')
  assert.deepEqual(await on(world, crn), ['env:test', 'team-a'])
  await change(world, 'attach', [crn], ['only', 'env:test'], 'replace=true&tag_type=user')
  assert.deepEqual(await on(world, crn), ['env:test', 'only'])
  await change(world, 'detach', [crn], ['only', 'never'])
  assert.deepEqual(await on(world, crn), ['env:test'])
  assert.equal((await change(world, 'attach', [crn], ['a'], 'replace=true&update=true')).status, 400)
})

test('tags of a creation are on the instance, and go with it', async () => {
  await using world = await makeWorld()
  const { crn, guid } = await world.instance({ tags: ['one', 'Two'] })
  assert.deepEqual(await on(world, crn), ['one', 'two'])
  await world.call('DELETE', `/v2/resource_instances/${guid}`)
  assert.deepEqual(await on(world, crn), [])
  assert.deepEqual(await names(world), ['one', 'two'])
})

test('a tag is deleted when no resource carries it', async () => {
  await using world = await makeWorld()
  const { crn } = await world.instance({ tags: ['used', 'free'] })
  await change(world, 'detach', [crn], ['free'])
  const used = await world.call('DELETE', '/v3/tags/used')
  assert.deepEqual([used.status, used.body.results[0].is_error], [200, true])
  const free = await world.call('DELETE', '/v3/tags/Free?tag_type=user')
  assert.deepEqual(free.body, { results: [{ provider: 'ghost', is_error: false }] })
  assert.equal((await world.call('DELETE', '/v3/tags/free')).body.results[0].is_error, true)
  await change(world, 'detach', [crn], ['used'])
  const all = await world.call('DELETE', '/v3/tags')
  assert.deepEqual(all.body, { total_count: 1, errors: false, items: [{ tag_name: 'used', is_error: false }] })
})

test('access tags are made first', async () => {
  await using world = await makeWorld()
  const { crn } = await world.instance()
  const early = await change(world, 'attach', [crn], ['env:prod'], 'tag_type=access')
  assert.deepEqual([early.status, early.body.results[0].is_error], [200, true])
  const make = (tagNames: string[], type = 'access') =>
    world.call('POST', `/v3/tags?tag_type=${type}`, { body: { tag_names: tagNames } })
  assert.deepEqual((await make(['env:prod'])).body.results, [{ tag_name: 'env:prod', is_error: false }])
  assert.deepEqual((await make(['env:prod'])).body.results, [{ tag_name: 'env:prod', is_error: true }])
  assert.equal((await make(['label'])).status, 400)
  assert.equal((await make(['label'], 'user')).status, 400)
  assert.equal((await change(world, 'attach', [crn], ['env:prod'], 'tag_type=access')).body.results[0].is_error, false)
  assert.deepEqual([await on(world, crn, 'access'), await on(world, crn)], [['env:prod'], []])
})

test('service tags name their account', async () => {
  await using world = await makeWorld()
  assert.equal((await change(world, 'attach', [volume], ['a:b'], 'tag_type=service')).status, 400)
  const query = `tag_type=service&account_id=${accountA}`
  assert.equal((await change(world, 'attach', [volume], ['a:b'], query)).body.results[0].is_error, false)
  assert.deepEqual(await names(world, query), ['a:b'])
  assert.equal((await world.call('GET', `/v3/tags?account_id=${accountB}`)).status, 404)
})

test("resources that are not there and another account's have one sentence", async () => {
  await using world = await makeWorld()
  const { crn } = await world.instance()
  const theirs = crn.replace(accountA, accountB)
  const missing = crn.replace(/[0-9a-f-]{36}/, '00000000-0000-4000-8000-000000000000')
  const { body } = await change(world, 'attach', [theirs, missing, 'nonsense', crn, volume], ['x'])
  const message = 'resource does not exist in this account'
  assert.deepEqual(body.results, [
    { resource_id: theirs, is_error: true, message },
    { resource_id: missing, is_error: true, message },
    { resource_id: 'nonsense', is_error: true, message },
    { resource_id: crn, is_error: false },
    { resource_id: volume, is_error: false },
  ])
})

test('tags are listed in pages, in order, attached or not, and each account has its own', async () => {
  await using world = await makeWorld()
  const { crn } = await world.instance()
  await change(world, 'attach', [crn], ['a', 'b', 'c', 'd'])
  await change(world, 'detach', [crn], ['d'])
  assert.deepEqual(await names(world, 'offset=1&limit=2'), ['b', 'c'])
  assert.deepEqual(await names(world, 'order_by_name=desc'), ['d', 'c', 'b', 'a'])
  assert.deepEqual(await names(world, 'attached_only=true'), ['a', 'b', 'c'])
  const { body } = await world.call('GET', '/v3/tags?offset=9&limit=500')
  assert.deepEqual(body, { total_count: 4, offset: 9, limit: 500, items: [] })
  assert.deepEqual((await world.call('GET', '/v3/tags', { as: accountB })).body.items, [])
})

test('tagging asks for the action of the type, on the resource', async () => {
  await using world = await makeWorld()
  const { crn, guid } = await world.instance()
  await world.call('POST', '/v3/tags?tag_type=access', { body: { tag_names: ['k:v'] } })
  for (const verb of ['attach', 'detach'] as const) {
    for (const type of ['user', 'access']) {
      world.denies = (_, action, target) =>
        action === `global-search-tagging.tag.${verb}-${type}-tag` && target.serviceInstance === guid
      const [result] = (await change(world, verb, [crn], ['k:v'], `tag_type=${type}`)).body.results
      assert.match(result.message, /not permitted/)
    }
  }
  world.denies = (_, action) => action.startsWith('global-search-tagging.tag.')
  assert.equal((await world.call('DELETE', '/v3/tags/k:v?tag_type=access')).status, 403)
  assert.equal((await world.call('DELETE', '/v3/tags')).status, 403)
  const tagged = { name: 'n', target: 'us-south', resource_group: '1'.repeat(32), tags: ['x'] }
  const body = { ...tagged, resource_plan_id: 'eedd3585-90c6-4c8f-be3d-062069e99fc3' }
  assert.equal((await world.call('POST', '/v2/resource_instances', { body })).status, 403)
})

test('a request without tags or resources is refused by the field that is missing', async () => {
  await using world = await makeWorld()
  const post = async (body: unknown) => (await world.call('POST', '/v3/tags/attach', { body })).status
  assert.equal(await post({ resources: [{ resource_id: volume }] }), 400)
  assert.equal(await post({ tag_names: ['a'] }), 400)
  assert.equal(await post({ tag_names: ['a/b'], resources: [{ resource_id: volume }] }), 400)
  assert.equal(await post({ tag_names: ['a'.repeat(129)], resources: [{ resource_id: volume }] }), 400)
  assert.equal(await post({ tag_name: 'a', resources: [{ resource_id: volume }] }), 200)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SearchableResource } from './port.ts'
import { accountA, accountB, cosStandard, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

const search = (world: World, body: Record<string, unknown>, query = '', as = accountA) =>
  world.call('POST', `/v3/resources/search?${query}`, { body, as })

const crns = async (world: World, query: string, parameters = 'limit=100'): Promise<string[]> =>
  (await search(world, { query }, parameters)).body.items.map((item: { crn: string }) => item.crn)

const volumeCrn = (id: string): string => `crn:v1:bluemix:public:is:us-south-1:a/${accountA}::volume:${id}`

const volume = (id: string): SearchableResource => ({
  crn: volumeCrn(id),
  name: `volume-${id}`,
  family: 'is',
  type: 'volume',
  serviceName: 'is',
  region: 'us-south',
  resourceGroupId: null,
  createdAt: 0,
  isReclaimed: false,
  ownTags: ['own'],
  target: { accountId: accountA, serviceName: 'is', resourceType: 'volume', resource: id },
  doc: { capacity: 10 },
})

test("Terraform's question after each step: the tags of one CRN", async () => {
  await using world = await makeWorld()
  const { crn } = await world.instance({ tags: ['b', 'a'] })
  const { body } = await search(world, { query: `crn:"${crn}"`, fields: ['access_tags', 'tags', 'service_tags'] })
  assert.deepEqual(body.items, [{ crn, tags: ['a', 'b'], access_tags: [], service_tags: [] }])
  assert.equal(body.limit, 10)
  const none = await search(world, { query: `crn:"${volumeCrn('none')}"` })
  assert.deepEqual(none.body.items[0].tags, [])
})

test('instances and groups are found by their fields', async () => {
  await using world = await makeWorld()
  const keys = await world.instance({ name: 'GST-sdk-1', tags: ['env:prod'] })
  const objects = await world.instance({ name: 'objects', resource_plan_id: cosStandard, target: 'global' })
  assert.deepEqual(await crns(world, 'GST-sdk-*'), [keys.crn])
  assert.deepEqual(await crns(world, 'service_name:kms AND family:resource_controller'), [keys.crn])
  assert.deepEqual(await crns(world, 'type:resource-instance AND NOT service_name:kms'), [objects.crn])
  assert.deepEqual(await crns(world, 'tags:"env:prod"'), [keys.crn])
  assert.deepEqual(await crns(world, `doc.guid:${objects.guid}`), [objects.crn])
  assert.equal((await crns(world, 'type:resource-group AND name:Default')).length, 1)
  assert.equal((await crns(world, '*')).length, 3)
  const { body } = await search(world, { query: `name:objects` })
  assert.deepEqual(Object.keys(body.items[0]).sort(), [
    'access_tags',
    'account_id',
    'crn',
    'family',
    'name',
    'service_tags',
    'tags',
    'type',
  ])
  const whole = (await search(world, { query: 'name:objects', fields: ['*'] })).body.items[0]
  assert.equal(whole.doc.resource_plan_id, cosStandard)
  assert.equal((await world.call('POST', '/v3/resources/search')).body.items.length, 3)
})

test('pages hold every resource once, and the cursor keeps the search', async () => {
  await using world = await makeWorld()
  for (let i = 0; i < 5; i++) await world.instance({ name: `n-${i}` })
  const seen: string[] = []
  let cursor: string | undefined
  for (;;) {
    const body = cursor === undefined ? { query: 'name:n-*', fields: ['name'] } : { search_cursor: cursor }
    const page: { items: { name: string }[]; search_cursor?: string } = (
      await search(world, body, 'limit=2&sort=name:desc')
    ).body
    if (page.items.length === 0) break
    seen.push(...page.items.map((item) => item.name))
    cursor = page.search_cursor
    assert.ok(cursor)
  }
  assert.deepEqual(seen, ['n-4', 'n-3', 'n-2', 'n-1', 'n-0'])
  assert.equal((await search(world, { search_cursor: 'x' })).status, 400)
})

test('what other services have is found and tagged with the rest', async () => {
  await using world = await makeWorld()
  world.searchables.push({
    covers: ({ serviceName }) => serviceName === 'is',
    resources: async (accountId, crn) =>
      accountId === accountA ? ['r006-1', 'r006-2'].map(volume).filter((one) => crn === null || one.crn === crn) : [],
  })
  const attach = (crn: string) =>
    world.call('POST', '/v3/tags/attach', { body: { resources: [{ resource_id: crn }], tag_names: ['more'] } })
  assert.equal((await attach(volumeCrn('r006-1'))).body.results[0].is_error, false)
  assert.equal((await attach(volumeCrn('r006-9'))).body.results[0].is_error, true)
  const { items } = (await search(world, { query: 'family:is AND tags:more' })).body
  assert.deepEqual(
    items.map((item: { tags: string[] }) => item.tags),
    [['own', 'more']],
  )
  assert.deepEqual(await crns(world, `crn:"${volumeCrn('r006-9')}"`), [])
  assert.equal((await crns(world, 'family:is')).length, 2)
})

test('what no service lists is found by its tag', async () => {
  await using world = await makeWorld()
  const crn = volumeCrn('r006-1')
  await world.call('POST', '/v3/tags/attach', { body: { resources: [{ resource_id: crn }], tag_names: ['t'] } })
  assert.deepEqual(await crns(world, 'tags:t'), [crn])
})

test('a query attaches and detaches too', async () => {
  await using world = await makeWorld()
  const { crn } = await world.instance()
  const body = { query: { query_string: `crn:"${crn}"` }, tag_names: ['by-query'] }
  assert.deepEqual((await world.call('POST', '/v3/tags/attach', { body })).body.results, [
    { resource_id: crn, is_error: false },
  ])
  assert.deepEqual(await crns(world, 'tags:by-query'), [crn])
  await world.call('POST', '/v3/tags/detach', { body })
  assert.deepEqual(await crns(world, 'tags:by-query'), [])
})

test('reclaimed resources are shown when they are asked for', async () => {
  await using world = await makeWorld()
  const { crn, guid } = await world.instance({ resource_plan_id: cosStandard, target: 'global' })
  await world.call('DELETE', `/v2/resource_instances/${guid}`)
  const query = `crn:"${crn}"`
  assert.deepEqual(await crns(world, query), [])
  assert.deepEqual(await crns(world, query, 'is_reclaimed=true'), [crn])
  assert.deepEqual(await crns(world, query, 'is_reclaimed=any'), [crn])
})

test('nobody finds what he may not see, or what is another account’s', async () => {
  await using world = await makeWorld()
  const { crn, guid } = await world.instance({ tags: ['t'] })
  const asked = { query: `crn:"${crn}"` }
  assert.deepEqual((await search(world, asked, '', accountB)).body.items, [])
  assert.deepEqual((await search(world, { query: 'tags:t' }, `account_id=${accountA}`, accountB)).body.items, [])
  world.denies = (_, action, target) =>
    action === 'global-search-tagging.resource.read' && target.serviceInstance === guid
  assert.deepEqual((await search(world, asked)).body.items, [])
  assert.equal((await search(world, { query: 'a:[1 TO 2]' })).status, 400)
  assert.equal((await search(world, { query: 'x'.repeat(5000) })).status, 400)
})

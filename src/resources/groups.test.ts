import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SearchableResource } from './port.ts'
import { accountA, accountB, groupA, groupB, makeWorld, newInstance } from './testing/world.ts'

const groups = '/v2/resource_groups'

test('a group is made, shown, renamed, suspended and deleted', async () => {
  await using world = await makeWorld()
  const made = await world.call('POST', groups, { body: { name: 'team', account_id: accountA, other: 1 } })
  assert.equal(made.status, 201)
  const { id, crn } = made.body
  assert.equal(crn, `crn:v1:bluemix:public:resource-controller::a/${accountA}::resource-group:${id}`)
  assert.deepEqual(Object.keys(made.body), ['id', 'crn'])

  const path = `${groups}/${id}`
  assert.equal((await world.call('GET', path)).body.state, 'ACTIVE')
  const changed = await world.call('PATCH', path, { body: { name: 'team 2', state: 'SUSPENDED' } })
  assert.deepEqual([changed.body.name, changed.body.state, changed.body.default], ['team 2', 'SUSPENDED', false])
  const refused = await world.call('POST', '/v2/resource_instances', { body: newInstance({ resource_group: id }) })
  assert.equal(refused.status, 400)
  assert.equal((await world.call('PATCH', path)).body.name, 'team 2')
  assert.equal((await world.call('DELETE', path)).status, 204)
  assert.equal((await world.call('GET', path)).status, 404)
  assert.deepEqual((await world.events()).slice(2), [
    'resources.group.created',
    'resources.group.updated',
    'resources.group.updated',
    'resources.group.deleted',
  ])
})

test('names are unique in an account, and only there', async () => {
  await using world = await makeWorld()
  const create = (name: string, as = accountA) => world.call('POST', groups, { as, body: { name } })
  assert.equal((await create('team')).status, 201)
  const second = await create('team')
  assert.equal(second.status, 400)
  assert.equal(second.body.error_code, 'RESOURCE_GROUP_NAME_UNIQUENESS')
  assert.equal((await create('team', accountB)).status, 201)
  assert.equal((await world.call('PATCH', `${groups}/${groupA}`, { body: { name: 'team' } })).status, 400)
  assert.equal((await world.call('PATCH', `${groups}/${groupA}`, { body: { name: 'Default' } })).status, 200)
})

test('a group is listed by name and by being the default', async () => {
  await using world = await makeWorld()
  await world.call('POST', groups, { body: { name: 'team' } })
  const names = async (query: string): Promise<string[]> =>
    (await world.call('GET', `${groups}?${query}`)).body.resources.map((group: { name: string }) => group.name).sort()
  assert.deepEqual(await names(`account_id=${accountA}`), ['Default', 'team'])
  assert.deepEqual(await names('default=true'), ['Default'])
  assert.deepEqual(await names('name=team'), ['team'])
  assert.deepEqual(await names(`account_id=${accountB}`), [])
})

test('the default group stays, and so does one that holds anything', async () => {
  await using world = await makeWorld()
  assert.equal((await world.call('DELETE', `${groups}/${groupA}`)).status, 400)
  const { id } = (await world.call('POST', groups, { body: { name: 'team' } })).body
  const { guid } = await world.instance({ resource_group: id })
  const full = await world.call('DELETE', `${groups}/${id}`)
  assert.equal(full.status, 409)
  assert.match(full.body.message, /holds resources/)
  await world.call('DELETE', `/v2/resource_instances/${guid}`)

  const volume = { resourceGroupId: id } as SearchableResource
  world.searchables.push({ covers: () => false, resources: async () => [volume] })
  assert.equal((await world.call('DELETE', `${groups}/${id}`)).status, 409)
  world.searchables.length = 0
  assert.equal((await world.call('DELETE', `${groups}/${id}`)).status, 204)
})

test("another account's group is as good as none", async () => {
  await using world = await makeWorld()
  const missing = await world.call('GET', `${groups}/${'9'.repeat(32)}`)
  for (const [method, body] of [['GET'], ['PATCH', { name: 'mine' }], ['DELETE']] as const) {
    const answer = await world.call(method, `${groups}/${groupB}`, { body })
    assert.deepEqual([answer.status, answer.body.message], [404, missing.body.message])
  }
  assert.equal((await world.call('POST', groups, { body: { name: 'x', account_id: accountB } })).status, 404)
  const inTheirs = await world.call('POST', '/v2/resource_instances', { body: newInstance({ resource_group: groupB }) })
  assert.equal(inTheirs.status, 400)
})

test('each change asks for its own action', async () => {
  await using world = await makeWorld()
  const { id } = (await world.call('POST', groups, { body: { name: 'team' } })).body
  const cases = [
    ['POST', groups, 'create', { name: 'other' }],
    ['PATCH', `${groups}/${id}`, 'update', {}],
    ['DELETE', `${groups}/${id}`, 'delete', undefined],
    ['GET', `${groups}/${id}`, 'retrieve', undefined],
  ] as const
  for (const [method, path, verb, body] of cases) {
    world.denies = (_, action) => action === `resource-controller.group.${verb}`
    assert.equal((await world.call(method, path, { body })).status, 403, verb)
  }
  assert.deepEqual((await world.call('GET', groups)).body.resources, [])
})

test('quota definitions are there for whoever looks', async () => {
  await using world = await makeWorld()
  const { resources } = (await world.call('GET', '/v2/quota_definitions')).body
  const group = (await world.call('GET', `${groups}/${groupA}`)).body
  assert.ok(resources.some((quota: { id: string }) => quota.id === group.quota_id))
  assert.equal((await world.call('GET', group.quota_url)).body.id, group.quota_id)
  assert.equal((await world.call('GET', '/v2/quota_definitions/none')).status, 404)
})

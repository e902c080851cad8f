import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  accountA,
  accountB,
  cosLite,
  cosStandard,
  groupA,
  kmsOtherPlan,
  kmsPlan,
  makeWorld,
  newInstance,
} from './testing/world.ts'
import type { World } from './testing/world.ts'

const instances = '/v2/resource_instances'
const hsmPlan = 'b1f0d7c2-84e3-4f6a-a5d9-0c6e2f9b7318'

const create = (world: World, more: Record<string, unknown>, headers = {}) =>
  world.call('POST', instances, { body: newInstance(more), headers })

test('a key manager instance is active when it is made, with room for keys behind it', async () => {
  await using world = await makeWorld()
  const { status, body } = await create(world, { parameters: { allowed_network: 'private-only' }, allow_cleanup: true })
  assert.equal(status, 201)
  assert.equal(body.id, body.crn)
  assert.equal(body.crn, `crn:v1:bluemix:public:kms:us-south:a/${accountA}:${body.guid}::`)
  assert.deepEqual([body.state, body.type, body.sub_type, body.locked], ['active', 'service_instance', 'kms', false])
  assert.deepEqual(
    [body.last_operation.type, body.last_operation.state, body.last_operation.async],
    ['create', 'succeeded', false],
  )
  assert.deepEqual(body.parameters, { allowed_network: 'private-only' })
  assert.ok(body.extensions.endpoints.public && body.extensions.endpoints.private)
  assert.equal(body.plan_history[0].resource_plan_id, kmsPlan)
  assert.ok(world.kms.rooms.has(body.guid))
  assert.deepEqual((await world.events()).slice(2), ['resources.instance.created', 'resources.instance.activated'])
})

test('object storage is global and nothing but a record; hs-crypto is where the key manager says so', async () => {
  await using world = await makeWorld()
  const lite = await world.instance({ resource_plan_id: cosLite, target: 'global' })
  assert.deepEqual([lite.region_id, lite.extensions, lite.state], ['global', {}, 'active'])
  assert.match(lite.crn, /:cloud-object-storage:global:a\//)
  assert.equal(world.kms.rooms.size, 0)
  const hsm = await create(world, { resource_plan_id: hsmPlan })
  assert.equal(hsm.status, 409)
  assert.match(hsm.body.message, /hardware security module/)
  await using equipped = await makeWorld(null)
  const made = await equipped.instance({ resource_plan_id: hsmPlan })
  assert.match(made.crn, /:hs-crypto:us-south:/)
  assert.ok(made.extensions.endpoints.private && equipped.kms.rooms.has(made.guid))
})

test('what cannot be provisioned is refused by the field that is wrong', async () => {
  await using world = await makeWorld()
  const wrong = [
    { resource_plan_id: 'none' },
    { target: 'nowhere' },
    { target: 'global' },
    { target: `crn:v1:bluemix:public:globalcatalog::::deployment:${cosLite}%3Aglobal` },
    { resource_group: 'none' },
    { name: '' },
    { name: 'a/b' },
    { name: 'x'.repeat(181) },
    { parameters: [] },
    { tags: ['a,b'] },
  ]
  for (const more of wrong) assert.equal((await create(world, more)).status, 400, JSON.stringify(more))
  assert.equal((await world.call('POST', instances)).status, 400)
  assert.equal((await world.events()).length, 2)
})

test('an instance is found by GUID and by percent-encoded CRN, and by nothing else', async () => {
  await using world = await makeWorld()
  const { guid, crn } = await world.instance()
  for (const id of [guid, encodeURIComponent(crn)]) {
    assert.equal((await world.call('GET', `${instances}/${id}`)).body.guid, guid)
  }
  const strangers = [
    'x',
    guid.toUpperCase(),
    encodeURIComponent(crn.replace(':kms:', ':is:')),
    crn.replace(accountA, accountB),
  ]
  for (const id of strangers) assert.equal((await world.call('GET', `${instances}/${id}`)).status, 404, id)
})

test("another account's instance is as good as none, whatever is done to it", async () => {
  await using world = await makeWorld()
  const { guid, crn } = await world.instance()
  const missing = await world.call('GET', `${instances}/00000000-0000-4000-8000-000000000000`)
  const attempts = [
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['POST', '/lock'],
    ['DELETE', '/lock'],
    ['DELETE', '/last_operation'],
  ] as const
  for (const id of [guid, encodeURIComponent(crn)]) {
    for (const [method, end] of attempts) {
      const answer = await world.call(method, `${instances}/${id}${end}`, { as: accountB })
      assert.deepEqual([answer.status, answer.body.message], [404, missing.body.message], `${method} ${end}`)
    }
  }
  assert.deepEqual((await world.call('GET', instances, { as: accountB })).body.resources, [])
})

test('name, parameters and plan change, and the answer says how', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance()
  const path = `${instances}/${guid}`
  const renamed = await world.call('PATCH', path, {
    body: { name: 'other', parameters: { a: [1] }, allow_cleanup: true },
  })
  assert.equal(renamed.status, 200)
  assert.deepEqual(
    [renamed.body.name, renamed.body.parameters, renamed.body.allow_cleanup],
    ['other', { a: [1] }, true],
  )
  assert.deepEqual([renamed.body.last_operation.type, renamed.body.last_operation.sub_type], ['update', 'config'])

  world.advance(1000)
  const moved = await world.call('PATCH', path, { body: { resource_plan_id: kmsOtherPlan } })
  assert.equal(moved.body.last_operation.sub_type, 'plan')
  assert.deepEqual(
    moved.body.plan_history.map((entry: { resource_plan_id: string }) => entry.resource_plan_id),
    [kmsPlan, kmsOtherPlan],
  )
  assert.equal((await world.call('PATCH', path)).status, 200)
  assert.equal((await world.call('PATCH', path, { body: { resource_plan_id: cosLite } })).status, 400)
})

test('a locked instance is neither changed nor deleted', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance()
  const path = `${instances}/${guid}`
  const locked = await world.call('POST', `${path}/lock`)
  assert.deepEqual([locked.status, locked.body.locked, locked.body.last_operation.type], [200, true, 'lock'])
  assert.equal((await world.call('PATCH', path, { body: { name: 'no' } })).status, 400)
  assert.equal((await world.call('DELETE', path)).status, 400)
  const unlocked = await world.call('DELETE', `${path}/lock`)
  assert.deepEqual([unlocked.body.locked, unlocked.body.last_operation.type], [false, 'unlock'])
  assert.equal((await world.call('DELETE', path)).status, 204)

  const born = await create(world, {}, { 'entity-lock': 'true' })
  assert.equal(born.body.locked, true)
})

test('a removed instance stays readable and is gone for everything else', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance()
  const path = `${instances}/${guid}`
  assert.equal((await world.call('DELETE', `${path}?recursive=true`)).status, 204)
  const { body } = await world.call('GET', path)
  assert.deepEqual(
    [body.state, body.last_operation.type, body.last_operation.state],
    ['removed', 'delete', 'succeeded'],
  )
  assert.ok(body.deleted_at && body.deleted_by)
  assert.ok(!world.kms.rooms.has(guid))
  assert.equal((await world.call('DELETE', path)).status, 410)
  assert.equal((await world.call('PATCH', path, { body: { name: 'no' } })).status, 410)
  assert.deepEqual((await world.call('GET', instances)).body.resources, [])
  assert.equal((await world.call('GET', `${instances}?state=removed`)).body.rows_count, 1)
})

test('an instance with keys stays, and the refusal says which', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance()
  world.kms.keys.set(guid, ['key-1', 'key-2'])
  const refused = await world.call('DELETE', `${instances}/${guid}`)
  assert.equal(refused.status, 409)
  assert.match(refused.body.message, /key-1, key-2/)
  const { body } = await world.call('GET', `${instances}/${guid}`)
  assert.deepEqual([body.state, body.last_operation.type, body.last_operation.state], ['active', 'delete', 'failed'])
  assert.deepEqual((await world.events()).slice(-2), [
    'resources.instance.removal-requested',
    'resources.instance.removal-refused',
  ])
})

test('instances are filtered', async () => {
  await using world = await makeWorld()
  const keys = await world.instance({ name: 'keys' })
  world.advance(24 * 3600 * 1000)
  const objects = await world.instance({ name: 'objects', target: 'global', resource_plan_id: cosStandard })
  const guids = async (query: string): Promise<string[]> =>
    (await world.call('GET', `${instances}?${query}`)).body.resources.map((row: { guid: string }) => row.guid)
  const both = [keys.guid, objects.guid]
  const cases: [string, string[]][] = [
    ['', both],
    ['order_direction=desc', both.toReversed()],
    [`guid=${keys.guid}`, [keys.guid]],
    ['name=objects', [objects.guid]],
    [`resource_group_id=${groupA}`, both],
    ['resource_group_id=other', []],
    [`resource_id=${keys.resource_id}`, [keys.guid]],
    ['resource_id=kms', [keys.guid]],
    [`resource_plan_id=${cosStandard}`, [objects.guid]],
    ['type=service_instance', both],
    ['type=composite_instance', []],
    ['sub_type=kms', [keys.guid]],
    [`sub_type=kms&resource_id=${objects.resource_id}`, []],
    ['state=active', both],
    ['state=failed', []],
    ['updated_from=2026-03-25', [objects.guid]],
    ['updated_to=2026-03-24', [keys.guid]],
    ['updated_to=2026-03-24T11:59:59Z', []],
  ]
  for (const [query, expected] of cases) assert.deepEqual(await guids(query), expected, query)
  assert.equal((await world.call('GET', `${instances}?updated_from=yesterday`)).status, 400)
  assert.equal((await world.call('GET', `${instances}?order_direction=up`)).status, 400)
})

test('pages hold every instance once, though instances come and go, and the token keeps the filter', async () => {
  await using world = await makeWorld()
  const made: string[] = []
  for (let i = 0; i < 7; i++) made.push((await world.instance({ name: i % 2 ? 'odd' : 'even' })).guid)
  const seen: string[] = []
  let url: string | null = `${instances}?limit=2&name=even&order_direction=desc`
  while (url !== null) {
    const { body }: Awaited<ReturnType<World['call']>> = await world.call('GET', url)
    seen.push(...body.resources.map((row: { guid: string }) => row.guid))
    assert.equal(body.rows_count, body.resources.length)
    assert.ok(body.next_url === null || body.next_url.startsWith(`${instances}?`))
    url = body.next_url
    if (seen.length === 2) await world.instance({ name: 'even' })
  }
  const even = new Set(made.filter((_, i) => i % 2 === 0))
  assert.deepEqual(new Set(seen).intersection(even), even)
  assert.equal(new Set(seen).size, seen.length)
  for (const start of ['x', '', Buffer.from('after=1.x').toString('base64url')]) {
    assert.equal((await world.call('GET', `${instances}?start=${start}`)).status, 400)
  }
})

test('a list shows what the caller may see, in full pages', async () => {
  await using world = await makeWorld()
  const made: string[] = []
  for (let i = 0; i < 6; i++) made.push((await world.instance()).guid)
  const hidden = new Set(made.filter((_, i) => i % 2 === 0))
  world.denies = (_, action, target) => action.endsWith('.retrieve') && hidden.has(target.serviceInstance ?? '')
  const first = (await world.call('GET', `${instances}?limit=2`)).body
  assert.equal(first.rows_count, 2)
  const second = (await world.call('GET', first.next_url)).body
  assert.deepEqual([second.rows_count, second.next_url], [1, null])
  assert.equal((await world.call('GET', `${instances}/${made[0]}`)).status, 403)
})

test('each operation asks for its own action on the instance', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance()
  const path = `${instances}/${guid}`
  const cases = [
    ['POST', instances, 'create', newInstance()],
    ['PATCH', path, 'update', {}],
    ['POST', `${path}/lock`, 'lock', undefined],
    ['DELETE', `${path}/lock`, 'unlock', undefined],
    ['DELETE', path, 'delete', undefined],
    ['DELETE', `${path}/last_operation`, 'delete', undefined],
  ] as const
  for (const [method, url, verb, body] of cases) {
    world.denies = (_, action) => action === `resource-controller.instance.${verb}`
    assert.equal((await world.call(method, url, { body })).status, 403, verb)
  }
  world.denies = () => false
  assert.equal((await world.call('GET', path)).body.state, 'active')
  assert.equal((await world.call('GET', path, { as: null })).status, 401)
})

test('a deleted instance of a reclaimable plan is restored, or reclaimed', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance({ resource_plan_id: cosStandard, target: 'global' })
  const path = `${instances}/${guid}`
  const listed = async () => (await world.call('GET', `/v1/reclamations?resource_instance_id=${guid}`)).body.resources
  const run = (id: string, action: string, as = accountA) =>
    world.call('POST', `/v1/reclamations/${id}/actions/${action}`, { as, body: { comment: 'why' } })

  assert.equal((await world.call('DELETE', path)).status, 204)
  const waiting = (await world.call('GET', path)).body
  assert.deepEqual([waiting.state, waiting.last_operation.sub_type], ['pending_reclamation', 'pending'])
  assert.ok(waiting.scheduled_reclaim_at && waiting.scheduled_reclaim_by)
  assert.equal((await world.call('DELETE', path)).status, 422)
  assert.equal((await world.call('POST', `${path}/lock`)).status, 422)

  const [first] = await listed()
  assert.deepEqual([first.state, first.resource_instance_id, first.account_id], ['SCHEDULED', guid, accountA])
  assert.equal((await run(first.id, 'restore', accountB)).status, 404)
  assert.equal((await run(first.id, 'burn')).status, 400)
  assert.equal((await run(first.id, 'restore')).body.state, 'RESTORING')
  const restored = (await world.call('GET', path)).body
  assert.deepEqual([restored.state, restored.last_operation.sub_type], ['active', 'restore'])
  assert.ok(restored.restored_at && restored.restored_by)
  assert.deepEqual(await listed(), [])

  await world.call('DELETE', path)
  const [second] = await listed()
  assert.notEqual(second.id, first.id)
  assert.equal((await run(second.id, 'reclaim')).body.state, 'RECLAIMING')
  const { body } = await world.call('GET', path)
  assert.deepEqual(
    [body.state, body.last_operation.type, body.last_operation.sub_type, body.last_operation.state],
    ['removed', 'reclamation', 'delete', 'succeeded'],
  )
  assert.equal((await run(second.id, 'restore')).status, 404)
  assert.deepEqual((await world.call('GET', `/v1/reclamations?account_id=${accountB}`)).body.resources, [])
})

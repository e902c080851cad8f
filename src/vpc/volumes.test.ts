// What changes a volume that there is: size and performance, the ETag's rules, filters; and whose key it lies under where
// its owner brought none.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'
import type { World } from './testing/world.ts'

const zone = { name: 'us-south-3' }

const volumeIn = async (world: World, more: Record<string, unknown> = {}) => {
  const { status, body } = await world.call('POST', '/v1/volumes', { body: volumeBody(more) })
  assert.equal(status, 201, JSON.stringify(body))
  await world.pass()
  return { id: String(body.id), path: `/v1/volumes/${body.id}` }
}

const attachedTo = async (world: World, volumeId: string) => {
  const { body: instance } = await world.call('POST', '/v1/instances', { body: { zone } })
  const path = `/v1/instances/${instance.id}`
  const attached = await world.call('POST', `${path}/volume_attachments`, { body: { volume: { id: volumeId } } })
  assert.equal(attached.status, 201, JSON.stringify(attached.body))
  await world.pass()
  return { path, attachment: `${path}/volume_attachments/${attached.body.id}` }
}

const patch = async (world: World, path: string, body: unknown, headers: Record<string, string> = {}) => {
  const answer = await world.call('PATCH', path, { body, headers })
  const [error] = answer.body.errors ?? []
  return { ...answer, outcome: error ? `${answer.status} ${error.code} ${error.target?.name}` : `${answer.status}` }
}

test('a volume without a key of its own lies under a registered key of the provider, which is shown to nobody', async () => {
  await using world = await makeWorld()
  const { path } = await volumeIn(world, { encryption_key: undefined })
  const { body } = await world.call('GET', path)
  assert.equal(body.status, 'available')
  assert.equal(body.encryption, 'provider_managed')
  assert.equal('encryption_key' in body, false)
  const [[crn, keyCrn] = []] = [...world.kms.registrations]
  assert.equal(crn, body.crn)
  assert.match(keyCrn ?? '', /^crn:v1:bluemix:public:kms:us-south:a\/0{32}:b{8}-b{4}-b{4}-b{4}-b{12}:key:/)
  await volumeIn(world)
  const listed = async (encryption: string) =>
    (await world.call('GET', `/v1/volumes?encryption=${encryption}`)).body.volumes.map((one: { id: string }) => one.id)
  assert.deepEqual(await listed('provider_managed'), [body.id])
  assert.equal((await listed('user_managed')).length, 1)
  const refused = await world.call('POST', '/v1/volumes', {
    body: volumeBody({ encryption_key: { crn: `${keyOfA}0` } }),
  })
  assert.equal(refused.status, 400, 'never a silent fallback')
  assert.equal((await world.call('DELETE', path)).status, 204)
  await world.settle()
  assert.equal(world.kms.registrations.size, 1)
})

test('capacity grows while attached to a running instance, and never shrinks', async () => {
  await using world = await makeWorld()
  const { id, path } = await volumeIn(world)
  const unattached = await patch(world, path, { capacity: 40 })
  assert.equal(unattached.outcome, '409 invalid_state capacity')
  const { path: instance } = await attachedTo(world, id)
  assert.equal((await patch(world, path, { capacity: 19 })).outcome, '400 volume_update_invalid_request capacity')
  assert.equal((await patch(world, path, { capacity: 16_001 })).outcome, '400 volume_capacity_max capacity')
  assert.equal((await patch(world, path, { capacity: 20 })).body.status, 'available', 'nothing to change')

  const grown = await patch(world, path, { capacity: 2000 })
  assert.deepEqual([grown.status, grown.body.status, grown.body.health_state], [200, 'updating', 'ok'])
  assert.deepEqual([grown.body.capacity, grown.body.iops], [2000, 6000])
  assert.equal((await patch(world, path, { capacity: 3000 })).outcome, '409 volume_status_not_available undefined')
  assert.equal((await world.call('DELETE', path)).status, 409)
  await world.pass()
  const { body, headers } = await world.call('GET', path)
  assert.equal(body.status, 'available')
  assert.equal(headers['etag'], unattached.headers['etag'] ?? headers['etag'])
  await world.call('POST', `${instance}/actions`, { body: { type: 'stop' } })
  assert.equal((await patch(world, path, { capacity: 3000 })).outcome, '409 invalid_state capacity')
})

test('iops and profile change within the family, and a second-generation volume also unattached', async () => {
  await using world = await makeWorld()
  const custom = await volumeIn(world, { profile: { name: 'custom' }, capacity: 100, iops: 500 })
  assert.equal((await patch(world, custom.path, { iops: 1000 })).outcome, '409 invalid_state iops')
  await attachedTo(world, custom.id)
  assert.equal(
    (await patch(world, custom.path, { iops: 6001 })).outcome,
    '400 volume_profile_capacity_iops_invalid iops',
  )
  assert.equal((await patch(world, custom.path, { iops: 1000 })).body.iops, 1000)
  await world.pass()
  assert.equal((await patch(world, custom.path, { capacity: 2000 })).body.iops, 1000)
  assert.equal((await patch(world, custom.path, { profile: { name: '5iops-tier' } })).outcome, '400 bad_field profile')

  const tiered = await volumeIn(world)
  await attachedTo(world, tiered.id)
  assert.equal((await patch(world, tiered.path, { iops: 3000 })).outcome, '400 volume_profile_iops_invalid iops')
  assert.equal((await patch(world, tiered.path, { profile: { name: '10iops-tier' } })).body.profile.name, '10iops-tier')

  const sdp = await volumeIn(world, { profile: { name: 'sdp' }, capacity: 100 })
  const faster = await patch(world, sdp.path, { iops: 30_000, bandwidth: 8000 })
  assert.deepEqual([faster.body.iops, faster.body.bandwidth, faster.body.status], [30_000, 8000, 'updating'])
  await world.pass()
  assert.equal((await patch(world, sdp.path, { capacity: 150 })).body.capacity, 150)
})

test('the ETag is of name and tags: it outlives growth, status and attachments', async () => {
  await using world = await makeWorld()
  const { id, path } = await volumeIn(world)
  const etag = String((await world.call('GET', path)).headers['etag'])
  await attachedTo(world, id)
  await patch(world, path, { capacity: 30 })
  await world.pass()
  const tagged = await patch(world, path, { user_tags: ['env:dev'] }, { 'if-match': etag })
  assert.equal(tagged.status, 200, 'the one read before the capacity changed still counts')
  assert.notEqual(tagged.headers['etag'], etag)
  assert.equal(
    (await patch(world, path, { user_tags: [] }, { 'if-match': etag })).outcome,
    '412 etag_mismatch If-Match',
  )
  assert.equal((await patch(world, path, { allowed_use: { instance: 'true' } })).outcome, '400 bad_field allowed_use')
  assert.equal((await patch(world, path, { allowed_use: {} })).outcome, '200')
})

test('every filter of the list', async () => {
  await using world = await makeWorld()
  await volumeIn(world, { name: 'plain', user_tags: ['Env:A'] })
  world.advance(1)
  await volumeIn(world, { name: 'fast', profile: { name: 'sdp' }, zone: { name: 'us-south-1' } })
  const names = async (query: string) => {
    const { status, body } = await world.call('GET', `/v1/volumes?${query}`)
    return status === 200 ? body.volumes.map((one: { name: string }) => one.name).join() : status
  }
  assert.deepEqual(
    {
      newestFirst: await names(''),
      name: await names('name=plain'),
      zone: await names('zone.name=us-south-1'),
      tag: await names('tag=env:a'),
      generation: await names('storage_generation=2'),
      attachment: await names('attachment_state=unattached'),
      noSystem: await names('operating_system.family=null'),
      someSystem: await names('operating_system.architecture=not:null'),
      none: await names('name=plain&storage_generation=2'),
      wrong: await names('storage_generation=3'),
    },
    {
      newestFirst: 'fast,plain',
      name: 'plain',
      zone: 'fast',
      tag: 'plain',
      generation: 'fast',
      attachment: 'fast,plain',
      noSystem: 'fast,plain',
      someSystem: '',
      none: '',
      wrong: 400,
    },
  )
})

test('the profiles that go with a volume, in pages', async () => {
  await using world = await makeWorld()
  const { path } = await volumeIn(world)
  const { body } = await world.call('GET', `${path}/instance_profiles?limit=5`)
  assert.equal(body.profiles.length, 5)
  assert.ok(body.total_count > 5 && body.next.href.includes('start='))
  const next = await world.call('GET', body.next.href.replace('http://keyward.test', ''))
  assert.equal(next.body.profiles.length, 5)
})

test('what is not served yet is refused by name', async () => {
  await using world = await makeWorld()
  for (const path of ['/v1/instance/templates', '/v1/volumes/x/jobs', '/v1/network_acls']) {
    const { status, body } = await world.call('GET', path)
    assert.deepEqual([status, body.errors[0].code], [501, 'not_implemented'], path)
  }
  assert.equal((await world.call('GET', '/v1/nonsense')).body.errors[0].code, 'invalid_route')
})

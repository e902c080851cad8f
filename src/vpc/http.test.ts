import assert from 'node:assert/strict'
import { test } from 'node:test'
import { providerAccountId, providerInstanceId } from '#base/provider.ts'
import { accountB, accountC } from './testing/fakes.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'
import type { World } from './testing/world.ts'

const errorOf = ({
  status,
  body,
}: {
  status: number
  body: { errors: { code: string; target?: { name: string } }[] }
}) => [status, body.errors[0]?.code, body.errors[0]?.target?.name]

const providerKeyOfB = keyOfA
  .replace('a/' + 'a'.repeat(32), `a/${providerAccountId}`)
  .replace(/:[^:]*:key:.*$/, `:${providerInstanceId(accountB)}:key:${providerInstanceId(accountB)}`)

const createVolume = async (world: World, more: Record<string, unknown> = {}) => {
  const { status, body } = await world.call('POST', '/v1/volumes', { body: volumeBody(more) })
  assert.equal(status, 201, JSON.stringify(body))
  await world.pass()
  return body
}

const createInstance = async (world: World, zone = 'us-south-3') => {
  const { status, body } = await world.call('POST', '/v1/instances', { body: { zone: { name: zone } } })
  assert.equal(status, 201, JSON.stringify(body))
  return body
}

test("a volume of B under A's key: the documented request, answer and life", async () => {
  await using world = await makeWorld()
  const made = await world.call('POST', '/v1/volumes', {
    body: volumeBody({ name: 'my-volume-1', iops: 100, resource_group: { id: 'some-group' } }),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  assert.equal(made.status, 201)
  assert.match(made.body.id, /^r006-[0-9a-f-]{36}$/)
  assert.match(made.body.crn, /^crn:v1:bluemix:public:is:us-south-3:a\/b{32}::volume:r006-/)
  const { id, crn, created_at: _at, ...rest } = made.body
  assert.deepEqual(rest, {
    active: false,
    adjustable_capacity_states: ['attached'],
    adjustable_iops_states: [],
    attachment_state: 'unattached',
    bandwidth: 393,
    busy: false,
    capacity: 20,
    encryption: 'user_managed',
    encryption_key: { crn: keyOfA },
    health_reasons: [],
    health_state: 'inapplicable',
    href: `http://keyward.test/v1/volumes/${id}`,
    iops: 3000,
    name: 'my-volume-1',
    profile: { href: 'http://keyward.test/v1/volume/profiles/general-purpose', name: 'general-purpose' },
    resource_group: { href: 'http://keyward.test/v2/resource_groups/some-group', id: 'some-group', name: 'some-group' },
    resource_type: 'volume',
    status: 'pending',
    status_reasons: [],
    storage_generation: 1,
    user_tags: [],
    volume_attachments: [],
    zone: { href: 'http://keyward.test/v1/regions/us-south/zones/us-south-3', name: 'us-south-3' },
  })
  assert.deepEqual([...world.kms.registrations], [[crn, keyOfA]])

  await world.pass()
  const got = await world.call('GET', `/v1/volumes/${id}`)
  assert.equal(got.body.status, 'available')
  assert.equal(got.body.health_state, 'ok')
  assert.equal(got.headers['etag'], made.headers['etag'])
  assert.equal(world.disk.images.get(id)?.capacityBytes, 20 * 2 ** 30)

  assert.equal((await world.call('DELETE', `/v1/volumes/${id}`)).status, 204)
  assert.equal((await world.call('GET', `/v1/volumes/${id}`)).body.status, 'pending_deletion')
  assert.deepEqual(errorOf(await world.call('DELETE', `/v1/volumes/${id}`)), [409, 'volume_not_deletable', undefined])
  await world.pass()
  assert.deepEqual(errorOf(await world.call('GET', `/v1/volumes/${id}`)), [404, 'volume_id_not_found', undefined])
  assert.equal(world.kms.registrations.size, 0)
  assert.equal(world.disk.images.size, 0)
})

test('every way in which a key is refused has its code, names the field, and leaves nothing', async () => {
  await using world = await makeWorld()
  const otherKey = (last: string) => keyOfA.slice(0, -1) + last
  world.kms.put(otherKey('1'), 'usable', false)
  world.kms.put(otherKey('2'), 'disabled')
  world.kms.put(otherKey('3'), 'deleted')
  world.kms.put(otherKey('4'), 'expired')
  const cases: readonly [string, string][] = [
    ['nonsense', 'volume_encryption_key_crn_invalid'],
    [keyOfA.replace(':key:', ':volume:'), 'volume_encryption_key_crn_invalid'],
    [keyOfA.replace('bluemix', 'elsewhere'), 'volume_crn_cname_mismatch'],
    [otherKey('0'), 'volume_crn_invalid'],
    [otherKey('1'), 'volume_crn_invalid'],
    [otherKey('2'), 'volume_encryption_key_not_active'],
    [otherKey('3'), 'volume_encryption_key_not_active'],
    [otherKey('4'), 'volume_encryption_key_not_active'],
  ]
  for (const [crn, code] of cases) {
    const answer = await world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'v', encryption_key: { crn } }) })
    assert.deepEqual(errorOf(answer), [400, code, 'encryption_key.crn'], crn)
  }
  world.kms.unauthorized.add('b'.repeat(32))
  const denied = await world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'v' }) })
  assert.deepEqual(errorOf(denied), [400, 'volume_encryption_key_not_authorized', 'encryption_key.crn'])
  assert.match(
    denied.body.errors[0].message,
    /server-protect.*account b{32} .*account a{32}, which owns the key, .*role Reader/,
  )
  assert.equal(denied.body.explanation.account, 'a'.repeat(32))
  assert.equal((await world.call('GET', '/v1/volumes')).body.total_count, 0)
  assert.equal(world.kms.registrations.size, 0)

  world.kms.unauthorized.clear()
  await createVolume(world, { name: 'v' })
})

test('what is wrong with a request is said by code and field', async () => {
  await using world = await makeWorld()
  await createVolume(world, { name: 'taken' })
  const cases: readonly [Record<string, unknown>, number, string, string | undefined][] = [
    [{ name: 'taken' }, 400, 'volume_name_duplicate', 'name'],
    [{ name: 'Not-A-Name' }, 400, 'validation_invalid_name', 'name'],
    [{ name: 'a'.repeat(64) }, 400, 'validation_invalid_name', 'name'],
    [{ name: 7 }, 400, 'validation_invalid_field_type', 'name'],
    [{ iops: 3001 }, 400, 'volume_profile_iops_invalid', 'iops'],
    [{ iops: 0 }, 400, 'volume_iops_zero_or_negative', 'iops'],
    [{ bandwidth: 100 }, 400, 'bad_field', 'bandwidth'],
    [{ capacity: undefined }, 400, 'volume_capacity_missing', 'capacity'],
    [{ capacity: 0 }, 400, 'volume_capacity_zero_or_negative', 'capacity'],
    [{ capacity: 16_001 }, 400, 'volume_capacity_max', 'capacity'],
    [{ capacity: 1e300 }, 400, 'volume_capacity_max', 'capacity'],
    [{ capacity: 9 }, 400, 'volume_profile_capacity_iops_invalid', 'capacity'],
    [{ profile: { name: 'fast' } }, 400, 'volume_profile_not_found', 'profile.name'],
    [{ profile: {} }, 400, 'validation_only_one', 'profile'],
    [{ zone: { name: 'eu-de-1' } }, 400, 'invalid_zone', 'zone.name'],
    [{ zone: undefined }, 400, 'validation_required_field', 'zone'],
    [{ resource_group: { id: 'nowhere' } }, 400, 'volume_resource_group_not_found', 'resource_group.id'],
    [{ user_tags: ['no,comma'] }, 400, 'bad_field', 'user_tags'],
    [{ allowed_use: { instance: 'true' } }, 400, 'bad_field', 'allowed_use'],
    [{ encryption_key: { crn: providerKeyOfB } }, 400, 'volume_crn_invalid', 'encryption_key.crn'],
    [{ source_snapshot: { id: 'r006-x' } }, 400, 'snapshots_not_found', 'source_snapshot'],
    [{ encryption_keys: {} }, 400, 'invalid_request_field', 'encryption_keys'],
  ]
  for (const [more, ...expected] of cases) {
    const answer = await world.call('POST', '/v1/volumes', { body: volumeBody(more) })
    assert.deepEqual(errorOf(answer), expected, JSON.stringify(more))
  }
  assert.equal((await world.call('POST', '/v1/volumes', { body: volumeBody({ allowed_use: {} }) })).status, 201)
})

test('version and generation are demanded, except of our own operations', async () => {
  await using world = await makeWorld()
  const cases: readonly [string, string][] = [
    ['', 'missing_version'],
    ['version=2026&generation=2', 'invalid_version'],
    ['version=2023-02-30&generation=2', 'invalid_version'],
    ['version=2023-02-03&version=2023-02-03&generation=2', 'invalid_version'],
    ['version=2018-12-31&generation=2', 'invalid_version_range'],
    ['version=2026-03-25&generation=2', 'invalid_version_range'],
    ['version=2026-03-24', 'missing_generation_parameter'],
    ['version=2026-03-24&generation=1', 'invalid_generation_parameter'],
  ]
  const headers = { authorization: `Bearer ${accountC}` }
  for (const [query, code] of cases) {
    const response = await world.server.inject({ method: 'GET', url: `/v1/volumes?${query}`, headers })
    assert.equal(response.statusCode, 400)
    assert.equal(JSON.parse(response.body).errors[0].code, code, query)
  }
  const own = await world.call('POST', '/keyward/v1/instances/x/volume_attachments/y/connection')
  assert.equal(own.status, 404)
})

test("another account's volumes and instances do not exist", async () => {
  await using world = await makeWorld()
  const volume = await createVolume(world)
  const instance = await createInstance(world)
  const as = accountC
  for (const path of [`/v1/volumes/${volume.id}`, `/v1/instances/${instance.id}`]) {
    assert.equal((await world.call('GET', path, { as })).status, 404)
    assert.equal((await world.call('DELETE', path, { as })).status, 404)
  }
  assert.equal((await world.call('GET', '/v1/volumes', { as })).body.total_count, 0)
  const own = await world.call('POST', '/v1/instances', { as, body: { zone: { name: 'us-south-3' } } })
  const attach = await world.call('POST', `/v1/instances/${own.body.id}/volume_attachments`, {
    as,
    body: { volume: { crn: volume.crn } },
  })
  assert.deepEqual(errorOf(attach), [400, 'volume_id_invalid', 'volume'])
})

test('lists leave out what the caller may not see, and refuse a caller who may see nothing', async () => {
  await using world = await makeWorld()
  const seen = await createVolume(world, { resource_group: { id: 'open' } })
  await createVolume(world, { resource_group: { id: 'closed' } })
  world.iam.denies = (_, action, target) => action.startsWith('is.volume') && target.resourceGroupId !== 'open'
  const list = await world.call('GET', '/v1/volumes')
  assert.deepEqual(
    list.body.volumes.map((volume: { id: string }) => volume.id),
    [seen.id],
  )
  assert.equal(list.body.total_count, 1)
  world.iam.denies = () => true
  world.iam.hasNoPolicy = true
  assert.deepEqual(errorOf(await world.call('GET', '/v1/volumes')), [403, 'not_authorized', undefined])
  assert.equal((await world.call('GET', `/v1/volumes/${seen.id}`)).status, 403)
})

test('pages go on where they stopped, whatever is made and deleted meanwhile', async () => {
  await using world = await makeWorld()
  const names = ['v1', 'v2', 'v3', 'v4', 'v5']
  const made: { id: string; name: string }[] = []
  for (const name of names) {
    made.push(await createVolume(world, { name }))
    world.advance(1)
  }
  const first = await world.call('GET', '/v1/volumes?limit=2&zone.name=us-south-3')
  assert.deepEqual(
    first.body.volumes.map((volume: { name: string }) => volume.name),
    ['v5', 'v4'],
  )
  assert.equal(first.body.total_count, 5)
  assert.match(first.body.next.href, /zone\.name=us-south-3/)
  await createVolume(world, { name: 'v6' })
  await world.call('DELETE', `/v1/volumes/${made[3]?.id}`)
  await world.call('DELETE', `/v1/volumes/${made[2]?.id}`)
  await world.settle()
  const next = new URL(first.body.next.href)
  const second = await world.call('GET', `${next.pathname}${next.search}`)
  assert.deepEqual(
    second.body.volumes.map((volume: { name: string }) => volume.name),
    ['v2', 'v1'],
  )
  assert.equal(second.body.next, undefined)
  const wrong = await world.call('GET', '/v1/volumes?start=garbage')
  assert.deepEqual(errorOf(wrong), [400, 'invalid_id_format', 'start'])
  for (const limit of ['0', '101', 'x'])
    assert.equal((await world.call('GET', `/v1/volumes?limit=${limit}`)).status, 400)
})

test('a volume takes a new name and tags, the tags only by ETag', async () => {
  await using world = await makeWorld()
  const { id } = await createVolume(world, { name: 'one' })
  await createVolume(world, { name: 'other' })
  const path = `/v1/volumes/${id}`
  const renamed = await world.call('PATCH', path, { body: { name: 'two' } })
  assert.equal(renamed.body.name, 'two')
  assert.deepEqual(errorOf(await world.call('PATCH', path, { body: { name: 'other' } })), [
    400,
    'volume_name_duplicate',
    'name',
  ])
  const body = { user_tags: ['Env:Test', 'a'] }
  assert.deepEqual(errorOf(await world.call('PATCH', path, { body })), [400, 'bad_header', 'If-Match'])
  const etag = String(renamed.headers['etag'])
  const tagged = await world.call('PATCH', path, { body, headers: { 'if-match': etag } })
  assert.deepEqual(tagged.body.user_tags, ['a', 'env:test'])
  assert.equal((await world.call('PATCH', path, { body, headers: { 'if-match': etag } })).status, 412)
})

test('an attachment: made, served, shown from both ends, and ended', async () => {
  await using world = await makeWorld()
  const volume = await createVolume(world)
  const instance = await createInstance(world)
  const path = `/v1/instances/${instance.id}/volume_attachments`
  const made = await world.call('POST', path, { body: { name: 'data', volume: { id: volume.id } } })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  assert.equal(made.body.status, 'attaching')
  assert.equal(made.body.device, undefined)
  await world.pass()
  const got = await world.call('GET', `${path}/${made.body.id}`)
  assert.equal(got.body.status, 'attached')
  assert.match(got.body.device.id, /^[0-9a-f]{20}$/)
  assert.deepEqual([...world.disk.exports], [[made.body.id, volume.id]])
  const seen = (await world.call('GET', `/v1/volumes/${volume.id}`)).body
  assert.equal(seen.attachment_state, 'attached')
  assert.equal(seen.volume_attachments[0].instance.id, instance.id)
  assert.equal((await world.call('GET', `/v1/instances/${instance.id}`)).body.volume_attachments[0].id, made.body.id)
  assert.equal((await world.call('GET', path)).body.volume_attachments.length, 1)
  assert.deepEqual(errorOf(await world.call('DELETE', `/v1/volumes/${volume.id}`)), [
    409,
    'volume_still_attached',
    undefined,
  ])

  const connection = await world.call('POST', `/keyward${path}/${made.body.id}/connection`)
  assert.equal(connection.status, 201, JSON.stringify(connection.body))
  assert.match(connection.body.uri, /^nbds:/)
  assert.equal((await world.events()).at(-1), 'vpc.connection.issued')

  assert.equal((await world.call('DELETE', `${path}/${made.body.id}`)).status, 204)
  assert.equal(world.disk.exports.size, 0)
  assert.equal((await world.call('GET', `${path}/${made.body.id}`)).status, 404)
  assert.equal((await world.call('GET', `/v1/volumes/${volume.id}`)).body.attachment_state, 'unattached')
})

test('the rules of attaching', async () => {
  await using world = await makeWorld()
  const instance = await createInstance(world)
  const path = `/v1/instances/${instance.id}/volume_attachments`
  const attach = (id: string, more: Record<string, unknown> = {}) =>
    world.call('POST', path, { body: { volume: { id }, ...more } })

  const elsewhere = await createVolume(world, { zone: { name: 'us-south-1' } })
  assert.deepEqual(errorOf(await attach(elsewhere.id)), [400, 'zone_inconsistency', 'volume'])
  const pending = await world.call('POST', '/v1/volumes', { body: volumeBody() })
  assert.deepEqual(errorOf(await attach(pending.body.id)), [409, 'volume_status_not_available', undefined])
  const mixed = await world.call('POST', path, { body: { volume: { id: pending.body.id, capacity: 10 } } })
  assert.deepEqual(errorOf(mixed), [400, 'validation_only_one', 'volume'])
  await world.pass()

  const [first, second] = await Promise.all([attach(pending.body.id), attach(pending.body.id)])
  assert.deepEqual([first.status, second.status].sort(), [201, 409])
  for (let i = 1; i < 12; i++) assert.equal((await attach((await createVolume(world)).id)).status, 201)
  const last = await createVolume(world)
  assert.deepEqual(errorOf(await attach(last.id)), [400, 'volume_attachment_over_quota', undefined])
})

test('a name is had by exactly one of those who ask for it at once', async () => {
  await using world = await makeWorld()
  const ask = () => world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'wanted' }) })
  const answers = await Promise.all([ask(), ask(), ask(), ask(), ask()])
  assert.equal(answers.filter(({ status }) => status === 201).length, 1)
  assert.equal(answers.filter(({ body }) => body.errors?.[0].code === 'volume_name_duplicate').length, 4)
  await world.settle()
  assert.equal(world.kms.registrations.size, 1)
  assert.equal(world.disk.images.size, 1)
})

test('an instance is a record: what would place a machine is refused, flagged volumes go with it', async () => {
  await using world = await makeWorld()
  const zone = { name: 'us-south-3' }
  const unknown = await world.call('POST', '/v1/instances', { body: { zone, image: { id: 'x' } } })
  assert.deepEqual(errorOf(unknown), [400, 'validation_invalid_ref', 'image'])
  const placed = await world.call('POST', '/v1/instances', { body: { zone, placement_target: { id: 'x' } } })
  assert.deepEqual(errorOf(placed), [501, 'not_implemented', 'placement_target'])
  const instance = await createInstance(world)
  const flagged = await createVolume(world)
  const kept = await createVolume(world)
  const path = `/v1/instances/${instance.id}/volume_attachments`
  const flag = { delete_volume_on_instance_delete: true }
  await world.call('POST', path, { body: { volume: { href: flagged.href }, ...flag } })
  await world.call('POST', path, { body: { volume: { crn: kept.crn } } })
  await world.pass()
  assert.equal((await world.call('GET', '/v1/instances')).body.instances[0].volume_attachments.length, 2)
  assert.equal((await world.call('DELETE', `/v1/instances/${instance.id}`)).status, 204)
  assert.equal((await world.call('GET', `/v1/instances/${instance.id}`)).status, 404)
  assert.equal(world.disk.exports.size, 0)
  await world.pass()
  assert.equal((await world.call('GET', `/v1/volumes/${flagged.id}`)).status, 404)
  assert.equal((await world.call('GET', `/v1/volumes/${kept.id}`)).body.status, 'available')
})

test('regions, zones and profiles', async () => {
  await using world = await makeWorld()
  assert.equal((await world.call('GET', '/v1/regions')).body.regions[0].name, 'us-south')
  assert.equal((await world.call('GET', '/v1/regions/us-south/zones')).body.zones.length, 3)
  assert.equal((await world.call('GET', '/v1/regions/us-south/zones/us-south-4')).status, 404)
  assert.equal((await world.call('GET', '/v1/regions/eu-de')).status, 404)
  const page = await world.call('GET', '/v1/volume/profiles?limit=3')
  assert.equal(page.body.profiles.length, 3)
  const rest = await world.call('GET', page.body.next.href.replace('http://keyward.test', ''))
  assert.deepEqual(
    rest.body.profiles.map((profile: { name: string }) => profile.name),
    ['custom', 'sdp'],
  )
  assert.equal((await world.call('GET', '/v1/volume/profiles/sdp')).body.storage_generation.value, 2)
  assert.equal((await world.call('GET', '/v1/volume/profiles/none')).status, 404)
})

test('hostile input is refused, never a fault of ours', async () => {
  await using world = await makeWorld()
  const ids = ['%00', '..%2f..', "'%20or%201=1--", 'x'.repeat(1000), '%F0%9F%92%A9', '__proto__', 'constructor']
  for (const id of ids) {
    for (const path of [`/v1/volumes/${id}`, `/v1/instances/${id}`, `/v1/volume/profiles/${id}`, `/v1/regions/${id}`]) {
      assert.equal((await world.call('GET', path)).status, 404, path)
    }
  }
  const bodies: readonly unknown[] = [
    null,
    [],
    'text',
    1,
    { zone: [] },
    { profile: null },
    { encryption_key: { crn: {} } },
  ]
  for (const body of bodies) {
    const { status } = await world.call('POST', '/v1/volumes', { body })
    assert.equal(status, 400, JSON.stringify(body))
  }
  for (const crn of [
    '\u0000',
    '\ud800',
    `crn:v1:${'x'.repeat(2000)}`,
    'crn:v1:bluemix:public:kms:us-south:a/\u0000::key:\ud800',
  ]) {
    const { status } = await world.call('POST', '/v1/volumes', { body: volumeBody({ encryption_key: { crn } }) })
    assert.equal(status, 400, JSON.stringify(crn))
  }
  for (const query of ['name=%00', 'name=a&name=b', 'attachment_state=x', 'start=%00', 'start=']) {
    assert.ok([200, 400].includes((await world.call('GET', `/v1/volumes?${query}`)).status), query)
  }
})

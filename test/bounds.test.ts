// Bounded authorizations: A lends its key to B and to C, for a time, for so many volumes, for some kinds of them. What the
// bounds say holds for requests that come at once, for volumes that grow and for I/O that runs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { startNbdsh, tlsUri } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, keyPath, makeAccount, makeRootKey, makeVolume, volumeBody } from './harness/story.ts'
import { takeSnapshot, volumeIs } from './harness/story.ts'

const day = 86_400
/** By the clock of keys as it stands in a server that has not been set forward: seconds from now. */
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString()

const bounded = (owner: Api, user: Api, bounds: Json, keyId?: string): Promise<Json> =>
  owner.expect(201, 'POST', '/v1/policies', { body: { ...authorization(owner, user, keyId), bounds } })

/** A's policy with other bounds; null for none. */
const rebound = async (owner: Api, policy: Json, bounds: Json): Promise<Json> =>
  owner.expect(200, 'PUT', `/v1/policies/${policy.id}`, {
    headers: { 'if-match': '*' },
    body: {
      ...Object.fromEntries(['type', 'subjects', 'roles', 'resources'].map((name) => [name, policy[name]])),
      bounds,
    },
  })

const refusedBy = (answer: Json): Json => answer.errors[0].explanation?.bound ?? answer.explanation?.bound

const grantsOf = async (owner: Api, policy: Json): Promise<Json> => {
  const { grants } = await owner.expect(200, 'GET', '/keyward/v1/grants')
  return grants.find((one: Json) => one.policy_id === policy.id)
}

async function story(t: TestContext, extra: readonly string[] = []) {
  const folder = tempFolder(t)
  const server = await startServer(t, folder, extra)
  const key = await makeRootKey(server.a)
  return { server, ...server, key, c: await makeAccount(server, 'C') }
}

test('an authorization ends at its time: announced to both, running I/O stops, and a later end brings it back', async (t) => {
  const { folder, a, b, c, key, server } = await story(t)
  const policy = await bounded(a, b, { expires_at: inSeconds(10 * day) })
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, c) })
  const volume = await makeVolume(b, key.crn)
  const volumeOfC = await makeVolume(c, key.crn)
  const { connection } = await attach(b, volume.id)
  const reading = 'import time\nprint("reading", flush=True)\nwhile True:\n    h.pread(512, 0); time.sleep(0.01)'
  const io = startNbdsh(tlsUri(connection, folder), reading)
  await io.started

  const noticesOf = async (account: Api, type: string): Promise<Json[]> =>
    (await account.expect(200, 'GET', `/keyward/v1/notices?type=${type}`)).notices
  const told = (account: Api, type: string, count: number): Promise<Json[]> =>
    until(
      () => noticesOf(account, type),
      (notices) => notices.length === count,
    )

  await t.test('the ledger shows when it ends, to the one whose right it is', async () => {
    const { foreign_keys: keys } = await b.expect(200, 'GET', '/keyward/v1/foreign_keys')
    const [shown] = keys[0].authorizations
    assert.equal(shown.policy_id, policy.id)
    assert.equal(Date.parse(shown.ends_at), Date.parse(policy.bounds.expires_at))
    assert.deepEqual(shown.bounds, policy.bounds)
    const { foreign_keys: keysOfC } = await c.expect(200, 'GET', '/keyward/v1/foreign_keys')
    assert.deepEqual([keysOfC[0].authorizations[0].ends_at, keysOfC[0].authorizations[0].bounds], [null, null])
  })

  await t.test('seven days and one day before, both accounts are told, and nobody else', async () => {
    await server.advance(4 * day)
    for (const account of [a, b]) {
      const [notice] = await told(account, 'authorization.expiring', 1)
      assert.equal(notice.event.data.days_left, 7)
      assert.equal(notice.event.data.policy_id, policy.id)
      assert.deepEqual(notice.event.data.resource_crns, [volume.crn])
    }
    await server.advance(5.5 * day)
    for (const account of [a, b]) await told(account, 'authorization.expiring', 2)
    assert.deepEqual(await noticesOf(c, 'authorization.expiring'), [])
  })

  await t.test('at its time I/O stops, the volume is unusable, and what is asked for says why', async () => {
    await volumeIs(b, volume.id, 'available')
    await server.advance(day)
    assert.notEqual((await io.ended).status, 0)
    await volumeIs(b, volume.id, 'unusable')
    await volumeIs(c, volumeOfC.id, 'available')
    for (const account of [a, b]) await told(account, 'authorization.expired', 1)
    assert.deepEqual(await noticesOf(b, 'authorization.removed'), [])
    const answer = await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))
    assert.equal(answer.errors[0].code, 'volume_encryption_key_not_authorized')
    assert.match(answer.errors[0].message, /has ended at .* ask account/)
    assert.equal(refusedBy(answer).name, 'expires_at')
    const { foreign_keys: keys } = await b.expect(200, 'GET', '/keyward/v1/foreign_keys')
    assert.equal(keys[0].state, 'unauthorized')
    assert.equal(keys[0].authorizations[0].policy_id, policy.id)
    assert.equal((await grantsOf(a, policy)).ended, true)
  })

  await t.test('a later end brings the volume back', async () => {
    await rebound(a, policy, { expires_at: inSeconds(60 * day) })
    await volumeIs(b, volume.id, 'available')
    await told(b, 'authorization.restored', 1)
  })
})

test('so many volumes and no more, however many are asked for at once; a deletion gives one back', async (t) => {
  const { a, b, c, key } = await story(t)
  const policy = await bounded(a, b, { max_volumes: 3 })
  await bounded(a, c, { max_volumes: 1 })
  const answers = await Promise.all(
    Array.from({ length: 8 }, () =>
      b.send('POST', '/v1/volumes?version=2026-03-24&generation=2', { body: volumeBody(key.crn) }),
    ),
  )
  const made = answers.filter(({ status }) => status === 201).map(({ body }) => body)
  assert.equal(made.length, 3)
  for (const { body } of answers.filter(({ status }) => status !== 201)) {
    assert.equal(body.errors[0].code, 'volume_encryption_key_not_authorized')
    const bound = refusedBy(body)
    assert.deepEqual([bound.policyId, bound.name, bound.limit, bound.used], [policy.id, 'max_volumes', 3, 3])
  }
  await makeVolume(c, key.crn)
  for (const { id } of made) await volumeIs(b, id, 'available')

  const grant = await until(
    () => grantsOf(a, policy),
    ({ refused }) => refused?.count === 5,
  )
  assert.deepEqual(grant.used, { volumes: 3, capacity_gb: 30 })
  assert.deepEqual([grant.refused.last.bound, grant.refused.last.account_id], ['max_volumes', b.account.id])
  assert.equal(grant.watched, null)

  await b.vpc(204, 'DELETE', `/volumes/${made[0].id}`)
  await until(
    () => grantsOf(a, policy),
    ({ used }) => used.volumes === 2,
  )
  await makeVolume(b, key.crn)
  await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))

  // A second policy with the same bounds, made anew, does not begin from nothing; one that permits more is permission.
  const instead = await bounded(a, b, { max_volumes: 3 }, key.id)
  await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))
  await rebound(a, instead, { max_volumes: 4 })
  await makeVolume(b, key.crn)
  await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))
})

test('so much capacity and no more: growth counts, and what did not come to be is given back', async (t) => {
  const { a, b, key } = await story(t)
  const policy = await bounded(a, b, { max_capacity_gb: 100, profiles: ['general-purpose', 'sdp'] })
  const volume = await makeVolume(b, key.crn, { profile: { name: 'sdp' }, capacity: 40 })
  await makeVolume(b, key.crn, { capacity: 30 })
  await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn, { capacity: 31 }))

  const resize = (status: number, capacity: number): Promise<Json> =>
    b.vpc(status, 'PATCH', `/volumes/${volume.id}`, { capacity })
  const refused = await resize(400, 71)
  assert.deepEqual([refused.errors[0].target.name, refusedBy(refused).name], ['capacity', 'max_capacity_gb'])
  await volumeIs(b, volume.id, 'available')
  assert.equal((await grantsOf(a, policy)).used.capacity_gb, 70)
  await resize(200, 70)
  await volumeIs(b, volume.id, 'available')
  assert.equal((await grantsOf(a, policy)).used.capacity_gb, 100)
  await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))

  // What is refused for another reason books nothing.
  await rebound(a, policy, { max_capacity_gb: 1000 })
  await b.vpc(400, 'PATCH', `/volumes/${volume.id}`, { capacity: 60 })
  await b.vpc(400, 'PATCH', `/volumes/${volume.id}`, { capacity: 80, iops: 1 })
  assert.equal((await grantsOf(a, policy)).used.capacity_gb, 100)
  await b.vpc(204, 'DELETE', `/volumes/${volume.id}`)
  await until(
    () => grantsOf(a, policy),
    ({ used }) => used.capacity_gb === 30,
  )
})

test('only these profiles, zones and purposes; what lies there goes on', async (t) => {
  const { a, b, key } = await story(t)
  const policy = await bounded(a, b, { profiles: ['general-purpose'], zones: ['us-south-1'] })
  const volume = await makeVolume(b, key.crn)
  const wrong = async (more: Json): Promise<string> =>
    refusedBy(await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn, more))).name
  assert.equal(await wrong({ profile: { name: '5iops-tier' } }), 'profiles')
  assert.equal(await wrong({ zone: { name: 'us-south-2' } }), 'zones')

  await rebound(a, policy, { purposes: ['attach', 'create-snapshot'] })
  assert.equal(await wrong({}), 'purposes')
  const { instanceId } = await attach(b, volume.id)
  await takeSnapshot(b, volume.id)
  await rebound(a, policy, { purposes: ['attach'] })
  const answer = await b.vpc(400, 'POST', '/snapshots', { source_volume: { id: volume.id } })
  assert.match(answer.errors[0].message, /purposes attach only/)
  // A rotation is followed under a grant for nothing new.
  await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
  await until(
    () => a.expect(200, 'GET', keyPath(key, 'uses')),
    ({ uses }) => uses.every((use: Json) => use.key_version_id !== key.id),
  )
  await b.vpc(201, 'POST', `/instances/${instanceId}/actions`, { type: 'stop' })

  await rebound(a, policy, null)
  await makeVolume(b, key.crn, { zone: { name: 'us-south-2' } })
})

test('monitor counts what it would refuse, shows it to both sides, and refuses nothing', async (t) => {
  const { a, b, c, key, server } = await story(t)
  const policy = await bounded(a, b, { mode: 'monitor', max_volumes: 1, expires_at: inSeconds(day) })
  await makeVolume(b, key.crn)
  assert.equal((await grantsOf(a, policy)).watched, null)
  await makeVolume(b, key.crn)
  const grant = await until(
    () => grantsOf(a, policy),
    ({ watched }) => watched?.count === 1,
  )
  const { last } = grant.watched
  assert.deepEqual(
    [last.bound, last.action, last.account_id, last.service, last.key_id],
    ['max_volumes', 'kms.registrations.create', b.account.id, 'server-protect', key.id],
  )
  const { foreign_keys: keys } = await b.expect(200, 'GET', '/keyward/v1/foreign_keys')
  assert.deepEqual(keys[0].authorizations[0].watched, grant.watched)
  assert.equal(keys[0].authorizations[0].ends_at, null, 'what is only watched does not end')

  await server.advance(2 * day)
  const late = await makeVolume(b, key.crn)
  await attach(b, late.id)
  assert.equal((await grantsOf(a, policy)).refused, null)

  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, c) })
  await makeVolume(c, key.crn)
  const seen = JSON.stringify([
    await c.expect(200, 'GET', '/keyward/v1/foreign_keys'),
    await c.expect(200, 'GET', '/keyward/v1/grants'),
    await c.expect(200, 'GET', '/keyward/v1/notices'),
  ])
  for (const secret of [b.account.id, policy.id, late.id]) assert.ok(!seen.includes(secret), secret)
  await c.expect(403, 'GET', `/keyward/v1/grants?account_id=${a.account.id}`)
  await b.expect(403, 'GET', `/keyward/v1/grants?account_id=${a.account.id}`)
  const shown = JSON.stringify(await a.expect(200, 'GET', '/keyward/v1/grants'))
  for (const name of [late.name, late.id]) assert.ok(!shown.includes(name), name)
})

test('who knows nothing of bounds keeps them, and who may not widen them does not', async (t) => {
  const { a, b, key } = await story(t)
  const policy = await bounded(a, b, { max_volumes: 1 })
  const path = `/v2/policies/${policy.id}`
  const v2 = await a.expect(200, 'GET', path)
  assert.deepEqual(v2.bounds, { max_volumes: 1 })
  const { bounds: _, ...unaware } = v2
  const body = Object.fromEntries(['type', 'subject', 'resource', 'control'].map((name) => [name, unaware[name]]))
  const headers = { 'if-match': '*' }
  const put = (status: number, sent: Json, as = a): Promise<Json> =>
    as.expect(status, 'PUT', path, { headers, body: sent })
  assert.deepEqual((await put(200, { ...body, description: 'by Terraform' })).bounds, { max_volumes: 1 })
  await a.expect(204, 'DELETE', `/v1/policies/${policy.id}`)
  await a.expect(200, 'PATCH', `/v1/policies/${policy.id}`, { headers, body: { state: 'active' } })
  assert.deepEqual((await a.expect(200, 'GET', `/v1/policies/${policy.id}`)).bounds, { max_volumes: 1 })
  // An unbounded twin is the same policy: nobody makes one by accident.
  await a.expect(409, 'POST', '/v1/policies', { body: authorization(a, b) })
  await makeVolume(b, key.crn)
  await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))
  await put(404, { ...body, bounds: null }, b)
  assert.equal((await put(200, { ...body, bounds: null })).bounds, undefined)
  await makeVolume(b, key.crn)
})

test('bounds that bound nothing, or what they cannot, are refused by name', async (t) => {
  const { a, b } = await story(t)
  const send = async (bounds: Json, policy: Json = authorization(a, b)): Promise<string> => {
    const answer = await a.expect(400, 'POST', '/v1/policies', { body: { ...policy, bounds } })
    return answer.errors[0].message
  }
  const cases: readonly (readonly [Json, string])[] = [
    [{}, 'bounds'],
    [{ mode: 'monitor' }, 'bounds'],
    [{ mode: 'loose', max_volumes: 1 }, 'bounds.mode'],
    [{ expires_at: inSeconds(-60) }, 'bounds.expires_at'],
    [{ expires_at: 'tomorrow' }, 'bounds.expires_at'],
    [{ expires_at: '9999-12-31T23:59:59Z' }, 'bounds.expires_at'],
    [{ max_volumes: 0 }, 'bounds.max_volumes'],
    [{ max_volumes: -1 }, 'bounds.max_volumes'],
    [{ max_volumes: 1.5 }, 'bounds.max_volumes'],
    [{ max_volumes: 1e12 }, 'bounds.max_volumes'],
    [{ max_capacity_gb: 1e300 }, 'bounds.max_capacity_gb'],
    [{ max_capacity_gb: '10' }, 'bounds.max_capacity_gb'],
    [{ profiles: ['fast'] }, 'bounds.profiles'],
    [{ profiles: [] }, 'bounds.profiles'],
    [{ zones: ['eu-de-1'] }, 'bounds.zones'],
    [{ zones: ['us-south-1', 'us-south-1'] }, 'bounds.zones'],
    [{ purposes: ['create-volume'] }, 'bounds.purposes'],
    [{ purposes: ['attach'], max_volumes: 2 }, 'bounds.max_volumes'],
    [{ max_volumes: 1, max_snapshots: 1 }, 'bounds.max_snapshots'],
    ['none', 'bounds'],
  ]
  for (const [bounds, field] of cases) {
    const named = await send(bounds)
    assert.ok(named.startsWith(field), `${JSON.stringify(bounds)}: ${named}`)
  }
  const access = {
    type: 'access',
    subjects: [{ attributes: [{ name: 'iam_id', value: 'IBMid-0000000001' }] }],
    roles: [{ role_id: 'crn:v1:bluemix:public:iam::::serviceRole:Reader' }],
    resources: authorization(a, b).resources,
  }
  assert.match(await send({ max_volumes: 1 }, access), /^bounds: /)
  const other = structuredClone(authorization(a, b))
  const [attributes] = other.subjects
  assert.ok(attributes?.attributes[0])
  attributes.attributes[0].value = 'cloud-object-storage'
  assert.match(await send({ max_volumes: 1 }, other), /^bounds\.max_volumes: /)
  await a.expect(201, 'POST', '/v1/policies', { body: { ...other, bounds: { expires_at: inSeconds(day) } } })
})

// The users of a key are told what becomes of it: in the inbox, on the stream, and by signed webhooks.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { openStream } from './harness/event-stream.ts'
import { startReceiver } from './harness/receiver.ts'
import type { Received } from './harness/receiver.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { authorization, keyEnvelope, makeAccount, makeRootKey, makeVolume } from './harness/story.ts'

const noticesOf = async (reader: Api, query = ''): Promise<Json[]> =>
  (await reader.expect(200, 'GET', `/keyward/v1/notices${query}`)).notices

const typesOf = async (reader: Api): Promise<string[]> => (await noticesOf(reader)).map(({ type }) => type)

/** The newest notice, once it is of this type. */
const told = async (reader: Api, type: string): Promise<Json> =>
  (
    await until(
      () => noticesOf(reader),
      ([newest]) => newest?.type === type,
    )
  )[0]

const trail = async (reader: Api, action: string): Promise<Json[]> => {
  const path = `/keyward/v1/audit?account_id=${reader.account.id}&action=${action}`
  return (await reader.expect(200, 'GET', path)).records
}

test('every account whose resources lie under a key is told what becomes of it', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b, advance } = server
  const c = await makeAccount(server, 'C')
  const key = await makeRootKey(a)
  const policy = await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, c) })
  const volume = await makeVolume(b, key.crn)
  await makeVolume(c, key.crn)
  assert.deepEqual(await noticesOf(b), [])

  await t.test('disabled and enabled: a CloudEvent in both inboxes, and in nobody else’s', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    const notice = await told(b, 'key.disabled')
    await told(c, 'key.disabled')
    assert.deepEqual([notice.account_id, notice.read_at, notice.acknowledged_at], [b.account.id, null, null])
    const { event } = notice
    assert.deepEqual(event, {
      specversion: '1.0',
      id: notice.id,
      source: `/keyward/accounts/${a.account.id}`,
      type: 'keyward.key.disabled',
      subject: key.crn,
      time: event.time,
      datacontenttype: 'application/json',
      data: {
        account_id: b.account.id,
        owner_account_id: a.account.id,
        key_crn: key.crn,
        resources: 1,
        resource_crns: [volume.crn],
      },
    })
    assert.deepEqual(await noticesOf(a), [])
    await advance(60)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
    await told(b, 'key.enabled')
  })

  await t.test('rotated; the authorization removed and given back', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
    const rotated = await told(b, 'key.rotated')
    assert.notEqual(rotated.event.data.key_version_id, key.id)
    await told(c, 'key.rotated')
    await a.expect(204, 'DELETE', `/v1/policies/${policy.id}`)
    const removed = await told(b, 'authorization.removed')
    assert.deepEqual([removed.event.data.policy_id, removed.event.data.service], [policy.id, 'server-protect'])
    await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
    await told(b, 'authorization.restored')
    assert.deepEqual(await typesOf(c), ['key.rotated', 'key.enabled', 'key.disabled'])
  })

  await t.test('read and acknowledged, on record in both accounts', async () => {
    const [notice] = await noticesOf(b, '?type=key.rotated')
    const path = `/keyward/v1/notices/${notice.id}`
    assert.deepEqual(await b.expect(200, 'GET', path), notice)
    const read = await b.expect(200, 'POST', `${path}/read`)
    assert.ok(read.read_at !== null && read.acknowledged_at === null)
    const acknowledged = await b.expect(200, 'POST', `${path}/acknowledge`)
    assert.ok(acknowledged.acknowledged_at !== null && acknowledged.acknowledged_by !== null)
    assert.deepEqual(await b.expect(200, 'POST', `${path}/acknowledge`, { body: {} }), acknowledged)
    assert.equal((await noticesOf(b, '?unacknowledged=true')).length, (await noticesOf(b)).length - 1)
    for (const reader of [a, b]) {
      for (const action of ['keyward.notice.read', 'keyward.notice.acknowledge']) {
        const records = await trail(reader, action)
        assert.deepEqual(
          records.map(({ target, responseData }) => [target.id, responseData.noticeId]),
          [[key.crn, notice.id]],
          action,
        )
      }
      assert.ok((await trail(reader, 'keyward.notice.send')).length >= 5)
    }
  })

  await t.test('another account’s notices are not there, whoever forges what', async () => {
    const [notice] = await noticesOf(c)
    for (const [method, rest] of [
      ['GET', ''],
      ['POST', '/read'],
      ['POST', '/acknowledge'],
    ] as const) {
      for (const stranger of [a, b]) await stranger.expect(404, method, `/keyward/v1/notices/${notice.id}${rest}`)
    }
    await b.expect(403, 'GET', `/keyward/v1/notices?account_id=${c.account.id}`)
    await b.expect(404, 'GET', '/keyward/v1/notices/none')
    await b.expect(400, 'GET', `/keyward/v1/notices?start=${Buffer.from(notice.id).toString('base64url')}`)
    const [own] = await noticesOf(b)
    const objection = { answer: 'objected', reason: 'no' }
    const wrong = await b.expect(400, 'POST', `/keyward/v1/notices/${own.id}/acknowledge`, { body: objection })
    assert.equal(wrong.errors[0].target.name, 'answer')
  })

  await t.test('pages go on where they ended', async () => {
    const all = await noticesOf(b)
    const seen: string[] = []
    for (let path = '/keyward/v1/notices?limit=2'; path !== ''; ) {
      const page = await b.expect(200, 'GET', path)
      seen.push(...page.notices.map(({ id }: Json) => id))
      path = page.next ? new URL(page.next.href).pathname + new URL(page.next.href).search : ''
    }
    assert.deepEqual(
      seen,
      all.map(({ id }) => id),
    )
  })

  await t.test('deleted by force, which takes the registrations, and restored', async () => {
    await a.kms(204, 'DELETE', `/keys/${key.id}?force=true`)
    const deleted = await told(b, 'key.deleted')
    assert.deepEqual(deleted.event.data.resource_crns, [volume.crn])
    await told(c, 'key.deleted')
    await advance(60)
    await a.kms(201, 'POST', `/keys/${key.id}/restore`)
    await until(
      () => typesOf(b),
      (types) => types.includes('key.restored'),
    )
  })
})

test('an expiry is told 30, 7 and 1 days before, each once, and when it has come', async (t) => {
  const { a, b, advance } = await startServer(t, tempFolder(t))
  const day = 24 * 3600
  const expirationDate = new Date(Date.now() + 40 * day * 1000).toISOString().replace(/\.\d+/, '')
  const { resources } = await a.kms(
    201,
    'POST',
    '/keys',
    keyEnvelope({ name: 'ends', extractable: false, expirationDate }),
  )
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await makeVolume(b, resources[0].crn)
  for (const [days, left] of [
    [11, 30],
    [23, 7],
    [5, 1],
  ] as const) {
    await advance(days * day)
    const [newest] = await until(
      () => noticesOf(b),
      ([first]) => first?.event.data.days_left === left,
    )
    assert.equal(newest.type, 'key.expiring')
  }
  await advance(2 * day)
  await told(b, 'key.expired')
  assert.deepEqual(await typesOf(b), ['key.expired', 'key.expiring', 'key.expiring', 'key.expiring'])
})

test('the stream tells as it happens, resumes, and ends with its token', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b, advance, baseUrl } = server
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await makeVolume(b, key.crn)

  const stream = await openStream(baseUrl, b)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
  const first = await stream.next()
  assert.equal(first?.event, 'keyward.key.disabled')
  assert.deepEqual(first?.data, (await noticesOf(b))[0].event)
  stream.close()

  await advance(60)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
  await told(b, 'key.enabled')
  const resumed = await openStream(baseUrl, b, { 'last-event-id': first?.id ?? '' })
  const missed = await resumed.next()
  assert.equal(missed?.event, 'keyward.key.enabled')

  await b.expect(400, 'GET', '/keyward/v1/notices/stream', { headers: { 'last-event-id': 'forged' } })
  await a.expect(400, 'GET', '/keyward/v1/notices/stream', { headers: { 'last-event-id': first?.id ?? '' } })
  await b.expect(403, 'GET', `/keyward/v1/notices/stream?account_id=${a.account.id}`)

  await t.test('so many at a time and no more', async () => {
    const more = await Promise.all(Array.from({ length: 9 }, () => openStream(baseUrl, b)))
    await b.expect(429, 'GET', '/keyward/v1/notices/stream')
    for (const one of more) one.close()
    const again = await until(
      () => openStream(baseUrl, b).catch(() => null),
      (one) => one !== null,
    )
    again?.close()
  })

  const login = await b.expect(201, 'POST', '/v1/apikeys', {
    body: {
      name: 'short-lived',
      iam_id: (await b.expect(200, 'GET', '/v1/apikeys/details', { headers: { 'iam-apikey': b.account.apiKey } }))
        .iam_id,
      account_id: b.account.id,
      store_value: false,
    },
  })
  const grant = new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: login.apikey })
  const answer: Json = await (await fetch(`${baseUrl}/identity/token`, { method: 'POST', body: grant })).json()
  const passing = await openStream(baseUrl, b, { authorization: `Bearer ${answer.access_token}` })
  await b.expect(204, 'DELETE', `/v1/apikeys/${login.id}`)
  assert.equal(await passing.next(), null)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
  assert.equal((await resumed.next())?.event, 'keyward.key.rotated')
  resumed.close()
})

test('webhooks are signed, tried again, given up, driven again, and point nowhere inside', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder, ['--allow-private-webhooks'])
  const { a, b, advance } = server
  const receiver = await startReceiver(t)
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await makeVolume(b, key.crn)
  const made = await b.expect(201, 'POST', '/keyward/v1/webhooks', { body: { url: receiver.url } })
  const { id, secret, ...rest } = made
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  const hook = `/keyward/v1/webhooks/${id}`
  assert.deepEqual(await b.expect(200, 'GET', hook), { id, ...rest })
  assert.deepEqual(await b.expect(200, 'GET', '/keyward/v1/webhooks'), { webhooks: [{ id, ...rest }] })

  const verified = ({ body, headers }: Received, by: string): Json =>
    new Webhook(by).verify(body, headers as Record<string, string>)
  const reception = (count: number): Promise<readonly Received[]> =>
    until(
      () => Promise.resolve(receiver.received),
      (all) => all.length >= count,
    )

  await t.test('delivered with a signature that Standard Webhooks verifies', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
    const [first] = await reception(1)
    assert.ok(first)
    const [notice] = await noticesOf(b)
    assert.deepEqual(verified(first, secret), notice.event)
    assert.equal(first.headers['webhook-id'], notice.id)
    assert.match(first.headers['content-type'] ?? '', /^application\/cloudevents\+json/)
    assert.throws(() => verified({ ...first, body: `${first.body} ` }, secret))
    const { deliveries } = await until(
      () => b.expect(200, 'GET', `${hook}/deliveries`),
      (answer) => answer.deliveries[0].state === 'delivered',
    )
    assert.deepEqual([deliveries.length, deliveries[0].attempts, deliveries[0].last_status], [1, 1, 200])
    for (const reader of [a, b]) assert.equal((await trail(reader, 'keyward.webhook.deliver')).length, 1)
  })

  await t.test('a replaced secret signs beside the new one for a day', async () => {
    const rotated = await b.expect(200, 'POST', `${hook}/rotate_secret`)
    assert.notEqual(rotated.secret, secret)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    const delivery = (await reception(2))[1]
    assert.ok(delivery)
    for (const by of [secret, rotated.secret]) verified(delivery, by)
    await advance(25 * 3600)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
    const later = (await reception(3))[2]
    assert.ok(later)
    verified(later, rotated.secret)
    assert.throws(() => verified(later, secret))
    for (const name of readdirSync(folder).filter((file) => file.startsWith('keyward.db'))) {
      const bytes = readFileSync(join(folder, name))
      for (const shown of [secret, rotated.secret]) {
        assert.ok(!bytes.includes(shown) && !bytes.includes(Buffer.from(shown.slice(6), 'base64')), name)
      }
    }
  })

  await t.test('what fails is tried again, given up at last, and driven again by hand', async () => {
    receiver.answer(500)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    await reception(4)
    receiver.answer(302, `${receiver.url}/elsewhere`)
    for (let count = 5; count <= 13; count += 1) {
      await advance(27 * 3600)
      await reception(count)
    }
    assert.ok(
      receiver.received.every(({ path }) => path === '/hook'),
      'redirects are not followed',
    )
    const ids = new Set(receiver.received.slice(3).map(({ headers }) => headers['webhook-id']))
    assert.equal(ids.size, 1)
    const { deliveries } = await until(
      () => b.expect(200, 'GET', `${hook}/deliveries?state=dead`),
      (answer) => answer.deliveries.length === 1,
    )
    assert.deepEqual([deliveries[0].attempts, deliveries[0].last_status], [10, 302])
    receiver.answer(200)
    await b.expect(404, 'POST', `${hook}/deliveries/none/redrive`)
    await b.expect(202, 'POST', `${hook}/deliveries/${deliveries[0].id}/redrive`)
    await reception(14)
    await b.expect(404, 'POST', `${hook}/deliveries/${deliveries[0].id}/redrive`)
  })

  await t.test(
    'only the types that are wanted; nothing while it is switched off; another account’s is not there',
    async () => {
      await b.expect(200, 'PATCH', hook, { body: { types: ['key.deleted'] } })
      await a.expect(404, 'GET', hook)
      await a.expect(404, 'DELETE', hook)
      await a.expect(403, 'GET', `/keyward/v1/webhooks?account_id=${b.account.id}`)
      await advance(60)
      await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
      await told(b, 'key.enabled')
      assert.equal((await b.expect(200, 'GET', `${hook}/deliveries?state=pending`)).deliveries.length, 0)
      await b.expect(200, 'PATCH', hook, { body: { types: null, enabled: false } })
      await b.expect(400, 'PATCH', hook, { body: { types: ['key.exploded'] } })
      await b.expect(204, 'DELETE', hook)
      await b.expect(404, 'GET', hook)
      assert.equal(receiver.received.length, 14)
    },
  )
})

test('without leave of the operator webhooks point to the outside only', async (t) => {
  const { b } = await startServer(t, tempFolder(t))
  const refused = [
    'http://example.com/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://localhost/',
    'https://10.0.0.1/',
  ]
  for (const url of refused) {
    const answer = await b.expect(400, 'POST', '/keyward/v1/webhooks', { body: { url } })
    assert.equal(answer.errors[0].target.name, 'url')
  }
  for (let n = 0; n < 10; n += 1)
    await b.expect(201, 'POST', '/keyward/v1/webhooks', { body: { url: 'https://example.com/' } })
  await b.expect(409, 'POST', '/keyward/v1/webhooks', { body: { url: 'https://example.com/' } })
})

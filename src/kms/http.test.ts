// The wire, through the real edge: statuses, bodies and the ways clients differ. Each reply is checked against the contract.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import { kmsContract } from './contract.ts'
import { kmsRoutes } from './routes.ts'
import { waits } from './waits.ts'
import { accountA, accountB, blockStorage, caller, makeWorld, managerActions, volumeCrn } from './testing/world.ts'
import type { World } from './testing/world.ts'

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  // Whatever JSON came back; each assertion says what it should be.
  readonly body: Json
}
type Json = { readonly [name: string]: Json } & readonly Json[] & (string | number | boolean | undefined)

interface Sent {
  readonly body?: unknown
  readonly headers?: Record<string, string | undefined>
}

interface Wire extends AsyncDisposable {
  readonly world: World
  send(method: 'GET' | 'HEAD' | 'POST' | 'DELETE', path: string, sent?: Sent): Promise<Answer>
  makeKey(resource?: Record<string, unknown>): Promise<Json>
}

async function makeWire(): Promise<Wire> {
  const world = await makeWorld()
  const { iam, clock, kms } = world
  const service = makeService({ dialect: 'kms', contract: kmsContract, routes: kmsRoutes(kms) })
  const server = makeServer({
    services: [service],
    iam,
    clock,
    log: makeLog('silent'),
    random: systemRandom,
    publicUrl: null,
    tls: null,
    checkReplies: true,
  })
  const wire: Wire = {
    world,
    async send(method, path, { body, headers = {} } = {}) {
      const all = { authorization: 'Bearer IBMid-owner', 'bluemix-instance': world.instanceId, ...headers }
      const payload = body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }
      const response = await server.inject({
        method,
        url: `/api/v2${path}`,
        headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
        ...payload,
      })
      const text = response.payload
      return {
        status: response.statusCode,
        headers: response.headers,
        body: text === '' ? undefined : JSON.parse(text),
      }
    },
    async makeKey(resource = {}) {
      const { status, body } = await wire.send('POST', '/keys', { body: newKey(resource) })
      assert.equal(status, 201, JSON.stringify(body))
      return first(body)
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      await world[Symbol.asyncDispose]()
    },
  }
  return wire
}

const keyType = 'application/vnd.ibm.kms.key+json'
const newKey = (resource: Record<string, unknown> = {}) => ({
  metadata: { collectionType: keyType, collectionTotal: 1 },
  resources: [{ type: keyType, name: 'my key', extractable: false, ...resource }],
})

const first = (body: Json): Json => {
  const [resource] = body['resources'] ?? []
  assert.ok(resource)
  return resource
}

/** Status, code and target of an error, after its envelope has been found to be the documented one. */
function refusal({ status, body }: Answer): readonly unknown[] {
  assert.deepEqual(body['metadata'], { collectionType: 'application/vnd.ibm.kms.error+json', collectionTotal: 1 })
  const error = first(body)
  assert.equal(typeof error['errorMsg'], 'string')
  const [reason] = error['reasons'] ?? []
  if (reason) assert.equal(reason['status'], status)
  return reason?.['target'] ? [status, reason['code'], reason['target']['name']] : [status, reason?.['code']]
}

test('POST /keys answers with the documented key, and GET with the same', async () => {
  await using wire = await makeWire()
  const { world } = wire
  const resource = { description: 'for volumes', Tags: ['blue'], expirationDate: '2026-06-01T12:00:00.500+02:00' }
  const created = await wire.send('POST', '/keys', { body: newKey(resource) })
  const key = first(created.body)
  const id = key['id']
  const expected = {
    type: keyType,
    id,
    name: 'my key',
    aliases: [],
    description: 'for volumes',
    tags: ['blue'],
    state: 1,
    extractable: false,
    crn: `crn:v1:bluemix:public:kms:us-south:a/${accountA}:${world.instanceId}:key:${id}`,
    imported: false,
    keyRingID: 'default',
    creationDate: '2026-01-01T00:00:00Z',
    createdBy: 'IBMid-owner',
    lastUpdateDate: '2026-01-01T00:00:00Z',
    expirationDate: '2026-06-01T10:00:00Z',
    keyVersion: { id, creationDate: '2026-01-01T00:00:00Z' },
    algorithmType: 'AES',
    algorithmMode: 'Deprecated',
    algorithmBitSize: 256,
    algorithmMetadata: { bitLength: '256', mode: 'Deprecated' },
    nonactiveStateReason: 0,
    dualAuthDelete: { enabled: false },
    deleted: false,
  }
  assert.deepEqual([created.status, key], [201, expected])
  assert.deepEqual(created.body['metadata'], { collectionType: keyType, collectionTotal: 1 })
  for (const path of [`/keys/${id}`, `/keys/${id}/metadata`]) {
    assert.deepEqual(first((await wire.send('GET', path)).body), expected)
  }
})

test('POST /keys takes JSON under any content type, imports, and answers with as little as is preferred', async () => {
  await using wire = await makeWire()
  const payload = randomBytes(24).toString('base64')
  for (const type of [keyType, 'application/json', 'application/x-www-form-urlencoded', undefined]) {
    const { status, body } = await wire.send('POST', '/keys', {
      body: newKey({ payload }),
      headers: { 'content-type': type, prefer: 'return=minimal', 'x-kms-key-ring': 'default' },
    })
    assert.deepEqual([status, Object.keys(first(body)).sort()], [201, ['id', 'type']])
  }
  const standard = await wire.makeKey({ extractable: true, payload: Buffer.from('a secret').toString('base64') })
  assert.deepEqual(
    [standard['payload'], standard['imported'], standard['keyVersion']],
    ['YSBzZWNyZXQ=', true, undefined],
  )
  const { body } = await wire.send('GET', '/keys')
  assert.ok([...(body['resources'] ?? [])].every((key) => key['payload'] === undefined))
})

test('wrong bodies and fields have the documented codes', async () => {
  await using wire = await makeWire()
  const two = newKey()
  const cases: [unknown, readonly unknown[]][] = [
    ['{', [400, 'BAD_BODY_ERR']],
    [
      { ...two, metadata: { ...two.metadata, collectionTotal: 2 } },
      [400, 'COLLECTION_TOTAL_MISMATCH_ERR', 'metadata.collectionTotal'],
    ],
    [
      { metadata: { collectionType: keyType, collectionTotal: 2 }, resources: [two.resources[0], two.resources[0]] },
      [400, 'BAD_BODY_ERR', 'resources'],
    ],
    [{ metadata: { collectionType: keyType, collectionTotal: 0 }, resources: [] }, [400, 'BAD_BODY_ERR', 'resources']],
    [newKey({ colour: 'red' }), [400, 'BAD_BODY_ERR', 'resources.0.colour']],
    [newKey({ type: 'text/plain' }), [400, 'BAD_BODY_ERR', 'type']],
    [newKey({ name: 'x' }), [400, 'INVALID_FIELD_ERR', 'name']],
    [newKey({ name: 'x'.repeat(91) }), [400, 'INVALID_FIELD_ERR', 'name']],
    [newKey({ description: 'x' }), [400, 'INVALID_FIELD_ERR', 'description']],
    [newKey({ tags: ['a:b'] }), [400, 'INVALID_FIELD_ERR', 'tags']],
    [newKey({ tags: ['a'], TAGS: ['b'] }), [400, 'BAD_BODY_ERR', 'tags']],
    [newKey({ payload: 'not base64' }), [400, 'INVALID_FIELD_ERR', 'payload']],
    [newKey({ payload: 'YWJj' }), [400, 'INVALID_FIELD_ERR', 'payload']],
    [newKey({ expirationDate: '2025-01-01T00:00:00Z' }), [400, 'INVALID_FIELD_ERR', 'expirationDate']],
    [newKey({ expirationDate: 'tomorrow' }), [400, 'INVALID_FIELD_ERR', 'expirationDate']],
    [newKey({ encryptedNonce: 'x' }), [400, 'INVALID_FIELD_ERR', 'payload']],
    [newKey({ payload: 'eHh4', iv: 'x' }), [400, 'INVALID_FIELD_ERR', 'encryptedNonce']],
    [newKey({ aliases: ['one', 'one'] }), [400, 'INVALID_FIELD_ERR', 'aliases']],
    [newKey({ rotation: { interval_month: 2 } }), [400, 'BAD_BODY_ERR', 'rotation']],
  ]
  for (const [body, expected] of cases) assert.deepEqual(refusal(await wire.send('POST', '/keys', { body })), expected)
  const { body } = await wire.send('GET', '/keys?totalCount=true')
  assert.equal(body['metadata']?.['totalCount'], 0)
})

test('GET and HEAD /keys page, filter and count', async () => {
  await using wire = await makeWire()
  const empty = await wire.send('GET', '/keys')
  assert.deepEqual(empty.body, { metadata: { collectionType: keyType, collectionTotal: 0 }, resources: [] })
  for (const name of ['key-a', 'key-b', 'key-c']) await wire.makeKey({ name, extractable: name === 'key-c' })
  const page = await wire.send('GET', '/keys?limit=2&offset=2&totalCount=true')
  assert.deepEqual(page.body['metadata'], { collectionType: keyType, collectionTotal: 1, totalCount: 3 })
  const names = async (query: string) =>
    [...((await wire.send('GET', `/keys?${query}`)).body['resources'] ?? [])].map((key) => key['name'])
  assert.deepEqual(await names('extractable=true'), ['key-c'])
  assert.deepEqual(await names('sort=-creationDate,extractable&limit=0&extractable=true'), ['key-c'])
  assert.deepEqual((await names('state=1,2')).length, 3)
  assert.deepEqual((await names('state=2&state=3')).length, 0)
  const head = await wire.send('HEAD', '/keys?extractable=false')
  assert.deepEqual([head.status, head.headers['key-total'], head.body], [200, '2', undefined])
  for (const [query, parameter] of [
    ['limit=5001', 'limit'],
    ['limit=x', 'limit'],
    ['offset=-1', 'offset'],
    ['state=4', 'state'],
    ['sort=colour', 'sort'],
  ]) {
    assert.deepEqual(refusal(await wire.send('GET', `/keys?${query}`)), [400, 'INVALID_QUERY_PARAM_ERR', parameter])
  }
})

test('who may not, asks for what is not there, or says no instance', async () => {
  await using wire = await makeWire()
  const { iam } = wire.world
  const id = (await wire.makeKey())['id']
  const absent = '00000000-0000-4000-8000-000000000000'
  iam.permit(caller('stranger', accountB), accountB, managerActions)
  const stranger = { authorization: 'Bearer IBMid-stranger' }
  const bodies = new Set<string>()
  for (const headers of [stranger, { ...stranger, 'bluemix-instance': absent }, { 'bluemix-instance': 'nonsense' }]) {
    for (const key of [id, absent, 'alias']) {
      const answer = await wire.send('GET', `/keys/${key}`, { headers })
      assert.equal(answer.status, 401)
      bodies.add(JSON.stringify(answer.body))
    }
  }
  assert.equal(bodies.size, 1, 'one answer for all of them')
  assert.deepEqual(refusal(await wire.send('GET', `/keys/${id}`, { headers: { authorization: undefined } })), [
    401,
    undefined,
  ])
  for (const key of [absent, 'alias']) {
    assert.deepEqual(refusal(await wire.send('GET', `/keys/${key}`)), [404, 'KEY_NOT_FOUND_ERR'])
  }
  const missing = await wire.send('GET', '/keys', { headers: { 'bluemix-instance': undefined } })
  assert.deepEqual(refusal(missing), [400, 'BAD_BODY_ERR', 'Bluemix-Instance'])
  const ring = await wire.send('GET', '/keys', { headers: { 'x-kms-key-ring': 'gold' } })
  assert.deepEqual([ring.status, ring.body['resources']?.length], [200, 0])
  const elsewhere = await wire.send('GET', `/keys/${id}`, { headers: { 'x-kms-key-ring': 'gold' } })
  assert.deepEqual(refusal(elsewhere), [404, 'KEY_NOT_FOUND_ERR'])
})

test('actions: wrap, unwrap, rotate, rewrap, as each client sends them', async () => {
  await using wire = await makeWire()
  const id = (await wire.makeKey())['id']
  const act = (action: string, body?: unknown) =>
    wire.send('POST', `/keys/${id}/actions/${action}`, body === undefined ? {} : { body })
  for (const body of [undefined, {}, 'null']) {
    const { status, body: made } = await act('wrap', body)
    assert.deepEqual([status, Object.keys(made).sort()], [200, ['ciphertext', 'keyVersion', 'plaintext']])
    const opened = await act('unwrap', { ciphertext: made['ciphertext'] })
    assert.deepEqual(opened.body, { plaintext: made['plaintext'], keyVersion: { id } })
  }
  const plaintext = randomBytes(32).toString('base64')
  const wrapped = await act('wrap', { plaintext, aad: ['x'] })
  assert.deepEqual(Object.keys(wrapped.body).sort(), ['ciphertext', 'keyVersion'])
  const ciphertext = wrapped.body['ciphertext']
  for (const body of [undefined, {}, 'null']) {
    const rotated = await act('rotate', body)
    assert.deepEqual([rotated.status, rotated.body], [204, undefined])
    assert.deepEqual(refusal(await act('rotate', body)), [409, 'KEY_ROTATION_NOT_PERMITTED'])
    wire.world.clock.advance(waits.rotateMs)
  }
  const unwrapped = (await act('unwrap', { ciphertext, aad: ['x'] })).body
  assert.deepEqual([unwrapped['plaintext'], unwrapped['keyVersion']], [plaintext, { id }])
  const rewrapped = (await act('rewrap', { ciphertext, aad: ['x'] })).body
  assert.deepEqual(Object.keys(rewrapped).sort(), ['ciphertext', 'keyVersion', 'rewrappedKeyVersion'])
  assert.deepEqual(rewrapped['rewrappedKeyVersion'], unwrapped['rewrappedKeyVersion'])
  const versions = await wire.send('GET', `/keys/${id}/versions?totalCount=true&limit=2`)
  assert.deepEqual(versions.body['metadata'], { collectionType: keyType, collectionTotal: 2, totalCount: 4 })
  assert.deepEqual(first(versions.body)['id'], rewrapped['rewrappedKeyVersion']?.['id'])

  assert.deepEqual(refusal(await act('unwrap')), [400, 'NO_BODY_ERR'])
  assert.deepEqual(refusal(await act('rewrap')), [400, 'NO_BODY_ERR'])
  assert.deepEqual(refusal(await act('unwrap', { ciphertext: '?' })), [400, 'INVALID_FIELD_ERR', 'ciphertext'])
  assert.deepEqual(refusal(await act('wrap', { plaintext: '?' })), [400, 'INVALID_FIELD_ERR', 'plaintext'])
  assert.deepEqual(refusal(await act('wrap', { aad: ['x'.repeat(256)] })), [400, 'INVALID_FIELD_ERR', 'aad'])
  assert.deepEqual(refusal(await act('unwrap', { ciphertext })), [422, 'UNPROCESSABLE_CIPHERTEXT_ERR'])
  assert.deepEqual(refusal(await act('rotate', { payload: plaintext })), [400, 'INVALID_QUERY_PARAM_ERR', 'payload'])
  assert.deepEqual(refusal(await act('rotate', { iv: 'x' })), [400, 'INVALID_FIELD_ERR', 'payload'])
})

test('disable, enable and delete: 204, and 409 or 410 where the state does not permit it', async () => {
  await using wire = await makeWire()
  const id = (await wire.makeKey())['id']
  const act = (action: string) => wire.send('POST', `/keys/${id}/actions/${action}`)
  const invalidState = [409, 'KEY_ACTION_INVALID_STATE_ERR']
  assert.deepEqual(refusal(await act('enable')), invalidState)
  assert.equal((await act('disable')).status, 204)
  assert.deepEqual(refusal(await act('disable')), invalidState)
  assert.deepEqual(refusal(await act('wrap')), invalidState)
  assert.deepEqual(refusal(await wire.send('GET', `/keys/${id}/versions`)), invalidState)
  assert.equal((await wire.send('GET', `/keys/${id}/versions?allKeyStates=true`)).status, 200)
  assert.deepEqual(refusal(await act('enable')), [409, 'REQ_TOO_EARLY_ERR'])
  wire.world.clock.advance(waits.settleMs)
  assert.equal((await act('enable')).status, 204)
  const deleted = await wire.send('DELETE', `/keys/${id}`)
  assert.deepEqual([deleted.status, deleted.body], [204, undefined])
  assert.deepEqual(refusal(await act('wrap')), [410, 'KEY_DELETED_ERR'])
  assert.deepEqual(refusal(await wire.send('DELETE', `/keys/${id}?force=true`)), [410, 'KEY_DELETED_ERR'])
  const key = first((await wire.send('GET', `/keys/${id}`)).body)
  assert.deepEqual(
    [key['state'], key['deleted'], key['deletedBy'], key['deletionDate']],
    [5, true, 'IBMid-owner', '2026-01-01T00:00:30Z'],
  )
  assert.equal(first((await wire.send('GET', '/keys?state=5')).body)['id'], id)
})

test('registrations are listed, found by CRN, and keep a key from being deleted', async () => {
  await using wire = await makeWire()
  const { port } = wire.world.kms
  const [one, other] = [await wire.makeKey({ name: 'one' }), await wire.makeKey({ name: 'other' })]
  for (const [key, volume] of [
    [one, 'r006-1'],
    [one, 'r006-2'],
    [other, 'r006-3'],
  ] as const) {
    await port.createDataKey({ keyCrn: String(key['crn']), resourceCrn: volumeCrn(volume), as: blockStorage })
  }
  const list = async (path: string) => {
    const { status, body } = await wire.send('GET', path)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  const all = await list('/keys/registrations?totalCount=true&limit=1&offset=1')
  const type = 'application/vnd.ibm.kms.registration+json'
  assert.deepEqual(all['metadata'], { collectionType: type, collectionTotal: 1, totalCount: 3 })
  const by = `crn-crn:v1:bluemix:public:server-protect::a/${accountB}:::`
  assert.deepEqual(first(all), {
    keyId: one['id'],
    keyName: 'one',
    resourceCrn: volumeCrn('r006-2'),
    createdBy: by,
    creationDate: '2026-01-01T00:00:00Z',
    updatedBy: by,
    lastUpdated: '2026-01-01T00:00:00Z',
    description: '',
    preventKeyDeletion: false,
    keyVersion: { id: one['id'], creationDate: '2026-01-01T00:00:00Z' },
  })
  const found = async (crn: string, path = '/keys/registrations') =>
    (await list(`${path}?urlEncodedResourceCRNQuery=${encodeURIComponent(crn)}`))['metadata']?.['collectionTotal']
  assert.equal((await list(`/keys/${one['id']}/registrations`))['metadata']?.['collectionTotal'], 2)
  assert.equal(await found(volumeCrn('*')), 3)
  assert.equal(await found(volumeCrn('*'), `/keys/${other['id']}/registrations`), 1)
  assert.equal(await found(volumeCrn('r006-2')), 1)
  assert.equal(await found(volumeCrn('r006_%')), 0, 'what SQL means by % and _ is not meant here')
  assert.equal(await found(encodeURIComponent(volumeCrn('*'))), 3, 'encoded twice')
  for (const wrong of ['*', 'crn:v1:*:public:is:us-south-1:a/b::volume:x', 'crn:v1:bluemix:public:is']) {
    const answer = await wire.send('GET', `/keys/registrations?urlEncodedResourceCRNQuery=${encodeURIComponent(wrong)}`)
    assert.deepEqual(refusal(answer), [400, 'INVALID_QUERY_PARAM_ERR', 'urlEncodedResourceCRNQuery'])
  }
  const kept = await wire.send('DELETE', `/keys/${one['id']}?force=false`)
  assert.deepEqual(refusal(kept), [409, 'PROTECTED_RESOURCE_ERR'])
  const headers = { prefer: 'return=representation' }
  const forced = await wire.send('DELETE', `/keys/${one['id']}?force=true`, { headers })
  assert.deepEqual([forced.status, first(forced.body)['id'], first(forced.body)['state']], [200, one['id'], 5])
  assert.equal((await list('/keys/registrations'))['metadata']?.['collectionTotal'], 1)
})

test('a standard key is refused where a root key is needed', async () => {
  await using wire = await makeWire()
  const id = (await wire.makeKey({ extractable: true }))['id']
  for (const action of ['wrap', 'rotate', 'disable']) {
    assert.deepEqual(refusal(await wire.send('POST', `/keys/${id}/actions/${action}`)), [400, 'KEY_ROOT_REQ_ERR'])
  }
})

test('the correlation id comes back, and KMIP is refused in words that clients know', async () => {
  await using wire = await makeWire()
  const { headers } = await wire.send('GET', '/keys', { headers: { 'correlation-id': 'abc-1' } })
  assert.equal(headers['correlation-id'], 'abc-1')
  for (const path of ['/kmip_adapters', '/kmip_adapters/one/certificates', '/kmip_adapters/one/kmip_objects/two']) {
    assert.deepEqual(refusal(await wire.send('GET', path)), [501, 'FEATURE_RESTRICTED_ERR', 'KMIP'])
  }
})

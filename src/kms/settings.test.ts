// What stands around keys, over the wire: rings, aliases, policies, import tokens, lists.

import assert from 'node:assert/strict'
import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { embeddedOnly } from '#store/testing/open.ts'
import { enveloped, keyBody, makeWire, refusal } from './testing/wire.ts'
import type { Json, Wire } from './testing/wire.ts'
import { accountA, caller, managerActions } from './testing/world.ts'
import { rotationDueAt, waits } from './waits.ts'

const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const names = (body: Json): string[] => body.resources.map((key: Json) => key.name)
const second = 1000

test('a key is found by its aliases in every place that takes an id', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey({ aliases: ['first-alias'] })
  const made = await wire.expect(201, 'POST', `/keys/first-alias/aliases/second_one`)
  assert.deepEqual(made, {
    metadata: { collectionType: 'application/vnd.ibm.kms.alias+json', collectionTotal: 1 },
    resources: [{ keyId: id, alias: 'second_one', createdBy: 'IBMid-owner', creationDate: '2026-01-01T00:00:00Z' }],
  })
  for (const path of ['', '/metadata', '/versions', '/policies', '/registrations']) {
    await wire.expect(200, 'GET', `/keys/second_one${path}`)
  }
  assert.deepEqual((await wire.expect(200, 'GET', '/keys/second_one')).resources[0].aliases, [
    'first-alias',
    'second_one',
  ])
  assert.deepEqual((await wire.expect(200, 'GET', '/keys')).resources[0].aliases, ['first-alias', 'second_one'])
  const { plaintext, ciphertext } = await wire.expect(200, 'POST', '/keys/second_one/actions/wrap')
  const opened = await wire.expect(200, 'POST', `/keys/${id}/actions/unwrap`, { body: { ciphertext } })
  assert.equal(opened.plaintext, plaintext)
  await wire.expect(204, 'POST', '/keys/first-alias/actions/rotate')
  await wire.expect(204, 'POST', '/keys/first-alias/actions/disable')

  const other = await wire.makeKey()
  const refused = async (path: string) => refusal(await wire.send('POST', path))
  assert.deepEqual(await refused(`/keys/${other.id}/aliases/first-alias`), [409, 'KEY_ALIAS_ALREADY_EXISTS_ERR'])
  for (const alias of ['x', 'a.b', 'keys', 'policies', randomBytes(46).toString('hex'), id]) {
    assert.deepEqual(await refused(`/keys/${id}/aliases/${alias}`), [400, 'INVALID_FIELD_ERR', 'alias'], alias)
  }
  for (const alias of ['a3', 'a4', 'a5']) await wire.expect(201, 'POST', `/keys/${id}/aliases/${alias}`)
  assert.deepEqual(await refused(`/keys/${id}/aliases/a6`), [409, 'KEY_ALIAS_QUOTA_ERR'])
  await wire.expect(204, 'DELETE', `/keys/${id}/aliases/a5`)
  assert.deepEqual(refusal(await wire.send('GET', '/keys/a5')), [404, 'KEY_NOT_FOUND_ERR'])
  assert.deepEqual(refusal(await wire.send('DELETE', `/keys/${other.id}/aliases/a4`)), [404, 'KEY_ALIAS_NOT_FOUND_ERR'])
  assert.equal((await wire.send('POST', '/keys', { body: keyBody({ aliases: ['a4'] }) })).status, 409)
  assert.equal((await wire.expect(200, 'GET', '/keys')).resources.length, 2, 'nothing is left of the one that failed')
})

test('rings: keys lie in one, are moved, and are looked for in it', async () => {
  await using wire = await makeWire()
  const gold = { 'x-kms-key-ring': 'gold' }
  assert.deepEqual(refusal(await wire.send('POST', '/keys', { body: keyBody(), headers: gold })), [
    404,
    'KEY_RING_NOT_FOUND_ERR',
  ])
  await wire.expect(201, 'POST', '/key_rings/gold')
  assert.deepEqual(refusal(await wire.send('POST', '/key_rings/gold')), [409, 'KEY_RING_ALREADY_EXISTS_ERR'])
  assert.deepEqual(refusal(await wire.send('POST', '/key_rings/go_ld')), [400, 'INVALID_FIELD_ERR', 'key-ring-id'])
  const rings = await wire.expect(200, 'GET', '/key_rings?totalCount=true')
  assert.equal(rings.metadata.totalCount, 2)
  assert.deepEqual(rings.resources, [
    { id: 'default' },
    { id: 'gold', creationDate: '2026-01-01T00:00:00Z', createdBy: 'IBMid-owner' },
  ])
  const inGold = (await wire.expect(201, 'POST', '/keys', { body: keyBody({ name: 'in gold' }), headers: gold }))
    .resources[0]
  const outside = await wire.makeKey({ name: 'outside' })
  assert.equal(inGold.keyRingID, 'gold')
  assert.deepEqual(names(await wire.expect(200, 'GET', '/keys', { headers: gold })), ['in gold'])
  assert.equal((await wire.expect(200, 'GET', '/keys')).resources.length, 2)
  assert.equal((await wire.send('GET', `/keys/${outside.id}`, { headers: gold })).status, 404)
  const moved = await wire.expect(200, 'PATCH', `/keys/${outside.id}`, { body: { keyRingId: 'gold' } })
  assert.equal(moved.resources[0].keyRingID, 'gold')
  assert.equal((await wire.expect(200, 'GET', `/keys/${outside.id}`, { headers: gold })).resources[0].keyRingID, 'gold')
  assert.deepEqual(refusal(await wire.send('PATCH', `/keys/${outside.id}`, { body: { name: 'x' } })), [
    400,
    'BAD_BODY_ERR',
    'name',
  ])
  assert.deepEqual(refusal(await wire.send('DELETE', '/key_rings/gold')), [409, 'KEY_RING_NOT_EMPTY_ERR'])
  for (const { id } of [inGold, outside]) await wire.expect(204, 'DELETE', `/keys/${id}`)
  assert.deepEqual(refusal(await wire.send('DELETE', '/key_rings/gold')), [409, 'KEY_RING_NOT_EMPTY_ERR'])
  await wire.expect(204, 'DELETE', '/key_rings/gold?force=true')
  assert.equal((await wire.expect(200, 'GET', `/keys/${inGold.id}/metadata`)).resources[0].keyRingID, 'default')
  assert.deepEqual(refusal(await wire.send('DELETE', '/key_rings/default?force=true')), [409, 'KEY_RING_NOT_EMPTY_ERR'])
})

test('who may look into one ring sees that ring, and leave for one key is none for its list', async () => {
  await using wire = await makeWire()
  await wire.expect(201, 'POST', '/key_rings/gold')
  const gold = { 'x-kms-key-ring': 'gold' }
  await wire.expect(201, 'POST', '/keys', { body: keyBody({ name: 'in gold' }), headers: gold })
  const outside = await wire.makeKey({ name: 'outside' })
  const clerk = caller('clerk', accountA)
  wire.world.iam.permit(clerk, accountA, managerActions, { keyRing: 'gold' })
  const as = clerk.iamId
  assert.deepEqual(names(await wire.expect(200, 'GET', '/keys', { as })), ['in gold'])
  assert.equal((await wire.send('HEAD', '/keys', { as })).headers['key-total'], '1')
  assert.equal((await wire.send('GET', `/keys/${outside.id}`, { as })).status, 401)
  assert.equal((await wire.send('GET', '/keys', { as, headers: { 'x-kms-key-ring': 'default' } })).status, 401)
  assert.deepEqual(
    (await wire.expect(200, 'GET', '/key_rings', { as })).resources.map((ring: Json) => ring.id),
    ['gold'],
  )
  assert.equal((await wire.send('POST', '/keys', { as, body: keyBody() })).status, 401)
  await wire.expect(201, 'POST', '/keys', { as, body: keyBody(), headers: gold })
  assert.equal((await wire.send('PATCH', `/keys/${outside.id}`, { as, body: { keyRingID: 'gold' } })).status, 401)
})

test('who is refused a key hears what they asked for, and the same as of a key that does not exist', async () => {
  await using wire = await makeWire()
  for (const ring of ['gold', 'iron']) await wire.expect(201, 'POST', `/key_rings/${ring}`)
  const body = keyBody({ aliases: ['there-is-one'] })
  const headers = { 'x-kms-key-ring': 'iron' }
  const { id } = (await wire.expect(201, 'POST', '/keys', { body, headers })).resources[0]
  const clerk = caller('clerk', accountA)
  wire.world.iam.permit(clerk, accountA, managerActions, { keyRing: 'gold' })
  const absent = { 'there-is-one': 'there-is-not', [id]: '00000000-0000-4000-8000-000000000000' }
  for (const ring of [undefined, 'gold', 'iron', 'default']) {
    const ask = async (name: string) => {
      const sent = { as: clerk.iamId, headers: { 'x-kms-key-ring': ring } }
      const { status, body: refused } = await wire.send('GET', `/keys/${name}`, sent)
      return [status, JSON.stringify(refused).replaceAll(name, 'NAME')]
    }
    for (const [here, nowhere] of Object.entries(absent)) {
      const answer = await ask(here)
      assert.deepEqual(answer, await ask(nowhere), `${here} in ${ring}`)
      assert.equal(answer[0], ring === 'gold' ? 404 : 401)
      assert.ok(!String(answer[1]).includes(id))
    }
  }
})

test('search: options, scopes, the trailing comma, and what is too much to look through', async () => {
  await using wire = await makeWire()
  const one = await wire.makeKey({ name: 'Alpha not:beta', aliases: ['gamma-1'] })
  await wire.makeKey({ name: 'beta', aliases: ['alpha-2'] })
  await wire.makeKey({ name: 'delta' })
  const find = async (search: string) => {
    const body = await wire.expect(200, 'GET', `/keys?sort=creationDate&search=${encodeURIComponent(search)}`)
    const head = await wire.send('HEAD', `/keys?search=${encodeURIComponent(search)}`)
    assert.equal(head.headers['key-total'], String(body.resources.length))
    return names(body).sort()
  }
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['alpha', ['Alpha not:beta', 'beta']],
    ['alpha,', ['Alpha not:beta', 'beta']],
    ['name:ALPHA', ['Alpha not:beta']],
    ['alias:alpha', ['beta']],
    ['alias:name:alpha', ['Alpha not:beta', 'beta']],
    ['exact:beta', ['beta']],
    ['not:alpha', ['delta']],
    ['exact:not:beta', ['Alpha not:beta', 'delta']],
    ['escape:not:beta', ['Alpha not:beta']],
    ['name:escape:not:', ['Alpha not:beta']],
    [one.id, ['Alpha not:beta']],
    ['%', []],
  ]
  for (const [search, expected] of cases) assert.deepEqual(await find(search), expected, search)
  const { metadata } = await wire.expect(200, 'GET', '/keys?search=not:name:x')
  assert.equal(metadata.incompleteSearch, false)
  assert.deepEqual(metadata.searchQuery, { query: 'x', scopes: ['name'], not: true, exact: false })
  for (const empty of ['', 'not:', ',']) {
    assert.deepEqual(refusal(await wire.send('GET', `/keys?search=${empty}`)), [
      400,
      'INVALID_QUERY_PARAM_ERR',
      'search',
    ])
  }
})

test('search over more than 5000 keys is refused, but for one that is named', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey({ name: 'needle', aliases: ['the-needle'] })
  const { database } = wire.world
  await database.transaction(async (tx) => {
    const [key] = await tx.selectFrom('kms_key').selectAll().execute()
    const [version] = await tx.selectFrom('kms_key_version').selectAll().execute()
    assert.ok(key && version)
    for (let i = 0; i < 5000; i++) {
      const copy = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`
      await tx
        .insertInto('kms_key')
        .values({ ...key, id: copy, name: 'hay' })
        .execute()
      await tx
        .insertInto('kms_key_version')
        .values({ ...version, key_id: copy, id: copy })
        .execute()
    }
  })
  for (const search of ['hay', 'not:needle']) {
    assert.deepEqual(refusal(await wire.send('GET', `/keys?search=${search}`)), [400, 'KEY_SEARCH_TOO_BROAD', 'search'])
  }
  for (const search of [id, 'the-needle']) {
    const { metadata, resources } = await wire.expect(200, 'GET', `/keys?search=${search}`)
    assert.deepEqual([metadata.incompleteSearch, resources.length, resources[0].id], [true, 1, id])
  }
  assert.equal((await wire.send('HEAD', '/keys')).headers['key-total'], '5001')
})

test('filter: properties, comparisons, none, and what is no filter', async () => {
  await using wire = await makeWire()
  const { clock } = wire.world
  const old = await wire.makeKey({ name: 'old', expirationDate: '2026-03-01T00:00:00Z' })
  clock.advance(3600 * second)
  await wire.makeKey({ name: 'young', extractable: true })
  await wire.expect(204, 'POST', `/keys/${old.id}/actions/rotate`)
  const find = async (filter: string) =>
    names(await wire.expect(200, 'GET', `/keys?sort=creationDate&filter=${encodeURIComponent(filter)}`))
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['extractable=true', ['young']],
    ['state=1,2 extractable=false', ['old']],
    ['state=5', []],
    ['creationDate="2026-01-01T00:00:00Z"', ['old']],
    ['creationDate=gt:"2026-01-01T00:00:00Z"', ['young']],
    ['creationDate=gte:"2026-01-01T00:00:00Z" creationDate=lt:"2026-01-01T01:00:00Z"', ['old']],
    ['creationDate=lte:"2026-01-01T01:00:00Z"', ['old', 'young']],
    ['expirationDate=none', ['young']],
    ['lastRotateDate=none', ['young']],
    ['lastUpdateDate=gte:"2026-01-01T01:00:00Z"', ['old', 'young']],
  ]
  for (const [filter, expected] of cases) assert.deepEqual(await find(filter), expected, filter)
  for (const wrong of [
    'name=x',
    'state=9',
    'state=gt:1',
    'extractable=maybe',
    'creationDate=yesterday',
    'creationDate',
    'creationDate=lt:none',
    'state=1 state=1 state=1 state=1',
  ]) {
    const answer = await wire.send('GET', `/keys?filter=${encodeURIComponent(wrong)}`)
    assert.deepEqual(refusal(answer), [400, 'INVALID_QUERY_PARAM_ERR', 'filter'], wrong)
  }
  for (const both of ['state=1&filter=state%3D1', 'extractable=true&filter=extractable%3Dtrue']) {
    assert.deepEqual(refusal(await wire.send('GET', `/keys?${both}`)), [400, 'INVALID_QUERY_PARAM_ERR', 'filter'])
  }
})

test('key policies: set together and apart, listed apart, with the documented refusals', async () => {
  await using wire = await makeWire()
  const key = await wire.makeKey()
  const path = `/keys/${key.id}/policies`
  const put = (query: string, ...resources: unknown[]) =>
    wire.send('PUT', path + query, { body: enveloped('policy', ...resources) })
  assert.equal((await wire.expect(200, 'GET', path)).metadata.collectionTotal, 0)
  const rotation = await put('?policy=rotation', {
    type: 'application/vnd.ibm.kms.policy+json',
    rotation: { interval_month: 2 },
  })
  assert.deepEqual([rotation.status, rotation.body.resources[0].rotation], [200, { enabled: true, interval_month: 2 }])
  assert.equal(rotation.body.resources[0].crn.split(':').length, 10)
  assert.equal((await put('', { dualAuthDelete: { enabled: false } })).status, 200)
  const both = await wire.expect(200, 'GET', path)
  assert.equal(both.metadata.collectionTotal, 2)
  assert.equal((await wire.expect(200, 'GET', `${path}?policy=dualAuthDelete`)).metadata.collectionTotal, 1)
  const paused = await put('', { rotation: { enabled: false } }, { dualAuthDelete: { enabled: true } })
  assert.deepEqual(
    paused.body.resources.map((r: Json) => r.rotation ?? r.dualAuthDelete),
    [{ enabled: false, interval_month: 2 }, { enabled: true }],
  )
  const shown = (await wire.expect(200, 'GET', `/keys/${key.id}`)).resources[0]
  assert.deepEqual(
    [shown.rotation, shown.dualAuthDelete],
    [
      { enabled: false, interval_month: 2 },
      { enabled: true, keySetForDeletion: false },
    ],
  )

  const refused = async (query: string, ...resources: unknown[]) => refusal(await put(query, ...resources))
  assert.deepEqual(await refused('', { dualAuthDelete: { enabled: false } }), [
    400,
    'INVALID_FIELD_ERR',
    'dualAuthDelete.enabled',
  ])
  assert.deepEqual(await refused('', { rotation: { interval_month: 13 } }), [
    400,
    'INVALID_FIELD_ERR',
    'rotation.interval_month',
  ])
  assert.deepEqual(await refused('', { rotation: { interval_month: 1.5 } }), [
    400,
    'INVALID_FIELD_ERR',
    'rotation.interval_month',
  ])
  assert.deepEqual(await refused('?policy=rotation', { dualAuthDelete: { enabled: true } }), [
    400,
    'BODY_QUERY_PARAM_MISMATCH_ERR',
    'policy',
  ])
  assert.deepEqual(await refused('?policy=rotation', { rotation: {} }, { rotation: {} }), [
    400,
    'NUM_COLLECTION_RESOURCE_ERR',
    'resources',
  ])
  assert.deepEqual(await refused('?policy=other', { rotation: {} }), [400, 'INVALID_QUERY_PARAM_ERR', 'policy'])
  assert.deepEqual(await refused('', {}), [400, 'BAD_BODY_ERR', 'resources'])
  const imported = await wire.makeKey({ payload: b64(randomBytes(16)) })
  const standard = await wire.makeKey({ extractable: true })
  const body = enveloped('policy', { rotation: { interval_month: 1 } })
  assert.deepEqual(refusal(await wire.send('PUT', `/keys/${imported.id}/policies`, { body })), [
    400,
    'KEY_PAYLOAD_REQ_ERR',
    'rotation',
  ])
  assert.deepEqual(refusal(await wire.send('PUT', `/keys/${standard.id}/policies`, { body })), [
    400,
    'KEY_ROOT_REQ_ERR',
  ])
})

test('a rotation policy rotates on its day, again and again, and a rotation by hand begins the months anew', async () => {
  await using wire = await makeWire()
  const { clock, kms } = wire.world
  const body = keyBody({ rotation: { enabled: true, interval_month: 1 } })
  const { id } = (await wire.expect(201, 'POST', '/keys_with_policy_overrides', { body })).resources[0]
  const versions = async () => (await wire.expect(200, 'GET', `/keys/${id}/versions`)).resources.length
  const month = rotationDueAt(0, 1)
  clock.advance(month - 1)
  await kms.sweep()
  assert.equal(await versions(), 1)
  clock.advance(1)
  await kms.sweep()
  await kms.sweep()
  assert.equal(await versions(), 2)
  clock.advance(month / 2)
  await wire.expect(204, 'POST', `/keys/${id}/actions/rotate`)
  clock.advance(month - 1)
  await kms.sweep()
  assert.equal(await versions(), 3)
  clock.advance(1)
  await kms.sweep()
  assert.equal(await versions(), 4)
  await wire.expect(204, 'POST', `/keys/${id}/actions/disable`)
  clock.advance(month)
  await kms.sweep()
  assert.equal(
    (await wire.expect(200, 'GET', `/keys/${id}/versions?allKeyStates=true`)).resources.length,
    4,
    'a suspended key waits',
  )
  await wire.expect(204, 'POST', `/keys/${id}/actions/enable`)
  await kms.sweep()
  assert.equal(await versions(), 5)
})

test('instance policies: given to new keys, enforced where things are made, and told back', async () => {
  await using wire = await makeWire()
  const path = '/instance/policies'
  const put = (query: string, ...resources: unknown[]) =>
    wire.send('PUT', path + query, { body: enveloped('policy', ...resources) })
  const policy = (policy_type: string, enabled: boolean, attributes?: unknown) => ({
    policy_type,
    policy_data: { enabled, ...(attributes !== undefined && { attributes }) },
  })
  assert.deepEqual((await wire.expect(200, 'GET', path)).resources, [])
  const before = await wire.makeKey()
  assert.equal(
    (await put('', policy('dualAuthDelete', true), policy('rotation', true, { interval_month: 3 }))).status,
    204,
  )
  const after = await wire.makeKey()
  assert.deepEqual([before.rotation, before.dualAuthDelete], [undefined, { enabled: false }])
  assert.deepEqual([after.rotation, after.dualAuthDelete.enabled], [{ enabled: true, interval_month: 3 }, true])
  assert.equal((await wire.makeKey({ payload: b64(randomBytes(32)) })).rotation, undefined)
  const told = await wire.expect(200, 'GET', `${path}?policy=rotation`)
  assert.deepEqual(told.resources, [
    {
      creationDate: '2026-01-01T00:00:00Z',
      createdBy: 'IBMid-owner',
      updatedBy: 'IBMid-owner',
      lastUpdated: '2026-01-01T00:00:00Z',
      policy_type: 'rotation',
      policy_data: { enabled: true, attributes: { interval_month: 3 } },
    },
  ])
  // The old form of disabling.
  assert.equal(
    (await put('', { type: 'application/vnd.ibm.kms.policy+json', dualAuthDelete: { enabled: false } })).status,
    204,
  )
  assert.equal((await wire.makeKey()).dualAuthDelete.enabled, false)

  assert.equal(
    (await put('', policy('keyCreateImportAccess', true, { create_standard_key: false, enforce_token: true }))).status,
    204,
  )
  const create = async (resource: Record<string, unknown>) =>
    refusal(await wire.send('POST', '/keys', { body: keyBody(resource) }))
  assert.deepEqual(await create({ extractable: true }), [409, 'KEY_CREATE_IMPORT_ACCESS_ERR'])
  assert.deepEqual(await create({ payload: b64(randomBytes(32)) }), [409, 'KEY_CREATE_IMPORT_ACCESS_ERR'])
  await wire.makeKey()
  assert.equal((await put('', policy('keyCreateImportAccess', true, { create_root_key: false }))).status, 204)
  assert.deepEqual(await create({}), [409, 'KEY_CREATE_IMPORT_ACCESS_ERR'])
  await wire.makeKey({ extractable: true })
  assert.deepEqual(refusal(await wire.send('POST', `/keys/${before.id}/actions/rotate`)), [
    409,
    'KEY_CREATE_IMPORT_ACCESS_ERR',
  ])

  const refused = async (...args: Parameters<typeof put>) => refusal(await put(...args))
  assert.deepEqual(await refused('', policy('colour', true)), [400, 'INVALID_FIELD_ERR', 'policy_type'])
  assert.deepEqual(await refused('', policy('metrics', true, { allowed_ip: [] })), [
    400,
    'INVALID_FIELD_ERR',
    'attributes.allowed_ip',
  ])
  assert.deepEqual(await refused('', policy('allowedNetwork', true)), [
    400,
    'INVALID_FIELD_ERR',
    'attributes.allowed_network',
  ])
  assert.deepEqual(await refused('', policy('allowedIP', true, { allowed_ip: ['1.2.3.4/33'] })), [
    400,
    'INVALID_FIELD_ERR',
    'attributes.allowed_ip',
  ])
  assert.deepEqual(await refused('', policy('allowedIP', true, { allowed_ip: ['::1'] })), [
    403,
    'FEATURE_RESTRICTED_ERR',
    'attributes.allowed_ip',
  ])
  assert.deepEqual(await refused('', policy('metrics', true), policy('metrics', true)), [
    400,
    'BAD_BODY_ERR',
    'resources',
  ])
  assert.deepEqual(await refused('?policy=metrics', policy('rotation', false)), [
    400,
    'BODY_QUERY_PARAM_MISMATCH_ERR',
    'policy',
  ])
})

test('requests from addresses that the policy does not name are refused in one way, the setting of policies too', async () => {
  await using wire = await makeWire()
  const put = (...resources: unknown[]) =>
    wire.send('PUT', '/instance/policies', { body: enveloped('policy', ...resources) })
  const allowed = (addresses: string[]) => ({
    policy_type: 'allowedIP',
    policy_data: { enabled: true, attributes: { allowed_ip: addresses } },
  })
  assert.deepEqual((await wire.expect(200, 'GET', '/instance/allowed_ip_port')).resources, [])
  assert.equal((await put(allowed(['127.0.0.0/8', '192.0.2.7']))).status, 204)
  assert.deepEqual((await wire.expect(200, 'GET', '/instance/allowed_ip_port')).resources, [
    { private_endpoint_port: 80 },
  ])
  const before = await wire.expect(200, 'GET', '/instance/policies')
  const both = [{ policy_type: 'metrics', policy_data: { enabled: true } }, allowed(['192.0.2.7'])]
  const locksOut = [400, 'INVALID_FIELD_ERR', 'attributes.allowed_ip']
  assert.deepEqual(refusal(await put(...both)), locksOut, 'who sends it could not take it back')
  assert.deepEqual(await wire.expect(200, 'GET', '/instance/policies'), before)

  // From within, where no network lies between.
  const { kms, asOwner } = wire.world
  const attributes = { allowed_ip: ['192.0.2.7'] }
  await kms.instancePolicies.set(asOwner, [{ type: 'allowedIP', enabled: true, attributes }])
  for (const path of ['/keys', '/instance/policies', '/instance/allowed_ip_port']) {
    const answer = await wire.send('GET', path)
    assert.deepEqual([answer.status, refusal(answer)[1]], [401, undefined])
  }
  assert.equal((await put(allowed(['127.0.0.1']))).status, 401)
})

async function sealFor(wire: Wire, material: Uint8Array, { hash = 'sha256', cbc = false } = {}) {
  const { payload, nonce } = await wire.expect(200, 'GET', '/import_token')
  const key = Buffer.from(payload, 'base64').toString()
  assert.match(key, /^-----BEGIN PUBLIC KEY-----/)
  const sealed = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, material)
  const bits = material.length * 8
  const iv = randomBytes(cbc ? 16 : 12)
  const plain = Buffer.from(nonce, 'base64')
  if (cbc) {
    const cipher = createCipheriv(`aes-${bits}-cbc`, material, iv)
    return {
      payload: b64(sealed),
      iv: b64(iv),
      encryptedNonce: b64(Buffer.concat([cipher.update(plain), cipher.final()])),
    }
  }
  const cipher = createCipheriv(
    bits === 128 ? 'aes-128-gcm' : bits === 192 ? 'aes-192-gcm' : 'aes-256-gcm',
    material,
    iv,
  )
  const encryptedNonce = b64(Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]))
  return { payload: b64(sealed), iv: b64(iv), encryptedNonce }
}

test(
  'secure import: a key comes in under the token, proves its nonce, and is rotated the same way',
  embeddedOnly,
  async () => {
    await using wire = await makeWire()
    const { clock } = wire.world
    const made = await wire.expect(200, 'POST', '/import_token', {
      body: { expiration: 3600, maxAllowedRetrievals: 9 },
    })
    assert.deepEqual(made, {
      creationDate: '2026-01-01T00:00:00Z',
      expirationDate: '2026-01-01T01:00:00Z',
      maxAllowedRetrievals: 9,
      remainingRetrievals: 9,
    })
    const encryptionAlgorithm = 'RSAES_OAEP_SHA_256'
    for (const bytes of [16, 24, 32]) {
      const sealed = await sealFor(wire, randomBytes(bytes))
      const key = await wire.makeKey({ ...sealed, encryptionAlgorithm })
      assert.deepEqual(
        [key.imported, key.encryptedNonce, key.iv, key.payload],
        [true, sealed.encryptedNonce, sealed.iv, undefined],
      )
      const next = await sealFor(wire, randomBytes(32))
      await wire.expect(204, 'POST', `/keys/${key.id}/actions/rotate`, { body: next })
    }
    const material = randomBytes(32)
    const cbc = await sealFor(wire, material, { hash: 'sha1', cbc: true })
    await wire.makeKey({ ...cbc, encryptionAlgorithm: 'RSAES_OAEP_SHA_1' })

    const sealed = await sealFor(wire, material)
    const refused = async (resource: Record<string, unknown>) =>
      refusal(await wire.send('POST', '/keys', { body: keyBody(resource) }))
    const { iv: otherIv } = await sealFor(wire, material)
    assert.deepEqual(await refused({ ...sealed, iv: otherIv }), [400, 'INCORRECT_NONCE_IV_ERR'])
    assert.deepEqual(await refused({ ...sealed, payload: b64(randomBytes(512)) }), [400, 'INCORRECT_NONCE_ERR'])
    assert.deepEqual(await refused({ ...sealed, encryptionAlgorithm: 'ROT13' }), [
      400,
      'INVALID_FIELD_ERR',
      'encryptionAlgorithm',
    ])
    assert.deepEqual(await refused({ ...sealed, extractable: true }), [400, 'KEY_ROOT_REQ_ERR'])
    assert.deepEqual(refusal(await wire.send('GET', '/import_token')), [409, 'IMPORT_TOKEN_EXPIRED_ERR'])
    clock.advance(3600 * second)
    assert.deepEqual(await refused(sealed), [409, 'IMPORT_TOKEN_EXPIRED_ERR'])
    await wire.expect(200, 'POST', '/import_token')
    const fresh = await wire.expect(200, 'GET', '/import_token')
    assert.equal(fresh.remainingRetrievals, 0)
    assert.deepEqual(await refused(sealed), [400, 'INCORRECT_NONCE_ERR'], 'what was made for the old token')
    for (const body of [
      { expiration: 299 },
      { expiration: 86_401 },
      { maxAllowedRetrievals: 0 },
      { maxAllowedRetrievals: 501 },
    ]) {
      assert.deepEqual(refusal(await wire.send('POST', '/import_token', { body })), [
        400,
        'INVALID_FIELD_ERR',
        Object.keys(body)[0],
      ])
    }
    const disk = await wire.world.bytes()
    assert.equal(disk.includes(material), false)
    assert.equal(disk.includes('PRIVATE KEY'), false)
  },
)

test('the old form of the actions does what the new one does', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey()
  const act = (action: string, body?: unknown) =>
    wire.send('POST', `/keys/${id}?action=${action}`, body === undefined ? {} : { body })
  const wrapped = (await act('wrap', {})).body
  const { ciphertext } = wrapped
  assert.equal((await act('unwrap', { ciphertext })).body.plaintext, wrapped.plaintext)
  assert.equal((await act('rotate')).status, 204)
  assert.ok((await act('rewrap', { ciphertext })).body.rewrappedKeyVersion.id)
  assert.deepEqual(refusal(await act('unwrap', {})), [400, 'INVALID_FIELD_ERR', 'ciphertext'])
  assert.deepEqual(refusal(await act('unwrap')), [400, 'NO_BODY_ERR'])
  assert.deepEqual(refusal(await act('explode')), [400, 'INVALID_QUERY_PARAM_ERR', 'action'])
  assert.equal((await act('disable')).status, 204)
  wire.world.clock.advance(waits.settleMs)
  assert.equal((await act('enable')).status, 204)
  assert.deepEqual(refusal(await act('setKeyForDeletion')), [409, 'NOT_DUAL_AUTH_ERR'])
  assert.deepEqual(refusal(await act('unsetKeyForDeletion')), [409, 'NOT_DUAL_AUTH_ERR'])
  assert.deepEqual(refusal(await act('sync')), [409, 'REQ_TOO_EARLY_ERR'])
  assert.deepEqual(refusal(await act('restore')), [409, 'KEY_ACTION_INVALID_STATE_ERR'])
})

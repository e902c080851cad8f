import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { waits } from './waits.ts'
import { blockStorage, brought, fails, makeWorld, volumeCrn } from './testing/world.ts'

test('disable() and enable() change the state with their events, and say 409 where the state does not permit them', async () => {
  await using world = await makeWorld()
  const { lifecycle, keys, use } = world.kms
  const { id, crn } = await world.rootKey()
  const refused = fails('conflict', 'KEY_ACTION_INVALID_STATE_ERR')
  await assert.rejects(lifecycle.enable(world.asOwner, id), refused)
  await lifecycle.disable(world.asOwner, id)
  assert.equal((await keys.metadata(world.asOwner, id)).key.state, 'suspended')
  await assert.rejects(lifecycle.disable(world.asOwner, id), refused)
  await assert.rejects(use.wrap(world.asOwner, id, { plaintext: null, aad: [] }), refused)
  world.clock.advance(waits.settleMs - 1)
  await assert.rejects(lifecycle.enable(world.asOwner, id), fails('conflict', 'REQ_TOO_EARLY_ERR'))
  world.clock.advance(1)
  await lifecycle.enable(world.asOwner, id)
  await use.wrap(world.asOwner, id, { plaintext: null, aad: [] })
  assert.deepEqual(
    (await world.events()).slice(1).map((event) => [event['type'], event['keyCrn']]),
    [
      ['kms.key.disabled', crn],
      ['kms.key.enabled', crn],
    ],
  )
})

test('of two who disable at once, one does it and one reads that it is done', async () => {
  await using world = await makeWorld()
  const { id } = await world.rootKey()
  const disable = () => world.kms.lifecycle.disable(world.asOwner, id)
  const results = await Promise.allSettled([disable(), disable(), disable()])
  assert.deepEqual(results.map((result) => result.status).sort(), ['fulfilled', 'rejected', 'rejected'])
  assert.equal((await world.events()).filter((event) => event['type'] === 'kms.key.disabled').length, 1)
})

test('a change whose event cannot be written has not happened', async () => {
  await using world = await makeWorld()
  const { lifecycle, keys } = world.kms
  const { id, crn } = await world.rootKey()
  await world.kms.port.createDataKey({ keyCrn: crn, resourceCrn: volumeCrn(), as: blockStorage })
  for (const [type, change] of [
    ['kms.key.disabled', () => lifecycle.disable(world.asOwner, id)],
    ['kms.key.rotated', () => lifecycle.rotate(world.asOwner, id, null)],
    ['kms.key.deleted', () => lifecycle.remove(world.asOwner, id, true)],
  ] as const) {
    const before = (await keys.metadata(world.asOwner, id)).key
    world.failOn(type)
    await assert.rejects(change(), /disk is full/)
    world.failOn(null)
    assert.deepEqual((await keys.metadata(world.asOwner, id)).key, before)
  }
  assert.equal((await world.kms.port.registrationsOf('server-protect', '', 10)).length, 1)
})

test('remove() ends every use with 410, and metadata stays', async () => {
  await using world = await makeWorld()
  const { lifecycle, keys, use } = world.kms
  const { id } = await world.rootKey()
  const { ciphertext } = await use.wrap(world.asOwner, id, { plaintext: null, aad: [] })
  const { key: removed } = await lifecycle.remove(world.asOwner, id, false)
  assert.deepEqual([removed.state, removed.deleted?.by], ['destroyed', 'IBMid-owner'])
  const gone = fails('gone', 'KEY_DELETED_ERR')
  await assert.rejects(lifecycle.remove(world.asOwner, id, true), gone)
  await assert.rejects(use.unwrap(world.asOwner, id, { ciphertext, aad: [] }), gone)
  await assert.rejects(lifecycle.rotate(world.asOwner, id, null), gone)
  assert.deepEqual((await keys.get(world.asOwner, id)).key, removed)
})

test('remove() of a key with registrations needs force, and force takes them away with their events', async () => {
  await using world = await makeWorld()
  const { lifecycle, port } = world.kms
  const { id, crn } = await world.rootKey()
  for (const name of ['r006-1', 'r006-2']) {
    await port.createDataKey({ keyCrn: crn, resourceCrn: volumeCrn(name), as: blockStorage })
  }
  await assert.rejects(lifecycle.remove(world.asOwner, id, false), fails('conflict', 'PROTECTED_RESOURCE_ERR'))
  await lifecycle.remove(world.asOwner, id, true)
  assert.deepEqual(await port.registrationsOf('server-protect', '', 10), [])
  assert.deepEqual(
    (await world.events()).slice(-3).map((event) => [event['type'], event['resourceCrn'], event['forced']]),
    [
      ['kms.registration.deleted', volumeCrn('r006-1'), undefined],
      ['kms.registration.deleted', volumeCrn('r006-2'), undefined],
      ['kms.key.deleted', undefined, true],
    ],
  )
})

test('rotate() takes new material for imported keys and only for those', async () => {
  await using world = await makeWorld()
  const { lifecycle, keys } = world.kms
  const generated = await world.rootKey()
  const imported = await world.rootKey({ imported: brought(randomBytes(16).toString('base64')) })
  const payload = brought(randomBytes(32).toString('base64'))
  await assert.rejects(lifecycle.rotate(world.asOwner, imported.id, null), fails('invalid', 'KEY_PAYLOAD_REQ_ERR'))
  await assert.rejects(
    lifecycle.rotate(world.asOwner, generated.id, payload),
    fails('invalid', 'INVALID_QUERY_PARAM_ERR'),
  )
  world.clock.advance(5000)
  await lifecycle.rotate(world.asOwner, imported.id, payload)
  const { key } = await keys.metadata(world.asOwner, imported.id)
  assert.deepEqual([key.rotatedAt, key.newestVersion.createdAt], [world.clock.now(), world.clock.now()])
  assert.notEqual(key.newestVersion.id, imported.id)
})

test('of two rotations at once one is done, and the other reads that it is too early', async () => {
  await using world = await makeWorld()
  const { id } = await world.rootKey()
  const rotate = () => world.kms.lifecycle.rotate(world.asOwner, id, null)
  const results = await Promise.allSettled([rotate(), rotate()])
  assert.deepEqual(results.map((result) => result.status).sort(), ['fulfilled', 'rejected'])
  const rows = await world.database.reads.selectFrom('kms_key_version').select('ordinal').orderBy('ordinal').execute()
  assert.deepEqual(
    rows.map((row) => row.ordinal),
    [1, 2],
  )
})

test('expireKeys() writes down what has expired, once, and leaves suspended keys suspended', async () => {
  await using world = await makeWorld()
  const { kms, clock } = world
  const expiresAt = clock.now() + 1000
  const expiring = await world.rootKey({ expiresAt })
  const suspended = await world.rootKey({ expiresAt })
  await world.rootKey()
  await kms.lifecycle.disable(world.asOwner, suspended.id)
  await kms.expireKeys()
  clock.advance(1000)
  await kms.expireKeys()
  await kms.expireKeys()
  const expired = (await world.events()).filter((event) => event['type'] === 'kms.key.expired')
  assert.deepEqual(
    expired.map((event) => event['keyCrn']),
    [expiring.crn],
  )
  const row = (id: string) =>
    world.database.reads.selectFrom('kms_key').select('state').where('id', '=', id).executeTakeFirst()
  assert.deepEqual([(await row(expiring.id))?.state, (await row(suspended.id))?.state], [3, 2])
  clock.advance(waits.settleMs)
  await kms.lifecycle.enable(world.asOwner, suspended.id)
  assert.equal((await kms.keys.metadata(world.asOwner, suspended.id)).key.state, 'deactivated')
})

test('expireKeys() gets through more keys than one transaction takes', async () => {
  await using world = await makeWorld()
  const expiresAt = world.clock.now() + 1
  for (let i = 0; i < 205; i++) await world.rootKey({ expiresAt })
  world.clock.advance(1)
  await world.kms.expireKeys()
  assert.equal((await world.events()).filter((event) => event['type'] === 'kms.key.expired').length, 205)
})

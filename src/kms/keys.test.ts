import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { embeddedOnly } from '#store/testing/open.ts'
import type { KeyFilter } from './tables-key-list.ts'
import {
  accountA,
  accountB,
  blockStorage,
  brought,
  caller,
  fails,
  makeWorld,
  managerActions,
  newRootKey,
  volumeCrn,
} from './testing/world.ts'

const living = { states: ['active', 'suspended', 'deactivated'], extractable: null, dates: [] } as const
const all = { filter: living, search: null } as const
const page = { page: { limit: 200, offset: 0 }, counting: true }

test('create() makes a key with its event, and get() shows material of standard keys alone', async () => {
  await using world = await makeWorld()
  const { keys } = world.kms
  const root = await keys.create(world.asOwner, { ...newRootKey, tags: ['x'], description: 'for volumes' })
  const standard = await keys.create(world.asOwner, { ...newRootKey, extractable: true })
  assert.equal(root.payload, null)
  assert.equal(Buffer.from(standard.payload ?? '', 'base64').length, 32)
  assert.equal((await keys.get(world.asOwner, root.key.id)).payload, null)
  assert.deepEqual(await keys.get(world.asOwner, standard.key.id), standard)
  assert.equal((await keys.metadata(world.asOwner, standard.key.id)).payload, null)
  assert.deepEqual((await keys.get(world.asOwner, root.key.id)).key, root.key)
  const created = (await world.events()).filter((event) => event['type'] === 'kms.key.created')
  assert.deepEqual(
    created.map((event) => [event['accountId'], event['initiatorId'], event['keyVersionId']]),
    [root, standard].map(({ key }) => [accountA, 'IBMid-owner', key.id]),
  )
})

test('create() leaves nothing where its event cannot be written', async () => {
  await using world = await makeWorld()
  world.failOn('kms.key.created')
  await assert.rejects(world.kms.keys.create(world.asOwner, newRootKey), /disk is full/)
  assert.equal(await world.kms.keys.count(world.asOwner, all), 0)
  assert.deepEqual(await world.database.reads.selectFrom('kms_key_version').selectAll().execute(), [])
})

test('imported material lies nowhere on disk, raw, hexadecimal or base64', embeddedOnly, async () => {
  await using world = await makeWorld()
  const secrets = [randomBytes(16), randomBytes(24), randomBytes(32)]
  for (const secret of secrets) {
    const { id } = await world.rootKey({ imported: brought(secret.toString('base64')) })
    await world.kms.use.wrap(world.asOwner, id, { plaintext: null, aad: [] })
  }
  const standard = randomBytes(500)
  await world.kms.keys.create(world.asOwner, {
    ...newRootKey,
    extractable: true,
    imported: brought(standard.toString('base64')),
  })
  const disk = await world.bytes()
  for (const secret of [...secrets, standard]) {
    const hex = secret.toString('hex')
    const base64 = secret.toString('base64')
    const forms = [secret, hex, hex.toUpperCase(), base64.replace(/=+$/, ''), secret.toString('base64url')]
    const json = JSON.stringify([...secret]).slice(1, -1)
    for (const form of [...forms, json, secret.subarray(0, 12)]) assert.equal(disk.includes(form), false)
  }
  assert.ok(disk.includes('a root key'), 'the search would find what is there')
})

test('importing refuses lengths that are no AES key, and what is not base64', async () => {
  await using world = await makeWorld()
  for (const payload of [
    randomBytes(17).toString('base64'),
    'AAAA',
    '!!!!',
    '',
    randomBytes(32).toString('base64url'),
  ]) {
    await assert.rejects(
      world.kms.keys.create(world.asOwner, { ...newRootKey, imported: brought(payload) }),
      fails('invalid', 'INVALID_FIELD_ERR'),
    )
  }
  const payload = randomBytes(7501).toString('base64')
  await assert.rejects(
    world.kms.keys.create(world.asOwner, { ...newRootKey, extractable: true, imported: brought(payload) }),
    fails('invalid', 'INVALID_FIELD_ERR'),
  )
})

test('list() filters by the state that the clock says, sorts, pages and counts', async () => {
  await using world = await makeWorld()
  const { keys, lifecycle } = world.kms
  const soon = world.clock.now() + 1000
  const expiring = await world.rootKey({ name: 'expiring', expiresAt: soon })
  const disabled = await world.rootKey({ name: 'disabled' })
  const deleted = await world.rootKey({ name: 'deleted' })
  await keys.create(world.asOwner, { ...newRootKey, name: 'standard', extractable: true })
  await lifecycle.disable(world.asOwner, disabled.id)
  await lifecycle.remove(world.asOwner, deleted.id, false)
  world.clock.advance(1000)
  const names = async (filter: Partial<KeyFilter>) => {
    const request = { ...all, ...page, sort: [], filter: { ...living, ...filter } }
    return (await keys.list(world.asOwner, request)).items.map((key) => key.name).sort()
  }
  assert.deepEqual(await names({}), ['disabled', 'expiring', 'standard'])
  assert.deepEqual(await names({ states: ['deactivated'] }), ['expiring'])
  assert.deepEqual(await names({ states: ['active'] }), ['standard'])
  assert.deepEqual(await names({ states: ['destroyed'] }), ['deleted'])
  assert.deepEqual(await names({ extractable: true }), ['standard'])
  const sorted = await keys.list(world.asOwner, {
    ...all,
    page: { limit: 2, offset: 1 },
    counting: true,
    sort: [{ field: 'state', descending: true }],
  })
  assert.deepEqual([sorted.items.map((key) => key.name), sorted.totalCount], [['disabled', 'standard'], 3])
  assert.equal((await keys.metadata(world.asOwner, expiring.id)).key.state, 'deactivated')
})

test('who may not gets one answer, whether or not there is such a key or instance', async () => {
  await using world = await makeWorld()
  const { id } = await world.rootKey()
  const stranger = caller('stranger', accountB)
  const absent = '00000000-0000-4000-8000-000000000000'
  const messages: string[] = []
  for (const [instanceId, keyId] of [
    [world.instanceId, id],
    [world.instanceId, absent],
    [absent, id],
    ['no uuid', 'no uuid'],
  ] as const) {
    await assert.rejects(world.kms.keys.get({ caller: stranger, instanceId }, keyId), (error: Error) => {
      messages.push(error.message)
      assert.equal((error as { explanation?: unknown }).explanation, undefined)
      return fails('forbidden')(error)
    })
  }
  assert.equal(new Set(messages).size, 1)
  const colleague = caller('colleague', accountA)
  await assert.rejects(
    world.kms.keys.get({ caller: colleague, instanceId: world.instanceId }, absent),
    fails('forbidden'),
  )
  await assert.rejects(world.kms.keys.get(world.asOwner, absent), fails('not_found', 'KEY_NOT_FOUND_ERR'))
  await assert.rejects(world.kms.keys.get(world.asOwner, 'no-uuid'), fails('not_found', 'KEY_NOT_FOUND_ERR'))
})

test('a right to one key is no right to another, nor to the list', async () => {
  await using world = await makeWorld()
  const one = await world.rootKey()
  const other = await world.rootKey()
  const clerk = caller('clerk', accountA)
  world.iam.permit(clerk, accountA, managerActions, one.id)
  const asked = { caller: clerk, instanceId: world.instanceId }
  assert.equal((await world.kms.keys.get(asked, one.id)).key.id, one.id)
  await assert.rejects(world.kms.keys.get(asked, other.id), fails('forbidden'))
  await assert.rejects(world.kms.keys.count(asked, all), fails('forbidden'))
})

test('deleteInstance() is refused while keys remain, says which, and takes deleted keys with it', async () => {
  await using world = await makeWorld()
  const { id, crn } = await world.rootKey()
  const { port, lifecycle } = world.kms
  await assert.rejects(port.deleteInstance(world.instanceId), (error: Error) => {
    assert.match(error.message, new RegExp(id))
    return fails('conflict')(error)
  })
  await port.createDataKey({ keyCrn: crn, resourceCrn: volumeCrn(), as: blockStorage })
  await lifecycle.remove(world.asOwner, id, true)
  await port.deleteInstance(world.instanceId)
  await port.deleteInstance(world.instanceId)
  for (const table of ['kms_key', 'kms_key_version', 'kms_registration', 'kms_instance'] as const) {
    assert.deepEqual(await world.database.reads.selectFrom(table).selectAll().execute(), [])
  }
  await assert.rejects(world.kms.keys.create(world.asOwner, newRootKey), fails('forbidden'))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Explanation } from '#base/fault.ts'
import type { ServiceSubject } from '#iam/port.ts'
import {
  accountA,
  accountB,
  blockStorage,
  fails,
  makeWorld,
  newRootKey,
  serviceActions,
  volumeCrn,
} from './testing/world.ts'
import type { World } from './testing/world.ts'

const absentKey = '00000000-0000-4000-8000-000000000000'
const create = (world: World, keyCrn: string, resourceCrn = volumeCrn(), as = blockStorage) =>
  world.kms.port.createDataKey({ keyCrn, resourceCrn, as })

test('createDataKey() wraps and registers, and the owner of the key sees who uses it', async () => {
  await using world = await makeWorld()
  const { id, crn } = await world.rootKey()
  const made = await create(world, crn)
  assert.deepEqual([made.keyCrn, made.keyVersionId], [crn, id])
  assert.deepEqual(await world.kms.port.registrationsOf('server-protect', '', 10), [
    { keyCrn: crn, resourceCrn: volumeCrn(), capacityGb: null },
  ])
  const [event] = (await world.events()).slice(-1)
  assert.deepEqual(event, {
    type: 'kms.registration.created',
    accountId: accountA,
    initiatorId: `crn-crn:v1:bluemix:public:server-protect::a/${accountB}:::`,
    keyCrn: crn,
    resourceCrn: volumeCrn(),
    keyVersionId: id,
  })
})

test('createDataKey() leaves neither registration nor event when its transaction fails', async () => {
  await using world = await makeWorld()
  const { crn } = await world.rootKey()
  world.failOn('kms.registration.created')
  await assert.rejects(create(world, crn), /disk is full/)
  assert.deepEqual(await world.kms.port.registrationsOf('server-protect', '', 10), [])
  assert.deepEqual(
    (await world.events()).map((event) => event['type']),
    ['kms.key.created'],
  )
})

test('createDataKey() again makes another data key and keeps one registration, moved to the newest version', async () => {
  await using world = await makeWorld()
  const { id, crn } = await world.rootKey()
  const first = await create(world, crn)
  const second = await create(world, crn)
  assert.notDeepEqual(first.wrapped, second.wrapped)
  await world.kms.lifecycle.rotate(world.asOwner, id, null)
  const third = await create(world, crn)
  assert.notEqual(third.keyVersionId, id)
  const types = (await world.events())
    .map((event) => event['type'])
    .filter((type) => String(type).includes('registration'))
  assert.deepEqual(types, ['kms.registration.created', 'kms.registration.updated'])
  assert.equal((await world.kms.port.registrationsOf('server-protect', '', 10)).length, 1)
})

test('the short form of a key CRN finds the key, and the answer has the full one', async () => {
  await using world = await makeWorld()
  const { id, crn } = await world.rootKey()
  const short = `crn:bluemix:public:kms:us-south:a/${accountA}:key:${id}`
  assert.equal((await create(world, short)).keyCrn, crn)
  for (const wrong of [
    short.replace('us-south', 'eu-de'),
    crn.replace('us-south', 'eu-de'),
    crn.replace(id, absentKey),
  ]) {
    await assert.rejects(create(world, wrong), fails('not_found', 'KEY_NOT_FOUND_ERR'))
  }
})

test('a text that is no key CRN is invalid, whoever asks', async () => {
  await using world = await makeWorld()
  const { crn } = await world.rootKey()
  const wrong = [
    '',
    'x',
    crn.replace(':key:', ':volume:'),
    crn.replace('kms', 'is'),
    crn.replace(accountA, 'A'),
    `${crn}x`,
  ]
  for (const text of wrong) await assert.rejects(create(world, text), fails('invalid', 'key_crn_invalid'))
  await assert.rejects(create(world, crn, 'no crn'), fails('invalid', 'INVALID_FIELD_ERR'))
})

test('who is not authorised reads the same of a key that exists and of one that does not', async () => {
  await using world = await makeWorld()
  const { id, crn } = await world.rootKey()
  world.iam.revoke(blockStorage)
  const told = async (text: string): Promise<[string, Explanation]> => {
    let seen: [string, Explanation] | undefined
    await assert.rejects(create(world, text), (error: Error & { explanation: Explanation }) => {
      seen = [
        error.message.replaceAll(id, absentKey),
        JSON.parse(JSON.stringify(error.explanation).replaceAll(id, absentKey)),
      ]
      return fails('forbidden')(error)
    })
    assert.ok(seen)
    return seen
  }
  for (const text of [crn, `crn:bluemix:public:kms:us-south:a/${accountA}:key:${id}`]) {
    assert.deepEqual(await told(text), await told(text.replace(id, absentKey)))
  }
  const [, explanation] = await told(crn)
  assert.deepEqual([explanation.account, explanation.action], [accountA, 'kms.secrets.wrap'])
})

test('createDataKey() needs both the right to wrap and the right to register', async () => {
  for (const missing of ['kms.secrets.wrap', 'kms.registrations.create']) {
    await using world = await makeWorld()
    const { crn } = await world.rootKey()
    world.iam.revoke(blockStorage)
    world.iam.permit(
      blockStorage,
      accountA,
      serviceActions.filter((action) => action !== missing),
    )
    await assert.rejects(create(world, crn), (error: Error & { explanation: Explanation }) => {
      assert.equal(error.explanation.action, missing)
      return fails('forbidden')(error)
    })
    assert.deepEqual(await world.kms.port.registrationsOf('server-protect', '', 10), [])
  }
})

test('createDataKey() refuses standard, suspended, expired and deleted keys', async () => {
  await using world = await makeWorld()
  const { lifecycle, keys } = world.kms
  const { key } = await keys.create(world.asOwner, { ...newRootKey, extractable: true })
  const suspended = await world.rootKey()
  const expired = await world.rootKey({ expiresAt: world.clock.now() + 1 })
  const deleted = await world.rootKey()
  await lifecycle.disable(world.asOwner, suspended.id)
  await lifecycle.remove(world.asOwner, deleted.id, false)
  world.clock.advance(1)
  await assert.rejects(create(world, deleted.crn.replace(deleted.id, key.id)), fails('invalid', 'KEY_ROOT_REQ_ERR'))
  await assert.rejects(create(world, suspended.crn), fails('conflict', 'KEY_ACTION_INVALID_STATE_ERR'))
  await assert.rejects(create(world, expired.crn), fails('conflict', 'KEY_ACTION_INVALID_STATE_ERR'))
  await assert.rejects(create(world, deleted.crn), fails('gone', 'KEY_DELETED_ERR'))
})

test('a disable that comes between the check and the wrapping is seen', async () => {
  await using world = await makeWorld()
  const { id, crn } = await world.rootKey()
  world.iam.before = async (action) => {
    if (action === 'kms.registrations.create') await world.kms.lifecycle.disable(world.asOwner, id)
  }
  await assert.rejects(create(world, crn), fails('conflict', 'KEY_ACTION_INVALID_STATE_ERR'))
})

test("a service speaks of its own account's resources alone", async () => {
  await using world = await makeWorld()
  const { crn } = await world.rootKey()
  await assert.rejects(create(world, crn, volumeCrn('r006-1', accountA)), fails('forbidden', 'RESOURCE_OWNER_ERR'))
  const other: ServiceSubject = { ...blockStorage, serviceName: 'databases' }
  world.iam.permit(other, accountA, serviceActions)
  await create(world, crn)
  await assert.rejects(create(world, crn, volumeCrn(), other), fails('forbidden', 'RESOURCE_OWNER_ERR'))
  await world.kms.port.unregister({ keyCrn: crn, resourceCrn: volumeCrn(), as: other })
  assert.equal((await world.kms.port.registrationsOf('server-protect', '', 10)).length, 1)
})

test('unregister() needs no authorisation, works on deleted keys, and can be repeated', async () => {
  await using world = await makeWorld()
  const { crn } = await world.rootKey()
  const { port } = world.kms
  await create(world, crn)
  await create(world, crn, volumeCrn('r006-2'))
  world.iam.revoke(blockStorage)
  const mine = { keyCrn: crn, resourceCrn: volumeCrn(), as: blockStorage }
  await port.unregister(mine)
  await port.unregister(mine)
  await port.unregister({ ...mine, keyCrn: crn.replace(/[^:]+$/, absentKey) })
  const removed = (await world.events()).filter((event) => event['type'] === 'kms.registration.deleted')
  assert.deepEqual(
    removed.map((event) => event['resourceCrn']),
    [volumeCrn()],
  )
  assert.deepEqual(await port.registrationsOf('server-protect', '', 10), [
    { keyCrn: crn, resourceCrn: volumeCrn('r006-2'), capacityGb: null },
  ])
})

test('registrationsOf() pages by resource and never tears one apart', async () => {
  await using world = await makeWorld()
  const [one, other] = [await world.rootKey(), await world.rootKey()]
  for (const name of ['r006-1', 'r006-2', 'r006-3']) {
    for (const key of [one, other]) await create(world, key.crn, volumeCrn(name))
  }
  const seen: string[] = []
  for (let after = ''; ; ) {
    const page = await world.kms.port.registrationsOf('server-protect', after, 1)
    if (page.length === 0) break
    assert.equal(page.length, 2)
    seen.push(...page.map((entry) => entry.resourceCrn))
    after = seen.at(-1) ?? ''
  }
  assert.deepEqual(
    seen,
    ['r006-1', 'r006-1', 'r006-2', 'r006-2', 'r006-3', 'r006-3'].map((name) => volumeCrn(name)),
  )
  assert.deepEqual(await world.kms.port.registrationsOf('databases', '', 10), [])
})

test('standings() tells the truth to those who may know, and one thing to all others', async () => {
  await using world = await makeWorld()
  const { lifecycle, port } = world.kms
  const usable = await world.rootKey()
  const suspended = await world.rootKey()
  const expired = await world.rootKey({ expiresAt: world.clock.now() + 1 })
  const deleted = await world.rootKey()
  await lifecycle.disable(world.asOwner, suspended.id)
  await lifecycle.remove(world.asOwner, deleted.id, false)
  world.clock.advance(1)
  const short = `crn:bluemix:public:kms:us-south:a/${accountA}:key:${usable.id}`
  const absent = usable.crn.replace(usable.id, absentKey)
  const asked = [usable.crn, short, suspended.crn, expired.crn, deleted.crn, absent, 'nonsense']
  const ask = async () => await port.standings(asked.map((keyCrn) => ({ keyCrn, as: blockStorage })))
  assert.deepEqual(await ask(), [
    { keyCrn: usable.crn, standing: 'usable' },
    { keyCrn: usable.crn, standing: 'usable' },
    { keyCrn: suspended.crn, standing: 'disabled' },
    { keyCrn: expired.crn, standing: 'expired' },
    { keyCrn: deleted.crn, standing: 'deleted' },
    { keyCrn: absent, standing: 'deleted' },
    { keyCrn: 'nonsense', standing: 'deleted' },
  ])
  world.iam.revoke(blockStorage)
  const reports = await ask()
  assert.deepEqual(
    reports.map((report) => report.keyCrn),
    asked,
  )
  assert.deepEqual(new Set(reports.slice(0, -1).map((report) => report.standing)), new Set(['unauthorized']))
})

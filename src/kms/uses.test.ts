// The ledger's port: history is written with every registration, and only people look into it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Caller } from '#iam/port.ts'
import { accountA, accountB, blockStorage, makeWorld, owner } from './testing/world.ts'

const resourceCrn = `crn:v1:bluemix:public:is:us-south-1:a/${accountB}::volume:v1`

const storageActions = ['wrap', 'unwrap', 'rewrap'].map((verb) => `kms.secrets.${verb}`)
const registering = ['create', 'write', 'listforkey'].map((verb) => `kms.registrations.${verb}`)

test('a registration has its history, from the transaction that made it to the one that ended it', async () => {
  await using world = await makeWorld()
  const { kms, clock, iam } = world
  iam.permit(blockStorage, accountA, [...storageActions, ...registering])
  const key = await world.rootKey()
  const use = { keyCrn: key.crn, resourceCrn, as: blockStorage }
  const at = (time: number) => kms.ledgerPort.uses({ keyId: key.id, at: time, after: '', limit: 10 })
  const born = clock.now()
  clock.skip(1000)
  const made = clock.now()
  await kms.port.createDataKey(use)
  await kms.port.createDataKey(use)
  clock.skip(1000)
  const ended = clock.now()
  await kms.port.unregister(use)
  clock.skip(1000)

  assert.deepEqual(await at(born), [])
  assert.deepEqual(
    (await at(made)).map((one) => [one.resourceCrn, one.accountId, one.registeredAt, one.isOpen]),
    [[resourceCrn, accountB, made, null]],
  )
  assert.equal((await at(ended - 1)).length, 1)
  assert.deepEqual(await at(ended), [])
  const [user] = await kms.ledgerPort.usersOf(key.crn, ended)
  assert.equal(user?.accountId, accountB, 'whoever used it until this moment used it at this moment')
  assert.deepEqual(await kms.ledgerPort.usersOf(key.crn, null), [])
  assert.deepEqual(await kms.ledgerPort.books({ resourceCrn: '', keyCrn: '' }, 10), [])
})

test('what is rolled back has no history', async () => {
  await using world = await makeWorld()
  const { kms, iam } = world
  iam.permit(blockStorage, accountA, [...storageActions, ...registering])
  const key = await world.rootKey()
  world.failOn('kms.registration.created')
  await assert.rejects(kms.port.createDataKey({ keyCrn: key.crn, resourceCrn, as: blockStorage }))
  assert.deepEqual(await kms.ledgerPort.usersOf(key.crn, null), [])
  assert.deepEqual(await kms.ledgerPort.books({ resourceCrn: '', keyCrn: '' }, 10), [])
})

test('a service that may list its own registrations does not see the uses of others', async () => {
  await using world = await makeWorld()
  const { kms, iam } = world
  iam.permit(blockStorage, accountA, registering)
  const key = await world.rootKey()
  const service: Caller = {
    iamId: `crn-crn:v1:bluemix:public:server-protect::a/${accountB}:::`,
    accountId: accountB,
    kind: 'service',
    name: 'server-protect',
  }
  const ask = { caller: service, remoteAddress: '127.0.0.1', instanceId: undefined, key: key.crn }
  await assert.rejects(kms.ledgerPort.keyForUses(ask), { code: 'forbidden' })
  await assert.rejects(kms.ledgerPort.impact(ask, 'disable', null), { code: 'forbidden' })
  iam.permit(owner, accountA, ['kms.registrations.listforkey'])
  assert.equal((await kms.ledgerPort.keyForUses({ ...ask, caller: owner })).keyId, key.id)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeInstances } from './instances.ts'
import { keyCrn, requireState } from './key.ts'
import { keyNameOf } from './key-name.ts'
import { actionOf } from './service-name.ts'
import { makeScrubbing } from './scrubbing.ts'
import { fails, makeWorld } from './testing/world.ts'

const instance = {
  id: '7f6c0b1e-7a53-4a55-9d0d-4a9bd5f0c001',
  accountId: 'a'.repeat(32),
  region: 'us-south',
  resourceGroupId: 'b'.repeat(32),
} as const

test('actionOf() names actions by the service they are done in', () => {
  assert.equal(actionOf('kms', 'kms.secrets.wrap'), 'kms.secrets.wrap')
  assert.equal(actionOf('hs-crypto', 'kms.secrets.wrap'), 'hs-crypto.secrets.wrap')
})

test('the CRN of a key says its service, and is read again', () => {
  for (const serviceName of ['kms', 'hs-crypto'] as const) {
    const crn = keyCrn({ ...instance, serviceName }, instance.id)
    assert.ok(crn.startsWith(`crn:v1:bluemix:public:${serviceName}:us-south:a/`))
    assert.equal(keyNameOf(crn)?.serviceName, serviceName)
  }
  assert.equal(keyNameOf(keyCrn({ ...instance, serviceName: 'kms' }, instance.id).replace(':kms:', ':is:')), null)
})

test('an instance of hs-crypto is made only where the master key is in a token', async () => {
  await using world = await makeWorld()
  const { database, clock } = world
  const scrubbing = makeScrubbing(database)
  const hsm = { ...instance, serviceName: 'hs-crypto' } as const
  const purgeKey = () => assert.fail('nothing is purged')
  const parts = { database, clock, scrubbing, purgeKey }
  const without = makeInstances({ ...parts, isMasterKeyInToken: false })
  assert.match(without.hsCryptoRefusal ?? '', /hardware security module/)
  await assert.rejects(without.createInstance(hsm), fails('conflict'))
  const within = makeInstances({ ...parts, isMasterKeyInToken: true })
  assert.equal(within.hsCryptoRefusal, null)
  await within.createInstance(hsm)
  await within.createInstance(hsm)
})

test('hs-crypto rotates no deactivated key, Key Protect does', async () => {
  await using world = await makeWorld()
  const { id } = await world.rootKey()
  const { key } = await world.kms.keys.metadata(world.asOwner, id)
  const expired = { ...key, state: 'deactivated' } as const
  requireState(expired, 'rotate')
  const inToken = { ...expired, instance: { ...key.instance, serviceName: 'hs-crypto' } } as const
  assert.throws(() => requireState(inToken, 'rotate'), fails('conflict', 'KEY_ACTION_INVALID_STATE_ERR'))
})

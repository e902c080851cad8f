// Re-encryption under fault, and what follows from two keys.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatCrn } from '#base/crn.ts'
import { volumeRequestMsMax } from '#base/limits.ts'
import { provableResources } from './tables-ledger.ts'
import { post } from './testing/snapshots.ts'
import { accountA } from './testing/fakes.ts'
import { struckEverywhere } from './testing/struck.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'
import type { World } from './testing/world.ts'

const otherKey = formatCrn({
  serviceName: 'kms',
  location: 'us-south',
  accountId: accountA,
  serviceInstance: '11111111-2222-4333-8444-555555555555',
  resourceType: 'key',
  resource: 'aaaaaaaa-9261-4d07-8329-8f594b6641b5',
})

async function volumeOf(world: World): Promise<string> {
  world.kms.put(otherKey)
  const { id } = (await post(world, '/v1/volumes', volumeBody())).body
  await world.settle()
  return id
}

const reencrypt = (world: World, id: string, keyCrn?: string) =>
  post(world, `/keyward/v1/volumes/${id}/reencrypt`, keyCrn ? { encryption_key: { crn: keyCrn } } : {})

const volumeRow = ({ database }: World) => database.reads.selectFrom('vpc_volume').selectAll().executeTakeFirstOrThrow()

for (const keyCrn of [otherKey, undefined]) {
  const where = keyCrn ? 'another root key' : 'the same root key'
  test(`a re-encryption to ${where} ends under one key, registered on it and on no other`, async () => {
    const strikes = await struckEverywhere(
      async (world) => {
        const id = await volumeOf(world)
        return () => reencrypt(world, id, keyCrn)
      },
      async (world) => {
        const row = await volumeRow(world)
        assert.deepEqual([...world.kms.pairs], [`${row.crn} ${row.key_crn}`])
        assert.deepEqual([row.newer_key_crn, row.newer_wrapped_data_key], [null, null])
        const left = await world.database.reads.selectFrom('vpc_reencryption').select('phase').execute()
        assert.ok(left.every(({ phase }) => phase === 'done'))
        const again = await reencrypt(world, row.id, keyCrn)
        assert.equal(again.status, 202, 'it can be done, again')
      },
    )
    assert.ok(strikes >= 4 * 5, `${strikes} strikes`)
  })
}

/** One that its disk does not get done with until it is let. */
async function betweenKeys(world: World) {
  const id = await volumeOf(world)
  const finish = Promise.withResolvers<void>()
  const { reencryptVolume } = world.disk.port
  world.parts.disk.reencryptVolume = async (...given) => {
    await finish.promise
    return await reencryptVolume(...given)
  }
  assert.equal((await reencrypt(world, id, otherKey)).status, 202)
  for (const consumer of world.vpc.consumers) await consumer.reconcile()
  const pass = async (): Promise<void> => {
    for (const consumer of world.vpc.consumers) await consumer.reconcile()
  }
  return { id, finish: () => finish.resolve(), pass }
}

for (const which of [keyOfA, otherKey]) {
  test(`a volume between two keys is unusable when ${which === keyOfA ? 'the older' : 'the newer'} is disabled`, async () => {
    await using world = await makeWorld()
    const { id, finish, pass } = await betweenKeys(world)
    const shown = async () => (await world.call('GET', `/v1/volumes/${id}`)).body
    world.kms.put(which, 'disabled')
    await pass()
    const events = await world.events()
    await pass()
    assert.deepEqual(await world.events(), events, 'said once')
    const { status, status_reasons: reasons } = await shown()
    assert.deepEqual([status, reasons[0].code], ['unusable', 'encryption_key_disabled'])
    assert.equal((await world.call('GET', `/keyward/v1/volumes/${id}/reencryption`)).body.status, 'waiting')
    world.kms.put(which, 'usable')
    await pass()
    assert.equal((await shown()).status, 'available')
    finish()
    await world.settle()
    assert.equal((await shown()).encryption_key.crn, otherKey)
  })
}

test('nothing else is made of a volume between two keys, and a deletion takes both of its registrations', async () => {
  await using world = await makeWorld()
  const { id, finish, pass } = await betweenKeys(world)
  const refused = async (asked: Promise<{ status: number; body: { errors: { code: string }[] } }>) => {
    const { status, body } = await asked
    assert.deepEqual([status, body.errors[0]?.code], [409, 'volume_being_reencrypted'])
  }
  await refused(reencrypt(world, id))
  await refused(world.call('DELETE', `/v1/volumes/${id}`))
  assert.equal(world.kms.pairs.size, 2)
  // A key that has gone keeps nobody from giving the volume up.
  world.kms.put(otherKey, 'deleted')
  await pass()
  assert.equal((await world.call('DELETE', `/v1/volumes/${id}`)).status, 204)
  finish()
  await world.settle()
  assert.deepEqual([world.kms.pairs.size, world.disk.images.size], [0, 0])
  assert.deepEqual(await world.database.reads.selectFrom('vpc_reencryption').selectAll().execute(), [])
})

test('pages of what is proved are whole, with a volume between two keys at the end of one', async () => {
  await using world = await makeWorld()
  const { finish, pass } = await betweenKeys(world)
  for (let i = 0; i < 4; i++) await post(world, '/v1/volumes', volumeBody())
  await pass()
  const { reads } = world.database
  for (const limit of [1, 2, 3, 4]) {
    const seen: string[] = []
    for (let afterId = ''; ; ) {
      const page = await provableResources(reads, { region: 'us-south', afterId, limit })
      seen.push(...page.map(({ resourceCrn, keyCrn }) => `${resourceCrn} ${keyCrn}`))
      afterId = page.at(-1)?.volumeId ?? ''
      if (page.length < limit) break
    }
    assert.deepEqual(seen.toSorted(), [...world.kms.pairs].toSorted(), `in pages of ${limit}`)
  }
  finish()
  await world.settle()
})

test('a rotation that is followed late does not bring the older data key back', async () => {
  await using world = await makeWorld()
  const id = await volumeOf(world)
  world.kms.version = 'second'
  const { rewrapDataKeys } = world.kms.port
  world.parts.kms.rewrapDataKeys = async (request) => {
    const results = await rewrapDataKeys(request)
    // Meanwhile the volume has come to another data key, under the version that the older one was read with.
    world.kms.version = 'version'
    await reencrypt(world, id)
    for (const consumer of world.vpc.consumers) {
      if (consumer.name === 'vpc.reencryptions') await consumer.reconcile()
    }
    await world.vpc.idle()
    return results
  }
  await world.vpc.consumers.find(({ name }) => name === 'vpc.notices')?.reconcile()
  const row = await volumeRow(world)
  assert.deepEqual(world.disk.images.get(id)?.wrappedDataKey, row.wrapped_data_key)
})

for (const isUndone of [false, true]) {
  const when = isUndone ? 'and undone' : 'but not undone'
  test(`a key that comes after its request was given up, ${when}, leaves the volume as it was`, async () => {
    await using world = await makeWorld()
    const id = await volumeOf(world)
    const { createDataKey } = world.kms.port
    const reconcile = async () =>
      await world.vpc.consumers.find(({ name }) => name === 'vpc.reencryptions')?.reconcile()
    world.parts.kms.createDataKey = async (...given) => {
      world.advance(volumeRequestMsMax + 1)
      await reconcile()
      if (isUndone) await reconcile()
      return await createDataKey(...given)
    }
    assert.equal((await reencrypt(world, id, otherKey)).status, 409)
    world.parts.kms.createDataKey = createDataKey
    await world.settle()
    const row = await volumeRow(world)
    assert.deepEqual([row.newer_key_crn, row.newer_wrapped_data_key], [null, null])
    assert.deepEqual([...world.kms.pairs], [`${row.crn} ${keyOfA}`])
    assert.equal((await reencrypt(world, id, otherKey)).status, 202, 'it can be done, again')
  })
}

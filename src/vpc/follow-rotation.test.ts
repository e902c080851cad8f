import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { accountB } from './testing/fakes.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'
import type { World } from './testing/world.ts'

async function volumes(world: World, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await world.call('POST', '/v1/volumes', { as: accountB, body: volumeBody() })
  await world.pass()
}

const versions = async ({ parts }: World) => {
  const rows = await parts.database.reads.selectFrom('vpc_volume').select('key_version_id').orderBy('id').execute()
  return rows.map((row) => row.key_version_id)
}

const rewraps = async (world: World) =>
  (await world.events()).filter((type) => type === 'vpc.volume.data-key-rewrapped').length

test('after a rotation every volume comes to the newest version, once, each with its event', async () => {
  await using world = await makeWorld()
  await volumes(world, 3)
  world.kms.version = 'second'
  await world.pass()
  assert.deepEqual(await versions(world), ['second', 'second', 'second'])
  assert.equal(await rewraps(world), 3)
  await world.pass()
  assert.equal(await rewraps(world), 3)
})

test('a volume that could not be reached lags on and is done by the next pass; the others do not wait for it', async () => {
  await using world = await makeWorld()
  await volumes(world, 3)
  world.kms.version = 'second'
  const { rewrapDataKeys } = world.kms.port
  let isFirst = true
  world.parts.kms.rewrapDataKeys = async (request) => {
    const results = await rewrapDataKeys(request)
    if (!isFirst) return results
    isFirst = false
    return results.map((result, i) => (i === 1 ? new Fault('unprocessable', 'does not open') : result))
  }
  await world.pass()
  assert.equal((await versions(world)).filter((version) => version === 'second').length, 2)
  await world.pass()
  assert.deepEqual(await versions(world), ['second', 'second', 'second'])
})

test('a key manager that has gone stops nothing: the next pass does it all', async () => {
  await using world = await makeWorld()
  await volumes(world, 2)
  world.kms.version = 'second'
  const { rewrapDataKeys } = world.kms.port
  world.parts.kms.rewrapDataKeys = async () => {
    throw new Fault('unavailable', 'the key manager has gone')
  }
  await world.pass()
  assert.equal((await versions(world)).includes('second'), false)
  world.parts.kms.rewrapDataKeys = rewrapDataKeys
  await world.pass()
  assert.deepEqual(await versions(world), ['second', 'second'])
})

test('a registration that a forced deletion took comes back when the key has been restored', async () => {
  await using world = await makeWorld()
  await volumes(world, 2)
  world.kms.put(keyOfA, 'deleted')
  world.kms.registrations.clear()
  await world.pass()
  assert.equal(world.kms.registrations.size, 0)
  world.kms.put(keyOfA, 'usable')
  await world.pass()
  assert.equal(world.kms.registrations.size, 2)
})

test('what was told is acknowledged after it was followed', async () => {
  await using world = await makeWorld()
  await volumes(world, 1)
  world.kms.notices = [{ noticeId: 'n1', keyCrn: keyOfA, type: 'rotate', accountId: accountB, keyState: 1 }]
  await world.pass()
  assert.ok(world.kms.acknowledged.includes('n1'))
})

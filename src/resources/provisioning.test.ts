// What a crash leaves half done is finished or undone, and two at a time do no harm.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reclamationMs } from '#base/limits.ts'
import { cosStandard, makeWorld, newInstance } from './testing/world.ts'
import type { World } from './testing/world.ts'

const instances = '/v2/resource_instances'
const stopped = new Error('the process has stopped')

const shown = async (world: World, guid: string) => (await world.call('GET', `${instances}/${guid}`)).body

async function onlyGuid(world: World): Promise<string> {
  const { resources } = (await world.call('GET', instances)).body
  assert.equal(resources.length, 1)
  return resources[0].guid
}

test('a creation that stopped at the key manager is finished by the consumer', async () => {
  await using world = await makeWorld()
  world.kms.failure = stopped
  assert.equal((await world.call('POST', instances, { body: newInstance() })).status, 500)
  const guid = await onlyGuid(world)
  const half = await shown(world, guid)
  assert.deepEqual(
    [half.state, half.last_operation.state, half.last_operation.cancelable],
    ['provisioning', 'in progress', true],
  )
  await world.pass()
  assert.equal((await shown(world, guid)).state, 'active')
  assert.ok(world.kms.rooms.has(guid))
  const before = await world.events()
  await world.pass()
  assert.deepEqual(await world.events(), before)
})

test('a creation that stopped can be cancelled, and then nothing is left of it', async () => {
  await using world = await makeWorld()
  world.kms.failure = stopped
  await world.call('POST', instances, { body: newInstance() })
  const guid = await onlyGuid(world)
  const cancelled = await world.call('DELETE', `${instances}/${guid}/last_operation`)
  assert.deepEqual([cancelled.status, cancelled.body.state], [200, 'removed'])
  await world.pass()
  assert.equal(world.kms.rooms.size, 0)
  const { guid: other } = await world.instance()
  assert.equal((await world.call('DELETE', `${instances}/${other}/last_operation`)).status, 422)
})

test('a creation that is cancelled while the key manager works leaves no room behind', async () => {
  await using world = await makeWorld()
  world.kms.meanwhile = async () => {
    await world.call('DELETE', `${instances}/${await onlyGuid(world)}/last_operation`)
  }
  const { body } = await world.call('POST', instances, { body: newInstance() })
  assert.equal(body.state, 'removed')
  assert.equal(world.kms.rooms.size, 0)
})

test('a removal that stopped at the key manager is finished by the consumer', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance()
  world.kms.failure = stopped
  assert.equal((await world.call('DELETE', `${instances}/${guid}`)).status, 500)
  assert.equal((await shown(world, guid)).state, 'pending_removal')
  assert.equal((await world.call('DELETE', `${instances}/${guid}`)).status, 409)
  await world.pass()
  assert.equal((await shown(world, guid)).state, 'removed')
  assert.equal((await world.events()).filter((type) => type === 'resources.instance.deleted').length, 1)
})

test('a removal that stopped is undone where keys have come meanwhile', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance()
  world.kms.failure = stopped
  await world.call('DELETE', `${instances}/${guid}`)
  world.kms.keys.set(guid, ['key'])
  await world.pass()
  const { state, last_operation } = await shown(world, guid)
  assert.deepEqual([state, last_operation.state], ['active', 'failed'])
  assert.ok(world.kms.rooms.has(guid))
})

test('one instance that cannot be finished holds up no other', async () => {
  await using world = await makeWorld()
  const first = await world.instance()
  const second = await world.instance()
  for (const { guid } of [first, second]) {
    world.kms.failure = stopped
    await world.call('DELETE', `${instances}/${guid}`)
  }
  world.kms.failure = stopped
  await assert.rejects(world.pass(), AggregateError)
  const states = await Promise.all([first, second].map(async ({ guid }) => (await shown(world, guid)).state))
  assert.deepEqual(states.toSorted(), ['pending_removal', 'removed'])
  await world.pass()
  assert.equal(world.kms.rooms.size, 0)
})

test('a reclamation whose time is over ends by itself, and not before', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance({ resource_plan_id: cosStandard, target: 'global' })
  await world.call('DELETE', `${instances}/${guid}`)
  world.advance(reclamationMs - 1)
  await world.pass()
  assert.equal((await shown(world, guid)).state, 'pending_reclamation')
  world.advance(1)
  await world.pass()
  assert.equal((await shown(world, guid)).state, 'removed')
  assert.deepEqual((await world.call('GET', '/v1/reclamations')).body.resources, [])
})

test('two removals at once: one does it, and the other is told', async () => {
  await using world = await makeWorld()
  const { guid } = await world.instance()
  const answers = await Promise.all([1, 2].map(() => world.call('DELETE', `${instances}/${guid}`)))
  const statuses = answers.map((answer) => answer.status).toSorted()
  assert.equal(statuses[0], 204)
  assert.ok(statuses[1] === 409 || statuses[1] === 410, String(statuses))
  assert.equal((await world.events()).filter((type) => type === 'resources.instance.deleted').length, 1)
})

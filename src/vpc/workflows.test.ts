// Everything that changes the world, with every single effect failing before and after it happens, and with the process
// stopping there: once the trouble is over and the reconcilers have run, what is there agrees with itself.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { assertWhole, struckEverywhere } from './testing/struck.ts'
import { keyReason } from './volume-state.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'
import type { World } from './testing/world.ts'

const volumeIn = async (world: World) => {
  const { body } = await world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'v' }) })
  return `/v1/volumes/${body.id}`
}

const attachedIn = async (world: World, flagged: boolean) => {
  const volume = await volumeIn(world)
  await world.settle()
  const { body: instance } = await world.call('POST', '/v1/instances', { body: { zone: { name: 'us-south-3' } } })
  const path = `/v1/instances/${instance.id}`
  const body = { volume: { id: volume.split('/').at(-1) }, delete_volume_on_instance_delete: flagged }
  const attach = () => world.call('POST', `${path}/volume_attachments`, { body })
  return { volume, path, attach }
}

test('creating ends in an available volume or in nothing', async () => {
  const strikes = await struckEverywhere(
    async (world) => () => world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'v' }) }),
    async (world) => {
      const { body } = await world.call('GET', '/v1/volumes')
      assert.ok(body.volumes.every((volume: { status: string }) => volume.status === 'available'))
      if (body.total_count > 0) return
      const again = await world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'v' }) })
      assert.equal(again.status, 201, 'the name is free again')
    },
  )
  assert.ok(strikes >= 4 * 5, `${strikes} strikes`)
})

test('a request that is refused leaves nothing', async () => {
  await struckEverywhere(
    async (world) => {
      world.kms.unauthorized.add('b'.repeat(32))
      return () => world.call('POST', '/v1/volumes', { body: volumeBody() })
    },
    async (world) => {
      assert.equal((await world.call('GET', '/v1/volumes')).body.total_count, 0)
      assert.equal(world.kms.registrations.size, 0)
    },
  )
})

test('deleting ends in nothing, or the volume is as it was', async () => {
  await struckEverywhere(
    async (world) => {
      const path = await volumeIn(world)
      return () => world.call('DELETE', path)
    },
    async (world) => {
      const { body } = await world.call('GET', '/v1/volumes')
      assert.ok(body.volumes.every((volume: { status: string }) => volume.status === 'available'))
    },
  )
})

test('attaching and detaching end in an export or in none', async () => {
  await struckEverywhere(
    async (world) => (await attachedIn(world, false)).attach,
    async () => {},
  )
  await struckEverywhere(
    async (world) => {
      const { path, attach } = await attachedIn(world, false)
      const { body } = await attach()
      return () => world.call('DELETE', `${path}/volume_attachments/${body.id}`)
    },
    async (world) => assert.equal((await world.call('GET', '/v1/volumes')).body.total_count, 1),
  )
})

test('deleting an instance takes its flagged volume along, or neither goes', async () => {
  await struckEverywhere(
    async (world) => {
      const { path, attach } = await attachedIn(world, true)
      await attach()
      return () => world.call('DELETE', path)
    },
    async (world) => {
      const volumes = (await world.call('GET', '/v1/volumes')).body.total_count
      assert.equal(volumes, (await world.call('GET', '/v1/instances')).body.total_count)
    },
  )
})

test('a request that outlives its patience takes its registration back', async () => {
  await using world = await makeWorld()
  const { createDataKey } = world.kms.port
  world.kms.port.createDataKey = async (request) => {
    await world.settle()
    return await createDataKey(request)
  }
  const answer = await world.call('POST', '/v1/volumes', { body: volumeBody() })
  assert.equal(answer.status, 503)
  assert.equal(world.kms.registrations.size, 0)
  await assertWhole(world, 'given up')
})

test('a registration without a volume, snapshot or image is swept, others are left alone', async () => {
  await using world = await makeWorld()
  await volumeIn(world)
  const foreign = [
    `crn:v1:bluemix:public:is:eu-de-1:a/${'b'.repeat(32)}::volume:r010-x`,
    `crn:v1:bluemix:public:is:eu-de:a/${'b'.repeat(32)}::image:r010-x`,
    `crn:v1:bluemix:public:is:us-south:a/${'b'.repeat(32)}::key:r006-x`,
    `crn:v1:bluemix:public:is:eu-de:a/${'b'.repeat(32)}::snapshot:r010-x`,
  ]
  const orphans = [
    `crn:v1:bluemix:public:is:us-south-1:a/${'c'.repeat(32)}::volume:r006-x`,
    `crn:v1:bluemix:public:is:us-south:a/${'c'.repeat(32)}::snapshot:r006-x`,
    `crn:v1:bluemix:public:is:us-south:a/${'c'.repeat(32)}::image:r006-x`,
  ]
  for (const crn of [...foreign, ...orphans]) world.kms.registrations.set(crn, keyOfA)
  await world.pass()
  for (const orphan of orphans) assert.equal(world.kms.registrations.has(orphan), false)
  assert.equal(world.kms.registrations.size, 1 + foreign.length)
})

test('pending does not last for ever: a disk that never answers fails the volume, and it can be deleted', async () => {
  await using world = await makeWorld()
  const path = await volumeIn(world)
  const { createVolume } = world.disk.port
  world.disk.port.createVolume = () => Promise.reject(new Error('broken'))
  await world.pass()
  assert.equal((await world.call('GET', path)).body.status, 'pending')
  await world.longAfter()
  const { body } = await world.call('GET', path)
  assert.equal(body.status, 'failed')
  assert.equal(body.status_reasons[0].code, 'volume_creation_timed_out')
  world.disk.port.createVolume = createVolume
  assert.equal((await world.call('DELETE', path)).status, 204)
  await world.settle()
  await assertWhole(world, 'after the failure')
})

for (const standing of ['disabled', 'unauthorized'] as const) {
  test(`a volume whose key is ${standing} before the image is made waits for it, however long that takes`, async () => {
    await using world = await makeWorld()
    const path = await volumeIn(world)
    world.kms.put(keyOfA, standing)
    world.disk.refusal = new Fault('conflict', 'the key is not active')
    await world.pass()
    const { body } = await world.call('GET', path)
    assert.deepEqual([body.status, body.status_reasons[0].code], ['unusable', keyReason(standing)?.code])
    assert.ok((await world.events()).includes('vpc.volume.became-unusable'))
    await world.longAfter()
    assert.equal((await world.call('GET', path)).body.status, 'unusable')

    world.kms.put(keyOfA, 'usable')
    world.disk.refusal = new Fault('unavailable', 'still starting')
    await world.pass()
    await world.pass()
    assert.equal((await world.call('GET', path)).body.status, 'pending', 'the time under the key does not count')
    world.disk.refusal = null
    await world.settle()
    await assertWhole(world, 'after the return')
    assert.equal((await world.call('GET', path)).body.status, 'available')
  })
}

test('a key that comes back while its refusal is looked into costs the volume nothing', async () => {
  await using world = await makeWorld()
  const path = await volumeIn(world)
  world.disk.refusal = new Fault('conflict', 'the key is not active')
  await world.pass()
  assert.equal((await world.call('GET', path)).body.status, 'pending')
  world.disk.refusal = null
  await world.pass()
  assert.equal((await world.call('GET', path)).body.status, 'available')
})

test('a key that is deleted before the image is made fails the volume, with the reason, and it can be deleted', async () => {
  await using world = await makeWorld()
  const path = await volumeIn(world)
  world.kms.put(keyOfA, 'deleted')
  world.disk.refusal = new Fault('gone', 'the key was deleted')
  await world.pass()
  const { body } = await world.call('GET', path)
  assert.deepEqual([body.status, body.status_reasons[0].code], ['failed', 'encryption_key_deleted'])
  assert.equal((await world.call('DELETE', path)).status, 204)
  await world.settle()
  await assertWhole(world, 'after the deletion')
})

test('a volume that waits for its key may be deleted', async () => {
  await using world = await makeWorld()
  const path = await volumeIn(world)
  world.kms.put(keyOfA, 'disabled')
  await world.pass()
  assert.equal((await world.call('DELETE', path)).status, 204)
  await world.settle()
  assert.equal((await world.call('GET', path)).status, 404)
  assert.equal(world.kms.registrations.size, 0)
})

test('an instance with its volumes comes to be whole or not at all', async () => {
  const body = {
    zone: { name: 'us-south-3' },
    name: 'machine',
    image: { id: 'r006-00000000-0000-4000-8000-000000000001' },
    boot_volume_attachment: {
      volume: { profile: { name: 'general-purpose' }, capacity: 100, encryption_key: { crn: keyOfA } },
    },
    volume_attachments: [
      {
        name: 'data',
        volume: { profile: { name: 'general-purpose' }, capacity: 10 },
        delete_volume_on_instance_delete: true,
      },
    ],
  }
  const strikes = await struckEverywhere(
    async (world) => {
      const { body: volume } = await world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'existing' }) })
      const volumes = [...body.volume_attachments, { volume: { id: volume.id } }]
      return () => world.call('POST', '/v1/instances', { body: { ...body, volume_attachments: volumes } })
    },
    async (world) => {
      const { instances } = (await world.call('GET', '/v1/instances')).body
      const { volumes } = (await world.call('GET', '/v1/volumes')).body
      if (instances.length === 0) {
        assert.equal(volumes.length, 1)
        assert.equal((await world.call('POST', '/v1/instances', { body })).status, 201, 'the name is free again')
        return
      }
      assert.equal(instances[0].status, 'running')
      assert.equal(instances[0].volume_attachments.length, 3)
      assert.equal(volumes.length, 3)
    },
  )
  assert.ok(strikes >= 4 * 10, `${strikes} strikes`)
})

test('an instance of which one key is refused leaves nothing, and says which', async () => {
  await using world = await makeWorld()
  const other = keyOfA.replace(/.$/, '0')
  const volume = (crn: string) => ({
    volume: { profile: { name: 'general-purpose' }, capacity: 10, encryption_key: { crn } },
  })
  const body = { zone: { name: 'us-south-3' }, volume_attachments: [volume(keyOfA), volume(other)] }
  const refused = await world.call('POST', '/v1/instances', { body })
  assert.equal(refused.status, 400)
  assert.equal(refused.body.errors[0].target.name, 'volume_attachments.1.volume.encryption_key.crn')
  await world.settle()
  await assertWhole(world, 'refused')
  assert.equal((await world.call('GET', '/v1/instances')).body.total_count, 0)
  assert.equal(world.kms.registrations.size, 0)
})

test('a volume that is made with its attachment comes with it or not at all', async () => {
  await struckEverywhere(
    async (world) => {
      const { body: instance } = await world.call('POST', '/v1/instances', { body: { zone: { name: 'us-south-3' } } })
      const volume = { profile: { name: 'general-purpose' }, capacity: 10, encryption_key: { crn: keyOfA } }
      return () => world.call('POST', `/v1/instances/${instance.id}/volume_attachments`, { body: { volume } })
    },
    async (world) => {
      const { volumes } = (await world.call('GET', '/v1/volumes')).body
      assert.ok(volumes.every((volume: { attachment_state: string }) => volume.attachment_state === 'attached'))
    },
  )
})

test('stopping and starting end with exports or without', async () => {
  for (const type of ['stop', 'reboot', 'start'] as const) {
    await struckEverywhere(
      async (world) => {
        const { path, attach } = await attachedIn(world, false)
        await attach()
        await world.settle()
        const act = (what: string) => world.call('POST', `${path}/actions`, { body: { type: what } })
        if (type === 'start') await act('stop')
        return () => act(type)
      },
      async () => {},
    )
  }
})

test('growing a volume ends in the new size, or it is as it was', async () => {
  await struckEverywhere(
    async (world) => {
      const { volume, attach } = await attachedIn(world, false)
      await attach()
      await world.settle()
      return () => world.call('PATCH', volume, { body: { capacity: 40 } })
    },
    async (world) => {
      const { body } = await world.call('GET', '/v1/volumes')
      assert.ok([20, 40].includes(body.volumes[0].capacity))
    },
  )
})

test('an export that is added while its attachment ends does not stay', async () => {
  await using world = await makeWorld()
  const { path, attach } = await attachedIn(world, false)
  const { body } = await attach()
  const { addExport } = world.disk.port
  world.disk.port.addExport = async (spec) => {
    world.disk.port.addExport = addExport
    assert.equal((await world.call('DELETE', `${path}/volume_attachments/${body.id}`)).status, 204)
    await addExport(spec)
  }
  await world.pass()
  await assertWhole(world, 'detached under way')
})

test('an image that comes after its volume was given up and deleted goes again', async () => {
  await using world = await makeWorld()
  const path = await volumeIn(world)
  const { createVolume } = world.disk.port
  world.disk.port.createVolume = async (spec) => {
    world.disk.port.createVolume = () => Promise.reject(new Fault('invalid', 'no'))
    await world.pass()
    assert.equal((await world.call('DELETE', path)).status, 204)
    await world.pass()
    await createVolume(spec)
  }
  await world.pass()
  assert.equal((await world.call('GET', path)).status, 404)
  await assertWhole(world, 'formatted too late')
})

test('a request that stopped before it asked for a key frees its name, whatever key it named', async () => {
  await using world = await makeWorld()
  world.faults.schedule({ at: 1, when: 'after', kind: 'stops' })
  await world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'v' }) })
  world.kms.port.unregister = () => Promise.reject(new Fault('invalid', 'unreadable', { reason: 'key_crn_invalid' }))
  await world.settle()
  await assertWhole(world, 'freed')
  assert.equal((await world.call('POST', '/v1/volumes', { body: volumeBody({ name: 'v' }) })).status, 201)
})

// Custom images and the machines that boot from them under fault: every effect of their workflows fails, hangs or is
// interrupted, and what is left agrees with itself.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { volumePendingMsMax } from '#base/limits.ts'
import { post, zone } from './testing/snapshots.ts'
import { assertWhole, struckEverywhere } from './testing/struck.ts'
import { keyOfA, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

const body = (more: Record<string, unknown> = {}) => ({
  file: { href: 'cos://us-south/bucket/disk.raw' },
  operating_system: { name: 'debian-12-amd64' },
  encryption_key: { crn: keyOfA },
  name: 'image',
  ...more,
})

const own = async (world: World) => (await world.call('GET', '/v1/images?visibility=private')).body.images

async function available(world: World, more: Record<string, unknown> = {}): Promise<string> {
  const made = await post(world, '/v1/images', body(more))
  assert.equal(made.status, 201, JSON.stringify(made.body))
  await world.settle()
  return made.body.id
}

test('making an image ends in an available one or in nothing, and its name is free again', async () => {
  const strikes = await struckEverywhere(
    async (world) => () => post(world, '/v1/images', body()),
    async (world) => {
      const images = await own(world)
      assert.ok(images.every(({ status }: { status: string }) => status === 'available'))
      if (images.length === 0) assert.equal((await post(world, '/v1/images', body())).status, 201)
    },
  )
  assert.ok(strikes >= 4 * 4, `${strikes} strikes`)
})

test('booting from an image ends in a running machine with its volume, or in nothing', async () => {
  await struckEverywhere(
    async (world) => {
      const id = await available(world)
      return () => post(world, '/v1/instances', { zone, image: { id } })
    },
    async (world) => {
      const { instances } = (await world.call('GET', '/v1/instances')).body
      const { volumes } = (await world.call('GET', '/v1/volumes')).body
      assert.equal(volumes.length, instances.length)
      assert.ok(volumes.every((volume: { status: string }) => volume.status === 'available'))
    },
  )
})

test('an image is deleted whole or is as it was', async () => {
  await struckEverywhere(
    async (world) => {
      const id = await available(world)
      return () => world.call('DELETE', `/v1/images/${id}`)
    },
    async () => {},
  )
})

test('an image of a boot volume comes to be or does not', async () => {
  await struckEverywhere(
    async (world) => {
      const id = await available(world)
      const { body: instance } = await post(world, '/v1/instances', { zone, image: { id } })
      await world.settle()
      await post(world, `/v1/instances/${instance.id}/actions`, { type: 'stop' })
      await world.settle()
      const source = instance.boot_volume_attachment.volume.id
      return () => post(world, '/v1/images', { source_volume: { id: source }, name: 'second' })
    },
    async (world) => {
      const { volumes } = (await world.call('GET', '/v1/volumes')).body
      assert.ok(volumes.every(({ busy }: { busy: boolean }) => !busy))
    },
  )
})

test('a machine does not start while an image of its boot volume is being made', async () => {
  await using world = await makeWorld()
  const id = await available(world)
  const { body: instance } = await post(world, '/v1/instances', { zone, image: { id } })
  await world.settle()
  const act = (type: string) => post(world, `/v1/instances/${instance.id}/actions`, { type })
  await act('stop')
  await world.settle()
  world.disk.refusal = new Fault('unavailable', 'busy')
  const source = { id: instance.boot_volume_attachment.volume.id }
  assert.equal((await post(world, '/v1/images', { source_volume: source })).status, 201)
  const second = await post(world, '/v1/images', { source_volume: source })
  assert.deepEqual([second.status, second.body.errors[0].target.name], [409, 'source_volume'])
  const locked = await act('start')
  assert.deepEqual([locked.status, locked.body.errors[0].code], [409, 'invalid_state'])
  world.disk.refusal = null
  await world.settle()
  assert.equal((await act('start')).status, 201)
})

test('what a file is refused for is the reason that the image failed; what no disk does is not for ever', async () => {
  await using world = await makeWorld()
  world.disk.refusal = new Fault('unprocessable', 'torn', { reason: 'image_data_corrupted' })
  const first = await post(world, '/v1/images', body())
  await world.settle()
  const shown = (await world.call('GET', `/v1/images/${first.body.id}`)).body
  assert.deepEqual([shown.status, shown.status_reasons[0].code], ['failed', 'image_data_corrupted'])

  world.disk.refusal = new Fault('unavailable', 'no room')
  const second = await post(world, '/v1/images', body({ name: 'second' }))
  await world.settle()
  assert.equal((await world.call('GET', `/v1/images/${second.body.id}`)).body.status, 'pending')
  world.advance(volumePendingMsMax + 1)
  await world.settle()
  const late = (await world.call('GET', `/v1/images/${second.body.id}`)).body
  assert.deepEqual([late.status, late.status_reasons[0].code], ['failed', 'image_creation_timed_out'])
  for (const { body: image } of [first, second]) await world.call('DELETE', `/v1/images/${image.id}`)
  world.disk.refusal = null
  await world.settle()
  await assertWhole(world, 'both deleted')
})

test('an image stays while a volume is made of it; one that is being made may be deleted', async () => {
  await using world = await makeWorld()
  const id = await available(world)
  world.disk.refusal = new Fault('unavailable', 'busy')
  await post(world, '/v1/instances', { zone, image: { id } })
  const refused = await world.call('DELETE', `/v1/images/${id}`)
  assert.deepEqual([refused.status, refused.body.errors[0].code], [409, 'invalid_state'])
  const pending = await post(world, '/v1/images', body({ name: 'second' }))
  assert.equal((await world.call('DELETE', `/v1/images/${pending.body.id}`)).status, 204)
  world.disk.refusal = null
  await world.settle()
  assert.equal((await world.call('DELETE', `/v1/images/${id}`)).status, 204)
  await world.settle()
  await assertWhole(world, 'deleted')
})

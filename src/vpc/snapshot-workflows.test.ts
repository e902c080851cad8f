// Snapshots, consistency groups and restores under fault: every effect of their workflows fails, hangs or is interrupted, and
// what is left agrees with itself.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { attachedVolume, post, restored, stableSnapshot, zone } from './testing/snapshots.ts'
import { assertWhole, struckEverywhere } from './testing/struck.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'

test('taking a snapshot ends in a stable one or in nothing, and the volume is free again', async () => {
  const strikes = await struckEverywhere(
    async (world) => {
      const id = await attachedVolume(world)
      return () => post(world, '/v1/snapshots', { source_volume: { id }, name: 's' })
    },
    async (world) => {
      const { snapshots } = (await world.call('GET', '/v1/snapshots')).body
      assert.ok(snapshots.every(({ lifecycle_state: state }: { lifecycle_state: string }) => state === 'stable'))
      const [volume] = (await world.call('GET', '/v1/volumes')).body.volumes
      assert.equal(volume.busy, false)
      if (snapshots.length > 0) return
      const again = await post(world, '/v1/snapshots', { source_volume: { id: volume.id }, name: 's' })
      assert.equal(again.status, 201, 'the name is free again')
    },
  )
  assert.ok(strikes >= 4 * 5, `${strikes} strikes`)
})

test('a consistency group comes to be whole or not at all', async () => {
  const body = (ids: readonly string[]) => ({
    name: 'both',
    snapshots: ids.map((id) => ({ source_volume: { id } })),
  })
  const strikes = await struckEverywhere(
    async (world) => {
      const ids: string[] = []
      for (let i = 0; i < 2; i++) ids.push((await post(world, '/v1/volumes', volumeBody())).body.id)
      await world.settle()
      await post(world, '/v1/instances', { zone, volume_attachments: ids.map((id) => ({ volume: { id } })) })
      return () => post(world, '/v1/snapshot_consistency_groups', body(ids))
    },
    async (world) => {
      const groups = (await world.call('GET', '/v1/snapshot_consistency_groups')).body.snapshot_consistency_groups
      const { snapshots } = (await world.call('GET', '/v1/snapshots')).body
      assert.equal(snapshots.length, 2 * groups.length)
      assert.ok(groups.every((group: { lifecycle_state: string }) => group.lifecycle_state === 'stable'))
      assert.ok(snapshots.every(({ name }: { name: string }) => name.startsWith('both-')))
      if (groups.length > 0) return
      const ids = (await world.call('GET', '/v1/volumes')).body.volumes.map(({ id }: { id: string }) => id)
      assert.equal((await post(world, '/v1/snapshot_consistency_groups', body(ids))).status, 201)
    },
  )
  assert.ok(strikes >= 4 * 6, `${strikes} strikes`)
})

test('restoring ends in an available volume or in nothing', async () => {
  await struckEverywhere(
    async (world) => {
      const id = await stableSnapshot(world)
      return () => post(world, '/v1/volumes', restored(id, { name: 'again' }))
    },
    async (world) => {
      const { volumes } = (await world.call('GET', '/v1/volumes')).body
      assert.ok(volumes.every((volume: { status: string }) => volume.status === 'available'))
      if (volumes.length > 1) return
      const { snapshots } = (await world.call('GET', '/v1/snapshots')).body
      assert.equal((await post(world, '/v1/volumes', restored(snapshots[0].id, { name: 'again' }))).status, 201)
    },
  )
})

test('a snapshot, and a group with its snapshots, are deleted whole or are as they were', async () => {
  await struckEverywhere(
    async (world) => {
      const id = await stableSnapshot(world, { clones: [{ zone }] })
      return () => world.call('DELETE', `/v1/snapshots/${id}`)
    },
    async () => {},
  )
  await struckEverywhere(
    async (world) => {
      const id = await attachedVolume(world)
      const { body } = await post(world, '/v1/snapshot_consistency_groups', {
        snapshots: [{ source_volume: { id } }],
      })
      await world.settle()
      return () => world.call('DELETE', `/v1/snapshot_consistency_groups/${body.id}`)
    },
    async (world) => {
      const { total_count: groups } = (await world.call('GET', '/v1/snapshot_consistency_groups')).body
      assert.equal((await world.call('GET', '/v1/snapshots')).body.total_count, groups)
    },
  )
})

test('while a snapshot is taken its volume is locked, and a deletion that comes with an instance waits', async () => {
  await using world = await makeWorld()
  const id = await attachedVolume(world)
  const finish = Promise.withResolvers<void>()
  const { createSnapshot } = world.disk.port
  world.disk.port.createSnapshot = async (...given) => {
    await finish.promise
    return await createSnapshot(...given)
  }
  world.disk.port.copyProgress = async () => ({ doneBytes: 30, totalBytes: 40 })
  const { body: snapshot } = await post(world, '/v1/snapshots', { source_volume: { id } })
  const shown = (await world.call('GET', `/v1/snapshots/${snapshot.id}`)).body
  assert.deepEqual([shown.lifecycle_state, shown.progress, shown.captured_at], ['pending', 75, undefined])
  assert.equal((await world.call('GET', `/v1/volumes/${id}`)).body.busy, true)
  for (const locked of [
    await world.call('PATCH', `/v1/volumes/${id}`, { body: { capacity: 40 } }),
    await post(world, '/v1/snapshots', { source_volume: { id } }),
  ]) {
    assert.deepEqual([locked.status, locked.body.errors[0].code], [409, 'snapshots_source_volume_busy'])
    assert.match(locked.body.errors[0].message, /volume is locked/)
  }
  const [instance] = (await world.call('GET', '/v1/instances')).body.instances
  const [attachment] = instance.volume_attachments
  const flag = { body: { delete_volume_on_instance_delete: true } }
  await world.call('PATCH', `/v1/instances/${instance.id}/volume_attachments/${attachment.id}`, flag)
  await world.call('DELETE', `/v1/instances/${instance.id}`)
  for (const consumer of [...world.vpc.consumers, ...world.vpc.consumers]) await consumer.reconcile()
  assert.ok(world.disk.images.has(id), 'the image stays while it is read')
  finish.resolve()
  await world.settle()
  assert.equal((await world.call('GET', `/v1/volumes/${id}`)).status, 404)
  const after = (await world.call('GET', `/v1/snapshots/${snapshot.id}`)).body
  assert.equal(after.lifecycle_state, 'stable')
  assert.ok(after.source_volume.deleted.more_info)
  await assertWhole(world, 'the volume went, the snapshot stays')
})

test('pending does not last for ever: a disk that refuses, or never answers, fails a snapshot and a restore', async () => {
  for (const trouble of ['refuses', 'is silent', 'hangs'] as const) {
    await using world = await makeWorld()
    const id = await stableSnapshot(world)
    const volumeId = (await world.call('GET', '/v1/volumes')).body.volumes[0].id
    const { body: second } = await post(world, '/v1/snapshots', { source_volume: { id: volumeId } })
    const { body: volume } = await post(world, '/v1/volumes', restored(id))
    const never = new Promise<never>(() => {})
    const answer = async (): Promise<never> => {
      if (trouble === 'hangs') return await never
      throw trouble === 'refuses' ? new Fault('invalid', 'no room') : new Fault('unavailable', 'starting')
    }
    world.disk.port.createSnapshot = answer
    world.disk.port.createVolumeFrom = answer
    const pass = async () => {
      for (const consumer of world.vpc.consumers) await consumer.reconcile()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await pass()
    await pass()
    if (trouble !== 'refuses') {
      assert.equal((await world.call('GET', `/v1/volumes/${volume.id}`)).body.health_state, 'degraded')
      world.advance(11 * 60_000)
      await pass()
      await pass()
    }
    assert.equal((await world.call('GET', `/v1/volumes/${volume.id}`)).body.status, 'failed', trouble)
    assert.equal((await world.call('GET', `/v1/snapshots/${second.id}`)).body.lifecycle_state, 'failed', trouble)
    assert.equal((await world.call('DELETE', `/v1/snapshots/${second.id}`)).status, 202)
    assert.equal((await world.call('DELETE', `/v1/volumes/${volume.id}`)).status, 204)
  }
})

test('a group waits for a member whose key is shut, goes without one whose key has gone, and is taken whole', async () => {
  await using world = await makeWorld()
  const other = keyOfA.replace(/.{4}$/, 'ffff')
  world.kms.put(other)
  const volumes: string[] = []
  for (const crn of [keyOfA, other]) {
    const body = volumeBody({ encryption_key: { crn } })
    volumes.push((await world.call('POST', '/v1/volumes', { body })).body.id)
  }
  await world.settle()
  const body = { zone: { name: 'us-south-3' }, volume_attachments: volumes.map((id) => ({ volume: { id } })) }
  await world.call('POST', '/v1/instances', { body })
  await world.settle()
  const take = async () => {
    const snapshots = volumes.map((id) => ({ source_volume: { id } }))
    const { body: made } = await world.call('POST', '/v1/snapshot_consistency_groups', { body: { snapshots } })
    return made.snapshots.map(({ id }: { id: string }) => id)
  }
  const states = async (ids: readonly string[]) => {
    const shown = ids.map(async (id) => (await world.call('GET', `/v1/snapshots/${id}`)).body.lifecycle_state)
    return (await Promise.all(shown)).sort()
  }
  /** The key changes before a disk takes the snapshots. */
  const meanwhile = async (standing: 'disabled' | 'deleted') => {
    world.disk.refusal = new Fault('unavailable', 'the disk process starts again')
    world.kms.put(other, standing)
    await world.pass()
    world.disk.refusal = null
    for (let i = 0; i < 3; i++) await world.pass()
  }
  const waiting = await take()
  await meanwhile('disabled')
  assert.deepEqual(await states(waiting), ['pending', 'unusable'])
  world.kms.put(other)
  for (let i = 0; i < 3; i++) await world.pass()
  assert.deepEqual(await states(waiting), ['stable', 'stable'])

  const without = await take()
  await meanwhile('deleted')
  assert.deepEqual(await states(without), ['failed', 'stable'])
})

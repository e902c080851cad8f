// A workflow with every single effect of it failing, and what has to be so afterwards.

import assert from 'node:assert/strict'
import type { Plan } from './faults.ts'
import { makeWorld } from './world.ts'
import type { World } from './world.ts'

/** Rows, registrations, images and exports say the same, and another pass has nothing to do. */
export async function assertWhole(world: World, about: string): Promise<void> {
  const { reads } = world.database
  const columns = ['id', 'crn', 'phase', 'wrapped_data_key'] as const
  const snapshots = await reads.selectFrom('vpc_snapshot').select(columns).execute()
  const volumes = await reads.selectFrom('vpc_volume').select(columns).execute()
  const customs = await reads.selectFrom('vpc_image').select(columns).execute()
  const images = [...volumes, ...snapshots, ...customs]
  const attachments = await reads.selectFrom('vpc_attachment').selectAll().execute()
  const instances = await reads.selectFrom('vpc_instance').select(['id', 'status']).execute()
  const running = new Set(instances.filter(({ status }) => status === 'running').map(({ id }) => id))
  const phases = images.map(({ phase }) => phase)
  assert.ok(
    phases.every((phase) => phase === 'formatted'),
    `${about}: phases ${phases}`,
  )
  assert.deepEqual([...world.kms.registrations.keys()].sort(), images.map(({ crn }) => crn).sort(), about)
  assert.deepEqual([...world.disk.images.keys()].sort(), images.map(({ id }) => String(id)).sort(), about)
  for (const { id, wrapped_data_key: wrapped } of images) {
    assert.deepEqual(world.disk.images.get(id)?.wrappedDataKey, wrapped, `${about}: the image opens with the row's key`)
  }
  assert.ok(
    attachments.every(({ status }) => status === 'attached'),
    about,
  )
  assert.ok(
    instances.every(({ status }) => status === 'running' || status === 'stopped'),
    about,
  )
  const groups = await reads.selectFrom('vpc_snapshot_group').select('phase').execute()
  assert.ok(
    groups.every(({ phase }) => phase === 'made'),
    about,
  )
  const served = attachments
    .filter(({ instance_id }) => running.has(instance_id))
    .map(({ id, volume_id }) => [id, volume_id])
  assert.deepEqual([...world.disk.exports].sort(), served.sort(), about)
  if (world.compute) {
    const booted = attachments.filter(({ type }) => type === 'boot').map(({ instance_id }) => instance_id)
    assert.deepEqual(world.compute.on(), booted.filter((id) => running.has(id)).sort(), `${about}: who runs, is on`)
  }
  const before = await world.events()
  await world.pass()
  assert.deepEqual(await world.events(), before, `${about}: a second sweep changes nothing`)
}

const kinds = ['fails', 'stops'] as const
const whens = ['before', 'after'] as const

/** Runs the workflow with each effect struck in each way, until there is no further effect to strike. */
export async function struckEverywhere(
  prepare: (world: World) => Promise<() => Promise<unknown>>,
  afterwards: (world: World) => Promise<void>,
  make: () => Promise<World> = makeWorld,
): Promise<number> {
  let strikes = 0
  for (const kind of kinds) {
    for (const when of whens) {
      for (let at = 1; ; at++) {
        await using world = await make()
        const run = await prepare(world)
        await world.settle()
        const plan: Plan = { at, when, kind }
        world.faults.schedule(plan)
        await run()
        await world.pass()
        const { happened } = world.faults
        // Machines end with the process.
        if (happened && kind === 'stops') world.compute?.crash()
        await world.settle()
        await assertWhole(world, JSON.stringify(plan))
        await afterwards(world)
        if (!happened) break
        strikes++
      }
    }
  }
  return strikes
}

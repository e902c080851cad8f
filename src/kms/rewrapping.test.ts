import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { selectAudit } from '#events/tables-audit.ts'
import { accountA, accountB, blockStorage, fails, makeWorld, tallyAgrees, volumeCrn } from './testing/world.ts'
import type { World } from './testing/world.ts'

async function heldBy(world: World, keyCrn: string, count: number, as = blockStorage) {
  const held = []
  for (let i = 0; i < count; i++) {
    const resourceCrn = volumeCrn(`r006-${i}`, as.accountId)
    held.push({ resourceCrn, ...(await world.kms.port.createDataKey({ keyCrn, resourceCrn, as })) })
  }
  return held
}

test('a batch moves what opens, refuses what does not, and is one event and two records in each trail', async () => {
  await using world = await makeWorld()
  const { kms } = world
  const key = await world.rootKey()
  const held = await heldBy(world, key.crn, 4)
  await kms.lifecycle.rotate(world.asOwner, key.id, null)
  await world.audit.flush()
  const [first, second] = held
  assert.ok(first && second)
  const mixed = held.map((one) => (one === second ? { ...one, wrapped: first.wrapped } : one))
  const results = await kms.port.rewrapDataKeys({ keyCrn: key.crn, as: blockStorage, held: mixed })
  assert.deepEqual(
    results.map((result) => result instanceof Fault && result.code),
    [false, 'unprocessable', false, false],
  )
  const moved = held.filter((one) => one !== second).map(({ resourceCrn }) => resourceCrn)
  const events = (await world.events()).filter(({ type }) => type === 'kms.registrations.followed')
  assert.deepEqual(
    events.map(({ resourceCrns }) => resourceCrns),
    [moved],
  )
  const { registrations, remaining } = await kms.rotationProgress.report(world.asOwner, key.id)
  assert.deepEqual([registrations, remaining], [4, 1])
  await tallyAgrees(world)

  await world.audit.flush()
  for (const accountId of [accountA, accountB]) {
    const trail = await selectAudit(world.database.reads, accountId, {}, { order: 'asc', after: null, limit: 100 })
    const [written, rewrapped] = trail.map(({ body }) => body).slice(-2)
    assert.ok(written && rewrapped)
    assert.deepEqual([written.action, written.responseData['resourceCRNs']], ['kms.registrations.write', moved])
    assert.equal(rewrapped.action, 'kms.secrets.rewrap')
    assert.deepEqual(rewrapped.responseData['refused'], [
      { resourceCRN: second.resourceCrn, reason: 'wrapped key does not open' },
    ])
  }
})

test('a batch that fails half-way moves nothing', async () => {
  await using world = await makeWorld()
  const { kms } = world
  const key = await world.rootKey()
  const held = await heldBy(world, key.crn, 3)
  await kms.lifecycle.rotate(world.asOwner, key.id, null)
  world.failOn('kms.registrations.followed')
  const batch = { keyCrn: key.crn, as: blockStorage, held }
  await assert.rejects(kms.port.rewrapDataKeys(batch), /disk is full/)
  world.failOn(null)
  assert.equal((await kms.rotationProgress.report(world.asOwner, key.id)).remaining, 3)
  await tallyAgrees(world)
  await kms.port.rewrapDataKeys(batch)
  assert.equal((await kms.rotationProgress.report(world.asOwner, key.id)).remaining, 0)
})

test('the registration of another service is neither moved nor told about', async () => {
  await using world = await makeWorld()
  const { kms } = world
  const key = await world.rootKey()
  const images = { kind: 'service', serviceName: 'is', accountId: accountB } as const
  world.iam.permit(images, accountA, ['kms.secrets.rewrap', 'kms.registrations.write'])
  const [held] = await heldBy(world, key.crn, 1)
  assert.ok(held)
  await kms.lifecycle.rotate(world.asOwner, key.id, null)
  const [result] = await kms.port.rewrapDataKeys({ keyCrn: key.crn, as: images, held: [held] })
  assert.ok(result instanceof Fault && result.reason === 'RESOURCE_OWNER_ERR')
  const foreign = { ...held, resourceCrn: volumeCrn('r006-1', 'c'.repeat(32)) }
  await assert.rejects(
    kms.port.rewrapDataKeys({ keyCrn: key.crn, as: blockStorage, held: [foreign] }),
    fails('forbidden', 'RESOURCE_OWNER_ERR'),
  )
  assert.equal((await kms.rotationProgress.report(world.asOwner, key.id)).remaining, 1)
})

test('the tally is what the registrations are, through every way in and out', async () => {
  await using world = await makeWorld()
  const { kms, clock } = world
  const key = await world.rootKey()
  const held = await heldBy(world, key.crn, 5)
  const use = { keyCrn: key.crn, as: blockStorage }
  await tallyAgrees(world)
  await kms.lifecycle.rotate(world.asOwner, key.id, null)
  await kms.port.rewrapDataKeys({ ...use, held: held.slice(0, 2) })
  await tallyAgrees(world)
  for (const { resourceCrn } of [held[0], held[4]].filter((one) => one !== undefined)) {
    await kms.port.unregister({ ...use, resourceCrn })
  }
  await tallyAgrees(world)
  // Made anew for a resource that is there already: the registration moves.
  await kms.port.createDataKey({ ...use, resourceCrn: volumeCrn('r006-2') })
  await tallyAgrees(world)
  assert.equal((await kms.rotationProgress.report(world.asOwner, key.id)).remaining, 1)
  await kms.lifecycle.remove(world.asOwner, key.id, true)
  await tallyAgrees(world)
  clock.advance(60_000)
  await kms.lifecycle.restore(world.asOwner, key.id)
  await kms.port.rewrapDataKeys({ ...use, held })
  await tallyAgrees(world)
  const { versions, remaining } = await kms.rotationProgress.report(world.asOwner, key.id)
  assert.deepEqual([versions.map((version) => version.registrations), remaining], [[5, 0], 0])
})

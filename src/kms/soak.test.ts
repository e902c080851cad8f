// A day of keys in virtual time: rotations by policy and by hand, expiries, deletions, restorations and purges, while
// others wrap and unwrap. Nothing that was wrapped is lost as long as its key is there to open it, and the books agree.
// The chances are seeded: a failure prints the seed, and KEYWARD_TEST_SEED plays it again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { isAllowed } from './key-state.ts'
import {
  accountA,
  blockStorage,
  caller,
  makeWorld,
  newRootKey,
  rewrapOne,
  tallyAgrees,
  volumeCrn,
} from './testing/world.ts'
import type { World } from './testing/world.ts'

const hour = 3_600_000
const stepMs = 10 * 60_000
const stepCount = 144
const seed = Number(process.env['KEYWARD_TEST_SEED'] ?? 20_260_101)

/** mulberry32: small, and the same everywhere. */
function makeChance(from: number): (below: number) => number {
  let state = from
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

interface Kept {
  readonly keyId: string
  ciphertext: string
  readonly plaintext: string
}

/** What is refused is refused for a reason that the API has; anything else is a failure of the test. */
async function tolerant<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Fault && ['conflict', 'gone', 'not_found', 'invalid'].includes(error.code)) return null
    throw error
  }
}

test(`a day of virtual time loses nothing (seed ${seed})`, async () => {
  await using world = await makeWorld()
  const { kms, clock, iam } = world
  const chance = makeChance(seed)
  iam.permit(caller('owner', accountA), accountA, ['kms.secrets.purge'])
  const keyIds: string[] = []
  const kept: Kept[] = []
  const volumes: { keyCrn: string; resourceCrn: string; wrapped: Uint8Array; keyVersionId: string }[] = []
  for (let i = 0; i < 12; i++) keyIds.push(await makeKey(world, i))

  async function act(): Promise<void> {
    const id = keyIds[chance(keyIds.length)] ?? ''
    switch (chance(12)) {
      case 0:
        return void (await tolerant(kms.lifecycle.rotate(world.asOwner, id, null)))
      case 1:
        return void (await tolerant(kms.lifecycle.disable(world.asOwner, id)))
      case 2:
        return void (await tolerant(kms.lifecycle.enable(world.asOwner, id)))
      case 3:
        return void (chance(4) === 0 && (await tolerant(kms.lifecycle.remove(world.asOwner, id, true))))
      case 4:
        return void (await tolerant(kms.lifecycle.restore(world.asOwner, id)))
      case 5:
        return void (chance(6) === 0 && (await tolerant(kms.lifecycle.purge(world.asOwner, id))))
      case 6:
        return void keyIds.push(await makeKey(world, keyIds.length))
      case 7:
        return await makeVolume(id)
      default:
        return await wrapAndUnwrap(id)
    }
  }

  async function wrapAndUnwrap(id: string): Promise<void> {
    const made = await tolerant(kms.use.wrap(world.asOwner, id, { plaintext: null, aad: [id] }))
    if (made?.plaintext) kept.push({ keyId: id, ciphertext: made.ciphertext, plaintext: made.plaintext })
    const one = kept[chance(kept.length)]
    const opened =
      one &&
      (await tolerant(kms.use.unwrap(world.asOwner, one.keyId, { ciphertext: one.ciphertext, aad: [one.keyId] })))
    if (!one || !opened) return
    assert.equal(opened.plaintext, one.plaintext)
    // As clients do: from now on the bytes under the newest version.
    if (opened.rewrapped && chance(2)) one.ciphertext = opened.rewrapped.ciphertext
  }

  async function makeVolume(id: string): Promise<void> {
    const shown = await tolerant(kms.keys.metadata(world.asOwner, id))
    if (!shown) return
    const keyCrn = `crn:v1:bluemix:public:kms:us-south:a/${accountA}:${world.instanceId}:key:${id}`
    const resourceCrn = volumeCrn(`r006-${volumes.length}`)
    const made = await tolerant(kms.port.createDataKey({ keyCrn, resourceCrn, as: blockStorage }))
    if (made) volumes.push({ ...made, resourceCrn })
  }

  /** What block storage does in the background. */
  async function follow(): Promise<void> {
    const lagging = await kms.port.lagging(volumes.map((volume) => ({ ...volume, as: blockStorage })))
    for (const [i, volume] of volumes.entries()) {
      if (!lagging[i]) continue
      const again = await tolerant(rewrapOne(world, { ...volume, as: blockStorage }))
      if (again) Object.assign(volume, again)
    }
    for (const { noticeId, keyState } of await kms.port.pendingNotices('server-protect', 100)) {
      await tolerant(kms.port.acknowledge({ noticeId, as: blockStorage, keyState }))
    }
  }

  for (let step = 0; step < stepCount; step++) {
    clock.skip(stepMs)
    await Promise.all([act(), act(), act(), act(), kms.sweep(), ...(step % 6 === 0 ? [follow()] : [])])
  }
  await kms.sweep()
  await follow()
  await verify(world, kept, volumes)
  assert.ok(kept.length > 100 && volumes.length > 10, 'the day was busy')
})

async function makeKey(world: World, i: number): Promise<string> {
  const now = world.clock.now()
  const expiresAt = i % 4 === 3 ? now + (2 + (i % 7)) * hour : null
  const { id } = await world.rootKey({ ...newRootKey, name: `key ${i}`, expiresAt })
  // Due within the day: no policy is set for less than a month, so its day is brought near.
  if (i % 3 === 0) {
    await world.kms.keyPolicies.set(world.asOwner, id, { rotation: { enabled: true, months: 1 }, dualAuthDelete: null })
    await world.database.transaction(async (tx) => {
      await tx
        .updateTable('kms_key')
        .set({ rotation_due_at: now + (1 + (i % 5)) * hour })
        .where('id', '=', id)
        .execute()
    })
  }
  return id
}

async function verify(
  world: World,
  kept: readonly Kept[],
  volumes: readonly { keyCrn: string; resourceCrn: string; wrapped: Uint8Array; keyVersionId: string }[],
): Promise<void> {
  const { kms, database } = world
  const states = { opened: 0, closed: 0, purged: 0 }
  for (const { keyId, ciphertext, plaintext } of kept) {
    const shown = await tolerant(kms.keys.metadata(world.asOwner, keyId))
    if (!shown) states.purged++
    else if (!isAllowed('unwrap', shown.key.state)) states.closed++
    else {
      const opened = await kms.use.unwrap(world.asOwner, keyId, { ciphertext, aad: [keyId] })
      assert.equal(opened.plaintext, plaintext)
      states.opened++
    }
  }
  assert.ok(states.opened > 50, JSON.stringify(states))
  // Every volume under a key that can re-wrap is on its newest version, registered, and opens.
  const lagging = await kms.port.lagging(volumes.map((volume) => ({ ...volume, as: blockStorage })))
  assert.equal(lagging.includes(true), false)
  await tallyAgrees(world)
  const orphans = await database.reads
    .selectFrom('kms_key_version')
    .select('id')
    .where('key_id', 'not in', (e) => e.selectFrom('kms_key').select('id'))
    .execute()
  assert.deepEqual(orphans, [])
  // As many versions as creations and rotations of the keys that are left.
  const events = await world.events()
  const left = new Set((await database.reads.selectFrom('kms_key').select('id').execute()).map((row) => row.id))
  const made = events.filter(
    (event) =>
      (event['type'] === 'kms.key.created' || event['type'] === 'kms.key.rotated') &&
      left.has(String(event['keyCrn']).split(':').at(-1) ?? ''),
  )
  const versions = await database.reads.selectFrom('kms_key_version').select('id').execute()
  assert.equal(versions.length, made.length)
  assert.ok(events.some((event) => event['type'] === 'kms.key.rotated' && event['initiatorId'] === undefined))
  assert.ok(events.some((event) => event['type'] === 'kms.key.expired'))
  assert.ok(events.some((event) => event['type'] === 'kms.lifecycle.acknowledged'))
}

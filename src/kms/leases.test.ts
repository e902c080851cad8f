import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dataKeyBytes, fenceAckMs, leaseMs } from '#base/limits.ts'
import { verifyFenceAck } from '#crypto/fence-ack.ts'
import type { FenceStatement } from '#crypto/fence-ack.ts'
import { makeRecipient } from '#crypto/hpke.ts'
import { openLeasedKey } from '#crypto/leased-key.ts'
import type { FenceAck, LeasedDataKey, WrappedDataKey } from './port.ts'
import { waits } from './waits.ts'
import { accountA, blockStorage, fails, makeTestHolder, makeWorld, serviceActions, volumeCrn } from './testing/world.ts'
import type { TestHolder, World } from './testing/world.ts'

interface Volume {
  readonly made: WrappedDataKey
  readonly keyId: string
  readonly resourceCrn: string
}

async function makeVolume(world: World, name = 'r006-1', key?: { id: string; crn: string }): Promise<Volume> {
  const { id, crn } = key ?? (await world.rootKey())
  const resourceCrn = volumeCrn(name)
  return {
    keyId: id,
    resourceCrn,
    made: await world.kms.port.createDataKey({ keyCrn: crn, resourceCrn, as: blockStorage }),
  }
}

const recipient = makeRecipient()

const request = ({ made, resourceCrn }: Volume) => ({
  keyCrn: made.keyCrn,
  resourceCrn,
  wrapped: made.wrapped,
  as: blockStorage,
  recipientKey: recipient.publicKey,
})

async function lease(world: World, { holderId, held }: TestHolder, volume: Volume): Promise<LeasedDataKey> {
  const leased = await world.kms.port.leaseDataKey(holderId, request(volume))
  held.set(leased.leaseId, volume.resourceCrn)
  return leased
}

/** The data key that came with a lease, in hexadecimal. */
function opened({ leaseId, sealedDataKey }: LeasedDataKey, { resourceCrn }: Volume): string {
  const dataKey = openLeasedKey(sealedDataKey, recipient, { holderId: 'disk-1', leaseId, resourceCrn })
  return dataKey.use((bytes) => Buffer.from(bytes).toString('hex'))
}

function register(world: World, holderId = 'disk-1'): TestHolder {
  const holder = makeTestHolder(world.clock, holderId)
  world.kms.holders.registerHolder(holder)
  return holder
}

const fencedEvents = async (world: World) =>
  (await world.events()).filter((event) => event['type'] === 'kms.lease.fenced')

/** Lets everything that can go on go on. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 20))

test('a lease opens the data key, lives while it is renewed, and ends when it is not', async () => {
  await using world = await makeWorld()
  const { port } = world.kms
  const holder = register(world)
  const volume = await makeVolume(world)
  const first = await lease(world, holder, volume)
  const second = await lease(world, holder, volume)
  assert.equal(opened(first, volume).length, 2 * dataKeyBytes)
  assert.equal(opened(first, volume), opened(second, volume))
  assert.equal(first.leaseMs, leaseMs)
  world.clock.advance(leaseMs - 1)
  const kept = [{ leaseId: first.leaseId, leaseMs }]
  assert.deepEqual(await port.renewLeases('disk-1', [first.leaseId, 'unknown']), kept)
  world.clock.advance(leaseMs - 1)
  assert.deepEqual(await port.renewLeases('disk-1', [first.leaseId, second.leaseId]), kept)
  assert.deepEqual(await port.renewLeases('disk-2', [first.leaseId]), [])
  await port.releaseLeases('disk-2', [first.leaseId])
  assert.deepEqual(await port.renewLeases('disk-1', [first.leaseId]), kept)
  await port.releaseLeases('disk-1', [first.leaseId])
  assert.deepEqual(await port.renewLeases('disk-1', [first.leaseId]), [])
})

test('disable() fences every holder before it answers, and keeps what they sign', async () => {
  await using world = await makeWorld()
  const holders = [register(world, 'disk-1'), register(world, 'disk-2')]
  const key = await world.rootKey()
  const [one, other] = [await makeVolume(world, 'r006-1', key), await makeVolume(world, 'r006-2', key)]
  const bystander = await makeVolume(world, 'r006-3')
  const [a, b] = holders
  assert.ok(a && b)
  const leases = [await lease(world, a, one), await lease(world, a, other), await lease(world, b, one)]
  const spared = await lease(world, a, bystander)
  a.answer = async (acks) => {
    world.clock.advance(30)
    return acks
  }
  await world.kms.lifecycle.disable(world.asOwner, key.id)
  assert.deepEqual([a.fenced, b.fenced], [[[leases[0]?.leaseId, leases[1]?.leaseId]], [[leases[2]?.leaseId]]])
  const events = await fencedEvents(world)
  assert.deepEqual(new Set(events.map((event) => event['leaseId'])), new Set(leases.map((leased) => leased.leaseId)))
  for (const event of events) {
    const holder = holders.find((candidate) => candidate.holderId === event['holderId'])
    assert.ok(holder)
    assert.deepEqual([event['accountId'], event['keyCrn']], [accountA, key.crn])
    if (holder === a) assert.equal(event['elapsedMs'], 30)
    const statement: FenceStatement = {
      holderId: holder.holderId,
      leaseId: String(event['leaseId']),
      resourceCrn: String(event['resourceCrn']),
      fencedAt: Number(event['fencedAt']),
    }
    assert.ok(verifyFenceAck(holder.publicKey, statement, Buffer.from(String(event['signature']), 'base64')))
  }
  const ids = [...leases, spared].map((leased) => leased.leaseId)
  assert.deepEqual(await world.kms.port.renewLeases('disk-1', ids), [{ leaseId: spared.leaseId, leaseMs }])
})

test('until-stop: a lease that is out is renewed while its key is disabled or unauthorized, and none is given', async () => {
  await using world = await makeWorld({ revocation: 'until-stop' })
  const holder = register(world)
  const key = await world.rootKey()
  const volume = await makeVolume(world, 'r006-1', key)
  const held = await lease(world, holder, volume)
  const renewed = async () => {
    world.clock.advance(leaseMs - 1)
    await world.kms.recheckLeases()
    return (await world.kms.port.renewLeases('disk-1', [held.leaseId])).length
  }
  await world.kms.lifecycle.disable(world.asOwner, key.id)
  assert.deepEqual(holder.fenced, [])
  assert.equal(await renewed(), 1)
  await assert.rejects(lease(world, holder, volume))
  assert.equal(await renewed(), 1)
  world.iam.revoke(blockStorage)
  assert.equal(await renewed(), 1)
  await assert.rejects(lease(world, holder, volume))
  // Whoever holds it has given it back, as when a machine stops.
  await world.kms.port.releaseLeases('disk-1', [held.leaseId])
  assert.equal(await renewed(), 0)
})

test('until-stop: a key that is deleted ends what is out, authorized or not', async () => {
  await using world = await makeWorld({ revocation: 'until-stop' })
  const holder = register(world)
  const key = await world.rootKey()
  const held = await lease(world, holder, await makeVolume(world, 'r006-1', key))
  world.iam.revoke(blockStorage)
  await world.kms.lifecycle.remove(world.asOwner, key.id, true)
  assert.deepEqual(holder.fenced, [[held.leaseId]])
  assert.deepEqual(await world.kms.port.renewLeases('disk-1', [held.leaseId]), [])
})

test('after disable or delete no lease is to be had', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const [disabled, deleted] = [await makeVolume(world), await makeVolume(world)]
  await lease(world, holder, deleted)
  await world.kms.lifecycle.disable(world.asOwner, disabled.keyId)
  await world.kms.lifecycle.remove(world.asOwner, deleted.keyId, true)
  assert.equal((await fencedEvents(world)).length, 1)
  await assert.rejects(lease(world, holder, disabled), fails('conflict', 'KEY_ACTION_INVALID_STATE_ERR'))
  await assert.rejects(lease(world, holder, deleted), fails('gone', 'KEY_DELETED_ERR'))
  world.clock.skip(waits.settleMs)
  await world.kms.lifecycle.enable(world.asOwner, disabled.keyId)
  await lease(world, holder, disabled)
})

test('a lease that is on its way while the key is disabled is not given', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const volume = await makeVolume(world)
  // In the midst of the questions about the lease: it is in the book, and its state has not been read.
  world.iam.before = async (action) => {
    if (action === 'kms.secrets.unwrap') await world.kms.lifecycle.disable(world.asOwner, volume.keyId)
  }
  await assert.rejects(lease(world, holder, volume), fails('conflict'))
  assert.deepEqual(holder.fenced, [], 'nothing was given that could be fenced')
})

test('a lease that is on its way while the key is disabled and enabled again is not given either', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const volume = await makeVolume(world)
  world.iam.before = async (action) => {
    if (action !== 'kms.secrets.unwrap') return
    await world.kms.lifecycle.disable(world.asOwner, volume.keyId)
    world.clock.skip(waits.settleMs)
    await world.kms.lifecycle.enable(world.asOwner, volume.keyId)
  }
  await assert.rejects(lease(world, holder, volume), fails('conflict'))
})

test('of leases and a disable that race, every lease that is given is fenced', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const turns = async (count: number) => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  const outcomes = { given: 0, refused: 0 }
  for (let round = 0; round < 20; round++) {
    const volume = await makeVolume(world)
    const before = holder.fenced.flat().length
    const asked = Array.from({ length: 12 }, async (_, i) => {
      await turns(i)
      return await world.kms.port.leaseDataKey('disk-1', request(volume))
    })
    await turns(round % 6)
    await world.kms.lifecycle.disable(world.asOwner, volume.keyId)
    const given = (await Promise.allSettled(asked)).flatMap((r) => (r.status === 'fulfilled' ? [r.value.leaseId] : []))
    assert.deepEqual(new Set(given), new Set(holder.fenced.flat().slice(before)))
    assert.deepEqual(await world.kms.port.renewLeases('disk-1', given), [])
    outcomes.given += given.length
    outcomes.refused += 12 - given.length
  }
  assert.ok(outcomes.given > 0 && outcomes.refused > 0, `no race took place: ${JSON.stringify(outcomes)}`)
})

test('a forged acknowledgement is not recorded', async () => {
  const forgeries: ((ack: FenceAck) => FenceAck)[] = [
    (ack) => ({ ...ack, fencedAt: ack.fencedAt - 1000 }),
    (ack) => ({ ...ack, resourceCrn: volumeCrn('r006-9') }),
    (ack) => ({ ...ack, holderId: 'disk-2' }),
    (ack) => ({ ...ack, leaseId: 'another' }),
    (ack) => ({ ...ack, signature: new Uint8Array(64) }),
    (ack) => ({ ...ack, signature: new Uint8Array() }),
    (ack) => ({ ...ack, fencedAt: Number.NaN }),
  ]
  for (const forge of forgeries) {
    await using world = await makeWorld()
    const holder = register(world)
    const volume = await makeVolume(world)
    await lease(world, holder, volume)
    holder.answer = async (acks) => acks.map(forge)
    await world.kms.lifecycle.disable(world.asOwner, volume.keyId)
    assert.deepEqual(await fencedEvents(world), [])
  }
})

test('a holder that does not answer delays disable() by fenceAckMs and no longer, and its late word is kept', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const volume = await makeVolume(world)
  const { leaseId } = await lease(world, holder, volume)
  const late = Promise.withResolvers<void>()
  holder.answer = async (acks) => {
    await late.promise
    return acks
  }
  let answered = false
  const disabled = world.kms.lifecycle.disable(world.asOwner, volume.keyId).finally(() => {
    answered = true
  })
  await settled()
  world.clock.advance(fenceAckMs - 1)
  await settled()
  assert.equal(answered, false)
  world.clock.advance(1)
  await disabled
  assert.deepEqual(await world.kms.port.renewLeases('disk-1', [leaseId]), [])
  world.clock.advance(500)
  late.resolve()
  await settled()
  assert.deepEqual(
    (await fencedEvents(world)).map((event) => event['elapsedMs']),
    [fenceAckMs + 500],
  )
})

test('a holder that breaks, or answers nonsense, does not keep the key from being disabled', async () => {
  for (const answer of [async () => Promise.reject(new Error('broken')), async () => []]) {
    await using world = await makeWorld()
    const holder = register(world)
    const volume = await makeVolume(world)
    const { leaseId } = await lease(world, holder, volume)
    holder.answer = answer
    await world.kms.lifecycle.disable(world.asOwner, volume.keyId)
    assert.equal((await world.kms.keys.metadata(world.asOwner, volume.keyId)).key.state, 'suspended')
    assert.deepEqual(await world.kms.port.renewLeases('disk-1', [leaseId]), [])
  }
})

test('recheckLeases() fences those whose authorization has gone, and only those', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const [one, other] = [await makeVolume(world, 'r006-1'), await makeVolume(world, 'r006-2')]
  const [lost, kept] = [await lease(world, holder, one), await lease(world, holder, other)]
  await world.kms.recheckLeases()
  assert.deepEqual(holder.fenced, [])
  world.iam.revoke(blockStorage)
  world.iam.permit(blockStorage, accountA, serviceActions, other.keyId)
  await world.kms.recheckLeases()
  assert.deepEqual(holder.fenced, [[lost.leaseId]])
  assert.equal((await fencedEvents(world)).length, 1)
  await assert.rejects(lease(world, holder, one), fails('forbidden'))
  assert.deepEqual(await world.kms.port.renewLeases('disk-1', [lost.leaseId, kept.leaseId]), [
    { leaseId: kept.leaseId, leaseMs },
  ])
})

test('a renewal asks again too, so a lost event costs one renewal', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const { leaseId } = await lease(world, holder, await makeVolume(world))
  world.iam.revoke(blockStorage)
  assert.deepEqual(await world.kms.port.renewLeases('disk-1', [leaseId]), [])
  await settled()
  assert.deepEqual(holder.fenced, [[leaseId]])
})

test('a policy that goes while a lease is being asked for is seen', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const volume = await makeVolume(world)
  let first = true
  world.iam.before = async (action) => {
    if (action !== 'kms.secrets.unwrap' || !first) return
    first = false
    world.iam.revoke(blockStorage)
    await world.kms.recheckLeases()
    // The old answer, as from a decision that had begun before.
    world.iam.permit(blockStorage, accountA, serviceActions)
  }
  await assert.rejects(lease(world, holder, volume), fails('conflict'))
})

test('leases go on under an expired key, as unwrapping does', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const key = await world.rootKey({ expiresAt: world.clock.now() + 1 })
  const volume = await makeVolume(world, 'r006-1', key)
  const { leaseId } = await lease(world, holder, volume)
  world.clock.advance(1)
  await world.kms.expireKeys()
  await world.kms.recheckLeases()
  assert.deepEqual(holder.fenced, [])
  assert.equal((await world.kms.port.renewLeases('disk-1', [leaseId])).length, 1)
  await lease(world, holder, volume)
})

test('a rotation leaves leases alone, and what the old version wrapped is leased still', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const volume = await makeVolume(world)
  const leased = await lease(world, holder, volume)
  await world.kms.lifecycle.rotate(world.asOwner, volume.keyId, null)
  assert.deepEqual(holder.fenced, [])
  assert.equal(opened(await lease(world, holder, volume), volume), opened(leased, volume))
  assert.equal((await world.kms.port.renewLeases('disk-1', [leased.leaseId])).length, 1)
})

test('a data key is leased to its own registered resource alone', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const key = await world.rootKey()
  const [one, other] = [await makeVolume(world, 'r006-1', key), await makeVolume(world, 'r006-2', key)]
  const crossed = { ...request(one), resourceCrn: other.resourceCrn }
  const refused = fails('unprocessable', 'UNPROCESSABLE_CIPHERTEXT_ERR')
  await assert.rejects(world.kms.port.leaseDataKey('disk-1', crossed), refused)
  const foreign = { ...request(one), as: { ...blockStorage, serviceName: 'databases' } }
  world.iam.permit(foreign.as, accountA, serviceActions)
  await assert.rejects(world.kms.port.leaseDataKey('disk-1', foreign), fails('not_found', 'registration_not_found'))
  const { leaseId } = await lease(world, holder, one)
  await world.kms.port.unregister({ keyCrn: key.crn, resourceCrn: one.resourceCrn, as: blockStorage })
  assert.deepEqual(holder.fenced, [[leaseId]], 'a lease lasts no longer than the registration')
  await assert.rejects(lease(world, holder, one), fails('not_found', 'registration_not_found'))
})

test('what is no data key of ours is not leased, though the key opens it', async () => {
  await using world = await makeWorld()
  register(world)
  const volume = await makeVolume(world)
  const wrapping = { plaintext: Buffer.alloc(16).toString('base64'), aad: [volume.resourceCrn] }
  const { ciphertext } = await world.kms.use.wrap(world.asOwner, volume.keyId, wrapping)
  const forged = { ...request(volume), wrapped: Buffer.from(ciphertext, 'base64') }
  await assert.rejects(world.kms.port.leaseDataKey('disk-1', forged), fails('unprocessable'))
})

test('a data key opens for the holder, the lease and the resource that it was leased for, and for no other', async () => {
  await using world = await makeWorld()
  const volume = await makeVolume(world)
  const { leaseId, sealedDataKey } = await lease(world, register(world), volume)
  const leasedFor = { holderId: 'disk-1', leaseId, resourceCrn: volume.resourceCrn }
  for (const other of [{ holderId: 'disk-2' }, { leaseId: 'another' }, { resourceCrn: volumeCrn('r006-9') }]) {
    const open = () => openLeasedKey(sealedDataKey, recipient, { ...leasedFor, ...other })
    assert.throws(open, fails('unprocessable'))
  }
  assert.throws(() => openLeasedKey(sealedDataKey, makeRecipient(), leasedFor), fails('unprocessable'))
  openLeasedKey(sealedDataKey, recipient, leasedFor)[Symbol.dispose]()
})

test('without a public key to seal to there is no lease', async () => {
  await using world = await makeWorld()
  register(world)
  const volume = await makeVolume(world)
  for (const recipientKey of [new Uint8Array(), new Uint8Array(31), new Uint8Array(33), new Uint8Array(32)]) {
    const asked = world.kms.port.leaseDataKey('disk-1', { ...request(volume), recipientKey })
    await assert.rejects(asked, fails('invalid'))
  }
})

test('a holder that is unknown, has gone, or has come back anew has no leases', async () => {
  await using world = await makeWorld()
  const volume = await makeVolume(world)
  await assert.rejects(world.kms.port.leaseDataKey('disk-1', request(volume)), fails('unavailable'))
  const holder = register(world)
  const { leaseId } = await lease(world, holder, volume)
  world.kms.holders.removeHolder('disk-1')
  assert.deepEqual(await world.kms.port.renewLeases('disk-1', [leaseId]), [])
  await assert.rejects(lease(world, holder, volume), fails('unavailable'))
  const again = await lease(world, register(world), volume)
  register(world)
  assert.deepEqual(await world.kms.port.renewLeases('disk-1', [again.leaseId]), [])
})

test('a holder that goes while its lease is on its way gets nothing', async () => {
  await using world = await makeWorld()
  const holder = register(world)
  const volume = await makeVolume(world)
  world.iam.before = (action) => {
    if (action === 'kms.secrets.unwrap') world.kms.holders.removeHolder('disk-1')
  }
  await assert.rejects(lease(world, holder, volume), fails('conflict'))
})

// How long revocations take, by a clock that is moved by hand: what is counted, from when, and to which end.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leaseMs } from '#base/limits.ts'
import { makeRecipient } from '#crypto/hpke.ts'
import { insertRevocation } from './tables-revocation.ts'
import { makeWire } from './testing/wire.ts'
import type { Json, Wire } from './testing/wire.ts'
import { accountA, accountB, blockStorage, makeTestHolder, owner, volumeCrn } from './testing/world.ts'
import type { TestHolder, World } from './testing/world.ts'

const { publicKey: recipientKey } = makeRecipient()

/** A volume under the key whose data key is open. */
async function open(world: World, holder: TestHolder, keyCrn: string, name: string): Promise<void> {
  const resourceCrn = volumeCrn(name)
  const { wrapped } = await world.kms.port.createDataKey({ keyCrn, resourceCrn, as: blockStorage })
  const request = { keyCrn, resourceCrn, wrapped, as: blockStorage, recipientKey }
  const { leaseId } = await world.kms.port.leaseDataKey(holder.holderId, request)
  holder.held.set(leaseId, resourceCrn)
}

async function begin(wire: Wire): Promise<{ key: Json; holder: TestHolder }> {
  const { world } = wire
  world.iam.permit(owner, accountA, ['keyward.revocations.read', 'keyward.metrics.read'])
  const holder = makeTestHolder(world.clock)
  world.kms.holders.registerHolder(holder)
  return { key: await wire.makeKey(), holder }
}

/** Lets what is written beside the answers be written. */
const written = () => new Promise((resolve) => setTimeout(resolve, 30))

const report = async (wire: Wire, query = ''): Promise<Json> => {
  await written()
  return await wire.expect(200, 'GET', `/keyward/v1/revocations${query}`)
}

const levelOf = (answer: Json, cause: string): Json => answer.service_level.find((one: Json) => one.cause === cause)

test('a revocation is counted from its commit to the last acknowledgement', async () => {
  await using wire = await makeWire()
  const { world } = wire
  const { key, holder } = await begin(wire)
  const other = makeTestHolder(world.clock, 'disk-2')
  world.kms.holders.registerHolder(other)
  await open(world, holder, key.crn, 'r006-1')
  await open(world, other, key.crn, 'r006-1')
  await open(world, other, key.crn, 'r006-2')
  for (const [one, ms] of [
    [holder, 7],
    [other, 20],
  ] as const) {
    one.answer = async (acks) => {
      world.clock.advance(ms)
      return acks
    }
  }
  const committedAt = new Date(world.clock.now()).toISOString()
  await wire.expect(204, 'POST', `/keys/${key.id}/actions/disable`)
  const answer = await report(wire)
  const { id: _, ...only } = answer.revocations[0]
  assert.deepEqual(only, {
    cause: 'key.disabled',
    key_crn: key.crn,
    committed_at: committedAt,
    state: 'acknowledged',
    volumes: 2,
    duration_seconds: 0.027,
    ends_by: null,
    unacknowledged: [],
  })
  const level = levelOf(answer, 'key.disabled')
  assert.deepEqual([level.count, level.p50_seconds, level.max_seconds], [1, 0.027, 0.027])
  assert.deepEqual([levelOf(answer, 'key.deleted').count, levelOf(answer, 'key.deleted').p99_seconds], [0, null])
})

test('a holder that does not acknowledge is shown with the end of its leases, and counted when they are over', async () => {
  await using wire = await makeWire()
  const { world } = wire
  const { key, holder } = await begin(wire)
  await open(world, holder, key.crn, 'r006-1')
  world.clock.advance(1000)
  const asked = Promise.withResolvers<void>()
  holder.answer = () => {
    asked.resolve()
    return new Promise(() => {})
  }
  const answered = wire.expect(204, 'DELETE', `/keys/${key.id}?force=true`)
  await asked.promise
  const leasesEndAt = new Date(world.clock.now() + leaseMs - 1000).toISOString()
  const waiting = [{ holder_id: 'disk-1', leases: 1, leases_end_at: leasesEndAt }]
  const [underWay] = (await report(wire)).revocations
  assert.deepEqual([underWay.state, underWay.volumes, underWay.duration_seconds], ['under-way', 1, null])
  assert.deepEqual(underWay.unacknowledged, [{ ...waiting[0], ended: null }])
  assert.equal(underWay.ends_by, leasesEndAt)
  assert.match(await wire.expect(200, 'GET', `/keyward/v1/metrics?account_id=${accountA}`), /under_way\{.*\} 1\n/)

  world.clock.advance(leaseMs - 1000)
  await answered
  const answer = await report(wire)
  const [over] = answer.revocations
  assert.deepEqual([over.state, over.duration_seconds, over.ends_by], ['lapsed', (leaseMs - 1000) / 1000, null])
  assert.deepEqual(over.unacknowledged, [{ ...waiting[0], ended: 'lease' }])
  assert.equal(levelOf(answer, 'key.deleted').count, 1)
})

test('a holder that goes has stopped, and one whose signature is not genuine has not', async () => {
  await using wire = await makeWire()
  const { world } = wire
  const { key, holder } = await begin(wire)
  const liar = makeTestHolder(world.clock, 'disk-2')
  world.kms.holders.registerHolder(liar)
  await open(world, holder, key.crn, 'r006-1')
  await open(world, liar, key.crn, 'r006-2')
  holder.answer = () => Promise.reject(new Error('gone'))
  liar.answer = async (acks) => acks.map((ack) => ({ ...ack, fencedAt: ack.fencedAt + 1 }))
  await wire.expect(204, 'POST', `/keys/${key.id}/actions/disable`)
  world.clock.advance(40)
  world.kms.holders.removeHolder('disk-1')
  const [{ unacknowledged }] = (await report(wire)).revocations
  assert.deepEqual(
    unacknowledged.map((one: Json) => one.holder_id),
    ['disk-2'],
    'the one that has gone is not waited for',
  )
  world.clock.advance(leaseMs)
  const [over] = (await report(wire)).revocations
  assert.deepEqual(
    over.unacknowledged.map((one: Json) => [one.holder_id, one.ended]),
    [
      ['disk-1', 'process'],
      ['disk-2', 'lease'],
    ],
  )
})

test('an authorization that goes is counted from the event that took it away, a disabled account likewise', async () => {
  for (const [type, cause] of [
    ['iam.policy.deleted', 'authorization.removed'],
    ['iam.account.disabled', 'account.disabled'],
  ] as const) {
    await using wire = await makeWire()
    const { world } = wire
    const { key, holder } = await begin(wire)
    await open(world, holder, key.crn, 'r006-1')
    world.clock.advance(500)
    const at = world.clock.now()
    for (const [account, when] of [
      [accountA, at - 10_000],
      ['c'.repeat(32), at - 1],
      [accountA, at],
    ] as const)
      await world.database.transaction((tx) =>
        tx
          .insertInto('event_outbox')
          .values({ id: `event-${account}-${when}`, type, account_id: account, at: when, body: '{}' })
          .execute()
          .then(() => undefined),
      )
    world.iam.revoke(blockStorage)
    if (cause === 'account.disabled') world.iam.isDisabled = async (id) => id === accountA
    world.clock.advance(300)
    await world.kms.recheckLeases()
    const { revocations } = await report(wire)
    assert.deepEqual(
      revocations.map((one: Json) => [one.cause, one.key_crn, one.volumes, one.state, one.duration_seconds]),
      [[cause, key.crn, 1, 'acknowledged', 0.3]],
    )
    assert.equal(revocations[0].committed_at, new Date(at).toISOString())
  }
})

test('what a process has left under way is closed by the next, with the bound of a lease', async () => {
  await using wire = await makeWire()
  const { world } = wire
  await begin(wire)
  const row = { accountId: accountA, cause: 'key.disabled', keyCrn: 'crn' } as const
  const committedAt = world.clock.now()
  await world.database.transaction((tx) => insertRevocation(tx, { ...row, id: '1'.repeat(36), committedAt }))
  await world.kms.sweep()
  const [before] = (await report(wire)).revocations
  assert.deepEqual([before.state, before.volumes, before.unacknowledged], ['under-way', null, []])
  assert.equal(before.ends_by, new Date(committedAt + leaseMs).toISOString())
  world.clock.advance(2 * leaseMs)
  await world.kms.sweep()
  const answer = await report(wire)
  const [after] = answer.revocations
  assert.deepEqual([after.state, after.volumes, after.duration_seconds], ['lapsed', null, leaseMs / 1000])
  assert.equal(levelOf(answer, 'key.disabled').count, 1)
})

test('the histogram is cumulative, of the account alone, and nothing that was idle is in it', async () => {
  await using wire = await makeWire()
  const { world } = wire
  const { holder } = await begin(wire)
  const durations = [1, 7, 7, 30, 1500]
  for (const ms of durations) {
    const key = await wire.makeKey()
    await open(world, holder, key.crn, `r006-${key.id}`)
    holder.answer = async (acks) => {
      world.clock.advance(ms)
      return acks
    }
    await wire.expect(204, 'POST', `/keys/${key.id}/actions/disable`)
  }
  const idle = await wire.makeKey()
  await wire.expect(204, 'POST', `/keys/${idle.id}/actions/disable`)
  const answer = await report(wire)
  assert.deepEqual([answer.revocations[0].state, answer.revocations[0].volumes], ['idle', 0])
  const { count, p50_seconds: p50, p99_seconds: p99 } = levelOf(answer, 'key.disabled')
  assert.deepEqual([count, p50, p99], [5, 0.007, 1.5])
  const text: string = await wire.expect(200, 'GET', `/keyward/v1/metrics?account_id=${accountA}`)
  const figure = (name: string): number => {
    const line = text.split('\n').find((one) => one.includes('cause="key.disabled"') && one.includes(name))
    return Number(line?.split(' ')[1])
  }
  const buckets = ['0.005', '0.01', '0.025', '0.05', '1', '1.5', '10', '+Inf'].map((le) => figure(`le="${le}"`))
  assert.deepEqual(buckets, [1, 3, 3, 4, 4, 5, 5, 5])
  assert.deepEqual([figure('_sum'), figure('_count')], [1.545, 5])
  assert.match(text, /# TYPE keyward_revocation_duration_seconds histogram\n/)
  world.iam.permit(owner, accountB, ['keyward.revocations.read', 'keyward.metrics.read'])
  assert.deepEqual((await report(wire, `?account_id=${accountB}`)).revocations, [])
})

test('the list is read in pages, by whom the account lets', async () => {
  await using wire = await makeWire()
  await begin(wire)
  const crns: string[] = []
  for (let n = 0; n < 5; n += 1) {
    const key = await wire.makeKey()
    await wire.expect(204, 'POST', `/keys/${key.id}/actions/disable`)
    crns.unshift(key.crn)
    wire.world.clock.advance(1)
  }
  const read: string[] = []
  for (let query = '?limit=2'; query !== ''; ) {
    const page = await report(wire, query)
    read.push(...page.revocations.map((one: Json) => one.key_crn))
    query = page.next ? new URL(page.next.href).search : ''
  }
  assert.deepEqual(read, crns)
  for (const wrong of ['?limit=0', '?limit=501', '?start=x', '?account_id=x'])
    await wire.expect(400, 'GET', `/keyward/v1/revocations${wrong}`)
  await wire.expect(401, 'GET', `/keyward/v1/revocations?account_id=${accountB}`)
})

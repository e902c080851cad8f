import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { leaseMs, leaseRenewMs } from '#base/limits.ts'
import { makeLog } from '#base/log.ts'
import { verifyFenceAck } from '#crypto/fence-ack.ts'
import type { LeasedDataKey } from '#kms/port.ts'
import { makeFakeClock } from './testing/fake-clock.ts'
import { makeFakeKms } from './testing/fake-kms.ts'
import { LeaseBook } from './leases.ts'
import type { LeaseKms } from './leases.ts'

const resourceCrn = 'crn:volume'
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function make(change: (kms: LeaseKms) => Partial<LeaseKms> = () => ({})) {
  const clock = makeFakeClock()
  const kms = makeFakeKms()
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const log = makeLog('silent')
  const book = new LeaseBook({ holderId: 'holder', privateKey, kms: { ...kms, ...change(kms) }, clock, log })
  const as = { kind: 'service', serviceName: 'server-protect', accountId: 'b' } as const
  const request = { keyCrn: 'crn:key', resourceCrn, wrapped: kms.wrapNewKey(resourceCrn), as }
  const publicKeyDer = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  return { clock, kms, book, publicKeyDer, take: () => book.take(request), request }
}

test('a lease lives while it is renewed', async () => {
  const { clock, take } = make()
  const { lease } = await take()
  lease.onEnd(() => assert.fail('it ended'))
  for (let passed = 0; passed < 10 * leaseMs; passed += leaseRenewMs) {
    clock.pass(leaseRenewMs)
    await turn()
  }
  assert.equal(lease.isLive(), true)
})

test('a lease that is missing from a renewal ends at once', async () => {
  const { clock, kms, take } = make()
  const { lease } = await take()
  let stops = 0
  lease.onEnd(() => (stops += 1))
  kms.disable(resourceCrn)
  clock.pass(leaseRenewMs)
  await turn()
  assert.equal(stops, 1)
  assert.equal(lease.isLive(), false)
})

test('without an answer a lease ends by its time, counted from before it was asked for', async () => {
  const { clock, kms, take } = make(({ leaseDataKey }) => ({
    async leaseDataKey(...args) {
      // The answer is long under way.
      clock.block(leaseMs - 1000)
      return leaseDataKey(...args)
    },
  }))
  const { lease } = await take()
  let stops = 0
  lease.onEnd(() => (stops += 1))
  kms.vanish()
  clock.pass(999)
  assert.equal(lease.isLive(), true)
  clock.pass(1)
  assert.equal(stops, 1)
})

test('a renewal counts from the moment it was asked for, and a late one revives nothing', async () => {
  const answers: (() => void)[] = []
  const { clock, take } = make(({ renewLeases }) => ({
    async renewLeases(...args) {
      const renewed = await renewLeases(...args)
      await new Promise<void>((resolve) => answers.push(resolve))
      return renewed
    },
  }))
  const { lease } = await take()
  clock.pass(leaseRenewMs)
  await turn()
  clock.pass(leaseMs - leaseRenewMs - 1)
  answers[0]?.()
  await turn()
  clock.pass(leaseRenewMs)
  assert.equal(lease.isLive(), true, 'renewed until leaseMs after the first renewal')
  clock.pass(1)
  assert.equal(lease.isLive(), false)
  for (const answer of answers) answer()
  await turn()
  assert.equal(lease.isLive(), false)
})

test('the deadline holds while the event loop is blocked and no timer fires', async () => {
  const { clock, take } = make()
  const { lease } = await take()
  let stops = 0
  lease.onEnd(() => (stops += 1))
  clock.block(leaseMs)
  assert.equal(lease.isLive(), false)
  assert.equal(stops, 1)
})

test('fence() stops the work before it answers, and its acknowledgement is signed', async () => {
  const { book, take, publicKeyDer } = make()
  const { lease } = await take()
  let stopped = false
  lease.onEnd(() => (stopped = true))
  const [ack] = book.fence([lease.leaseId])
  assert.ok(stopped && ack)
  assert.deepEqual([ack.holderId, ack.leaseId, ack.resourceCrn], ['holder', lease.leaseId, resourceCrn])
  assert.ok(verifyFenceAck(publicKeyDer, ack, ack.signature))
  assert.deepEqual(book.fence([lease.leaseId]), [ack], 'said again, the answer is the same')
  assert.deepEqual(book.fence(['never heard of']), [])
})

test('a lease that was given back is acknowledged too, and stops nothing', async () => {
  const { book, kms, take } = make()
  const { lease } = await take()
  lease.onEnd(() => assert.fail('it was given back'))
  await lease.release()
  assert.deepEqual(kms.leaseIds(resourceCrn), [])
  assert.equal(book.fence([lease.leaseId]).length, 1)
})

test('a fence that overtakes the answer with the key wins', async () => {
  const { kms, book, request } = make((fake) => ({
    async leaseDataKey(...args) {
      const leased = await fake.leaseDataKey(...args)
      assert.deepEqual(book.fence([leased.leaseId]), [])
      return leased
    },
  }))
  await assert.rejects(book.take(request), (error) => error instanceof Fault && error.code === 'conflict')
  assert.equal(kms.leaseIds(resourceCrn).length, 1)
})

test('a lease that is over before it arrives gives no key', async () => {
  const { book, request } = make((fake) => ({
    leaseDataKey: async (...args) => ({ ...(await fake.leaseDataKey(...args)), leaseMs: 0 }),
  }))
  await assert.rejects(book.take(request), /ended before it arrived/)
})

test('each request has a key pair of its own, and the data key opens with that one only', async () => {
  const recipients: string[] = []
  let earlier: LeasedDataKey | null = null
  const { kms, book, take, request } = make((fake) => ({
    async leaseDataKey(holderId, asked) {
      recipients.push(Buffer.from(asked.recipientKey).toString('hex'))
      const leased = await fake.leaseDataKey(holderId, asked)
      const answer = earlier ? { ...leased, sealedDataKey: earlier.sealedDataKey } : leased
      earlier = leased
      return answer
    },
  }))
  const { dataKey } = await take()
  const expected = kms.unwrap(resourceCrn, request.wrapped)
  assert.ok(dataKey.use((bytes) => Buffer.from(bytes).equals(expected)))
  const held = kms.leaseIds(resourceCrn)
  await assert.rejects(book.take(request), (error) => error instanceof Fault && error.code === 'unprocessable')
  assert.equal(new Set(recipients).size, 2)
  assert.deepEqual(kms.leaseIds(resourceCrn), held, 'what does not open is given back')
})

test('a key manager that does not answer is given up, and the lease that it sends later is given back', async () => {
  let answer = (): void => undefined
  const { clock, kms, book, request } = make((fake) => ({
    async leaseDataKey(...args) {
      const leased = await fake.leaseDataKey(...args)
      await new Promise<void>((resolve) => (answer = resolve))
      return leased
    },
  }))
  const taking = assert.rejects(book.take(request), (error) => error instanceof Fault && error.code === 'unavailable')
  await turn()
  clock.pass(leaseMs)
  await taking
  answer()
  await turn()
  assert.deepEqual(kms.leaseIds(resourceCrn), [])
})

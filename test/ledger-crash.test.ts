// kill -9 of the whole tree while keys are acted on and notices go out to a receiver that loses and repeats; at the end
// ledger, registrations, resources and images are one, and every account has every notice, in its inbox and by webhook.
//
// KEYWARD_TEST_LEDGER_CRASHES sets the number of rounds, KEYWARD_TEST_SEED the moments.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { startReceiver } from './harness/receiver.ts'
import type { Receiver } from './harness/receiver.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { authorization, keyPath, makeRootKey, volumeBody } from './harness/story.ts'

const rounds = Number(process.env['KEYWARD_TEST_LEDGER_CRASHES'] ?? 3)
const seed = Number(process.env['KEYWARD_TEST_SEED'] ?? 1)

/** xorshift32: the same seed, the same moments. */
function chance(state: number): () => number {
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Acts until the server has gone. What has been acknowledged is counted. */
async function act({ a, b }: Server, keyCrn: string, done: Map<string, number>): Promise<void> {
  const count = (what: string): void => void done.set(what, (done.get(what) ?? 0) + 1)
  for (let n = 0; ; n += 1) {
    const key = await makeRootKey(a, `key ${n}`)
    const volume = await b.vpc(201, 'POST', '/volumes', volumeBody(key.crn))
    await until(
      () => b.vpc(200, 'GET', `/volumes/${volume.id}`),
      (answer) => answer.status === 'available',
    )
    await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
    count(`key.rotated ${key.crn}`)
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    count(`key.disabled ${key.crn}`)
    await b.vpc(201, 'POST', '/volumes', volumeBody(keyCrn))
    if (n % 2 === 0) continue
    await a.kms(204, 'DELETE', `/keys/${key.id}?force=true`)
    count(`key.deleted ${key.crn}`)
  }
}

const allNotices = async (reader: Api): Promise<Json[]> => {
  const notices: Json[] = []
  for (let path = '/keyward/v1/notices?limit=1000'; path !== ''; ) {
    const page = await reader.expect(200, 'GET', path)
    notices.push(...page.notices)
    path = page.next ? new URL(page.next.href).pathname + new URL(page.next.href).search : ''
  }
  return notices
}

/** A receiver that now and then takes a delivery and says that it has not. */
function makeUnreliable(receiver: Receiver, random: () => number, signal: AbortSignal): Promise<void> {
  return (async () => {
    while (!signal.aborted) {
      receiver.answer(random() < 0.3 ? 503 : 200)
      await setTimeout(15)
    }
    receiver.answer(200)
  })()
}

test(`all books are one and everybody is told after ${rounds} kills (seed ${seed})`, async (t) => {
  const folder = tempFolder(t)
  const random = chance(seed)
  const receiver = await startReceiver(t)
  const flags = ['--allow-private-webhooks']
  const done = new Map<string, number>()
  let server = await startServer(t, folder, flags)
  const root = await makeRootKey(server.a)
  await server.a.expect(201, 'POST', '/v1/policies', { body: authorization(server.a, server.b) })
  const { id: hookId } = await server.b.expect(201, 'POST', '/keyward/v1/webhooks', { body: { url: receiver.url } })
  const ending = new AbortController()
  const unreliable = makeUnreliable(receiver, random, ending.signal)

  for (let round = 1; round <= rounds; round += 1) {
    const work = act(server, root.crn, done).then(
      () => assert.fail('the work ends only with the server'),
      (error: unknown) => error,
    )
    await setTimeout(400 + random() * 1200)
    await server.kill()
    const end = await work
    assert.ok(end instanceof TypeError, String(end))
    server = await startServer(t, folder, flags)
  }
  ending.abort()
  await unreliable
  const { a, b, advance } = server

  await t.test('every acknowledged action is in the inbox, once', async () => {
    const keysOf = (notices: readonly Json[]) => notices.map((one) => `${one.type} ${one.event.subject}`)
    const notices = await until(
      () => allNotices(b),
      (all) => new Set(keysOf(all)).isSupersetOf(new Set(done.keys())),
    )
    assert.ok(done.size > 0)
    const told = keysOf(notices).filter((name) => name.startsWith('key.'))
    assert.equal(new Set(told).size, told.length, 'each happened once, and is told once')
  })

  await t.test('every notice has been delivered, at least once', async () => {
    await advance(600)
    const state = (name: string) =>
      b.expect(200, 'GET', `/keyward/v1/webhooks/${hookId}/deliveries?state=${name}&limit=1000`)
    await until(
      async () => {
        await advance(600)
        return (await state('pending')).deliveries.length
      },
      (pending) => pending === 0,
    )
    assert.deepEqual((await state('dead')).deliveries, [])
    const arrived = new Set(receiver.received.map(({ headers }) => headers['webhook-id']))
    for (const { id, type } of await allNotices(b)) assert.ok(arrived.has(id), `${type} ${id}`)
  })

  await t.test('ledger, registrations, resources and images are one', async () => {
    const proof = await until(
      () => a.expect(201, 'POST', '/keyward/v1/proofs'),
      (answer) => answer.equal,
    )
    assert.equal(proof.counts.owned_uses, proof.counts.owned_registrations)
    const ofUser = await until(
      () => b.expect(201, 'POST', '/keyward/v1/proofs'),
      (answer) => answer.equal && answer.counts.images === answer.counts.resources,
    )
    const { uses, registrations, resources, released } = ofUser.counts
    assert.deepEqual([uses, registrations + released], [registrations, resources])
    const { resources: registered } = await a.kms(200, 'GET', `/keys/${root.id}/registrations?limit=200`)
    const ledger = await a.expect(200, 'GET', keyPath(root, 'uses?limit=200'))
    const crnsOf = (all: readonly Json[], name: string): string[] => all.map((one) => one[name]).toSorted()
    assert.deepEqual(crnsOf(ledger.uses, 'resource_crn'), crnsOf(registered, 'resourceCrn'))
  })
  assert.equal(server.output().includes('a bug of ours'), false, server.output())
})

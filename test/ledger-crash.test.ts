// kill -9 of the whole tree, and of disk processes alone, while keys are acted on and notices go out to a receiver that loses and
// repeats; at the end ledger, registrations, resources and images are one, every account has every notice, in its inbox and by
// webhook, and the audit logs are what their checkpoints said before each kill.
//
// KEYWARD_TEST_LEDGER_CRASHES sets the number of rounds, KEYWARD_TEST_SEED the moments.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Checkpoint } from '#crypto/signed-note.ts'
import { verifyBytes } from '../src/cli/verify.ts'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { entriesOf, logOf, opened, rootOf } from './harness/audit-log.ts'
import { diskProcesses } from './harness/processes.ts'
import { startReceiver } from './harness/receiver.ts'
import type { Receiver } from './harness/receiver.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { authorization, keyPath, makeRootKey, volumeBody } from './harness/story.ts'

/** Key Protect, "Disabling root keys": so long nobody enables it again. */
const settleSeconds = 30
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
async function act({ a, b, advance }: Server, keyCrn: string, done: Map<string, number>): Promise<void> {
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
    if (n % 3 === 1) {
      await advance(settleSeconds)
      await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
      count(`key.enabled ${key.crn}`)
    }
    await b.vpc(201, 'POST', '/volumes', volumeBody(keyCrn))
    if (n % 2 === 0) continue
    await a.kms(204, 'DELETE', `/keys/${key.id}?force=true`)
    count(`key.deleted ${key.crn}`)
  }
}

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((all, one) => all + one, 0)

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

const disksPerRound = 2

/** Now and then one of the disk processes, until the server itself goes; not so often that none comes back in between. */
async function killDisks({ processId }: Server, random: () => number, signal: AbortSignal): Promise<number> {
  let killed = 0
  while (!signal.aborted && killed < disksPerRound) {
    await setTimeout(150 + random() * 500)
    const pids = diskProcesses(processId)
    const pid = pids[Math.floor(random() * pids.length)]
    if (pid === undefined || signal.aborted) continue
    try {
      process.kill(pid, 'SIGKILL')
      killed += 1
    } catch {
      // It has ended by itself in between, with its server.
    }
  }
  return killed
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
  const kept = new Map<Server['a']['account']['id'], Checkpoint[]>()
  let killedDisks = 0
  const unreliable = makeUnreliable(receiver, random, ending.signal)

  for (let round = 1; round <= rounds; round += 1) {
    const work = act(server, root.crn, done).then(
      () => assert.fail('the work ends only with the server'),
      (error: unknown) => error,
    )
    const killing = new AbortController()
    const killed = killDisks(server, random, killing.signal)
    // However slow the machine is, something has been done when the server goes.
    const before = sum(done)
    await until(
      async () => sum(done),
      (now) => now > before,
    )
    await setTimeout(random() * 1500)
    for (const reader of [server.a, server.b]) {
      const { id } = reader.account
      kept.set(id, [...(kept.get(id) ?? []), opened(await logOf(reader, '/checkpoint'))])
    }
    killing.abort()
    await server.kill()
    killedDisks += await killed
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

  await t.test('the audit logs hold what their checkpoints have promised', async () => {
    assert.ok(killedDisks > 0, 'disk processes were killed')
    for (const reader of [a, b]) {
      const entries = await entriesOf(reader, 1000)
      const now = opened(await logOf(reader, '/checkpoint'))
      const promised = [...(kept.get(reader.account.id) ?? [])]
      assert.equal(promised.length, rounds)
      assert.ok(promised.every(({ size }) => size > 0))
      for (const { size, root: hash } of promised) assert.deepEqual(rootOf(entries.slice(0, size)), hash)
      // More may have been written since the entries were read.
      assert.ok(now.size >= entries.length)
      const { id } = JSON.parse(entries.at(-1) ?? '')
      const proof = Buffer.from(JSON.stringify(await logOf(reader, `/records/${id}`)))
      assert.match(verifyBytes(proof, 'proof', (await logOf(reader, '/checkpoint')).verifier), /^proved: /)
    }
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

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '#base/clock.ts'
import { auditBatchMax, auditWaitingMax } from '#base/limits-audit.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import type { Database } from '#store/database.ts'
import { openForTest } from '#store/testing/open.ts'
import { makeAudit } from './audit.ts'
import type { Audit, Draft, EventDescriber, Watched } from './audit.ts'
import { severityOf } from './audit-severity.ts'
import { makeOutbox } from './outbox.ts'
import type { Outbox } from './outbox.ts'
import { selectAudit } from './tables-audit.ts'

const [owner, other] = ['a'.repeat(32), 'b'.repeat(32)]
const everything = { order: 'asc', after: null, limit: 100_000 } as const

const draft = (change: Partial<Draft> = {}): Draft => ({
  action: 'kms.secrets.wrap',
  ownerAccountId: owner,
  initiator: { id: 'IBMid-1', name: 'ada', typeURI: 'service/security/account/user', accountId: owner },
  target: { id: 'crn:of:the:owner', typeURI: 'kms/secrets' },
  targetForStrangers: { id: 'crn:as:said', typeURI: 'kms/secrets' },
  correlationId: 'c',
  requestData: {},
  status: 200,
  ...change,
})

const events: EventDescriber = {
  endOf: (event, { target }) =>
    event.type === 'kms.key.rotated' ? { target, ending: { status: 204, responseData: { in: 'transaction' } } } : null,
  alone: (event, call) =>
    event.type === 'kms.key.expired' && !call
      ? { draft: draft({ action: 'kms.secrets.expire' }), ending: { status: 200, responseData: {} } }
      : null,
}

const call = <T>(serve: () => Promise<T>, change?: Partial<Draft>): Watched<T> => ({
  draft: () => draft(change),
  serve,
  endOf: () => ({ status: 200, responseData: { after: 'wards' } }),
  failureOf: () => ({ status: 401, responseData: {}, reason: 'no' }),
})

interface World extends AsyncDisposable {
  readonly database: Database
  readonly audit: Audit
  readonly outbox: Outbox
  disk: 'works' | 'full'
  transactions: number
  trail(accountId?: string): Promise<string[]>
}

async function makeWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-audit-'))
  const real = await openForTest(join(folder, 'keyward.db'))
  const database: Database = {
    ...real,
    async transaction(work) {
      world.transactions += 1
      if (world.disk === 'full') throw new Error('the disk is full')
      return await real.transaction(work)
    },
  }
  const audit = makeAudit({ database, clock: systemClock, random: systemRandom, log: makeLog('silent'), events })
  const world: World = {
    database,
    audit,
    outbox: makeOutbox(systemClock, systemRandom, audit.onEvent),
    disk: 'works',
    transactions: 0,
    async trail(accountId = owner) {
      await audit.flush()
      const rows = await selectAudit(real.reads, accountId, {}, everything)
      return rows.map(({ body }) => `${body.action} ${body.reason.reasonCode} ${body.target.id}`)
    },
    async [Symbol.asyncDispose]() {
      await real.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
  return world
}

const rotated = { type: 'kms.key.rotated', accountId: owner, keyCrn: 'crn', keyVersionId: 'v' } as const
const expired = {
  type: 'kms.key.expired',
  accountId: owner,
  keyCrn: 'crn',
  keyType: 'root_key',
  expiresAt: 0,
} as const

test('what changes nothing is written later, many records in one transaction', async () => {
  await using world = await makeWorld()
  await Promise.all(Array.from({ length: auditBatchMax - 1 }, () => world.audit.watch(call(async () => 1))))
  assert.equal(world.transactions, 0)
  await world.audit.flush()
  assert.equal(world.transactions, 1)
  assert.equal((await world.trail()).length, auditBatchMax - 1)
})

test('a change is recorded in its own transaction, once, and not when it is rolled back', async () => {
  await using world = await makeWorld()
  const { audit, outbox, database } = world
  await audit.watch(call(() => database.transaction((tx) => outbox.append(tx, rotated))))
  assert.equal(world.transactions, 1)
  assert.deepEqual(await world.trail(), ['kms.secrets.wrap 204 crn:of:the:owner'])

  const undone = audit.watch(
    call(() =>
      database.transaction(async (tx) => {
        await outbox.append(tx, rotated)
        throw new Error('too late')
      }),
    ),
  )
  await assert.rejects(undone, /too late/)
  assert.deepEqual(await world.trail(), [
    'kms.secrets.wrap 204 crn:of:the:owner',
    'kms.secrets.wrap 401 crn:of:the:owner',
  ])
})

test('two accounts have a record each, and a stranger who was refused reads only what it said', async () => {
  await using world = await makeWorld()
  const stranger = { initiator: { ...draft().initiator, accountId: other } }
  await world.audit.watch(call(async () => 1, stranger))
  await assert.rejects(world.audit.watch(call(() => Promise.reject(new Error('no')), stranger)))
  assert.deepEqual(await world.trail(owner), [
    'kms.secrets.wrap 200 crn:of:the:owner',
    'kms.secrets.wrap 401 crn:of:the:owner',
  ])
  assert.deepEqual(await world.trail(other), [
    'kms.secrets.wrap 200 crn:of:the:owner',
    'kms.secrets.wrap 401 crn:as:said',
  ])
})

test('what a call only wakes is not taken for the call, and what nobody asked for has its own record', async () => {
  await using world = await makeWorld()
  const { audit, outbox, database } = world
  await audit.watch(
    call(async () => {
      await audit.outside(() => database.transaction((tx) => outbox.append(tx, expired)))
      await audit.outside(() => database.transaction((tx) => outbox.append(tx, rotated)))
    }),
  )
  assert.deepEqual(
    (await world.trail()).map((line) => line.slice(0, 22)),
    ['kms.secrets.expire 200', 'kms.secrets.wrap 200 c'],
  )
})

test('what cannot be recorded is refused once too much waits, and nothing is lost when the disk is back', async () => {
  await using world = await makeWorld()
  world.disk = 'full'
  let served = 0
  const one = () => world.audit.watch(call(async () => (served += 1)))
  for (let i = 0; i < auditWaitingMax; i += 1) await one()
  await assert.rejects(one(), { code: 'unavailable', message: 'the audit trail cannot be written' })
  assert.equal(served, auditWaitingMax)
  world.disk = 'works'
  assert.equal((await world.trail()).length, auditWaitingMax)
  await one()
  assert.equal((await world.trail()).length, auditWaitingMax + 1)
})

test('severity follows the action, and a status overrides it', () => {
  const cases: readonly [string, number, string][] = [
    ['kms.secrets.wrap', 200, 'normal'],
    ['kms.secrets.wrap', 401, 'critical'],
    ['kms.secrets.wrap', 409, 'warning'],
    ['kms.secrets.delete', 200, 'critical'],
    ['hs-crypto.secrets.rotate', 204, 'warning'],
    ['kms.secrets.delete', 409, 'warning'],
    ['kms.secrets.read', 404, 'normal'],
  ]
  for (const [action, status, expected] of cases)
    assert.equal(severityOf(action, status), expected, `${action} ${status}`)
})

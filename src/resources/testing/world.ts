// The account layer with everything around it, on a real database, for tests. The key manager beside it keeps rooms and
// keys, and fails when it is told to; everybody may do everything in his own account but for what `denies` says.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import { makeOutbox } from '#events/outbox.ts'
import { makeGrant } from '#iam/port.ts'
import type { Caller, IamPort, Subject, Target } from '#iam/port.ts'
import type { KmsPort } from '#kms/port.ts'
import { openForTest } from '#store/testing/open.ts'
import { resourcesContract } from '../contract.ts'
import type { Searchable } from '../port.ts'
import { makeResources } from '../resources.ts'
import { resourcesRoutes } from '../routes.ts'

export const accountA = 'a'.repeat(32)
export const accountB = 'b'.repeat(32)
export const groupA = '1'.repeat(32)
export const groupB = '2'.repeat(32)

export const kmsPlan = 'eedd3585-90c6-4c8f-be3d-062069e99fc3'
export const kmsOtherPlan = '4e853ad3-5820-49c7-8d07-a179fb15b9ee'
export const cosLite = '2fdf0c08-2d32-4f46-84b5-32e0c92fffd8'
export const cosStandard = '744bfc56-d12c-4866-88d5-dac9139e0e5d'

const callerOf = (accountId: string): Caller => ({
  iamId: `IBMid-${accountId.slice(0, 1)}`,
  accountId,
  kind: 'user',
  name: `${accountId.slice(0, 1)}@example.com`,
})

export type World = Awaited<ReturnType<typeof makeWorld>>

export async function makeWorld(hsCryptoRefusal: string | null = 'hs-crypto needs a hardware security module') {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-resources-'))
  const database = await openForTest(join(folder, 'test.db'))
  const random = systemRandom
  const log = makeLog('silent')
  let now = Date.parse('2026-03-24T12:00:00Z')
  const clock: Clock = { now: () => now, monotonicMs: () => now, after: () => () => {} }
  const kms = makeFakeKms(hsCryptoRefusal)
  const world = {
    denies: (_subject: Subject, _action: string, _target: Target): boolean => false,
  }
  const iam = makeFakeIam((subject, action, target) => world.denies(subject, action, target))
  const searchables: Searchable[] = []

  const parts = { database, outbox: makeOutbox(clock, random), clock, random, iam, kms: kms.port }
  const noKeys = () => {
    throw new Error('service credentials are made in tests of the whole program')
  }
  const noObjects = { readObject: noKeys, writeObject: noKeys, placeForWriting: noKeys, deleteObject: noKeys }
  const resources = makeResources({
    ...parts,
    cos: { ...noObjects, createHmacKey: noKeys, deleteHmacKey: noKeys },
    credentials: { callerOf: noKeys, create: noKeys, remove: noKeys, mayHold: noKeys },
    sealer: { seal: noKeys, open: noKeys },
    cosUrl: noKeys,
    region: 'us-south',
    searchables,
  })
  await resources.groups.ensureDefault(accountA, groupA)
  await resources.groups.ensureDefault(accountB, groupB)
  const server = makeServer({
    services: [makeService({ dialect: 'resources', contract: resourcesContract, routes: resourcesRoutes(resources) })],
    iam,
    log,
    clock,
    random,
    publicUrl: 'http://keyward.test',
    tls: null,
    checkReplies: true,
  })

  async function call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, options: CallOptions = {}) {
    const response = await server.inject({
      method,
      url: path,
      headers: {
        ...(options.as !== null && { authorization: `Bearer ${options.as ?? accountA}` }),
        ...options.headers,
      },
      ...(options.body !== undefined && { payload: JSON.stringify(options.body) }),
    })
    // Tests look into bodies by name and fail where something else is there.
    const body = response.body === '' ? null : (JSON.parse(response.body) as any)
    return { status: response.statusCode, body, headers: response.headers }
  }

  return Object.assign(world, {
    resources,
    database,
    kms,
    searchables,
    server,
    call,

    advance(ms: number): void {
      now += ms
    },

    /** Each consumer once, as the dispatcher would. */
    async pass(): Promise<void> {
      for (const consumer of resources.consumers) await consumer.reconcile()
    },

    events: async () =>
      (await database.reads.selectFrom('event_outbox').select('type').orderBy('seq').execute()).map(({ type }) => type),

    /** A new instance of account A's, as its answer shows it. */
    async instance(more: Record<string, unknown> = {}) {
      const { status, body } = await call('POST', '/v2/resource_instances', { body: newInstance(more) })
      if (status !== 201) throw new Error(`no instance: ${status} ${JSON.stringify(body)}`)
      return body
    },

    async [Symbol.asyncDispose]() {
      await server.close()
      await database.close()
      await rm(folder, { recursive: true })
    },
  })
}

export const newInstance = (more: Record<string, unknown> = {}) => ({
  name: 'keys',
  target: 'us-south',
  resource_group: groupA,
  resource_plan_id: kmsPlan,
  ...more,
})

interface CallOptions {
  /** The account whose owner asks; null for nobody. */
  readonly as?: string | null
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

function makeFakeIam(denies: (subject: Subject, action: string, target: Target) => boolean): IamPort {
  const permits = (subject: Subject, action: string, target: Target): boolean =>
    subject.accountId === target.accountId && !denies(subject, action, target)
  const explain: IamPort['explain'] = (_subject, action, target) => ({
    action,
    subject: {},
    resource: {},
    account: target.accountId,
  })
  return {
    authenticate: async (token) => callerOf(token),
    authorize: async (subject, action, target) => {
      if (permits(subject, action, target)) return makeGrant(action, subject, target, 'policy')
      throw new Fault('forbidden', `${action} is not permitted`, { explanation: explain(subject, action, target) })
    },
    decide: async (subject, action, target) =>
      permits(subject, action, target) ? { permitted: true, policyId: 'policy' } : { permitted: false },
    explain,
    hasAccount: async () => true,
    isDisabled: async () => false,
  }
}

function makeFakeKms(hsCryptoRefusal: string | null) {
  const rooms = new Set<string>()
  const keys = new Map<string, readonly string[]>()
  const fake = {
    rooms,
    keys,
    /** What the next call says instead of doing it. */
    failure: null as Error | null,
    /** What happens within the next call, before it does its work. */
    meanwhile: null as (() => Promise<void>) | null,
  }
  async function before(): Promise<void> {
    const { failure, meanwhile } = fake
    fake.failure = null
    fake.meanwhile = null
    if (failure) throw failure
    await meanwhile?.()
  }
  const port: Pick<KmsPort, 'hsCryptoRefusal' | 'createInstance' | 'deleteInstance'> = {
    hsCryptoRefusal,
    async createInstance({ id }) {
      await before()
      rooms.add(id)
    },
    async deleteInstance(id) {
      await before()
      const living = keys.get(id) ?? []
      if (living.length > 0) throw new Fault('conflict', `instance ${id} holds keys: ${living.join(', ')}`)
      rooms.delete(id)
    },
  }
  // The account layer calls no other method.
  return Object.assign(fake, { port: port as KmsPort })
}

// A service with everything around it, on a real database, for tests.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { recordDriver } from '#compute/record.ts'
import { formatCrn } from '#base/crn.ts'
import { volumePendingMsMax, volumeRequestMsMax } from '#base/limits.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import { makeOutbox } from '#events/outbox.ts'
import { openForTest } from '#store/testing/open.ts'
import { notYetContract } from '../contract-not-yet.ts'
import { reencryptionContract } from '../contract-reencryption.ts'
import { vpcContract, vpcOwnContract } from '../contract.ts'
import type { VpcParts } from '../parts.ts'
import { defaultQuotas } from '../quotas.ts'
import { notYetRoutes, reencryptionRoutes, vpcOwnRoutes, vpcRoutes } from '../routes.ts'
import { makeVpc } from '../vpc.ts'
import type { FakeCompute } from './fake-compute.ts'
import { accountA, accountB, FakeDisk, FakeIam, FakeCos, FakeKms, fakeResources } from './fakes.ts'
import { Faults, faulty, faultyDatabase } from './faults.ts'

export const keyOfA = formatCrn({
  serviceName: 'kms',
  location: 'us-south',
  accountId: accountA,
  serviceInstance: '11111111-2222-4333-8444-555555555555',
  resourceType: 'key',
  resource: '0cb88b98-9261-4d07-8329-8f594b6641b5',
})

export type World = Awaited<ReturnType<typeof makeWorld>>

/** With machines that run here where a driver is given. */
export async function makeWorld({ compute = null }: { readonly compute?: FakeCompute | null } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-vpc-'))
  const database = await openForTest(join(folder, 'test.db'))
  const iam = new FakeIam()
  const kms = new FakeKms()
  const disk = new FakeDisk()
  const cos = new FakeCos()
  const faults = new Faults()
  const log = makeLog('silent')
  const random = systemRandom
  let now = Date.parse('2026-03-24T12:00:00Z')
  const clock: Clock = { now: () => now, monotonicMs: () => now, after: () => () => {} }
  kms.put(keyOfA)

  const parts: VpcParts = {
    database: faultyDatabase(database, faults),
    outbox: makeOutbox(clock, random),
    clock,
    keyClock: clock,
    random,
    log,
    region: 'us-south',
    iam: iam.port,
    kms: faulty(kms.port, ['createDataKey', 'createPassphrase', 'providerKey', 'unregister', 'standings'], faults),
    compute: compute
      ? faulty(compute.port, ['start', 'stop', 'reset', 'plug', 'unplug', 'remove'], faults)
      : recordDriver,
    disk: faulty(
      disk.port,
      [
        'createVolume',
        'deleteVolume',
        'addExport',
        'removeExport',
        'connect',
        'createSnapshot',
        'createSnapshots',
        'createVolumeFrom',
        'importImage',
        'exportImage',
        'cancelExport',
        'reencryptVolume',
      ],
      faults,
    ),
    cos: faulty(cos.port, ['writeObject', 'deleteObject'], faults),
    resources: fakeResources,
    revocation: 'at-once',
    quotas: defaultQuotas,
    startedAt: 0,
  }
  const vpc = makeVpc(parts)
  const server = makeServer({
    services: [
      makeService({ dialect: 'vpc', contract: vpcContract, routes: vpcRoutes(vpc), checkQuery: vpc.checkQuery }),
      makeService({ dialect: 'vpc', contract: notYetContract, routes: notYetRoutes(), checkQuery: vpc.checkQuery }),
      makeService({ dialect: 'vpc', contract: vpcOwnContract, routes: vpcOwnRoutes(vpc) }),
      makeService({ dialect: 'vpc', contract: reencryptionContract, routes: reencryptionRoutes(vpc) }),
    ],
    iam: iam.port,
    log,
    clock,
    random,
    publicUrl: 'http://keyward.test',
    tls: null,
    checkReplies: true,
  })

  const world = {
    vpc,
    parts,
    database,
    iam,
    kms,
    disk,
    cos,
    compute,
    faults,

    advance(ms: number): void {
      now += ms
    },

    /** Each consumer once, as the dispatcher would; failures are the next pass's business. */
    async pass(): Promise<void> {
      for (const consumer of vpc.consumers) await consumer.reconcile().catch(() => {})
      await vpc.idle()
    },

    /** As long after as it takes for everything to be finished or undone, with nothing failing any more. */
    async settle(): Promise<void> {
      faults.restart()
      for (let i = 0; i < 3; i++) await world.pass()
      now += volumeRequestMsMax + 1
      for (let i = 0; i < 3; i++) await world.pass()
    },

    async longAfter(): Promise<void> {
      now += volumePendingMsMax + 1
      await world.pass()
    },

    events: async () =>
      (await database.reads.selectFrom('event_outbox').select('type').orderBy('seq').execute()).map(({ type }) => type),

    async call(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options: CallOptions = {}) {
      const separator = path.includes('?') ? '&' : '?'
      const response = await server.inject({
        method,
        url: path.startsWith('/keyward') ? path : `${path}${separator}version=2026-03-24&generation=2`,
        headers: { authorization: `Bearer ${options.as ?? accountB}`, ...options.headers },
        ...(options.body !== undefined && { payload: JSON.stringify(options.body) }),
      })
      const body = response.body === '' ? null : JSON.parse(response.body)
      return { status: response.statusCode, body, headers: response.headers }
    },

    server,

    async [Symbol.asyncDispose]() {
      await server.close()
      await database.close()
      await rm(folder, { recursive: true })
    },
  }
  return world
}

interface CallOptions {
  readonly as?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

export const volumeBody = (more: Record<string, unknown> = {}) => ({
  capacity: 20,
  zone: { name: 'us-south-3' },
  profile: { name: 'general-purpose' },
  encryption_key: { crn: keyOfA },
  ...more,
})

// Roles to running parts: the only file that knows everybody. It builds in the order of need and closes in the reverse.

import { readFileSync } from 'node:fs'
import { systemClock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Log } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { makeSealer } from '#crypto/sealed-record.ts'
import { startDiskPool } from '#disk/pool.ts'
import type { DiskPool } from '#disk/pool.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import { startDispatcher } from '#events/dispatcher.ts'
import type { Consumer, Dispatcher } from '#events/dispatcher.ts'
import { makeOutbox } from '#events/outbox.ts'
import { identityContract, policyContract } from '#iam/contract.ts'
import { makeIam } from '#iam/iam.ts'
import { identityRoutes, policyRoutes } from '#iam/routes.ts'
import { kmsContract } from '#kms/contract.ts'
import { makeKms } from '#kms/kms.ts'
import type { Kms } from '#kms/kms.ts'
import { kmsRoutes } from '#kms/routes.ts'
import { resourcesContract } from '#resources/contract.ts'
import { makeResources } from '#resources/resources.ts'
import { resourcesRoutes } from '#resources/routes.ts'
import { holdDataFolder } from '#store/data-folder.ts'
import { openSqlite } from '#store/sqlite.ts'
import { connectionContract, vpcContract } from '#vpc/contract.ts'
import { connectionRoutes, vpcRoutes } from '#vpc/routes.ts'
import { makeVpc } from '#vpc/vpc.ts'
import { accessSecret } from './access-secret.ts'
import { bootstrap, endpointsAt } from './bootstrap.ts'
import type { Endpoints, FirstAccount } from './bootstrap.ts'
import type { Config } from './config.ts'
import { holdMasterKey } from './master-key.ts'

export interface Running {
  readonly endpoints: Endpoints
  readonly dataFolder: string
  /** On the run that made them. */
  readonly firstAccounts: readonly FirstAccount[] | null
  close(): Promise<void>
}

export async function compose(config: Config, log: Log): Promise<Running> {
  await using parts = new AsyncDisposableStack()
  const clock = systemClock
  const random = systemRandom

  const folder = holdDataFolder(config.dataFolder)
  parts.defer(() => folder.release())
  const database = await openSqlite(folder.databasePath)
  parts.defer(() => database.close())
  const masterKey = parts.use(await holdMasterKey(config, folder.path, database, random))
  const sealer = makeSealer(masterKey, random)
  const outbox = makeOutbox(clock, random)

  let dispatcher: Dispatcher | null = null

  const iam = await makeIam({ database, outbox, clock, random, sealer, log })
  const kms = makeKms({ database, outbox, clock, random, sealer, log, iam: iam.port })
  const meet = introduce(kms)
  const pool = await startDiskPool({
    dataFolder: folder.path,
    host: config.host,
    tcpPort: config.nbdPort,
    processCount: config.diskProcessCount,
    accessSecret: await accessSecret(database, sealer, random),
    log,
    clock,
    random,
    kms: kms.port,
    onRestart: () => {
      meet(pool)
      dispatcher?.wake('vpc.exports')
    },
  })
  parts.defer(() => pool.close())
  meet(pool)
  const resources = makeResources({ database, outbox, clock, random, iam: iam.port, kms: kms.port })
  const vpc = makeVpc({
    database,
    outbox,
    clock,
    random,
    log,
    region: config.region,
    iam: iam.port,
    kms: kms.port,
    disk: pool.port,
    resources: resources.port,
  })

  const server = makeServer({
    services: [
      makeService({ dialect: 'identity', contract: identityContract, routes: identityRoutes(iam) }),
      makeService({ dialect: 'policy', contract: policyContract, routes: policyRoutes(iam) }),
      makeService({ dialect: 'resources', contract: resourcesContract, routes: resourcesRoutes(resources) }),
      makeService({ dialect: 'kms', contract: kmsContract, routes: kmsRoutes(kms) }),
      makeService({ dialect: 'vpc', contract: vpcContract, routes: vpcRoutes(vpc), checkQuery: vpc.checkQuery }),
      makeService({ dialect: 'vpc', contract: connectionContract, routes: connectionRoutes(vpc) }),
    ],
    iam: iam.port,
    log,
    clock,
    random,
    publicUrl: config.publicUrl,
    tls: config.tls && { cert: readPem(config.tls.certPath), key: readPem(config.tls.keyPath) },
    checkReplies: config.checkReplies,
  })
  parts.defer(() => server.close())
  const port = await listen(server, config)
  const endpoints = endpointsAt(config.publicUrl ?? urlOf(config, port))
  const firstAccounts = await bootstrap({
    folder: folder.path,
    region: config.region,
    endpoints,
    database,
    random,
    iam,
    resources,
  })

  dispatcher = startDispatcher({
    database,
    clock,
    log,
    consumers: [leasesConsumer(kms), ...resources.consumers, ...vpc.consumers],
  })
  parts.defer(() => dispatcher?.stop())
  const running = parts.move()
  return { endpoints, dataFolder: folder.path, firstAccounts, close: () => running.disposeAsync() }
}

/** Leases under keys that have expired, and leases whose authorization has gone. */
const leasesConsumer = (kms: Kms): Consumer => ({
  name: 'kms.leases',
  types: ['iam.policy.deleted', 'kms.key.expired'],
  async reconcile() {
    await kms.expireKeys()
    await kms.recheckLeases()
  },
})

/**
 * Keeps the key manager's holders equal to the disk processes that there are: called after the start and whenever one
 * has been replaced. A holder that is known already is left alone, for meeting it anew would end its leases.
 */
function introduce(kms: Kms): (pool: DiskPool) => void {
  let known = new Set<string>()
  return (pool) => {
    const holders = pool.holders()
    const present = new Set(holders.map((holder) => holder.holderId))
    for (const holderId of known.difference(present)) kms.holders.removeHolder(holderId)
    for (const holder of holders) if (!known.has(holder.holderId)) kms.holders.registerHolder(holder)
    known = present
  }
}

async function listen(server: ReturnType<typeof makeServer>, config: Config): Promise<number> {
  try {
    await server.listen({ host: config.host, port: config.port })
  } catch (cause) {
    throw new Fault('unavailable', `cannot listen on ${config.host} port ${config.port}`, { cause })
  }
  const [address] = server.addresses()
  return typeof address === 'object' ? address.port : config.port
}

function urlOf(config: Config, port: number): string {
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  return `${config.tls ? 'https' : 'http'}://${host}:${port}`
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new Fault('invalid', `TLS file ${path} cannot be read`, { cause })
  }
}

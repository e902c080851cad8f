// Roles to running parts: the only file that knows everybody. It builds in the order of need and closes in the reverse.

import { availableParallelism, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock } from '#base/clock.ts'
import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { makeVirtualClock } from '#base/virtual-clock.ts'
import type { VirtualClock } from '#base/virtual-clock.ts'
import { startQemu } from '#compute/qemu.ts'
import { recordDriver } from '#compute/record.ts'
import { startDiskPool } from '#disk/pool.ts'
import { makeServer } from '#edge/server.ts'
import { makeStreamServer } from '#edge/stream-server.ts'
import { makeStreamService } from '#edge/stream-service.ts'
import { makeService } from '#edge/service.ts'
import type { Service } from '#edge/service.ts'
import { auditLogContract } from '#audit/contract-log.ts'
import { auditContract } from '#audit/contract.ts'
import { startAuditLog } from '#audit/log.ts'
import { makeProofs } from '#audit/proofs.ts'
import { auditLogRoutes, auditRoutes } from '#audit/routes.ts'
import { makePruning } from '#audit/pruning.ts'
import { makeTrail } from '#audit/trail.ts'
import { cosAuditEvents } from '#cos/audit-events.ts'
import { auditedPort } from '#cos/audited-port.ts'
import { cosContract } from '#cos/contract.ts'
import { makeCos } from '#cos/cos.ts'
import { refuseNotYet } from '#cos/not-yet.ts'
import { cosRoutes } from '#cos/routes.ts'
import { makeWatch } from '#cos/watch.ts'
import { describers, makeAudit } from '#events/audit.ts'
import { startDispatcher } from '#events/dispatcher.ts'
import type { Dispatcher } from '#events/dispatcher.ts'
import { makeOutbox } from '#events/outbox.ts'
import { identityContract } from '#iam/contract-identity.ts'
import { operatorContract } from '#iam/contract-operator.ts'
import { tokenContract } from '#iam/contract-tokens.ts'
import { explainContract } from '#iam/contract-access.ts'
import { policyContract } from '#iam/contract.ts'
import { makeIam } from '#iam/iam.ts'
import { makeOperatorAccess } from '#iam/operator-access.ts'
import type { OperatorPort } from '#iam/port.ts'
import { makeOperator } from '#iam/operator.ts'
import { identityRoutes, tokenRoutes } from '#iam/routes-identity.ts'
import { operatorRoutes } from '#iam/routes-operator.ts'
import { explainRoutes, policyRoutes } from '#iam/routes.ts'
import { kmsContract, kmsOperatorContract, ownContract } from '#kms/contract.ts'
import { kmsAuditEvents } from '#kms/audit-events.ts'
import { requireToken } from '#kms/instances.ts'
import { makeKms } from '#kms/kms.ts'
import { kmsOperatorRoutes, kmsRoutes, ownRoutes } from '#kms/routes.ts'
import { ledgerAuditEvents } from '#ledger/audit-events.ts'
import { ledgerContract } from '#ledger/contract.ts'
import { makeLedger } from '#ledger/ledger.ts'
import { ledgerRoutes } from '#ledger/routes.ts'
import { holdMasterKey } from '#master-key/hold.ts'
import { providerOf } from '#master-key/sources.ts'
import { watchRotation } from '#master-key/watch.ts'
import { operatorTokenHash } from './operator-token.ts'
import { resourcesContract } from '#resources/contract.ts'
import { makeResources } from '#resources/resources.ts'
import type { Resources } from '#resources/resources.ts'
import { resourcesRoutes } from '#resources/routes.ts'
import { holdDataFolder } from '#store/data-folder.ts'
import { vpcAuditEvents } from '#vpc/audit-events.ts'
import { notYetContract } from '#vpc/contract-not-yet.ts'
import { reencryptionContract } from '#vpc/contract-reencryption.ts'
import { vpcContract, vpcOwnContract } from '#vpc/contract.ts'
import { makeIntegrityBook } from '#vpc/integrity-book.ts'
import { zonesOf } from '#vpc/regions.ts'
import { notYetRoutes, reencryptionRoutes, vpcOwnRoutes, vpcRoutes } from '#vpc/routes.ts'
import { makeSearchable } from '#vpc/searchable.ts'
import { volumeProfiles } from '#vpc/volume-profiles.ts'
import { makeVpc } from '#vpc/vpc.ts'
import type { Vpc } from '#vpc/vpc.ts'
import { accessSecret } from './access-secret.ts'
import { auditSigningKey } from './audit-signer.ts'
import { bootstrap, endpointsAt } from './bootstrap.ts'
import type { Endpoints, FirstAccount } from './bootstrap.ts'
import { clockContract, clockRoutes } from './clock-contract.ts'
import type { Config } from './config.ts'
import { listen, readPem, urlOf } from './listening.ts'
import { openDatabase } from './open-database.ts'
import { sealedTables } from './sealed-tables.ts'
import { introduce, leasesConsumer, sweepsConsumer } from './upkeep.ts'

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
  const virtualClock = config.clock === 'virtual' ? makeVirtualClock(clock) : null
  const random = systemRandom

  const folder = holdDataFolder(config.dataFolder)
  parts.defer(() => folder.release())
  const database = await openDatabase({ url: config.databaseUrl, folder, log })
  parts.defer(() => database.close())
  const providers = {
    present: providerOf(config.masterKey, folder.path, random),
    old: config.oldMasterKey && providerOf(config.oldMasterKey, folder.path, random),
  }
  const isMasterKeyInToken = providers.present.kind === 'pkcs11'
  await requireToken(database.reads, isMasterKeyInToken)
  const held = await holdMasterKey(providers, database, sealedTables)
  const sealer = parts.use(held.ring)
  const rotation = watchRotation({ database, tables: sealedTables, clock, log, held, providers })
  parts.defer(() => rotation.stop())
  const keyClock: Clock = virtualClock ?? clock
  const audit = makeAudit({
    database,
    clock: keyClock,
    random,
    log,
    events: describers([kmsAuditEvents, ledgerAuditEvents, vpcAuditEvents, cosAuditEvents]),
  })
  parts.defer(() => audit.close())
  const outbox = makeOutbox(clock, random, audit.onEvent)

  let dispatcher: Dispatcher | null = null

  const policyPropagationMs = config.policyPropagationSeconds * 1000
  const iam = await makeIam({
    database,
    outbox,
    clock,
    keyClock,
    places: { profiles: volumeProfiles.map(({ name }) => name), zones: zonesOf(config.region) },
    random,
    sealer,
    log,
    policyPropagationMs,
  })
  parts.defer(() => iam.close())
  const kms = makeKms({
    database,
    outbox: makeOutbox(keyClock, random, audit.onEvent),
    clock: keyClock,
    realClock: clock,
    random,
    sealer,
    log,
    iam: iam.port,
    revocation: config.revocation,
    authorizations: iam.authorizations,
    isMasterKeyInToken,
    audit,
  })
  parts.defer(() => kms.close())
  const meet = introduce(kms)
  let vpc: Vpc | null = null
  // After the disks: what they were copying ends with them, and is written down before the database closes.
  parts.defer(() => vpc?.idle())
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
    book: makeIntegrityBook({ database, outbox }),
    onRestart: () => {
      meet(pool)
      dispatcher?.wake('vpc.exports')
    },
  })
  parts.defer(() => pool.close())
  meet(pool)
  // Each asks the other: object storage whose instance it is, the account layer for the keys of a credential.
  const cos = makeCos({
    database,
    outbox,
    clock,
    random,
    sealer,
    dataFolder: folder.path,
    region: config.region,
    iam: iam.port,
    credentials: iam.credentials,
    instance: (id) => resources.port.storageInstance(id),
  })
  // Known once it listens, which is before anybody can ask for it.
  let cosUrl = ''
  const resources: Resources = makeResources({
    database,
    outbox,
    clock,
    random,
    iam: iam.port,
    kms: kms.port,
    cos: cos.port,
    credentials: iam.credentials,
    sealer,
    cosUrl: () => cosUrl,
    region: config.region,
    searchables: [makeSearchable({ reads: database.reads, region: config.region })],
  })
  const compute = await computeDriver(config, folder.path, log, () => dispatcher?.wake('vpc.exports'))
  parts.defer(() => compute.close())
  vpc = makeVpc({
    database,
    outbox,
    clock,
    keyClock,
    random,
    log,
    region: config.region,
    startedAt: clock.now(),
    iam: iam.port,
    kms: kms.port,
    disk: pool.port,
    compute,
    revocation: config.revocation,
    quotas: config.quotas,
    cos: auditedPort(cos.port, { audit, database, random }),
    resources: resources.port,
  })

  const trail = makeTrail({ database, iam: iam.port, audit })
  const auditLog = startAuditLog({ database, clock, log, audit, signingKey: await auditSigningKey(database, sealer) })
  parts.defer(() => auditLog.stop())
  const pruneAudit = makePruning({
    database,
    clock: keyClock,
    retentionDays: config.auditRetentionDays,
    follow: auditLog.follow,
  })
  const proofs = makeProofs({ database, iam: iam.port, log: auditLog })

  const ledger = makeLedger({
    database,
    outbox: makeOutbox(keyClock, random, audit.onEvent),
    clock: keyClock,
    realClock: clock,
    random,
    log,
    iam: iam.port,
    authorizations: iam.authorizations,
    kms: kms.ledgerPort,
    vpc: vpc.port,
    disk: pool,
    auditLog: { flush: audit.flush, prove: proofs.prove, signStatement: auditLog.signStatement },
    sealer,
    allowPrivateWebhooks: config.allowPrivateWebhooks,
    authorizationNoticeDays: config.authorizationNoticeDays,
    wake: (consumer) => dispatcher?.wake(consumer),
  })

  const operator = makeOperator({
    ...iam,
    random,
    addDefaultGroup: (...group) => resources.groups.ensureDefault(...group),
  })

  const operatorAccess = makeOperatorAccess(
    await operatorTokenHash(folder.path, database, random),
    iam.operatorThrottle,
  )
  const afterAdvance = async (): Promise<void> => {
    await iam.noteEnded()
    await kms.sweep()
    await pruneAudit()
    dispatcher?.wake('kms.leases')
    dispatcher?.wake('ledger.notices')
  }

  const http = {
    log,
    clock,
    random,
    trustedProxies: config.trustedProxies,
    tls: config.tls && { cert: readPem(config.tls.certPath), key: readPem(config.tls.keyPath) },
    checkReplies: config.checkReplies,
  }
  const server = makeServer({
    ...http,
    services: [
      makeService({ dialect: 'identity', contract: tokenContract, routes: tokenRoutes(iam) }),
      makeService({ dialect: 'identity', contract: identityContract, routes: identityRoutes(iam) }),
      makeService({
        dialect: 'identity',
        contract: operatorContract,
        routes: operatorRoutes(operator),
        operator: operatorAccess,
      }),
      makeService({ dialect: 'policy', contract: policyContract, routes: policyRoutes(iam) }),
      makeService({ dialect: 'policy', contract: explainContract, routes: explainRoutes(iam) }),
      makeService({ dialect: 'resources', contract: resourcesContract, routes: resourcesRoutes(resources) }),
      makeService({ dialect: 'kms', contract: kmsContract, routes: kmsRoutes(kms), watch: kms.watch }),
      makeService({ dialect: 'kms', contract: ownContract, routes: ownRoutes(kms) }),
      makeService({
        dialect: 'identity',
        contract: kmsOperatorContract,
        routes: kmsOperatorRoutes(kms),
        operator: operatorAccess,
      }),
      makeService({ dialect: 'vpc', contract: vpcContract, routes: vpcRoutes(vpc), checkQuery: vpc.checkQuery }),
      makeService({ dialect: 'vpc', contract: notYetContract, routes: notYetRoutes(), checkQuery: vpc.checkQuery }),
      makeService({ dialect: 'vpc', contract: vpcOwnContract, routes: vpcOwnRoutes(vpc) }),
      makeService({ dialect: 'vpc', contract: reencryptionContract, routes: reencryptionRoutes(vpc) }),
      makeService({ dialect: 'vpc', contract: auditContract, routes: auditRoutes(trail) }),
      makeService({ dialect: 'vpc', contract: auditLogContract, routes: auditLogRoutes(proofs) }),
      makeService({ dialect: 'vpc', contract: ledgerContract, routes: ledgerRoutes(ledger) }),
      ...(virtualClock ? [clockService(virtualClock, afterAdvance, operatorAccess)] : []),
    ],
    iam: iam.port,
    publicUrl: config.publicUrl,
    files: {
      folder: join(import.meta.dirname, '../dist/console'),
      path: '/console',
      missing: 'The console is not built here. `npm start` builds it, and so does `npm run console`.',
    },
  })
  parts.defer(() => server.close())
  const cosServer = makeStreamServer({
    ...http,
    service: makeStreamService({
      dialect: 'cos',
      contract: cosContract,
      routes: cosRoutes(cos),
      identify: cos.identify,
      refuse: refuseNotYet,
      watch: makeWatch({ audit, database, instance: resources.port.storageInstance }),
    }),
    iam: iam.port,
    publicUrl: config.cosPublicUrl,
  })
  parts.defer(() => cosServer.close())
  const cosPort = await listen(cosServer, config.host, config.cosPort)
  cosUrl = config.cosPublicUrl ?? urlOf(config, cosPort)
  const port = await listen(server, config.host, config.port)
  const endpoints = endpointsAt(config.publicUrl ?? urlOf(config, port), cosUrl)
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
    consumers: [
      leasesConsumer(kms),
      sweepsConsumer(kms, iam, pruneAudit),
      ...iam.consumers,
      ...resources.consumers,
      ...cos.consumers,
      ...vpc.consumers,
      ...ledger.consumers,
    ].map((consumer) => ({
      ...consumer,
      reconcile: (signal?: AbortSignal) => audit.outside(() => consumer.reconcile(signal)),
    })),
  })
  parts.defer(() => dispatcher?.stop())
  // First of all: what it waits for outside would keep the others waiting.
  parts.defer(() => ledger.close())
  const running = parts.move()
  return { endpoints, dataFolder: folder.path, firstAccounts, close: () => running.disposeAsync() }
}

const computeDriver = async (config: Config, dataFolder: string, log: Log, onChange: () => void) =>
  config.computeDriver === 'record'
    ? { ...recordDriver, close: async () => {} }
    : await startQemu({
        program: resolve(config.qemuPath),
        memoryMibMax: config.machineMemoryMibMax,
        memoryMibTotal: config.machinesMemoryMib ?? Math.floor(totalmem() / 2 ** 20),
        vcpuCountMax: availableParallelism(),
        dataFolder: resolve(dataFolder),
        clock: systemClock,
        log,
        onChange,
      })

const clockService = (clock: VirtualClock, afterwards: () => Promise<void>, operator: OperatorPort): Service =>
  makeService({ dialect: 'identity', contract: clockContract, routes: clockRoutes(clock, afterwards), operator })

// The key manager, put together from its parts. `port` is what other services may ask, the rest is for routes.ts and for
// compose: holders of leases come and go, sweeps are run after events and now and then in any case.

import type { Clock } from '#base/clock.ts'
import type { Reply } from '#base/contract.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { failed } from '#events/audit-call.ts'
import type { Audit } from '#events/audit.ts'
import type { Outbox } from '#events/outbox.ts'
import type { AuthorizationsPort, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { makeAccess } from './access.ts'
import { makeAcknowledging } from './acknowledging.ts'
import type { Acknowledging } from './acknowledging.ts'
import { makeAliases } from './aliases.ts'
import type { Aliases } from './aliases.ts'
import { draftOf, keyDataOf, placeOf, responseDataOf } from './audit.ts'
import type { AuditedCall, AuditedPlace } from './audit.ts'
import { auditedPort } from './audited-port.ts'
import { makeDataKeys } from './data-keys.ts'
import { makeFencing } from './fencing.ts'
import { makeImportTokens } from './import-tokens.ts'
import type { ImportTokens } from './import-tokens.ts'
import { makeInstancePolicies } from './instance-policies.ts'
import type { InstancePolicyStore } from './instance-policies.ts'
import { makeInstances } from './instances.ts'
import { makeKeyDeletion } from './key-deletion.ts'
import type { KeyDeletion } from './key-deletion.ts'
import { makeKeyLifecycle } from './key-lifecycle.ts'
import type { KeyLifecycle } from './key-lifecycle.ts'
import { makeKeyPolicies } from './key-policies.ts'
import type { KeyPolicyStore } from './key-policies.ts'
import { makeKeyPurge } from './key-purge.ts'
import { makeKeyRings } from './key-rings.ts'
import type { KeyRings } from './key-rings.ts'
import { makeKeyRotation } from './key-rotation.ts'
import type { KeyRotation } from './key-rotation.ts'
import { makeKeyUse } from './key-use.ts'
import type { KeyUse } from './key-use.ts'
import { makeKeys } from './keys.ts'
import type { Keys } from './keys.ts'
import { makeLeaseBook } from './lease-book.ts'
import { makeLeases } from './leases.ts'
import { makeLostRights } from './lost-rights.ts'
import { makeMetrics } from './metrics.ts'
import type { Metrics } from './metrics.ts'
import { makeNotices } from './notices.ts'
import type { KeyLedgerPort, KmsPort, LeaseHolder, Revocation } from './port.ts'
import { makeRegistering } from './registering.ts'
import type { Registering } from './registering.ts'
import { makePassphrases } from './passphrases.ts'
import { makeProviderKeys } from './provider-keys.ts'
import { makeRegistrations } from './registrations.ts'
import type { Registrations } from './registrations.ts'
import { makeRevocationReport } from './revocation-report.ts'
import type { RevocationReport } from './revocation-report.ts'
import { makeRevocations } from './revocations.ts'
import { makeRewrapping } from './rewrapping.ts'
import { makeRotationProgress } from './rotation-progress.ts'
import type { RotationProgress } from './rotation-progress.ts'
import { makeScrubbing } from './scrubbing.ts'
import { makeSizes } from './sizes.ts'
import { makeKeySafety } from './key-safety.ts'
import type { KeySafetyStore } from './key-safety.ts'
import { makeQuarantine, makeWatch } from './quarantine.ts'
import type { Quarantine } from './quarantine.ts'
import { makeStandings } from './standings.ts'
import { makeUnwrapTimes } from './unwrap-times.ts'
import { makeUses } from './uses.ts'

export interface Kms {
  readonly port: KmsPort
  readonly ledgerPort: KeyLedgerPort
  readonly clock: Clock
  readonly keys: Keys
  readonly use: KeyUse
  readonly lifecycle: KeyLifecycle & KeyDeletion & KeyRotation
  readonly aliases: Aliases
  readonly keyRings: KeyRings
  readonly keyPolicies: KeyPolicyStore
  readonly instancePolicies: InstancePolicyStore
  readonly importTokens: ImportTokens
  readonly registrations: Registrations
  readonly registering: Registering
  readonly acknowledging: Acknowledging
  readonly rotationProgress: RotationProgress
  readonly metrics: Pick<Metrics, 'text'>
  readonly revocations: Pick<RevocationReport, 'list'>
  readonly quarantine: Quarantine
  readonly keySafety: KeySafetyStore
  /** Serves a call of the API and keeps a record of it. */
  watch<Answer extends Pick<Reply<unknown>, 'body' | 'status' | 'headers'>>(
    call: AuditedCall & { statusOf(error: unknown): number },
    serve: () => Promise<Answer>,
  ): Promise<Answer>
  readonly holders: {
    /** A holder that comes back under its name is a new one: the old one's leases are over. */
    registerHolder(holder: LeaseHolder): void
    removeHolder(holderId: string): void
  }
  /** Writes down which keys have expired; by the clock they have already. */
  expireKeys(): Promise<void>
  /** Does whatever the clock has made due: expiries, rotations by policy, purges, notices that nobody acknowledged. */
  sweep(): Promise<void>
  /** Asks again, of every lease, whether its holder still may; fences those that may not. */
  recheckLeases(): Promise<void>
  /** Writes what waits. */
  close(): Promise<void>
}

export function makeKms(parts: {
  readonly database: Database
  readonly outbox: Outbox
  /** Of keys: it judges every documented wait, and may be a virtual one. */
  readonly clock: Clock
  /** For what waits on other processes: never virtual. */
  readonly realClock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly log: Log
  readonly iam: IamPort
  readonly authorizations: AuthorizationsPort
  /** For volumes in use; docs/decisions/0019-revocation.md. */
  readonly revocation?: Revocation
  /** Whether what seals root keys never leaves a PKCS#11 token: the condition for instances of `hs-crypto`. */
  readonly isMasterKeyInToken: boolean
  readonly audit: Audit
}): Kms {
  const { database, clock, random, iam } = parts
  const { reads } = database
  const metrics = makeMetrics({ reads, iam, clock: parts.realClock, log: parts.log })
  const audit = metrics.metered(parts.audit)
  const access = makeAccess(reads, iam)
  const standings = makeStandings({ reads, clock, iam })
  const { revocation = 'at-once' } = parts
  const fencing = makeFencing({ ...parts, clock: parts.realClock })
  const book = makeLeaseBook()
  const unwrapTimes = makeUnwrapTimes({ ...parts, clock: parts.realClock })
  const revocations = makeRevocations({ ...parts, clock: parts.realClock })
  const lostRights = makeLostRights({ ...parts, revocations })
  const measured = { revocation, revocations, lostRights }
  const watch = makeWatch({ ...parts, clock: parts.realClock, keyClock: clock })
  const leases = makeLeases({ ...parts, watch, reads, standings, fencing, book, unwrapTimes, ...measured })
  const notices = makeNotices(parts)
  const scrubbing = makeScrubbing(database)
  const purgeKey = makeKeyPurge(parts)
  const revocationReport = makeRevocationReport({ reads, iam, revocations })
  const within = { ...parts, watch, book, access, leases, notices, scrubbing, purgeKey, revocations }
  const lifecycle = { ...makeKeyLifecycle(within), ...makeKeyDeletion(within), ...makeKeyRotation(within) }
  const { leaseDataKey, renewLeases, releaseLeases } = leases
  const port: KmsPort = {
    ...makeInstances(within),
    ...makeDataKeys({ ...parts, leases, watch }),
    ...makePassphrases({ ...parts, reads, watch }),
    ...makeRewrapping({ ...parts, watch }),
    ...makeSizes(parts),
    ...makeProviderKeys(parts),
    leaseDataKey,
    renewLeases,
    releaseLeases,
    standings: standings.reports,
    pendingNotices: notices.pendingNotices,
    acknowledge: ({ noticeId, as, keyState }) =>
      notices.acknowledge({ noticeId, by: as, keyState, whenComplete: true }),
  }
  return {
    port: auditedPort(port, audit, random),
    ledgerPort: makeUses({ ...within, reads, lifecycle, book, unwrapTimes }),
    watch(call, serve) {
      let place: AuditedPlace = null
      return audit.watch({
        async draft() {
          place = await placeOf(reads, call)
          return draftOf(call, place)
        },
        serve,
        endOf: ({ body, status, headers }) => ({
          status: status ?? call.operation.status,
          responseData: { ...keyDataOf(place, clock.now()), ...responseDataOf(body, headers) },
        }),
        failureOf: (error) => failed(call.statusOf(error), error),
      })
    },
    clock,
    keys: makeKeys(within),
    use: makeKeyUse({ ...within, reads }),
    lifecycle,
    aliases: makeAliases(within),
    keyRings: makeKeyRings(within),
    keyPolicies: makeKeyPolicies(within),
    instancePolicies: makeInstancePolicies(within),
    importTokens: makeImportTokens(within),
    registering: makeRegistering(within),
    acknowledging: makeAcknowledging(within),
    rotationProgress: makeRotationProgress(within),
    metrics: {
      async text(context, accountId) {
        return (await metrics.text(context, accountId)) + (await revocationReport.metricsText(accountId))
      },
    },
    revocations: revocationReport,
    quarantine: makeQuarantine(within),
    keySafety: makeKeySafety(parts),
    registrations: makeRegistrations({ reads, clock, access }),
    holders: {
      registerHolder(holder) {
        leases.forget(holder.holderId)
        fencing.registerHolder(holder)
      },
      removeHolder(holderId) {
        fencing.removeHolder(holderId)
        leases.forget(holderId)
      },
    },
    expireKeys: lifecycle.expireKeys,
    async sweep() {
      await lifecycle.expireKeys()
      await lifecycle.rotateDue()
      await lifecycle.purgeDeleted()
      await scrubbing.complete()
      await notices.nameOverdue()
      await revocations.sweep()
    },
    recheckLeases: leases.recheck,
    async close() {
      fencing.close()
      await lostRights.idle()
      await revocations.idle()
      await unwrapTimes.flush()
      await watch.flush()
    },
  }
}

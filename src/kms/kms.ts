// The key manager, put together from its parts. `port` is what other services may ask, the rest is for routes.ts and for
// compose: holders of leases come and go, sweeps are run after events and now and then in any case.

import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { makeAccess } from './access.ts'
import { makeDataKeys } from './data-keys.ts'
import { makeFencing } from './fencing.ts'
import { makeInstances } from './instances.ts'
import { makeKeyLifecycle } from './key-lifecycle.ts'
import type { KeyLifecycle } from './key-lifecycle.ts'
import { makeKeyUse } from './key-use.ts'
import type { KeyUse } from './key-use.ts'
import { makeKeys } from './keys.ts'
import type { Keys } from './keys.ts'
import { makeLeaseBook } from './lease-book.ts'
import { makeLeases } from './leases.ts'
import type { KmsPort, LeaseHolder } from './port.ts'
import { makeRegistrations } from './registrations.ts'
import type { Registrations } from './registrations.ts'
import { makeStandings } from './standings.ts'

export interface Kms {
  readonly port: KmsPort
  readonly clock: Clock
  readonly keys: Keys
  readonly use: KeyUse
  readonly lifecycle: KeyLifecycle
  readonly registrations: Registrations
  readonly holders: {
    /** A holder that comes back under its name is a new one: the old one's leases are over. */
    registerHolder(holder: LeaseHolder): void
    removeHolder(holderId: string): void
  }
  /** Writes down which keys have expired; by the clock they have already. */
  expireKeys(): Promise<void>
  /** Asks again, of every lease, whether its holder still may; fences those that may not. */
  recheckLeases(): Promise<void>
}

export function makeKms(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly log: Log
  readonly iam: IamPort
}): Kms {
  const { database, clock, iam } = parts
  const { reads } = database
  const access = makeAccess(reads, iam)
  const standings = makeStandings({ reads, clock, iam })
  const fencing = makeFencing(parts)
  const leases = makeLeases({ ...parts, reads, standings, fencing, book: makeLeaseBook() })
  const lifecycle = makeKeyLifecycle({ ...parts, access, leases })
  const { leaseDataKey, renewLeases, releaseLeases } = leases
  return {
    port: {
      ...makeInstances(parts),
      ...makeDataKeys({ ...parts, leases }),
      leaseDataKey,
      renewLeases,
      releaseLeases,
      standings: standings.reports,
    },
    clock,
    keys: makeKeys({ ...parts, access }),
    use: makeKeyUse({ ...parts, reads, access }),
    lifecycle,
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
    recheckLeases: leases.recheck,
  }
}

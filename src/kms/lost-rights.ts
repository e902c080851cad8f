// Rights that end elsewhere than here: an authorization is removed or ends by its bounds, an account is disabled. The
// rechecks of leases notice it by the leases that they take back; what ended them is found afterwards, since nobody who is to
// stop waits for that, in the events of the account layer, and with it the time of its commit.

import type { Clock } from '#base/clock.ts'
import { leaseMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { EventType } from '#events/event.ts'
import { firstSince } from '#events/outbox.ts'
import type { IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import type { FenceRun } from './fencing.ts'
import { isAllowed } from './key-state.ts'
import { keyCrn } from './key.ts'
import type { BookedLease } from './lease-book.ts'
import type { RevocationCause } from './revocation-state.ts'
import type { Revocations } from './revocations.ts'
import { selectKeyOfAnyone } from './tables-service.ts'

/** What can end a right there. An event that is not named here leaves `authorization.removed`, from the moment it is noticed. */
const causes: Readonly<Partial<Record<EventType, RevocationCause>>> = {
  'iam.policy.deleted': 'authorization.removed',
  'iam.policy.updated': 'authorization.removed',
  'iam.role.updated': 'authorization.removed',
  'iam.role.deleted': 'authorization.removed',
  'iam.access-settings.updated': 'authorization.removed',
  'iam.account.disabled': 'account.disabled',
}

export interface LostRights {
  /** Of leases that have just been taken back. Returns at once. */
  trace(taken: readonly BookedLease[], run: FenceRun): void
  idle(): Promise<void>
}

export function makeLostRights(parts: {
  readonly database: Database
  /** Of keys. */
  readonly clock: Clock
  /** By which the account layer dates its events. */
  readonly realClock: Clock
  readonly log: Log
  readonly iam: IamPort
  readonly revocations: Revocations
}): LostRights {
  const { database, clock, realClock, log, iam, revocations } = parts
  const tracing = new Set<Promise<void>>()

  async function traceKey(leases: readonly BookedLease[], run: FenceRun, noticedAt: number): Promise<void> {
    const [first] = leases
    if (!first?.located) return
    const { name, located } = first
    // What happened to the key itself is measured by whoever did it.
    const key = await selectKeyOfAnyone(database.reads, name.keyId, clock.now())
    if (!key || !isAllowed('lease', key.state)) return
    const { cause, at } = await causeOf(leases, noticedAt)
    const begun = await database.transaction((tx) =>
      revocations.begin(tx, {
        cause,
        accountId: located.accountId,
        keyCrn: keyCrn(located, name.keyId),
        agoMs: Math.max(0, realClock.now() - at),
      }),
    )
    revocations.follow(begun, name.keyId, run.holders)
  }

  /** The first event since all of them were last found good; several may have come since, and the first ended the right. */
  async function causeOf(leases: readonly BookedLease[], noticedAt: number) {
    const accounts = leases.flatMap(({ located, as }) => [located?.accountId ?? '', as.accountId])
    const disabled = await Promise.all([...new Set(accounts)].map((id) => iam.isDisabled(id)))
    const wanted: RevocationCause = disabled.includes(true) ? 'account.disabled' : 'authorization.removed'
    const types = eventTypes.filter((type) => causes[type] === wanted)
    const goodMs = Math.min(...leases.map(({ endsAtMs }) => endsAtMs)) - leaseMs
    const goodAt = realClock.now() - (realClock.monotonicMs() - goodMs)
    const event = await firstSince(database.reads, { types, accountIds: accounts, since: Math.floor(goodAt) })
    return { cause: (event && causes[event.type]) ?? wanted, at: event?.at ?? noticedAt }
  }

  return {
    trace(taken, run) {
      const noticedAt = realClock.now()
      const given = taken.filter((lease) => lease.given)
      for (const leases of Map.groupBy(given, ({ name }) => name.keyId).values()) {
        const traced = traceKey(leases, run, noticedAt)
          .catch((err: unknown) => log.error({ err }, 'what ended a right could not be found out'))
          .finally(() => void tracing.delete(traced))
        tracing.add(traced)
      }
    },
    async idle() {
      await Promise.all(tracing)
    },
  }
}

// The keys of the record are event types.
const eventTypes = Object.keys(causes) as readonly EventType[]

// How long it takes from the commit that ends a right until nothing is served under it: noted with the commit, followed
// until the last holder has stopped, and written down. What is under way when the process ends is closed by its successor
// with the one bound that holds then: no lease outlives the commit by more than its length.

import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { makeUuid } from '#base/id.ts'
import { leaseMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Database, Tx } from '#store/database.ts'
import type { FencedHolder } from './fencing.ts'
import type { RevocationCause } from './revocation-state.ts'
import { endRevocation, hasUnderWay, insertRevocation, lapseLeftOvers } from './tables-revocation.ts'
import type { RevocationEnd, Unacknowledged } from './tables-revocation.ts'

/** A right that ends, from just before its commit. */
export interface Begun {
  readonly id: string
  /** On the monotonic clock. */
  readonly sinceMs: number
}

/** What is known of one that is under way. */
export interface Progress {
  readonly volumeCount: number
  readonly unacknowledged: readonly Unacknowledged[]
}

export interface Revocations {
  /** In the transaction that ends the right. */
  begin(tx: Tx, right: { cause: RevocationCause; accountId: string; keyCrn: string; agoMs?: number }): Promise<Begun>
  /** The holders that were told to stop under the key, of which other keys may be too. Returns at once. */
  follow(begun: Begun, keyId: string, holders: readonly FencedHolder[]): void
  /** Null where it is not ours to follow. */
  progress(id: string): Progress | null
  /** Closes what a process before this one has left under way. To be called again and again. */
  sweep(): Promise<void>
  /** Waits for what is being written. */
  idle(): Promise<void>
}

/** Room between the clock of a process before this one and ours. */
const graceMs = 1000

export function makeRevocations(parts: {
  readonly database: Database
  /** Never virtual: what is measured is waited for. */
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}): Revocations {
  const { database, clock, random, log } = parts
  const followed = new Map<string, { volumeCount: number; waiting: Set<FencedHolder> }>()
  const writing = new Set<Promise<void>>()

  async function end(begun: Begun, holders: readonly FencedHolder[], volumeCount: number): Promise<RevocationEnd> {
    const waiting = followed.get(begun.id)?.waiting
    const ends = await Promise.all(
      holders.map(async (holder) => {
        const ended = await holder.end
        waiting?.delete(holder)
        return { holder, ...ended }
      }),
    )
    const late = ends.filter(({ how }) => how !== 'acknowledged')
    const lastMs = Math.max(begun.sinceMs, ...ends.map(({ atMs }) => atMs))
    return {
      state: ends.length === 0 ? 'idle' : late.length === 0 ? 'acknowledged' : 'lapsed',
      volumeCount,
      durationMs: ends.length === 0 ? null : Math.round((lastMs - begun.sinceMs) * 1000) / 1000,
      unacknowledged: late.map(({ holder, how }) => ({
        ...shown(holder),
        ended: how === 'ended' ? ('process' as const) : ('lease' as const),
      })),
    }
  }

  const wallOf = (monotonicMs: number): number => Math.round(clock.now() + (monotonicMs - clock.monotonicMs()))

  const shown = ({ holderId, leases, leasesEndMs }: FencedHolder) => ({
    holderId,
    leaseCount: leases.length,
    leasesEndAt: wallOf(leasesEndMs),
  })

  async function close(begun: Begun, holders: readonly FencedHolder[], volumeCount: number): Promise<void> {
    const what = await end(begun, holders, volumeCount)
    const written = write(begun.id, what)
    writing.add(written)
    await written
    writing.delete(written)
    followed.delete(begun.id)
  }

  async function write(id: string, what: RevocationEnd): Promise<void> {
    try {
      await database.transaction((tx) => endRevocation(tx, id, what))
    } catch (err) {
      // The sweep closes it, with the bound.
      log.error({ err, revocation: id }, 'the end of a revocation could not be written down')
    }
  }

  return {
    async begin(tx, { cause, accountId, keyCrn, agoMs = 0 }) {
      assert(agoMs >= 0, 'a right ends before it is noticed')
      const begun = { id: makeUuid(random), sinceMs: clock.monotonicMs() - agoMs }
      await insertRevocation(tx, { id: begun.id, accountId, cause, keyCrn, committedAt: clock.now() - agoMs })
      return begun
    },

    follow(begun, keyId, all) {
      const holders = all.map((holder) => ({
        ...holder,
        leases: holder.leases.filter((lease) => lease.name.keyId === keyId),
      }))
      const volumeCount = new Set(holders.flatMap(({ leases }) => leases.map(({ resourceCrn }) => resourceCrn))).size
      followed.set(begun.id, { volumeCount, waiting: new Set(holders) })
      void close(begun, holders, volumeCount)
    },

    progress(id) {
      const one = followed.get(id)
      if (!one) return null
      const unacknowledged = [...one.waiting].map((holder) => ({ ...shown(holder), ended: null }))
      return { volumeCount: one.volumeCount, unacknowledged }
    },

    async sweep() {
      if (!(await hasUnderWay(database.reads))) return
      const left = {
        committedUntil: clock.now() - leaseMs - graceMs,
        durationMs: leaseMs,
        except: [...followed.keys()],
      }
      await database.transaction((tx) => lapseLeftOvers(tx, left))
    },

    async idle() {
      await Promise.all(writing)
    },
  }
}

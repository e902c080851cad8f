// Telling disk processes to stop, at once, and keeping what they sign. A holder that does not answer in time is said so
// in the log and left to the end of its lease; what it signs later is kept all the same. When each of them had stopped, and
// how that is known, is told to whoever measures it.

import type { Clock } from '#base/clock.ts'
import { fenceAckMs, leaseMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import { within } from '#base/within.ts'
import { verifyFenceAck } from '#crypto/fence-ack.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { base64 } from './base64.ts'
import { keyCrn } from './key.ts'
import type { BookedLease } from './lease-book.ts'
import type { FenceAck, LeaseHolder } from './port.ts'

/** Signed that it has stopped; ended, and so serves nobody; or was not heard of until its leases were over. */
export type HolderEnd = 'acknowledged' | 'ended' | 'lapsed'

/** One holder that has been told to stop. */
export interface FencedHolder {
  readonly holderId: string
  readonly leases: readonly BookedLease[]
  readonly sinceMs: number
  /** By then its leases are over, whatever it does; on the monotonic clock. */
  readonly leasesEndMs: number
  /** Never rejects. Not fulfilled when the server is closed before. */
  readonly end: Promise<{ readonly how: HolderEnd; readonly atMs: number }>
}

export interface FenceRun {
  readonly holders: readonly FencedHolder[]
  /** Every holder has answered or `fenceAckMs` have passed. Never rejects: the leases are over either way. */
  readonly answered: Promise<void>
}

export interface Fencing {
  registerHolder(holder: LeaseHolder): void
  removeHolder(holderId: string): void
  hasHolder(holderId: string): boolean
  fence(leases: readonly BookedLease[]): FenceRun
  /** Who has been told to stop under the key since then, or has not stopped yet. */
  fencedUnder(keyId: string, sinceMs: number): readonly FencedHolder[]
  close(): void
}

export function makeFencing(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly log: Log
}): Fencing {
  const { database, outbox, clock, log } = parts
  const holders = new Map<string, LeaseHolder>()
  /** Called when a holder has gone. */
  const mourners = new Map<string, Set<() => void>>()
  /** Whether each has stopped. */
  const recent = new Map<FencedHolder, boolean>()
  const timers = new Set<() => void>()

  function fence(leases: readonly BookedLease[]): FenceRun {
    const sinceMs = clock.monotonicMs()
    // A lease that was never given has nothing behind it that could be stopped.
    const given = leases.filter((lease) => lease.given)
    const byHolder = Map.groupBy(given, (lease) => lease.holderId)
    const told = [...byHolder].map(([holderId, own]) => fenceHolder(holderId, own, sinceMs))
    for (const { fenced } of told) remember(fenced)
    return {
      holders: told.map(({ fenced }) => fenced),
      answered: Promise.all(told.map(({ answered }) => answered)).then(() => undefined),
    }
  }

  function fenceHolder(holderId: string, leases: readonly BookedLease[], sinceMs: number) {
    const facts = { holderId, leases: leases.map((lease) => lease.id) }
    const leasesEndMs = Math.max(...leases.map((lease) => lease.endsAtMs))
    const end = Promise.withResolvers<{ how: HolderEnd; atMs: number }>()
    const over = (how: HolderEnd): void => end.resolve({ how, atMs: clock.monotonicMs() })
    const fenced: FencedHolder = { holderId, leases, sinceMs, leasesEndMs, end: end.promise }
    const unwatch = watchEnd(fenced, over)
    void end.promise.then(unwatch)
    const holder = holders.get(holderId)
    if (!holder) {
      log.warn(facts, 'a holder has gone: its leases run to their end')
      return { fenced, answered: Promise.resolve() }
    }
    const answered = tell(holder, leases, sinceMs, over).catch((error: unknown) =>
      log.error({ err: error, ...facts }, 'a fence could not be completed: the leases run to their end'),
    )
    const sentence = 'a holder has not acknowledged a fence in time: its leases run to their end'
    const inTime = within(clock, fenceAckMs, answered, { sentence }).catch(() => log.warn(facts, sentence))
    return { fenced, answered: inTime }
  }

  /** Its process may go, and its leases end by time. */
  function watchEnd({ holderId, leasesEndMs }: FencedHolder, over: (how: HolderEnd) => void): () => void {
    const mourn = (): void => over('ended')
    const group = mourners.get(holderId) ?? new Set()
    mourners.set(holderId, group.add(mourn))
    const cancel = later(Math.max(0, leasesEndMs - clock.monotonicMs()), () => over('lapsed'))
    return () => {
      cancel()
      group.delete(mourn)
      if (group.size === 0) mourners.delete(holderId)
    }
  }

  function later(delayMs: number, callback: () => void): () => void {
    const cancel = clock.after(delayMs, callback)
    timers.add(cancel)
    return () => {
      cancel()
      timers.delete(cancel)
    }
  }

  /** For a lease's length: longer than from the commit of what ends a right to the moment when somebody asks for this. */
  function remember(fenced: FencedHolder): void {
    recent.set(fenced, false)
    void forgetLater(fenced)
  }

  async function forgetLater(fenced: FencedHolder): Promise<void> {
    await fenced.end
    recent.set(fenced, true)
    const forget = later(leaseMs, () => {
      forget()
      recent.delete(fenced)
    })
  }

  async function tell(
    holder: LeaseHolder,
    leases: readonly BookedLease[],
    sinceMs: number,
    over: (how: HolderEnd) => void,
  ): Promise<void> {
    const acks = await holder.fence(leases.map((lease) => lease.id))
    const elapsedMs = Math.round(clock.monotonicMs() - sinceMs)
    const proven = leases.flatMap((lease) => {
      const ack = acks.find((candidate) => speaksOf(candidate, lease) && isGenuine(holder, candidate))
      if (!ack) log.error({ holderId: holder.holderId, leaseId: lease.id }, 'a fence has no genuine acknowledgement')
      return ack ? [{ lease, ack }] : []
    })
    if (proven.length === leases.length) over('acknowledged')
    // A holder answers when it has stopped. No signature at all is the answer for a process that had to be killed.
    else if (acks.length === 0) over('ended')
    if (proven.length > 0) await record(proven, elapsedMs)
  }
  async function record(
    proven: readonly { readonly lease: BookedLease; readonly ack: FenceAck }[],
    elapsedMs: number,
  ): Promise<void> {
    await database.transaction(async (tx) => {
      for (const { lease, ack } of proven) {
        if (!lease.located) continue
        await outbox.append(tx, {
          type: 'kms.lease.fenced',
          accountId: lease.located.accountId,
          keyCrn: keyCrn(lease.located, lease.name.keyId),
          resourceCrn: lease.resourceCrn,
          leaseId: lease.id,
          holderId: lease.holderId,
          elapsedMs,
          signature: base64(ack.signature),
          fencedAt: ack.fencedAt,
        })
      }
    })
  }

  return {
    registerHolder: (holder) => void holders.set(holder.holderId, holder),
    removeHolder(holderId) {
      holders.delete(holderId)
      for (const mourn of mourners.get(holderId) ?? []) mourn()
    },
    hasHolder: (holderId) => holders.has(holderId),
    fence,
    fencedUnder: (keyId, sinceMs) =>
      [...recent]
        .filter(([fenced, hasStopped]) => fenced.sinceMs >= sinceMs || !hasStopped)
        .map(([fenced]) => fenced)
        .filter((fenced) => fenced.leases.some((lease) => lease.name.keyId === keyId)),
    close() {
      for (const cancel of timers) cancel()
      timers.clear()
    },
  }
}

const speaksOf = (ack: FenceAck, lease: BookedLease): boolean =>
  ack.leaseId === lease.id && ack.holderId === lease.holderId && ack.resourceCrn === lease.resourceCrn

const isGenuine = (holder: LeaseHolder, { signature, ...statement }: FenceAck): boolean =>
  verifyFenceAck(holder.publicKey, statement, signature)

// Telling disk processes to stop, at once, and keeping what they sign. A holder that does not answer in time is said so
// in the log and left to the end of its lease; what it signs later is kept all the same.

import type { Clock } from '#base/clock.ts'
import { fenceAckMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import { within } from '#base/within.ts'
import { verifyFenceAck } from '#crypto/fence-ack.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { base64 } from './base64.ts'
import { keyCrn } from './key.ts'
import type { BookedLease } from './lease-book.ts'
import type { FenceAck, LeaseHolder } from './port.ts'

export interface Fencing {
  registerHolder(holder: LeaseHolder): void
  removeHolder(holderId: string): void
  hasHolder(holderId: string): boolean
  /** Resolves when every holder has answered or `fenceAckMs` have passed. Never rejects: the leases are over either way. */
  fence(leases: readonly BookedLease[]): Promise<void>
}

export function makeFencing(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly log: Log
}): Fencing {
  const { database, outbox, clock, log } = parts
  const holders = new Map<string, LeaseHolder>()

  async function fence(leases: readonly BookedLease[]): Promise<void> {
    const sinceMs = clock.monotonicMs()
    // A lease that was never given has nothing behind it that could be stopped.
    const given = leases.filter((lease) => lease.given)
    const byHolder = Map.groupBy(given, (lease) => lease.holderId)
    await Promise.all([...byHolder].map(([holderId, own]) => fenceHolder(holderId, own, sinceMs)))
  }

  async function fenceHolder(holderId: string, leases: readonly BookedLease[], sinceMs: number): Promise<void> {
    const facts = { holderId, leases: leases.map((lease) => lease.id) }
    const holder = holders.get(holderId)
    if (!holder) return log.warn(facts, 'a holder has gone: its leases run to their end')
    const answered = tell(holder, leases, sinceMs).catch((error: unknown) =>
      log.error({ err: error, ...facts }, 'a fence could not be completed: the leases run to their end'),
    )
    const sentence = 'a holder has not acknowledged a fence in time: its leases run to their end'
    await within(clock, fenceAckMs, answered, { sentence }).catch(() => log.warn(facts, sentence))
  }

  async function tell(holder: LeaseHolder, leases: readonly BookedLease[], sinceMs: number): Promise<void> {
    const acks = await holder.fence(leases.map((lease) => lease.id))
    const elapsedMs = Math.round(clock.monotonicMs() - sinceMs)
    const proven = leases.flatMap((lease) => {
      const ack = acks.find((candidate) => speaksOf(candidate, lease) && isGenuine(holder, candidate))
      if (!ack) log.error({ holderId: holder.holderId, leaseId: lease.id }, 'a fence has no genuine acknowledgement')
      return ack ? [{ lease, ack }] : []
    })
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
    removeHolder: (holderId) => void holders.delete(holderId),
    hasHolder: (holderId) => holders.has(holderId),
    fence,
  }
}

const speaksOf = (ack: FenceAck, lease: BookedLease): boolean =>
  ack.leaseId === lease.id && ack.holderId === lease.holderId && ack.resourceCrn === lease.resourceCrn

const isGenuine = (holder: LeaseHolder, { signature, ...statement }: FenceAck): boolean =>
  verifyFenceAck(holder.publicKey, statement, signature)

// The right to hold a data key open, and its end. A lease lasts from the moment before we asked, by the monotonic clock,
// so that a slow answer never makes it longer. It ends when its time is up, when a renewal does not name it, when the key
// manager says so, or when it is given back; whatever was done under it has stopped by the time `fence` returns.

import type { KeyObject } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { fenceAckMs, leaseMs, leaseRenewMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import { within } from '#base/within.ts'
import { signFenceAck } from '#crypto/fence-ack.ts'
import { makeRecipient } from '#crypto/hpke.ts'
import type { Recipient } from '#crypto/hpke.ts'
import { openLeasedKey } from '#crypto/leased-key.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import type { FenceAck, KmsPort, LeasedDataKey, LeaseRequest } from '#kms/port.ts'
import type { VolumeSpec } from './port.ts'

export type LeaseKms = Pick<KmsPort, 'leaseDataKey' | 'renewLeases' | 'releaseLeases'>

/** A lease as the one who works under it sees it. */
export interface HeldLease {
  readonly leaseId: string
  /** Judged by the clock at each call; once false, false for ever. */
  isLive(): boolean
  /** Called once, synchronously, when the lease ends other than by `release`. At once if it has ended already. */
  onEnd(stop: () => void): void
  /** Called at once and whenever the lease has been made longer, with the moment of its end by the monotonic clock. */
  onDeadline(listener: (deadlineMs: number) => void): void
  /** Gives the lease back. The work under it has stopped. */
  release(): Promise<void>
}

export interface LeasedKey {
  readonly lease: HeldLease
  /** Owned by the caller. */
  readonly dataKey: SecretBytes
}

/** What is asked for; the key pair that the answer is sealed to is made here. */
export type DataKeyRequest = Omit<LeaseRequest, 'recipientKey'>

export interface LeaseBookParts {
  readonly holderId: string
  readonly privateKey: KeyObject
  readonly kms: LeaseKms
  readonly clock: Clock
  readonly log: Log
}

interface Entry {
  readonly leaseId: string
  readonly resourceCrn: string
  deadlineMs: number
  /** Wall-clock time at which work under the lease had stopped. */
  endedAt: number | null
  stop: (() => void) | null
  tellDeadline: (deadlineMs: number) => void
  cancelTimer: () => void
}

const silence = 'the key manager did not answer in time'

/** Ended leases are remembered so that a fence that comes late is acknowledged too; more are in nobody's interest. */
const endedMax = 4096

export class LeaseBook {
  readonly #parts: LeaseBookParts
  readonly #live = new Map<string, Entry>()
  readonly #ended = new Map<string, { readonly resourceCrn: string; readonly endedAt: number }>()
  /** Fenced before we learned that we hold them: the fence overtook the answer. */
  readonly #fencedEarly = new Set<string>()
  #isRenewing = false

  constructor(parts: LeaseBookParts) {
    this.#parts = parts
  }

  /** Asks for a data key. Rejects with the key manager's Fault, or with one of ours when the lease is over already. */
  async take(request: DataKeyRequest): Promise<LeasedKey> {
    const { kms, clock, holderId } = this.#parts
    const askedMs = clock.monotonicMs()
    const recipient = makeRecipient()
    const asked = kms.leaseDataKey(holderId, { ...request, recipientKey: recipient.publicKey })
    // Later than this an answer would be worth nothing; should it come all the same, the lease is given back.
    const leased = await within(clock, leaseMs, asked, {
      sentence: silence,
      onLate: (late) => void kms.releaseLeases(holderId, [late.leaseId]).catch(() => undefined),
    })
    const { leaseId } = leased
    const entry: Entry = {
      leaseId,
      resourceCrn: request.resourceCrn,
      deadlineMs: askedMs + leased.leaseMs,
      endedAt: null,
      stop: null,
      tellDeadline: () => undefined,
      cancelTimer: () => undefined,
    }
    this.#live.set(leaseId, entry)
    if (this.#fencedEarly.delete(leaseId)) this.#end(entry)
    if (!this.#isLive(entry)) throw new Fault('conflict', 'the right to use the data key ended before it arrived')
    const dataKey = await this.#opened(leased, recipient, entry)
    this.#watch(entry)
    this.#renewSoon()
    return { lease: this.#held(entry), dataKey }
  }

  async #opened({ leaseId, sealedDataKey }: LeasedDataKey, recipient: Recipient, entry: Entry): Promise<SecretBytes> {
    const { holderId } = this.#parts
    try {
      return openLeasedKey(sealedDataKey, recipient, { holderId, leaseId, resourceCrn: entry.resourceCrn })
    } catch (error) {
      await this.#release(entry)
      throw error
    }
  }

  /** Ends leases and says so, signed. Leases that were never ours are not in the answer. */
  fence(leaseIds: readonly string[]): FenceAck[] {
    const acks: FenceAck[] = []
    for (const leaseId of leaseIds) {
      const entry = this.#live.get(leaseId)
      if (entry) this.#end(entry)
      const ended = this.#ended.get(leaseId)
      if (ended) acks.push(this.#acknowledge(leaseId, ended))
      else remember(this.#fencedEarly, leaseId)
    }
    return acks
  }

  /** Ends every lease, for the end of the process. */
  fenceAll(): void {
    for (const entry of this.#live.values()) this.#end(entry)
  }

  #held(entry: Entry): HeldLease {
    return {
      leaseId: entry.leaseId,
      isLive: () => this.#isLive(entry),
      onEnd: (stop) => {
        if (this.#isLive(entry)) entry.stop = stop
        else stop()
      },
      onDeadline: (listener) => {
        entry.tellDeadline = listener
        listener(entry.deadlineMs)
      },
      release: () => this.#release(entry),
    }
  }

  #isLive(entry: Entry): boolean {
    if (entry.endedAt !== null) return false
    if (this.#parts.clock.monotonicMs() < entry.deadlineMs) return true
    this.#end(entry)
    return false
  }

  /** Everything under the lease has stopped when this returns. */
  #end(entry: Entry): void {
    if (entry.endedAt !== null) return
    const { clock, log } = this.#parts
    this.#forget(entry)
    entry.stop?.()
    this.#remember(entry)
    log.info({ leaseId: entry.leaseId, resourceCrn: entry.resourceCrn, at: clock.now() }, 'lease ended')
  }

  async #release(entry: Entry): Promise<void> {
    if (entry.endedAt !== null) return
    this.#forget(entry)
    this.#remember(entry)
    const { kms, clock, holderId, log } = this.#parts
    try {
      await within(clock, fenceAckMs, kms.releaseLeases(holderId, [entry.leaseId]), { sentence: silence })
    } catch (err) {
      // The key manager will see it end by time.
      log.warn({ err, leaseId: entry.leaseId }, 'lease could not be given back')
    }
  }

  #forget(entry: Entry): void {
    entry.endedAt = this.#parts.clock.now()
    entry.cancelTimer()
    this.#live.delete(entry.leaseId)
  }

  #remember({ leaseId, resourceCrn, endedAt }: Entry): void {
    this.#ended.set(leaseId, { resourceCrn, endedAt: endedAt ?? this.#parts.clock.now() })
    const [oldest] = this.#ended.keys()
    if (this.#ended.size > endedMax && oldest !== undefined) this.#ended.delete(oldest)
  }

  #acknowledge(leaseId: string, ended: { resourceCrn: string; endedAt: number }): FenceAck {
    const { holderId, privateKey } = this.#parts
    const statement = { holderId, leaseId, resourceCrn: ended.resourceCrn, fencedAt: Math.round(ended.endedAt) }
    return { ...statement, signature: signFenceAck(privateKey, statement) }
  }

  /** A timer at the deadline, set again while renewals move it. The gate checks too: timers may be late. */
  #watch(entry: Entry): void {
    const { clock } = this.#parts
    entry.cancelTimer = clock.after(Math.max(0, entry.deadlineMs - clock.monotonicMs()), () => {
      if (this.#isLive(entry)) this.#watch(entry)
    })
  }

  #renewSoon(): void {
    if (this.#isRenewing) return
    this.#isRenewing = true
    this.#parts.clock.after(leaseRenewMs, () => {
      this.#isRenewing = false
      if (this.#live.size === 0) return
      void this.#renew()
      this.#renewSoon()
    })
  }

  async #renew(): Promise<void> {
    const { kms, clock, holderId, log } = this.#parts
    const asked = [...this.#live.values()]
    const askedMs = clock.monotonicMs()
    try {
      const renewed = await kms.renewLeases(
        holderId,
        asked.map((entry) => entry.leaseId),
      )
      const lengths = new Map(renewed.map((lease) => [lease.leaseId, lease.leaseMs]))
      for (const entry of asked) this.#apply(entry, askedMs, lengths.get(entry.leaseId))
    } catch (err) {
      log.warn({ err }, 'leases could not be renewed')
    }
  }

  /** A lease that is missing from the answer is over. A lease that has ended is not revived by a late answer. */
  #apply(entry: Entry, askedMs: number, lengthMs: number | undefined): void {
    if (!this.#isLive(entry)) return
    if (lengthMs === undefined) return this.#end(entry)
    entry.deadlineMs = Math.max(entry.deadlineMs, askedMs + lengthMs)
    entry.tellDeadline(entry.deadlineMs)
  }
}

type Keyed = Pick<VolumeSpec, 'keyCrn' | 'volumeCrn' | 'wrappedDataKey' | 'as'>

/** For the data key of a volume, snapshot or image. */
export const requestFor = ({ keyCrn, volumeCrn, wrappedDataKey, as }: Keyed): DataKeyRequest => ({
  keyCrn,
  resourceCrn: volumeCrn,
  wrapped: wrappedDataKey,
  as,
})

export const leaseFor = (leases: LeaseBook, spec: Keyed): Promise<LeasedKey> => leases.take(requestFor(spec))

function remember(leaseIds: Set<string>, leaseId: string): void {
  leaseIds.add(leaseId)
  const [oldest] = leaseIds
  if (leaseIds.size > endedMax && oldest !== undefined) leaseIds.delete(oldest)
}

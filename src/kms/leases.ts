// Open data keys are lent, not given: to a disk process that is known here, for `leaseMs`, renewed while the right lasts,
// and called back the moment it ends.
//
// Why a lease cannot slip past a disable. A lease is written into the book first, and only then are the policies and the
// state of the key read. A disable (or whatever else ends the right) commits first, and only then looks into the book.
// So either the lease is in the book when the disable looks, and is taken out: then `give` fails, or the holder is
// fenced. Or it comes into the book after that look: then its reads come after the commit, and see it.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { dataKeyBytes, leaseMs, leasesPerHolderMax } from '#base/limits.ts'
import { passphraseBytesMax } from '#base/limits-luks2.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { sealLeasedKey } from '#crypto/leased-key.ts'
import { versionOf, wrappedKeyRefusal } from '#crypto/wrapped-key.ts'
import type { IamPort } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import type { Fencing } from './fencing.ts'
import { keyNotFound, requireRootKey, requireState } from './key.ts'
import { authorizeNamed, locate, parseKeyName } from './key-name.ts'
import { openWrapped } from './key-use.ts'
import { readKey } from './keys.ts'
import type { BookedLease, LeaseBook } from './lease-book.ts'
import type { KmsPort, Lease, LeasedDataKey, LeaseRequest, Revocation } from './port.ts'
import { userOf } from './quarantine.ts'
import type { Watch } from './quarantine.ts'
import { dataKeyAad, isOwn } from './resource.ts'
import type { LostRights } from './lost-rights.ts'
import type { Begun, Revocations } from './revocations.ts'
import type { Standings } from './standings.ts'
import { selectRegistration } from './tables-registration.ts'
import type { Unwrapped } from './tables-uses.ts'
import type { UnwrapTimes } from './unwrap-times.ts'
import { wrappedKeyNote } from './wrapped-key-note.ts'

export interface Leases extends Pick<KmsPort, 'leaseDataKey' | 'renewLeases' | 'releaseLeases'> {
  /** The key was disabled: nothing is opened under it any more, and what is open ends unless it may run on. */
  suspendKey(keyId: string, begun: Begun): Promise<void>
  /** Ends every lease under the key. Resolves when the holders have answered, or have not in time. */
  fenceKey(keyId: string, begun: Begun): Promise<void>
  /** Ends the leases of one resource under the key, when it is no longer registered. */
  fenceResource(keyId: string, resourceCrn: string): Promise<void>
  /** Asks again about every lease and ends those that have lost their right. To be called again and again. */
  recheck(): Promise<void>
  /** Forgets the leases of a holder that has gone. */
  forget(holderId: string): void
}

export function makeLeases(parts: {
  readonly reads: Reads
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly iam: IamPort
  readonly standings: Standings
  readonly fencing: Fencing
  readonly book: LeaseBook
  readonly revocations: Revocations
  readonly lostRights: LostRights
  readonly revocation: Revocation
  readonly unwrapTimes: UnwrapTimes
  readonly watch: Watch
}): Leases {
  const {
    reads,
    clock,
    random,
    sealer,
    iam,
    standings,
    fencing,
    book,
    revocation,
    revocations,
    lostRights,
    unwrapTimes,
    watch,
  } = parts

  async function leaseDataKey(holderId: string, request: LeaseRequest): Promise<LeasedDataKey> {
    requireHolder(holderId)
    const name = parseKeyName(request.keyCrn)
    const located = await locate(reads, name)
    const lease: BookedLease = {
      id: makeUuid(random),
      holderId,
      name,
      located,
      resourceCrn: request.resourceCrn,
      as: request.as,
      given: false,
      endsAtMs: clock.monotonicMs() + leaseMs,
    }
    book.write(lease)
    try {
      const sealedDataKey = await open(lease, request)
      unwrapTimes.note(opened(name.keyId, request, clock.now()))
      return { leaseId: lease.id, leaseMs, sealedDataKey }
    } catch (error) {
      book.take(({ id }) => id === lease.id)
      throw error
    }
  }

  /** Everything that is asked about a lease, after it is in the book; then the sealed data key, if it still is. */
  async function open(
    lease: BookedLease,
    { wrapped, recipientKey, isPassphrase = false }: LeaseRequest,
  ): Promise<Uint8Array> {
    const { as, name, resourceCrn } = lease
    // Anew, after the lease is in the book: the key may have been moved to a ring with other policies in between.
    const located = await locate(reads, name)
    const grant = await authorizeNamed(iam, { as, action: 'kms.secrets.unwrap', name, located })
    if (!located) throw keyNotFound(name.keyId)
    const key = await readKey(reads, grant, clock.now())
    requireState(key, 'lease')
    requireRootKey(key)
    const registration = await selectRegistration(reads, grant, resourceCrn)
    if (!registration || !isOwn(registration, as)) throw notRegistered(resourceCrn)

    const aad = isPassphrase ? [] : dataKeyAad(resourceCrn)
    const opened = await openWrapped({ reads, sealer, grant, wrapped, aad })
    using dataKey = opened.plaintext
    const { byteCount } = dataKey
    const isOne = isPassphrase ? byteCount > 0 && byteCount <= passphraseBytesMax : byteCount === dataKeyBytes
    if (!isOne) throw wrappedKeyRefusal()
    const { id: leaseId, holderId } = lease
    const sealed = sealLeasedKey(dataKey, recipientKey, { holderId, leaseId, resourceCrn })
    if (!fencing.hasHolder(holderId) || !book.give(leaseId)) throw revoked(key.id)
    watch.note(key, userOf(as), 'kms.secrets.unwrap', [resourceCrn])
    return sealed
  }

  /** What opened is a wrapped key of the resource, also where it was made before those were written down. */
  function opened(keyId: string, { resourceCrn, wrapped, as }: LeaseRequest, now: number): Unwrapped {
    const keyVersionId = versionOf(wrapped) ?? ''
    const note = wrappedKeyNote({ keyId, keyVersionId, resourceCrn, wrapped, by: as, now }, random)
    return { keyId, resourceCrn, at: now, note }
  }

  async function renewLeases(holderId: string, leaseIds: readonly string[]): Promise<readonly Lease[]> {
    const nowMs = clock.monotonicMs()
    const running = book.of(holderId, leaseIds).filter((lease) => lease.given && lease.endsAtMs > nowMs)
    const lost = await lostAmong(running)
    // Not waited for: the holder is the one who waits, and it hears here already that these are over.
    void end(lost)
    const kept = running.filter((lease) => book.extend(lease.id, nowMs + leaseMs))
    return kept.map(({ id }) => ({ leaseId: id, leaseMs }))
  }

  async function releaseLeases(holderId: string, leaseIds: readonly string[]): Promise<void> {
    const released = new Set(book.of(holderId, leaseIds).map((lease) => lease.id))
    book.take((lease) => released.has(lease.id))
  }

  async function recheck(): Promise<void> {
    const nowMs = clock.monotonicMs()
    book.take((lease) => lease.endsAtMs <= nowMs)
    await end(await lostAmong(book.all()))
  }

  /** Volumes of one service and account under one key stand and fall together: one question for all of them. */
  async function lostAmong(leases: readonly BookedLease[]): Promise<ReadonlySet<string>> {
    const groups = Map.groupBy(leases, ({ name, as }) => JSON.stringify([name, Object.entries(as).sort()]))
    const lost = await Promise.all(
      [...groups.values()].map(async (group) => {
        const [first] = group
        const kept = !first || (await mayKeep(first))
        return kept ? [] : group.map((lease) => lease.id)
      }),
    )
    return new Set(lost.flat())
  }

  /** A lease that may run on was given by right: it ends with its key, with either account, or when it is given back. */
  async function mayKeep({ name, located, as }: BookedLease): Promise<boolean> {
    if (await standings.mayLease(name, as)) return true
    if (revocation === 'at-once' || !located || (await standings.isEnded(name))) return false
    return !(await iam.isDisabled(located.accountId)) && !(await iam.isDisabled(as.accountId))
  }

  function end(ids: ReadonlySet<string>): Promise<void> {
    const taken = book.take((lease) => ids.has(lease.id))
    const run = fencing.fence(taken)
    lostRights.trace(taken, run)
    return run.answered
  }

  /** Holders that a recheck has told already, between the commit and now, count as well. */
  function endUnder(keyId: string, begun: Begun, isMeant: (lease: BookedLease) => boolean): Promise<void> {
    const { answered } = fencing.fence(book.take((lease) => lease.name.keyId === keyId && isMeant(lease)))
    revocations.follow(begun, keyId, fencing.fencedUnder(keyId, begun.sinceMs))
    return answered
  }

  function requireHolder(holderId: string): void {
    // A holder that cannot be told to stop is lent nothing.
    if (!fencing.hasHolder(holderId)) throw new Fault('unavailable', `holder ${holderId} is not registered here`)
    if (book.count(holderId) < leasesPerHolderMax) return
    throw new Fault('over_limit', `holder ${holderId} has ${leasesPerHolderMax} leases already`)
  }

  return {
    leaseDataKey,
    renewLeases,
    releaseLeases,
    recheck,
    suspendKey: (keyId, begun) => endUnder(keyId, begun, (lease) => revocation === 'at-once' || !lease.given),
    fenceKey: (keyId, begun) => endUnder(keyId, begun, () => true),
    fenceResource: (keyId, resourceCrn) =>
      fencing.fence(book.take((lease) => lease.name.keyId === keyId && lease.resourceCrn === resourceCrn)).answered,
    forget: (holderId) => void book.take((lease) => lease.holderId === holderId),
  }
}

export const notRegistered = (resourceCrn: string): Fault =>
  new Fault('not_found', `resource ${resourceCrn} is not registered on the key`, { reason: 'registration_not_found' })

const revoked = (keyId: string): Fault =>
  new Fault('conflict', `the right to use key ${keyId} ended while its data key was being opened`, {
    reason: 'KEY_ACTION_INVALID_STATE_ERR',
  })

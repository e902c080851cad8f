// The leases that are out, in memory. A lease is written down before anything is asked about it and is `given` only at the
// very end; whoever takes one out in between has revoked it. Nothing here waits for anything: each call is one step that
// no other can come between. After a restart the book is empty, and every holder hears that its leases are over.

import type { ServiceSubject } from '#iam/port.ts'
import type { KeyName } from './key-name.ts'
import type { KeyPlace } from './key.ts'

export interface BookedLease {
  readonly id: string
  readonly holderId: string
  readonly name: KeyName
  /** Null only while it is not given: where there is no such key. */
  readonly located: KeyPlace | null
  readonly resourceCrn: string
  readonly as: ServiceSubject
  /** Whether the data key has been handed out. */
  readonly given: boolean
  /** On the monotonic clock. Ours begins later than the holder's, so it ends later too. */
  readonly endsAtMs: number
}

export type LeaseBook = ReturnType<typeof makeLeaseBook>

export function makeLeaseBook() {
  const leases = new Map<string, BookedLease>()

  function change(id: string, part: Partial<Pick<BookedLease, 'given' | 'endsAtMs'>>): boolean {
    const lease = leases.get(id)
    if (lease) leases.set(id, { ...lease, ...part })
    return lease !== undefined
  }

  return {
    write(lease: BookedLease): void {
      leases.set(lease.id, lease)
    },
    /** False when it was taken out meanwhile: then nothing may be handed out. */
    give: (id: string): boolean => change(id, { given: true }),
    /** False when it was taken out meanwhile. */
    extend: (id: string, endsAtMs: number): boolean => change(id, { endsAtMs }),
    all: (): readonly BookedLease[] => [...leases.values()],
    of(holderId: string, ids: readonly string[]): readonly BookedLease[] {
      const found = ids.map((id) => leases.get(id)).filter((lease) => lease !== undefined)
      return found.filter((lease) => lease.holderId === holderId)
    },
    count: (holderId: string): number => leases.values().reduce((n, l) => n + Number(l.holderId === holderId), 0),
    /** The resources whose data keys are out under the key. */
    openUnder: (keyId: string): readonly string[] =>
      [...leases.values()]
        .filter((lease) => lease.given && lease.name.keyId === keyId)
        .map((lease) => lease.resourceCrn),
    /** How many resources of one service and account have their data keys out under the key. */
    countUnder: (keyId: string, { serviceName, accountId }: ServiceSubject): number =>
      leases
        .values()
        .filter((lease) => lease.given && lease.name.keyId === keyId)
        .reduce((n, { as }) => n + Number(as.serviceName === serviceName && as.accountId === accountId), 0),
    /** Who has data keys out under the key, and how many. */
    usersUnder(keyId: string): readonly { serviceName: string; accountId: string; openCount: number }[] {
      const given = leases.values().filter((lease) => lease.given && lease.name.keyId === keyId)
      const byUser = Map.groupBy(given, ({ as }) => `${as.accountId} ${as.serviceName}`)
      return [...byUser.values()].flatMap(([first, ...more]) => {
        if (!first) return []
        const { serviceName, accountId } = first.as
        return [{ serviceName, accountId, openCount: 1 + more.length }]
      })
    },
    /** Takes out every lease of which `matches` is true, and returns those. */
    take(matches: (lease: BookedLease) => boolean): readonly BookedLease[] {
      const taken = [...leases.values()].filter(matches)
      for (const { id } of taken) leases.delete(id)
      return taken
    },
  }
}

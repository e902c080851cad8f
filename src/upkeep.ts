// What keeps the key manager true to its surroundings: to the clock, to IAM, and to the disk processes that there are.

import type { DiskPool } from '#disk/pool.ts'
import type { Consumer } from '#events/dispatcher.ts'
import type { Iam } from '#iam/iam.ts'
import type { Kms } from '#kms/kms.ts'

/** Leases under keys that have expired, and leases whose authorization has gone. */
export const leasesConsumer = (kms: Kms): Consumer => ({
  name: 'kms.leases',
  types: [
    'iam.policy.deleted',
    'iam.policy.updated',
    'iam.policy.ended',
    'iam.role.updated',
    'iam.access-settings.updated',
    'iam.account.disabled',
    'iam.account.enabled',
    'kms.key.expired',
    'kms.key.moved',
  ],
  async reconcile() {
    await kms.expireKeys()
    await kms.recheckLeases()
  },
})

/** What the clock makes due: it is looked at now and then, and at once where somebody may have set a date. */
export const sweepsConsumer = (kms: Kms, iam: Pick<Iam, 'noteEnded'>, pruneAudit: () => Promise<void>): Consumer => ({
  name: 'kms.sweeps',
  types: ['kms.key.created', 'kms.key.policy-set'],
  async reconcile() {
    await iam.noteEnded()
    await kms.sweep()
    await pruneAudit()
  },
})

/**
 * Keeps the key manager's holders equal to the disk processes that there are: called after the start and whenever one
 * has been replaced. A holder that is known already is left alone, for meeting it anew would end its leases.
 */
export function introduce(kms: Kms): (pool: DiskPool) => void {
  let known = new Set<string>()
  return (pool) => {
    const holders = pool.holders()
    const present = new Set(holders.map((holder) => holder.holderId))
    for (const holderId of known.difference(present)) kms.holders.removeHolder(holderId)
    for (const holder of holders) if (!known.has(holder.holderId)) kms.holders.registerHolder(holder)
    known = present
  }
}

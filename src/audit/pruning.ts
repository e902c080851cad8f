// Records older than the operator keeps them are deleted, some at a time, so that nobody waits for it. Their hashes stay in
// the signed log, which therefore has to have them first: checkpoints and the proofs of younger records hold.

import type { Clock } from '#base/clock.ts'
import { auditPrunedPerTransaction } from '#base/limits-audit.ts'
import { readCursor } from '#events/outbox.ts'
import { deleteOldest } from '#events/tables-audit.ts'
import type { Database } from '#store/database.ts'
import { auditLogCursor } from './log.ts'

const dayMs = 24 * 3_600_000

/** What destroy certificates are proved by. There is one of each for a key and an account. */
const kept = ['kms', 'hs-crypto'].flatMap((service) => [`${service}.secrets.purge`, `${service}.data-keys.destroy`])

/** To be called again and again. 0 days keeps them for ever. */
export function makePruning(parts: {
  readonly database: Database
  /** By which the records are dated. */
  readonly clock: Clock
  readonly retentionDays: number
  /** Brings the signed log up to date. */
  readonly follow: () => Promise<void>
}): () => Promise<void> {
  const { database, clock, retentionDays, follow } = parts
  return async () => {
    if (retentionDays === 0) return
    await follow()
    const before = clock.now() - retentionDays * dayMs
    const page = () =>
      database.transaction(async (tx) => {
        const untilSeq = await readCursor(tx, auditLogCursor)
        return await deleteOldest(tx, { before, untilSeq, limit: auditPrunedPerTransaction, kept })
      })
    while (await page());
  }
}

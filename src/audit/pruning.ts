// Records older than the operator keeps them are deleted, some at a time, so that nobody waits for it.

import type { Clock } from '#base/clock.ts'
import { auditPrunedPerTransaction } from '#base/limits.ts'
import { deleteOldest } from '#events/tables-audit.ts'
import type { Database } from '#store/database.ts'

const dayMs = 24 * 3_600_000

/** To be called again and again. 0 days keeps them for ever. */
export function makePruning(parts: {
  readonly database: Database
  /** By which the records are dated. */
  readonly clock: Clock
  readonly retentionDays: number
}): () => Promise<void> {
  const { database, clock, retentionDays } = parts
  return async () => {
    if (retentionDays === 0) return
    const before = clock.now() - retentionDays * dayMs
    const page = () => database.transaction((tx) => deleteOldest(tx, before, auditPrunedPerTransaction))
    while (await page());
  }
}

// Replacing the master key while everything goes on. The steps, each of which may be repeated after a crash:
//   1. the database's record names the next key (`beginRotation`); from here on both keys are needed;
//   2. whatever is sealed from now on is sealed under the next key (`Ring.turn`);
//   3. every record that is not is opened and sealed again, page by page;
//   4. after a pause in which requests that began before step 2 have ended, once more from the beginning, until a pass
//      finds nothing left to do;
//   5. the next key becomes the key of the record (`endRotation`), and the one before it is forgotten.
// A crash before step 5 leaves a database that both keys together open; hold.ts finds them and goes on with step 2.

import type { Clock } from '#base/clock.ts'
import { requestSettledMs, resealedPerTransaction } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import { sealedUnder } from '#crypto/sealed-record.ts'
import type { Database } from '#store/database.ts'
import type { SealedRow, SealedRows } from '#store/sealed-rows.ts'
import type { MasterKeyProvider } from './master-key.ts'
import { endRotation } from './records.ts'
import type { Ring } from './ring.ts'

export interface RotationParts {
  readonly database: Database
  readonly ring: Ring
  readonly tables: readonly SealedRows[]
  readonly clock: Clock
  readonly log: Log
  /** The source that a plain start will ask. */
  readonly present: MasterKeyProvider
}

/** From step 3 on. `settled` waits for requests that may still hold a record sealed under the old key. */
export async function finishRotation(parts: RotationParts, settled: () => Promise<void>): Promise<void> {
  const { database, ring, log, present } = parts
  const next = ring.current.record
  log.warn({ next: next.id }, 'the master key is being replaced: both keys are needed until it is done')
  let resealed = await resealAll(parts)
  await settled()
  for (let more = await resealAll(parts); more > 0; more = await resealAll(parts)) resealed += more
  await database.transaction((tx) => endRotation(tx, next))
  await present.settle(next)
  ring.forgetOld()
  log.warn({ current: next.id, records: resealed }, 'the master key was replaced: the one before it opens nothing here')
}

/** How many records it sealed again: none means that all are under the current key. */
async function resealAll(parts: RotationParts): Promise<number> {
  let count = 0
  for (const table of parts.tables) count += await resealTable(parts, table)
  return count
}

async function resealTable({ database, ring }: RotationParts, table: SealedRows): Promise<number> {
  let [count, after] = [0, '']
  for (;;) {
    const page = await table.page(database.reads, after, resealedPerTransaction)
    const stale = page.filter((row) => sealedUnder(row.sealed) !== ring.current.record.id)
    if (stale.length > 0) {
      const fresh = stale.map((row) => ({ row, resealed: reseal(ring, row) }))
      await database.transaction(async (tx) => {
        for (const { row, resealed } of fresh) await table.replace(tx, row, resealed)
      })
      count += stale.length
    }
    const last = page.at(-1)
    if (!last || page.length < resealedPerTransaction) return count
    after = last.key
  }
}

function reseal(ring: Ring, { purpose, sealed }: SealedRow): Uint8Array {
  const plaintext = ring.open(purpose, sealed)
  try {
    return ring.seal(purpose, plaintext)
  } finally {
    plaintext.fill(0)
  }
}

export const afterRequests = (clock: Clock) => (): Promise<void> =>
  new Promise((resolve) => void clock.after(requestSettledMs, resolve))

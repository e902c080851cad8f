// After a rotation of a root key, every volume and snapshot under it gets its data key wrapped by the newest version. Woken by the key
// manager's events and by the clock; asks each time which lag, so it goes on where it stopped, whatever stopped
// it. The key manager moves the registration first and the row follows: between the two the old bytes still open, and a
// row that was not reached lags on and is done again. So is a registration that a forced deletion took away, once its key
// has been restored.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { rewrapBatch, rewrapPauseMs, vpcSweepPage } from '#base/limits.ts'
import { keyedTables } from './follow-keys.ts'
import type { VpcParts } from './parts.ts'
import { heldDataKeys, replaceDataKey } from './tables-keyed.ts'
import type { HeldDataKey, KeyedTable } from './tables-keyed.ts'
import { blockStorageOf } from './volume.ts'

export async function followRotation(parts: VpcParts): Promise<void> {
  for (const table of keyedTables) await followTable(parts, table)
}

async function followTable(parts: VpcParts, table: KeyedTable): Promise<void> {
  let afterId = ''
  let done = 0
  for (;;) {
    const page = await heldDataKeys(parts.database.reads, table, parts.region, afterId, vpcSweepPage)
    const last = page.at(-1)
    if (!last) return
    const lagging = await parts.kms.lagging(
      page.map(({ accountId, crn, keyCrn, keyVersionId }) => ({
        keyCrn,
        keyVersionId,
        resourceCrn: crn,
        as: blockStorageOf(accountId),
      })),
    )
    for (const held of page.filter((_, i) => lagging[i])) {
      if (done > 0 && done % rewrapBatch === 0) await pause(parts.clock, rewrapPauseMs)
      await rewrap(parts, table, held)
      done++
    }
    afterId = last.id
  }
}

async function rewrap(parts: VpcParts, table: KeyedTable, held: HeldDataKey): Promise<void> {
  const { accountId, crn, keyCrn, wrapped } = held
  const key = await rewrapped(parts, { keyCrn, resourceCrn: crn, wrapped, as: blockStorageOf(accountId) })
  if (!key || key.keyVersionId === held.keyVersionId) return
  await parts.database.transaction(async (tx) => {
    if (!(await replaceDataKey(tx, table, held, key))) return
    const facts = { accountId, keyCrn, keyVersionId: key.keyVersionId }
    await parts.outbox.append(
      tx,
      table === 'vpc_volume'
        ? { type: 'vpc.volume.data-key-rewrapped', ...facts, volumeCrn: crn }
        : { type: 'vpc.snapshot.data-key-rewrapped', ...facts, snapshotCrn: crn },
    )
  })
}

/** Null when the owner of the key has decided something else meanwhile: the next pass asks again. */
async function rewrapped(parts: VpcParts, request: Parameters<VpcParts['kms']['rewrapDataKey']>[0]) {
  try {
    return await parts.kms.rewrapDataKey(request)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    parts.log.warn({ err: error, resourceCrn: request.resourceCrn }, 'a data key could not be re-wrapped')
    return null
  }
}

const pause = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve))

// After a rotation of a root key, every volume under it gets its data key wrapped by the newest version. Woken by the key
// manager's events and by the clock; asks each time which volumes lag, so it goes on where it stopped, whatever stopped
// it. The key manager moves the registration first and the row follows: between the two the old bytes still open, and a
// row that was not reached lags on and is done again. So is a registration that a forced deletion took away, once its key
// has been restored.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { rewrapBatch, rewrapPauseMs, vpcSweepPage } from '#base/limits.ts'
import type { VpcParts } from './parts.ts'
import { heldDataKeys, replaceDataKey } from './tables-work.ts'
import type { HeldDataKey } from './tables-work.ts'
import { blockStorageOf } from './volume.ts'

export async function followRotation(parts: VpcParts): Promise<void> {
  let afterId = ''
  let done = 0
  for (;;) {
    const page = await heldDataKeys(parts.database.reads, parts.region, afterId, vpcSweepPage)
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
      await rewrap(parts, held)
      done++
    }
    afterId = last.id
  }
}

async function rewrap(parts: VpcParts, held: HeldDataKey): Promise<void> {
  const { accountId, crn, keyCrn, wrapped } = held
  const key = await rewrapped(parts, { keyCrn, resourceCrn: crn, wrapped, as: blockStorageOf(accountId) })
  if (!key || key.keyVersionId === held.keyVersionId) return
  await parts.database.transaction(async (tx) => {
    if (!(await replaceDataKey(tx, held, key))) return
    const facts = { accountId, volumeCrn: crn, keyCrn, keyVersionId: key.keyVersionId }
    await parts.outbox.append(tx, { type: 'vpc.volume.data-key-rewrapped', ...facts })
  })
}

/** Null when the owner of the key has decided something else meanwhile: the next pass asks again. */
async function rewrapped(parts: VpcParts, request: Parameters<VpcParts['kms']['rewrapDataKey']>[0]) {
  try {
    return await parts.kms.rewrapDataKey(request)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    parts.log.warn({ err: error, volumeCrn: request.resourceCrn }, 'a data key could not be re-wrapped')
    return null
  }
}

const pause = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve))

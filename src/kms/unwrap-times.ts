// When each resource's data key was last opened. Opening one changes nothing that anybody relies on, so it does not wait
// for a disk: the times are written together, a moment later, and a kill may cost the last of them. (The audit trail has
// each opening too.)

import type { Clock } from '#base/clock.ts'
import { unwrapTimesMs } from '#base/limits-ledger.ts'
import type { Log } from '#base/log.ts'
import type { Database } from '#store/database.ts'
import { insertWrappedKeys } from './tables-wrapped-key.ts'
import { setLastUnwrapped } from './tables-uses.ts'
import type { Unwrapped } from './tables-uses.ts'

export interface UnwrapTimes {
  note(unwrapped: Unwrapped): void
  /** Writes what waits: whoever reads them asks for it first. */
  flush(): Promise<void>
}

export function makeUnwrapTimes(parts: {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
}): UnwrapTimes {
  const { database, clock, log } = parts
  // One entry for each resource that was opened: bounded by the leases that may be out.
  let waiting = new Map<string, Unwrapped>()
  let cancelTimer: (() => void) | null = null

  async function flush(): Promise<void> {
    cancelTimer?.()
    cancelTimer = null
    const batch = waiting
    waiting = new Map()
    if (batch.size === 0) return
    try {
      await database.transaction(async (tx) => {
        const all = [...batch.values()]
        await setLastUnwrapped(tx, all)
        await insertWrappedKeys(
          tx,
          all.map(({ note }) => note),
        )
      })
    } catch (error) {
      log.error({ err: error, count: batch.size }, 'the times of unwraps could not be written')
    }
  }

  return {
    note(unwrapped) {
      waiting.set(`${unwrapped.keyId} ${unwrapped.resourceCrn}`, unwrapped)
      cancelTimer ??= clock.after(unwrapTimesMs, () => void flush())
    },
    flush,
  }
}

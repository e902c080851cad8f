// What decisions leave behind: when a policy last permitted something, and who from elsewhere was decided on. Written in
// batches, so that a decision costs no write; a crash loses the last few seconds of it, which is nobody's permission.

import type { Clock } from '#base/clock.ts'
import { decisionRecordsMax, decisionRecordsMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Event } from '#events/event.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { addPermits } from './tables-policy-lists.ts'
import type { LastPermit } from './tables-policy-lists.ts'

export type ExternalAccess = Extract<Event, { type: 'iam.external-access.evaluated' }>

export interface DecisionRecords {
  permitted(policyId: string): void
  /** The same subject, action and outcome counts once in a batch. */
  external(event: ExternalAccess): void
  /** Writes what has been collected. */
  flush(): Promise<void>
  /** The same, for the last time. */
  close(): Promise<void>
}

export function makeDecisionRecords(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly log: Log
}): DecisionRecords {
  const { database, outbox, clock, log } = parts
  let permits = new Map<string, LastPermit>()
  let strangers = new Map<string, ExternalAccess>()
  let cancel: (() => void) | null = null
  let writing: Promise<void> = Promise.resolve()

  function begin(): void {
    cancel ??= clock.after(decisionRecordsMs, inBackground)
    if (permits.size + strangers.size >= decisionRecordsMax) inBackground()
  }

  function inBackground(): void {
    flush().catch((error: unknown) => log.warn({ err: error }, 'last permits of policies could not be written'))
  }

  async function flush(): Promise<void> {
    cancel?.()
    cancel = null
    const batch = { permits, strangers: [...strangers.values()] }
    permits = new Map()
    strangers = new Map()
    const before = writing
    const turn = before.then(() => write(batch))
    writing = turn.catch(() => undefined)
    await turn
  }

  async function write(batch: { permits: typeof permits; strangers: readonly ExternalAccess[] }): Promise<void> {
    if (batch.permits.size + batch.strangers.length === 0) return
    await database.transaction(async (tx) => {
      await addPermits(tx, batch.permits)
      for (const event of batch.strangers) await outbox.append(tx, event)
    })
  }

  return {
    permitted(policyId) {
      permits.set(policyId, { at: clock.now(), count: (permits.get(policyId)?.count ?? 0) + 1 })
      begin()
    },
    external(event) {
      const { accountId, initiatorId, subjectAccountId, identityType, action, isEnforced } = event
      const key = JSON.stringify([accountId, initiatorId, subjectAccountId, identityType, action, isEnforced])
      strangers.set(key, event)
      begin()
    },
    flush,
    close: flush,
  }
}

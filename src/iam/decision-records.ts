// What decisions leave behind: when a policy last permitted something, and who from elsewhere was decided on. Written in
// batches, so that a decision costs no write; a crash loses the last few seconds of it, which is nobody's permission.

import type { Clock } from '#base/clock.ts'
import { decisionRecordsMax, decisionRecordsMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Event } from '#events/event.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { asService } from './attributes.ts'
import type { PassedBound, PassedTally, Subject, Target } from './port.ts'
import { addPassed } from './tables-bounds.ts'
import { addPermits } from './tables-policy-lists.ts'
import type { LastPermit } from './tables-policy-lists.ts'
import { accountOfPolicy } from './tables-authorizations.ts'

export type ExternalAccess = Extract<Event, { type: 'iam.external-access.evaluated' }>

export interface DecisionRecords {
  permitted(policyId: string): void
  /** The same subject, action and outcome counts once in a batch. */
  external(event: ExternalAccess): void
  /** A request that has passed a bound, refused or only watched. */
  passed(bound: PassedBound, asked: Pick<Request, 'subject' | 'action' | 'target'>): void
  /** Writes what has been collected. */
  flush(): Promise<void>
  /** The same, for the last time. */
  close(): Promise<void>
}

export function makeDecisionRecords(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly keyClock: Clock
  readonly log: Log
}): DecisionRecords {
  const { database, outbox, clock, keyClock, log } = parts
  let permits = new Map<string, LastPermit>()
  let strangers = new Map<string, ExternalAccess>()
  let bounds = new Map<string, { readonly passed: PassedBound; readonly tally: PassedTally }>()
  let cancel: (() => void) | null = null
  let writing: Promise<void> = Promise.resolve()

  function begin(): void {
    cancel ??= clock.after(decisionRecordsMs, inBackground)
    if (permits.size + strangers.size + bounds.size >= decisionRecordsMax) inBackground()
  }

  function inBackground(): void {
    flush().catch((error: unknown) => log.warn({ err: error }, 'last permits of policies could not be written'))
  }

  async function flush(): Promise<void> {
    cancel?.()
    cancel = null
    const batch = { permits, strangers: [...strangers.values()], bounds: [...bounds.values()] }
    permits = new Map()
    strangers = new Map()
    bounds = new Map()
    const before = writing
    const turn = before.then(() => write(batch))
    writing = turn.catch(() => undefined)
    await turn
  }

  interface Batch {
    readonly permits: typeof permits
    readonly strangers: readonly ExternalAccess[]
    readonly bounds: readonly { readonly passed: PassedBound; readonly tally: PassedTally }[]
  }

  async function write(batch: Batch): Promise<void> {
    if (batch.permits.size + batch.strangers.length + batch.bounds.length === 0) return
    await database.transaction(async (tx) => {
      await addPermits(tx, batch.permits)
      for (const { passed, tally } of batch.bounds) {
        const accountId = await accountOfPolicy(tx, passed.policyId)
        if (accountId === null) continue
        await addPassed(tx, passed, tally)
        await outbox.append(tx, { type: 'iam.bound.passed', accountId, ...factsOf(passed, tally) })
      }
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
    passed(bound, { subject, action, target }) {
      const key = JSON.stringify([bound.policyId, bound.bound, bound.isEnforced, subject.accountId])
      const tally: PassedTally = {
        count: (bounds.get(key)?.tally.count ?? 0) + 1,
        lastAt: keyClock.now(),
        lastBound: bound.bound,
        lastAction: action,
        lastAccountId: subject.accountId,
        lastService: asService(subject)?.serviceName ?? '',
        lastResource: target.resource ?? '',
      }
      bounds.set(key, { passed: bound, tally })
      begin()
    },
    flush,
    close: flush,
  }
}

interface Request {
  readonly subject: Subject
  readonly action: string
  readonly target: Target
}

const factsOf = (passed: PassedBound, tally: PassedTally) => ({
  policyId: passed.policyId,
  bound: passed.bound,
  isEnforced: passed.isEnforced,
  count: tally.count,
  subjectAccountId: tally.lastAccountId,
  serviceName: tally.lastService,
  action: tally.lastAction,
})

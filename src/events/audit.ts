// The audit trail: who asked for what, on what, and how it ended, for each account in its own. The record has the form of
// IBM Cloud Activity Tracker events (CADF); docs/decisions, "The audit trail", says what is written when.
//
// A service describes a call before it is served (`Draft`) and hands the serving to `watch`. What changes something is
// recorded in the transaction of the change, when the outbox hears of its event; everything else, refusals above all, is
// written a moment later, many in one transaction. So a change and its record stand and fall together, and a wrap does
// not wait for a disk.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '#base/clock.ts'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { auditBatchMax, auditFlushMs, auditWaitingMax } from '#base/limits-audit.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Database, Tx } from '#store/database.ts'
import type { AuditBody, AuditData, AuditRow } from './audit-record.ts'
import { severityOf } from './audit-severity.ts'
import type { Event } from './event.ts'
import { insertAudit } from './tables-audit.ts'

/** What is known of a call before it is served. */
export interface Draft {
  readonly action: string
  /** The account whose thing it is; null where there is no such thing. */
  readonly ownerAccountId: string | null
  readonly initiator: AuditBody['initiator'] & { readonly accountId: string | null }
  readonly target: AuditBody['target']
  readonly correlationId: string
  readonly requestData: AuditData
  /** Of the contract: how a call that does what it is for is answered. */
  readonly status: number
  /** What an initiator of another account may read of the target when it was refused: nothing it did not say itself. */
  readonly targetForStrangers: AuditBody['target']
}

/** How a call ended; `status` is an HTTP status also where no HTTP was spoken. */
export interface Ending {
  readonly status: number
  readonly responseData: AuditData
  /** In words, where it was refused. */
  readonly reason?: string
}

/** What a service says of its events: as the end of a watched call, and by themselves. */
export interface EventDescriber {
  /** Null where the event is not what the call was for. */
  endOf(
    event: Event,
    draft: Draft,
  ): {
    readonly target: AuditBody['target']
    readonly ending: Ending
    /** In the place of the draft's, where the event knows more. */
    readonly requestData?: AuditData
  } | null
  /**
   * A record of its own: of what the product did itself, and of what a call brings about beside what it is for; null
   * where there is none. `call` is the draft of the call that it happened in, if it was one.
   */
  alone(event: Event, call: Draft | null): { readonly draft: Draft; readonly ending: Ending } | null
}

/** Several as one: the first that has something to say. */
export const describers = (all: readonly EventDescriber[]): EventDescriber => ({
  endOf(event, draft) {
    for (const one of all) {
      const end = one.endOf(event, draft)
      if (end) return end
    }
    return null
  },
  alone(event, call) {
    for (const one of all) {
      const alone = one.alone(event, call)
      if (alone) return alone
    }
    return null
  },
})

export interface Watched<T> {
  readonly draft: () => Draft | Promise<Draft>
  readonly serve: () => Promise<T>
  readonly endOf: (result: T) => Ending
  readonly failureOf: (error: unknown) => Ending
}

export interface Audit {
  watch<T>(call: Watched<T>): Promise<T>
  /** For the outbox: called in the transaction of each event. */
  onEvent(tx: Tx, event: Event): Promise<void>
  /** Runs work that a call only woke, so that what it does is not taken for the call's. */
  outside<T>(work: () => Promise<T>): Promise<T>
  /** Writes what waits. */
  flush(): Promise<void>
  close(): Promise<void>
}

interface Scope {
  readonly draft: Draft
  /** Whether a transaction has written the record; it may still have been rolled back if the call then fails. */
  isWritten: boolean
}

/** Where a record stands, and what it says of its target there. */
interface Place {
  readonly accountId: string
  readonly id: string
  readonly target: AuditBody['target']
  readonly counterpartId?: string
}

/** Failures that speak of the thing itself, and so to those alone who may know of it. */
const toldWhoMay: ReadonlySet<number> = new Set([409, 410, 424])

/** A draft may find out late who asks: its getters stay. */
const withRequestData = (draft: Draft, requestData: AuditData): Draft =>
  Object.create(draft, { requestData: { value: requestData, enumerable: true } }) as Draft

export function makeAudit(parts: {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly events: EventDescriber
}): Audit {
  const { database, clock, random, log, events } = parts
  const scopes = new AsyncLocalStorage<Scope | null>()
  let waiting: AuditRow[] = []
  let writing: Promise<void> = Promise.resolve()
  let timer: (() => void) | null = null

  function rowsOf(draft: Draft, ending: Ending, target: AuditBody['target'] = draft.target): AuditRow[] {
    const { ownerAccountId, initiator } = draft
    const ids = [...new Set([ownerAccountId, initiator.accountId])].filter((id) => id !== null)
    const places = ids.map((accountId) => ({ accountId, id: makeUuid(random) }))
    // Also what was malformed: that may be found before it is known whether somebody may.
    const isRefused = ending.status >= 400 && !toldWhoMay.has(ending.status)
    return places.map((place) => {
      const other = places.find(({ id }) => id !== place.id)
      // A stranger does not even learn that there was somebody to tell.
      if (isRefused && place.accountId !== ownerAccountId)
        return makeRow(draft, ending, { ...place, target: draft.targetForStrangers })
      return makeRow(draft, ending, { ...place, target, ...(other && { counterpartId: other.id }) })
    })
  }

  function makeRow(draft: Draft, ending: Ending, place: Place): AuditRow {
    const at = clock.now()
    const { accountId: _, ...initiator } = draft.initiator
    const outcome = ending.status < 400 ? 'success' : 'failure'
    const body: AuditBody = {
      eventTime: rfc3339(at),
      action: draft.action,
      outcome,
      severity: severityOf(draft.action, ending.status),
      reason: {
        reasonCode: ending.status,
        ...(ending.reason !== undefined && { reasonForFailure: ending.reason }),
      },
      initiator,
      target: place.target,
      correlationId: draft.correlationId,
      ...(place.counterpartId !== undefined && { counterpartId: place.counterpartId }),
      requestData: draft.requestData,
      responseData: ending.responseData,
    }
    return { id: place.id, accountId: place.accountId, at, body }
  }

  async function later(rows: readonly AuditRow[]): Promise<void> {
    waiting.push(...rows)
    if (waiting.length >= auditBatchMax) void flush()
    timer ??= clock.after(auditFlushMs, () => void flush())
    // A disk that does not keep up is waited for, one call at a time.
    if (waiting.length >= auditWaitingMax) await flush()
  }

  function flush(): Promise<void> {
    timer?.()
    timer = null
    writing = writing.then(write)
    return writing
  }

  async function write(): Promise<void> {
    if (waiting.length === 0) return
    const batch = waiting.slice(0, auditWaitingMax)
    try {
      await database.transaction((tx) => insertAudit(tx, batch))
      waiting = waiting.slice(batch.length)
    } catch (error) {
      log.error({ err: error, records: waiting.length }, 'the audit trail cannot be written: records wait in memory')
    }
  }

  async function watch<T>({ draft, serve, endOf, failureOf }: Watched<T>): Promise<T> {
    // What cannot be recorded is not done.
    if (waiting.length >= auditWaitingMax) throw new Fault('unavailable', 'the audit trail cannot be written')
    const scope: Scope = { draft: await draft(), isWritten: false }
    try {
      const result = await scopes.run(scope, serve)
      if (!scope.isWritten) await later(rowsOf(scope.draft, endOf(result)))
      return result
    } catch (error) {
      await later(rowsOf(scope.draft, failureOf(error)))
      throw error
    }
  }

  return {
    watch,
    async onEvent(tx, event) {
      const scope = scopes.getStore()
      const end = scope && !scope.isWritten ? events.endOf(event, scope.draft) : null
      if (scope && end) {
        const { target, ending, requestData = scope.draft.requestData } = end
        await insertAudit(tx, rowsOf(withRequestData(scope.draft, requestData), ending, target))
        scope.isWritten = true
        return
      }
      const alone = events.alone(event, scope?.draft ?? null)
      if (alone) await insertAudit(tx, rowsOf(alone.draft, alone.ending))
    },
    outside: (work) => scopes.run(null, work),
    flush,
    async close() {
      await flush()
      if (waiting.length > 0)
        log.error({ records: waiting.length }, 'audit records are lost: they could not be written')
    },
  }
}

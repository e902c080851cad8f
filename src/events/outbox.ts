// Writing events, in the transaction of the change; reading them back, in order.

import { sql } from 'kysely'
import type { Clock } from '#base/clock.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { Event, EventType } from './event.ts'

export interface Outbox {
  append(tx: Tx, event: Event): Promise<void>
}

/** Whoever else writes down what happens, in the same transaction: the audit trail. */
export type EventListener = (tx: Tx, event: Event) => Promise<void>

export const makeOutbox = (clock: Clock, random: Random, alsoTell: EventListener = async () => {}): Outbox => ({
  async append(tx, event) {
    const { type, accountId, ...facts } = event
    const row = { id: makeUuid(random), type, account_id: accountId, at: clock.now(), body: JSON.stringify(facts) }
    await tx.insertInto('event_outbox').values(row).execute()
    await alsoTell(tx, event)
  },
})

/** The last event among `types` after `afterSeq`, or null: consumers need to know that something happened, not what. */
export async function newestSeq(reads: Reads, types: readonly EventType[], afterSeq: number): Promise<number | null> {
  const row = await reads
    .selectFrom('event_outbox')
    .select((e) => e.fn.max('seq').as('seq'))
    .where('seq', '>', afterSeq)
    .where('type', 'in', types)
    .executeTakeFirst()
  return row?.seq ?? null
}

/** An event as it was written. */
export interface HappenedEvent {
  readonly seq: number
  readonly id: string
  readonly at: number
  readonly event: Event
}

/** In the order of commits: for who has to tell of each, once. */
export async function eventsAfter(
  reads: Reads,
  types: readonly EventType[],
  afterSeq: number,
  limit: number,
): Promise<readonly HappenedEvent[]> {
  const rows = await reads
    .selectFrom('event_outbox')
    .selectAll()
    .where('seq', '>', afterSeq)
    .where('type', 'in', types)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map(({ seq, id, at, type, account_id: accountId, body }) => ({
    seq,
    id,
    at,
    // append() wrote it.
    event: { ...(JSON.parse(body) as object), type, accountId } as Event,
  }))
}

/** The first of some types that happened to one of the accounts since then, among the newest events; null where there is none. */
export async function firstSince(
  reads: Reads,
  wanted: { readonly types: readonly EventType[]; readonly accountIds: readonly string[]; readonly since: number },
): Promise<{ readonly type: EventType; readonly at: number } | null> {
  const row = await reads
    .selectFrom('event_outbox')
    .select(['type', 'at'])
    .where('seq', '>', (e) =>
      e.selectFrom('event_outbox').select((x) => sql<number>`max(${x.ref('seq')}) - ${newest}`.as('seq')),
    )
    .where('type', 'in', wanted.types)
    .where('account_id', 'in', wanted.accountIds)
    .where('at', '>=', wanted.since)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst()
  // append() wrote it.
  return row ? { type: row.type as EventType, at: row.at } : null
}

/** More than happen in the seconds that anybody asks about. */
const newest = 20_000

export async function readCursor(reads: Reads, consumer: string): Promise<number> {
  const row = await reads.selectFrom('event_cursor').select('seq').where('consumer', '=', consumer).executeTakeFirst()
  return row?.seq ?? 0
}

export async function moveCursor(tx: Tx, consumer: string, seq: number): Promise<void> {
  await tx
    .insertInto('event_cursor')
    .values({ consumer, seq })
    .onConflict((c) => c.column('consumer').doUpdateSet({ seq }))
    .execute()
}

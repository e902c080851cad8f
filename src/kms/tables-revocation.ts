// SQL of revocations. A row is written in the transaction that ends the right, or as soon as the end is noticed, and changed
// once, when nothing is served any more. Rows stay: the histogram is what they say.

import { sql } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import { revocationCauses, revocationStates } from './revocation-state.ts'
import type { RevocationCause, RevocationState } from './revocation-state.ts'

export interface Unacknowledged {
  readonly holderId: string
  readonly leaseCount: number
  readonly leasesEndAt: number
  /** The process ended, or the leases did; null where it is waited for. */
  readonly ended: 'process' | 'lease' | null
}

export interface RevocationRow {
  readonly id: string
  /** Of the key. */
  readonly accountId: string
  readonly cause: RevocationCause
  readonly keyCrn: string
  readonly committedAt: number
  readonly state: RevocationState
  readonly volumeCount: number | null
  readonly durationMs: number | null
  readonly unacknowledged: readonly Unacknowledged[]
}

export type NewRevocation = Pick<RevocationRow, 'id' | 'accountId' | 'cause' | 'keyCrn' | 'committedAt'>
export type RevocationEnd = Pick<RevocationRow, 'state' | 'volumeCount' | 'durationMs' | 'unacknowledged'>

export async function insertRevocation(tx: Tx, revocation: NewRevocation): Promise<void> {
  await tx
    .insertInto('kms_revocation')
    .values({
      id: revocation.id,
      account_id: revocation.accountId,
      cause: revocation.cause,
      key_crn: revocation.keyCrn,
      committed_at: revocation.committedAt,
      state: 'under-way',
      volume_count: null,
      duration_ms: null,
      unacknowledged: null,
    })
    .execute()
}

export async function endRevocation(tx: Tx, id: string, end: RevocationEnd): Promise<void> {
  await tx
    .updateTable('kms_revocation')
    .set({
      state: end.state,
      volume_count: end.volumeCount,
      duration_ms: end.durationMs,
      unacknowledged: end.unacknowledged.length === 0 ? null : JSON.stringify(end.unacknowledged),
    })
    .where('id', '=', id)
    .where('state', '=', 'under-way')
    .execute()
}

/** Of a process that is no more: by then every lease that it had given was over. */
export async function lapseLeftOvers(
  tx: Tx,
  left: { readonly committedUntil: number; readonly durationMs: number; readonly except: readonly string[] },
): Promise<void> {
  const query = tx
    .updateTable('kms_revocation')
    .set({ state: 'lapsed', duration_ms: left.durationMs })
    .where('state', '=', 'under-way')
    .where('committed_at', '<=', left.committedUntil)
  // An empty list is no list to every engine.
  await (left.except.length === 0 ? query : query.where('id', 'not in', left.except)).execute()
}

export async function hasUnderWay(reads: Reads): Promise<boolean> {
  const row = await reads
    .selectFrom('kms_revocation')
    .select('id')
    .where('state', '=', sql.lit('under-way'))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** The newest first. */
export async function selectRevocations(
  reads: Reads,
  accountId: string,
  page: { readonly after: Pick<RevocationRow, 'committedAt' | 'id'> | null; readonly limit: number },
): Promise<readonly RevocationRow[]> {
  let query = reads
    .selectFrom('kms_revocation')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('committed_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit)
  const { after } = page
  if (after) {
    query = query.where(({ eb, or, and }) =>
      or([
        eb('committed_at', '<', after.committedAt),
        and([eb('committed_at', '=', after.committedAt), eb('id', '<', after.id)]),
      ]),
    )
  }
  const rows = await query.execute()
  return rows.map((row) => ({
    id: row.id,
    accountId: row.account_id,
    cause: known(revocationCauses, row.cause),
    keyCrn: row.key_crn,
    committedAt: row.committed_at,
    state: known(revocationStates, row.state),
    volumeCount: row.volume_count,
    durationMs: row.duration_ms,
    // endRevocation() wrote it.
    unacknowledged: row.unacknowledged === null ? [] : (JSON.parse(row.unacknowledged) as readonly Unacknowledged[]),
  }))
}

function known<Word extends string>(words: readonly Word[], text: string): Word {
  const word = words.find((one) => one === text)
  if (word === undefined) throw new Error(`not so: ${text} is a word that was written`)
  return word
}

export interface Durations {
  readonly cause: RevocationCause
  readonly count: number
  readonly sumMs: number
  /** How many took as long as the bound or less, for each of the bounds asked for. */
  readonly within: readonly number[]
}

export async function countDurations(
  reads: Reads,
  accountId: string,
  boundsMs: readonly number[],
): Promise<readonly Durations[]> {
  const rows = await reads
    .selectFrom('kms_revocation')
    .select('cause')
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.sum<number>('duration_ms').as('sum')])
    .select(
      boundsMs.map((bound, at) => sql<number>`sum(case when duration_ms <= ${bound} then 1 else 0 end)`.as(`b${at}`)),
    )
    .where('account_id', '=', accountId)
    .where('duration_ms', 'is not', null)
    .groupBy('cause')
    .execute()
  const byCause = new Map(rows.map((row) => [row.cause, row]))
  return revocationCauses.map((cause) => {
    const row = byCause.get(cause)
    const figures: Readonly<Record<string, unknown>> = { ...row }
    return {
      cause,
      count: Number(row?.count ?? 0),
      sumMs: Number(row?.sum ?? 0),
      within: boundsMs.map((_, at) => Number(figures[`b${at}`] ?? 0)),
    }
  })
}

/** The duration that so many of them did not exceed; null where there are fewer. */
export async function selectNthDuration(
  reads: Reads,
  accountId: string,
  cause: RevocationCause,
  nth: number,
): Promise<number | null> {
  const row = await reads
    .selectFrom('kms_revocation')
    .select('duration_ms')
    .where('account_id', '=', accountId)
    .where('cause', '=', cause)
    .where('duration_ms', 'is not', null)
    .orderBy('duration_ms')
    .limit(1)
    .offset(nth - 1)
    .executeTakeFirst()
  return row?.duration_ms ?? null
}

export async function countUnderWay(reads: Reads, accountId: string): Promise<number> {
  const row = await reads
    .selectFrom('kms_revocation')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .where('state', '=', sql.lit('under-way'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

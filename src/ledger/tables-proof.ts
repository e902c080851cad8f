// SQL of proofs: when the books were compared, what was counted of each account, where they differed.

import { proofsKeptMax } from '#base/limits-ledger.ts'
import type { Reads, Tx } from '#store/database.ts'
import { idOf } from './compare.ts'
import type { Counts, Difference } from './compare.ts'

export async function insertProof(
  tx: Tx,
  proof: { readonly startedAt: number; readonly finishedAt: number },
  counts: ReadonlyMap<string, Counts>,
): Promise<void> {
  const { id } = await tx
    .insertInto('ledger_proof')
    .values({ started_at: proof.startedAt, finished_at: proof.finishedAt })
    .returning('id')
    .executeTakeFirstOrThrow()
  for (const [accountId, own] of counts) {
    const row = { proof_id: id, account_id: accountId, counts: JSON.stringify(own) }
    await tx.insertInto('ledger_proof_account').values(row).execute()
  }
  await tx
    .deleteFrom('ledger_proof_account')
    .where('proof_id', '<=', id - proofsKeptMax)
    .execute()
  await tx
    .deleteFrom('ledger_proof')
    .where('id', '<=', id - proofsKeptMax)
    .execute()
}

export async function selectLatestProof(
  reads: Reads,
): Promise<{ readonly id: number; readonly startedAt: number; readonly finishedAt: number } | null> {
  const row = await reads
    .selectFrom('ledger_proof')
    .select(['id', 'started_at as startedAt', 'finished_at as finishedAt'])
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row ?? null
}

export async function selectCounts(reads: Reads, proofId: number, accountId: string): Promise<Counts | null> {
  const row = await reads
    .selectFrom('ledger_proof_account')
    .select('counts')
    .where('proof_id', '=', proofId)
    .where('account_id', '=', accountId)
    .executeTakeFirst()
  // insertProof() wrote it.
  return row ? (JSON.parse(row.counts) as Counts) : null
}

/** Writes what differs now, and gives what has come and gone since the last time. */
export async function writeDifferences(
  tx: Tx,
  differences: readonly Difference[],
  now: number,
): Promise<{ readonly found: readonly Difference[]; readonly resolved: readonly Difference[] }> {
  const open = await tx.selectFrom('ledger_difference').selectAll().where('resolved_at', 'is', null).execute()
  const known = new Set(open.map((row) => row.id))
  const present = new Set(differences.map(idOf))
  const found = differences.filter((one) => !known.has(idOf(one)))
  const resolved = open.filter((row) => !present.has(row.id))
  for (const one of found) {
    const row = {
      id: idOf(one),
      what: one.what,
      resource_crn: one.resourceCrn,
      account_id: one.accountId,
      key_crn: one.keyCrn,
      owner_account_id: one.ownerAccountId,
      found_at: now,
      resolved_at: null,
    }
    await tx
      .insertInto('ledger_difference')
      .values(row)
      .onConflict((c) => c.column('id').doUpdateSet({ found_at: now, resolved_at: null }))
      .execute()
  }
  for (const { id } of resolved) {
    await tx.updateTable('ledger_difference').set({ resolved_at: now }).where('id', '=', id).execute()
  }
  return { found, resolved: resolved.map(toDifference) }
}

/** Those that concern the account: of its resources, or under its keys. */
export async function selectDifferences(
  reads: Reads,
  accountId: string,
  limit: number,
): Promise<readonly (Difference & { readonly foundAt: number })[]> {
  const rows = await reads
    .selectFrom('ledger_difference')
    .selectAll()
    .where('resolved_at', 'is', null)
    .where(({ eb, or }) => or([eb('account_id', '=', accountId), eb('owner_account_id', '=', accountId)]))
    .orderBy('found_at')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...toDifference(row), foundAt: row.found_at }))
}

const toDifference = (row: {
  what: string
  resource_crn: string
  account_id: string
  key_crn: string
  owner_account_id: string
}): Difference => ({
  // writeDifferences() wrote it.
  what: row.what as Difference['what'],
  resourceCrn: row.resource_crn,
  accountId: row.account_id,
  keyCrn: row.key_crn,
  ownerAccountId: row.owner_account_id,
})

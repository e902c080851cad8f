// SQL of the audit logs: heads, leaves and tiles. The records themselves are events/tables-audit.ts.

import type { Tile, TileName } from '#crypto/merkle-tiles.ts'
import type { Reads, Tx } from '#store/database.ts'

export interface Head {
  readonly size: number
  readonly checkpoint: string
}

export async function readHead(reads: Reads, accountId: string): Promise<Head | null> {
  const query = reads.selectFrom('audit_log_head').select(['size', 'checkpoint']).where('account_id', '=', accountId)
  return (await query.executeTakeFirst()) ?? null
}

export async function writeHead(tx: Tx, accountId: string, head: Head): Promise<void> {
  await tx
    .insertInto('audit_log_head')
    .values({ account_id: accountId, ...head })
    .onConflict((c) => c.column('account_id').doUpdateSet({ ...head }))
    .execute()
}

export async function readTiles(reads: Reads, accountId: string, names: readonly TileName[]): Promise<readonly Tile[]> {
  const tiles = names.map(async ({ level, index }) => {
    const row = await reads
      .selectFrom('audit_log_tile')
      .select('hashes')
      .where('account_id', '=', accountId)
      .where('level', '=', level)
      .where('tile_index', '=', index)
      .executeTakeFirst()
    return row && { level, index, hashes: row.hashes }
  })
  return (await Promise.all(tiles)).filter((tile) => tile !== undefined)
}

export async function writeTiles(tx: Tx, accountId: string, tiles: readonly Tile[]): Promise<void> {
  for (const { level, index, hashes } of tiles) {
    await tx
      .insertInto('audit_log_tile')
      .values({ account_id: accountId, level, tile_index: index, hashes })
      .onConflict((c) => c.columns(['account_id', 'level', 'tile_index']).doUpdateSet({ hashes }))
      .execute()
  }
}

export async function insertLeaves(
  tx: Tx,
  accountId: string,
  from: number,
  recordSeqs: readonly number[],
): Promise<void> {
  const rows = recordSeqs.map((seq, at) => ({ account_id: accountId, leaf_index: from + at, record_seq: seq }))
  await tx.insertInto('audit_log_leaf').values(rows).execute()
}

export async function readLeafIndex(reads: Reads, recordSeq: number): Promise<number | null> {
  const query = reads.selectFrom('audit_log_leaf').select('leaf_index').where('record_seq', '=', recordSeq)
  return (await query.executeTakeFirst())?.leaf_index ?? null
}

/** The records of some leaves, by `event_audit.seq`, in the order of the log. */
export async function readLeaves(
  reads: Reads,
  accountId: string,
  from: number,
  limit: number,
): Promise<readonly number[]> {
  const rows = await reads
    .selectFrom('audit_log_leaf')
    .select('record_seq')
    .where('account_id', '=', accountId)
    .where('leaf_index', '>=', from)
    .orderBy('leaf_index')
    .limit(limit)
    .execute()
  return rows.map((row) => row.record_seq)
}

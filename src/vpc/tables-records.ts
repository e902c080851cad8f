// SQL of what is only written down (record.ts). A child, such as an address of a subnet, belongs to its parent: a grant
// on the parent is leave for it.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { RecordKind, VpcTables } from '#store/schema/vpc.ts'
import type { Facts, Recorded } from './record.ts'
import type { Position } from './page.ts'
import { readGranted } from './tables-granted.ts'
import type { Leave } from './tables-granted.ts'
import { contains, countRows, inOrder, never, placeColumns } from './tables-pages.ts'
import type { At, Selection, Within } from './tables-pages.ts'
import type { Kind, Place } from './targets.ts'

type Row = Selectable<VpcTables['vpc_record']>

const toRecorded = <K extends RecordKind>(row: Row, kind: K): Recorded<K> => ({
  id: row.id,
  kind,
  accountId: row.account_id,
  region: row.region,
  parentId: row.parent_id,
  name: row.name,
  nameScope: row.name_scope,
  crn: row.crn,
  resourceGroupId: row.resource_group_id,
  // Written by insertRecord below, which demands the facts of the kind.
  facts: JSON.parse(row.facts) as Facts[K],
  createdAt: row.created_at,
})

const listed = (reads: Reads, kind: RecordKind, { accountId, region }: At) =>
  reads
    .selectFrom('vpc_record')
    .where('kind', '=', kind)
    .where('account_id', '=', accountId)
    .where('region', '=', region)

/** What lists are asked for; `hasNone` where nothing can match. */
export interface RecordFilter {
  readonly name?: string | undefined
  readonly resourceGroupId?: string | undefined
  readonly parentIds?: readonly string[] | undefined
  readonly zone?: string | undefined
  readonly hasNone?: boolean | undefined
}

function filtered(query: ReturnType<typeof listed>, filter: RecordFilter): ReturnType<typeof listed> {
  const { name, resourceGroupId, parentIds, zone, hasNone } = filter
  return query
    .$if(name !== undefined, (q) => q.where('name', '=', name ?? ''))
    .$if(resourceGroupId !== undefined, (q) => q.where('resource_group_id', '=', resourceGroupId ?? ''))
    .$if(parentIds !== undefined, (q) => q.where('parent_id', 'in', parentIds ?? []))
    .$if(zone !== undefined, (q) => q.where(contains('facts', `"zone":${JSON.stringify(zone)}`)))
    .$if(hasNone === true, (q) => q.where(never))
}

export const pageOfRecords = (
  reads: Reads,
  kind: RecordKind,
  at: At,
  filter: RecordFilter,
  selection: Selection,
): Promise<(Place & Position)[]> =>
  inOrder(filtered(listed(reads, kind, at), filter), selection)
    .select(placeColumns)
    .execute()

/** Quotas bound how many there are, so they are counted. */
export const countListedRecords = (
  reads: Reads,
  kind: RecordKind,
  at: At,
  filter: RecordFilter,
  within: Within,
): Promise<number> => countRows(filtered(listed(reads, kind, at), filter), within)

export async function locateRecord(
  reads: Reads,
  kind: RecordKind,
  at: At & { readonly id: string },
): Promise<Place | null> {
  return (await listed(reads, kind, at).where('id', '=', at.id).select(placeColumns).executeTakeFirst()) ?? null
}

/** Those of the granted things that are still there, in the order of the leave. */
export const readRecords = <K extends RecordKind & Kind>(reads: Reads, kind: K, leave: Leave): Promise<Recorded<K>[]> =>
  readGranted(leave, kind, async (accountId, ids) => [...(await referredRecords(reads, kind, accountId, ids)).values()])

export async function readRecord<K extends RecordKind & Kind>(
  reads: Reads,
  kind: K,
  grant: Grant,
): Promise<Recorded<K> | null> {
  return (await readRecords(reads, kind, [grant]))[0] ?? null
}

/** What things that have been read by leave refer to: part of what they show of themselves. */
export async function referredRecords<K extends RecordKind>(
  reads: Reads,
  kind: K,
  accountId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Recorded<K>>> {
  if (ids.length === 0) return new Map()
  const rows = await reads
    .selectFrom('vpc_record')
    .selectAll()
    .where('kind', '=', kind)
    .where('account_id', '=', accountId)
    .where('id', 'in', [...new Set(ids)])
    .execute()
  return new Map(rows.map((row) => [row.id, toRecorded(row, kind)]))
}

/** What things that have been read by leave lie in. */
export const parentsOf = <K extends RecordKind>(
  reads: Reads,
  kind: K,
  accountId: string,
  things: readonly Pick<Recorded, 'parentId'>[],
): Promise<ReadonlyMap<string, Recorded<K>>> =>
  referredRecords(
    reads,
    kind,
    accountId,
    things.map(({ parentId }) => parentId),
  )

/** The children of things that have been read by leave, oldest first. */
export async function childrenOf<K extends RecordKind>(
  reads: Reads,
  kind: K,
  accountId: string,
  parentIds: readonly string[],
): Promise<Recorded<K>[]> {
  if (parentIds.length === 0) return []
  const rows = await reads
    .selectFrom('vpc_record')
    .selectAll()
    .where('kind', '=', kind)
    .where('account_id', '=', accountId)
    .where('parent_id', 'in', parentIds)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map((row) => toRecorded(row, kind))
}

/** All of the kind that the account has in the region; for kinds of which there cannot be many. */
export async function recordsOfAccount<K extends RecordKind>(
  reads: Reads,
  kind: K,
  at: { readonly accountId: string; readonly region: string },
): Promise<Recorded<K>[]> {
  const rows = await reads
    .selectFrom('vpc_record')
    .selectAll()
    .where('account_id', '=', at.accountId)
    .where('region', '=', at.region)
    .where('kind', '=', kind)
    .execute()
  return rows.map((row) => toRecorded(row, kind))
}

/** How many of the kind the grant's account has in the region, or below the parent. */
export async function countRecords(
  reads: Reads,
  kind: RecordKind,
  grant: Grant,
  within: { readonly region: string } | { readonly parentId: string },
): Promise<number> {
  const all = reads
    .selectFrom('vpc_record')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('kind', '=', kind)
    .where('account_id', '=', grant.target.accountId)
  const row = await ('region' in within
    ? all.where('region', '=', within.region)
    : all.where('parent_id', '=', within.parentId)
  ).executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** False when another of the kind has the name in its scope. */
export async function insertRecord(tx: Tx, grant: Grant, recorded: Recorded): Promise<boolean> {
  assert(recorded.accountId === grant.target.accountId, 'a thing is written down in the account of its grant')
  const result = await tx
    .insertInto('vpc_record')
    .values({
      id: recorded.id,
      kind: recorded.kind,
      account_id: recorded.accountId,
      region: recorded.region,
      parent_id: recorded.parentId,
      name: recorded.name,
      name_scope: recorded.nameScope,
      crn: recorded.crn,
      resource_group_id: recorded.resourceGroupId,
      facts: JSON.stringify(recorded.facts),
      created_at: recorded.createdAt,
    })
    .onConflict((c) => c.columns(['kind', 'name_scope', 'name']).doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

export async function isRecordNameTaken(tx: Tx, recorded: Recorded, name: string): Promise<boolean> {
  const row = await tx
    .selectFrom('vpc_record')
    .select('id')
    .where('kind', '=', recorded.kind)
    .where('name_scope', '=', recorded.nameScope)
    .where('name', '=', name)
    .where('id', '!=', recorded.id)
    .executeTakeFirst()
  return row !== undefined
}

export async function updateRecord<K extends RecordKind>(
  tx: Tx,
  grant: Grant,
  recorded: Recorded<K>,
  change: { readonly name?: string; readonly facts?: Facts[K] },
): Promise<void> {
  await tx
    .updateTable('vpc_record')
    .set({
      name: change.name ?? recorded.name,
      facts: JSON.stringify(change.facts ?? recorded.facts),
    })
    .where('id', '=', recorded.id)
    .where('account_id', '=', grant.target.accountId)
    .execute()
}

/** False when it has gone. */
export async function deleteRecord(tx: Tx, grant: Grant, id: string): Promise<boolean> {
  const result = await tx
    .deleteFrom('vpc_record')
    .where('id', '=', id)
    .where('account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

/** What lies in the thing, of every kind. */
export async function deleteChildren(tx: Tx, grant: Grant, parentId: string): Promise<void> {
  await tx
    .deleteFrom('vpc_record')
    .where('parent_id', '=', parentId)
    .where('account_id', '=', grant.target.accountId)
    .execute()
}

// For the end of an instance, which no caller waits for ------------------------------------------------------------------

export async function recordsOfInstance(reads: Reads, instanceId: string): Promise<Recorded<'network-interface'>[]> {
  const rows = await reads.selectFrom('vpc_record').selectAll().where('parent_id', '=', instanceId).execute()
  return rows.map((row) => toRecorded(row, 'network-interface'))
}

export async function readRecordForWork<K extends RecordKind>(
  reads: Reads,
  kind: K,
  id: string,
): Promise<Recorded<K> | null> {
  const row = await reads.selectFrom('vpc_record').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toRecorded(row, kind) : null
}

export async function removeRecords(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await tx.deleteFrom('vpc_record').where('id', 'in', ids).execute()
}

export async function writeFacts<K extends RecordKind>(tx: Tx, recorded: Recorded<K>, facts: Facts[K]): Promise<void> {
  await tx
    .updateTable('vpc_record')
    .set({ facts: JSON.stringify(facts) })
    .where('id', '=', recorded.id)
    .execute()
}

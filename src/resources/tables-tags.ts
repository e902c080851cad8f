// SQL of tags: the names that an account has, and which of its resources carry them. A name must exist to be attached,
// which a foreign key keeps so.

import type { Selectable } from 'kysely'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { ResourceTables } from '#store/schema/resources.ts'

export type TaggingRow = Selectable<ResourceTables['resources_tagging']>

export interface TagKind {
  readonly accountId: string
  readonly type: string
}

/** Those among `names` that were not there before. */
export async function insertTags(
  tx: Tx,
  _grant: Grant,
  { accountId, type }: TagKind,
  names: readonly string[],
  at: number,
): Promise<readonly string[]> {
  const rows = names.map((name) => ({ account_id: accountId, type, name, created_at: at }))
  const made = await tx
    .insertInto('resources_tag')
    .values(rows)
    .onConflict((c) => c.doNothing())
    .returning('name')
    .execute()
  return made.map((row) => row.name)
}

export async function countTags(reads: Reads, { accountId, type }: TagKind): Promise<number> {
  const row = await reads
    .selectFrom('resources_tag')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('account_id', '=', accountId)
    .where('type', '=', type)
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

export interface TagPage {
  readonly names: readonly string[]
  readonly totalCount: number
}

export async function selectTags(
  reads: Reads,
  { accountId, type }: TagKind,
  page: {
    readonly attachedOnly: boolean
    readonly direction: 'asc' | 'desc'
    readonly offset: number
    readonly limit: number
  },
): Promise<TagPage> {
  let query = reads.selectFrom('resources_tag').where('account_id', '=', accountId).where('type', '=', type)
  if (page.attachedOnly) {
    query = query.where((e) =>
      e.exists(
        e
          .selectFrom('resources_tagging')
          .select('resources_tagging.name')
          .whereRef('resources_tagging.account_id', '=', 'resources_tag.account_id')
          .whereRef('resources_tagging.type', '=', 'resources_tag.type')
          .whereRef('resources_tagging.name', '=', 'resources_tag.name'),
      ),
    )
  }
  const total = await query.select((e) => e.fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
  const rows = await query
    .select('name')
    .orderBy('name', page.direction)
    .limit(page.limit)
    .offset(page.offset)
    .execute()
  return { names: rows.map((row) => row.name), totalCount: Number(total.count) }
}

/** Those among `names` that exist. */
export async function selectTagsNamed(
  reads: Reads,
  { accountId, type }: TagKind,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await reads
    .selectFrom('resources_tag')
    .select('name')
    .where('account_id', '=', accountId)
    .where('type', '=', type)
    .where('name', 'in', names)
    .execute()
  return new Set(rows.map((row) => row.name))
}

export async function selectUnusedTags(reads: Reads, { accountId, type }: TagKind): Promise<readonly string[]> {
  const rows = await reads
    .selectFrom('resources_tag')
    .leftJoin('resources_tagging', (join) =>
      join
        .onRef('resources_tagging.account_id', '=', 'resources_tag.account_id')
        .onRef('resources_tagging.type', '=', 'resources_tag.type')
        .onRef('resources_tagging.name', '=', 'resources_tag.name'),
    )
    .select('resources_tag.name')
    .where('resources_tag.account_id', '=', accountId)
    .where('resources_tag.type', '=', type)
    .where('resources_tagging.name', 'is', null)
    .orderBy('resources_tag.name')
    .execute()
  return rows.map((row) => row.name)
}

export async function deleteTag(tx: Tx, _grant: Grant, { accountId, type }: TagKind, name: string): Promise<void> {
  await tx
    .deleteFrom('resources_tag')
    .where('account_id', '=', accountId)
    .where('type', '=', type)
    .where('name', '=', name)
    .execute()
}

// On resources --------------------------------------------------------------------------------------------------------

export async function selectTaggings(
  reads: Reads,
  accountId: string,
  resourceCrn: string | null,
): Promise<readonly TaggingRow[]> {
  let query = reads.selectFrom('resources_tagging').selectAll().where('account_id', '=', accountId)
  if (resourceCrn !== null) query = query.where('resource_crn', '=', resourceCrn)
  return await query.orderBy('resource_crn').orderBy('type').orderBy('name').execute()
}

export async function insertTaggings(
  tx: Tx,
  _grant: Grant,
  { accountId, type }: TagKind,
  resourceCrn: string,
  names: readonly string[],
): Promise<void> {
  const rows = names.map((name) => ({ account_id: accountId, resource_crn: resourceCrn, type, name }))
  await tx
    .insertInto('resources_tagging')
    .values(rows)
    .onConflict((c) => c.doNothing())
    .execute()
}

export async function deleteTaggings(
  tx: Tx,
  _grant: Grant,
  { accountId, type }: TagKind,
  resourceCrn: string,
  names: readonly string[],
): Promise<void> {
  await tx
    .deleteFrom('resources_tagging')
    .where('account_id', '=', accountId)
    .where('resource_crn', '=', resourceCrn)
    .where('type', '=', type)
    .where('name', 'in', names)
    .execute()
}

/** With the resource itself, in the transaction that removes it. */
export async function deleteTaggingsOf(tx: Tx, accountId: string, resourceCrn: string): Promise<void> {
  await tx
    .deleteFrom('resources_tagging')
    .where('account_id', '=', accountId)
    .where('resource_crn', '=', resourceCrn)
    .execute()
}

// SQL of objects and the files that they consist of, in the bucket that the grant names.

import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { ObjectRow, SegmentRow } from './object.ts'

/** The bucket that a grant is about. */
export const bucketOf = (grant: Grant): string => grant.target.resource ?? ''

export async function selectObject(reads: Reads, grant: Grant, key: string): Promise<ObjectRow | null> {
  const row = reads.selectFrom('cos_object').selectAll().where('bucket', '=', bucketOf(grant)).where('key', '=', key)
  return (await row.executeTakeFirst()) ?? null
}

export async function selectSegments(reads: Reads, objectId: string): Promise<readonly SegmentRow[]> {
  return await reads
    .selectFrom('cos_segment')
    .selectAll()
    .where('object_id', '=', objectId)
    .orderBy('ordinal')
    .execute()
}

export async function insertObject(
  tx: Tx,
  _grant: Grant,
  row: ObjectRow,
  segments: readonly Omit<SegmentRow, 'object_id' | 'ordinal'>[],
): Promise<void> {
  await tx.insertInto('cos_object').values(row).execute()
  for (let at = 0; at < segments.length; at += rowsPerInsert) {
    const rows = segments
      .slice(at, at + rowsPerInsert)
      .map((segment, index) => ({ ...segment, object_id: row.id, ordinal: at + index }))
    await tx.insertInto('cos_segment').values(rows).execute()
  }
}

const rowsPerInsert = 500

/** With its segments. Which files no object has any more. */
export async function deleteObject(tx: Tx, row: Pick<ObjectRow, 'id'>): Promise<readonly string[]> {
  const unshared = await tx
    .selectFrom('cos_segment as s')
    .select('s.file_id')
    .distinct()
    .where('s.object_id', '=', row.id)
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom('cos_segment as other')
            .select('other.file_id')
            .whereRef('other.file_id', '=', 's.file_id')
            .where('other.object_id', '!=', row.id),
        ),
      ),
    )
    .execute()
  await tx.deleteFrom('cos_segment').where('object_id', '=', row.id).execute()
  await tx.deleteFrom('cos_object').where('id', '=', row.id).execute()
  return unshared.map((segment) => segment.file_id)
}

/** In the order of their keys' UTF-8, from a key on, or after it. */
export async function selectObjects(
  reads: Reads,
  grant: Grant,
  from: { readonly key: string; readonly inclusive: boolean; readonly below: string | null; readonly limit: number },
): Promise<readonly ObjectRow[]> {
  let query = reads
    .selectFrom('cos_object')
    .selectAll()
    .where('bucket', '=', bucketOf(grant))
    .where('key', from.inclusive ? '>=' : '>', from.key)
  if (from.below !== null) query = query.where('key', '<', from.below)
  return await query.orderBy('key').limit(from.limit).execute()
}

/** Of a bucket whose instance has gone. */
export async function firstObjects(reads: Reads, bucket: string, limit: number): Promise<readonly ObjectRow[]> {
  return await reads.selectFrom('cos_object').selectAll().where('bucket', '=', bucket).limit(limit).execute()
}

export async function hasObjects(reads: Reads, bucket: string): Promise<boolean> {
  return (await firstObjects(reads, bucket, 1)).length > 0
}

/** Which of the files some object or some part has. */
export async function selectKnownFiles(reads: Reads, fileIds: readonly string[]): Promise<ReadonlySet<string>> {
  // In this order: a part that becomes a segment in between has been seen, and a segment never becomes a part.
  const parts = await reads.selectFrom('cos_part').select('file_id').where('file_id', 'in', fileIds).execute()
  const segments = await reads.selectFrom('cos_segment').select('file_id').where('file_id', 'in', fileIds).execute()
  return new Set([...segments, ...parts].map((row) => row.file_id))
}

// SQL of uploads in parts, in the bucket that the grant names.

import type { Selectable } from 'kysely'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { CosTables } from '#store/schema/cos.ts'
import { bucketOf } from './tables-objects.ts'

export type UploadRow = Selectable<CosTables['cos_upload']>
export type PartRow = Selectable<CosTables['cos_part']>

export async function insertUpload(tx: Tx, _grant: Grant, row: UploadRow): Promise<void> {
  await tx.insertInto('cos_upload').values(row).execute()
}

export async function selectUpload(
  reads: Reads,
  grant: Grant,
  upload: { readonly id: string; readonly key: string },
): Promise<UploadRow | null> {
  const row = reads
    .selectFrom('cos_upload')
    .selectAll()
    .where('id', '=', upload.id)
    .where('bucket', '=', bucketOf(grant))
    .where('key', '=', upload.key)
  return (await row.executeTakeFirst()) ?? null
}

/** In the order of key and id, after one. */
export async function selectUploads(
  reads: Reads,
  grant: Grant,
  page: {
    readonly afterKey: string
    readonly afterId: string
    readonly from: string
    readonly below: string | null
    readonly limit: number
  },
): Promise<readonly UploadRow[]> {
  let query = reads
    .selectFrom('cos_upload')
    .selectAll()
    .where('bucket', '=', bucketOf(grant))
    .where('key', '>=', page.from)
    .where((e) =>
      e.or([e('key', '>', page.afterKey), e.and([e('key', '=', page.afterKey), e('id', '>', page.afterId)])]),
    )
  if (page.below !== null) query = query.where('key', '<', page.below)
  return await query.orderBy('key').orderBy('id').limit(page.limit).execute()
}

export async function selectParts(
  reads: Reads,
  upload: Pick<UploadRow, 'id'>,
  page: { readonly after: number; readonly limit: number },
): Promise<readonly PartRow[]> {
  return await reads
    .selectFrom('cos_part')
    .selectAll()
    .where('upload_id', '=', upload.id)
    .where('number', '>', page.after)
    .orderBy('number')
    .limit(page.limit)
    .execute()
}

/** In the place of the part that had the number. The file that no part has any more, or null. */
export async function putPart(tx: Tx, _grant: Grant, row: PartRow): Promise<string | null> {
  const part = tx.selectFrom('cos_part').select('file_id').where('upload_id', '=', row.upload_id)
  const before = await part.where('number', '=', row.number).executeTakeFirst()
  const { upload_id: _, number: __, ...set } = row
  await tx
    .insertInto('cos_part')
    .values(row)
    .onConflict((c) => c.columns(['upload_id', 'number']).doUpdateSet(set))
    .execute()
  return before?.file_id ?? null
}

/** With its parts. The files that they had. */
export async function deleteUpload(tx: Tx, upload: Pick<UploadRow, 'id'>): Promise<readonly string[]> {
  const parts = await tx.selectFrom('cos_part').select('file_id').where('upload_id', '=', upload.id).execute()
  await tx.deleteFrom('cos_part').where('upload_id', '=', upload.id).execute()
  await tx.deleteFrom('cos_upload').where('id', '=', upload.id).execute()
  return parts.map((part) => part.file_id)
}

/** All of a bucket, with it. The files that their parts had. */
export async function deleteUploadsOf(tx: Tx, bucket: string): Promise<readonly string[]> {
  const uploads = await tx.selectFrom('cos_upload').select('id').where('bucket', '=', bucket).execute()
  const files: string[] = []
  for (const upload of uploads) files.push(...(await deleteUpload(tx, upload)))
  return files
}

// SQL of image export jobs. They are parts of their image: a grant on the image is leave to its jobs, and they go with it.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { ImageExportId, ImageId } from '#base/id.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcImageTables } from '#store/schema/vpc-images.ts'
import { imageIdText } from './ids.ts'
import { unfinished } from './image-export.ts'
import type { ExportStatus, ImageExport } from './image-export.ts'
import { grantedOne } from './tables-granted.ts'
import type { StatusReason } from './volume-state.ts'

type Verb = 'create' | 'read' | 'list' | 'update' | 'delete'
export type ExportGrant<V extends Verb = Verb> = Grant<`is.image.image-export-job.${V}`>

type Row = Selectable<VpcImageTables['vpc_image_export']>

const toExport = (row: Row): ImageExport => ({
  id: row.id,
  imageId: row.image_id,
  accountId: row.account_id,
  region: row.region,
  name: row.name,
  format: row.format,
  bucket: { name: row.bucket, crn: row.bucket_crn, location: row.location },
  object: row.object,
  passphrase: row.passphrase,
  status: row.phase,
  failure: row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
  createdAt: row.created_at,
  startedAt: row.started_at,
  completedAt: row.completed_at,
})

/** All jobs of the image, newest first. */
export async function readExports(reads: Reads, grant: ExportGrant): Promise<ImageExport[]> {
  const { accountId, id } = grantedOne(grant, 'image')
  const rows = await reads
    .selectFrom('vpc_image_export')
    .selectAll()
    .where('image_id', '=', imageIdText(id))
    .where('account_id', '=', accountId)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute()
  return rows.map(toExport)
}

export const readExport = async (reads: Reads, grant: ExportGrant, id: string): Promise<ImageExport | null> =>
  (await readExports(reads, grant)).find((job) => job.id === id) ?? null

export async function countUnfinishedExports(tx: Tx, grant: ExportGrant<'create'>, region: string): Promise<number> {
  const row = await tx
    .selectFrom('vpc_image_export')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('account_id', '=', grant.target.accountId)
    .where('region', '=', region)
    .where('phase', 'in', unfinished)
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** False when the name is taken: the unique index decides. */
export async function insertExport(tx: Tx, grant: ExportGrant<'create'>, job: ImageExport): Promise<boolean> {
  const { accountId, id } = grantedOne(grant, 'image')
  assert(job.accountId === accountId && job.imageId === id, 'a job is made for the image of its grant')
  const result = await tx
    .insertInto('vpc_image_export')
    .values({
      id: job.id,
      image_id: job.imageId,
      account_id: job.accountId,
      region: job.region,
      name: job.name,
      format: job.format,
      bucket: job.bucket.name,
      bucket_crn: job.bucket.crn,
      location: job.bucket.location,
      object: job.object,
      passphrase: null,
      phase: 'queued',
      failure_code: null,
      failure_message: null,
      created_at: job.createdAt,
      started_at: null,
      completed_at: null,
    })
    .onConflict((c) => c.columns(['image_id', 'name']).doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

/** Null when it has gone. */
export async function renameExport(
  tx: Tx,
  grant: ExportGrant<'update'>,
  id: ImageExportId,
  name: string,
): Promise<ImageExport | null> {
  return await change(tx, id, ['queued', 'running', 'succeeded', 'failed'], { name }, grant.target.accountId)
}

/** As it was; null when it is on its way out already. One that has ended is gone with this. */
export async function endExport(tx: Tx, grant: ExportGrant<'delete'>, id: ImageExportId): Promise<ImageExport | null> {
  const { accountId } = grant.target
  const ended = await tx
    .deleteFrom('vpc_image_export')
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', 'in', ['succeeded', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return ended ? toExport(ended) : await change(tx, id, ['queued', 'running'], { phase: 'deleting' }, accountId)
}

// Background work, across accounts; see tables-work.ts.

export async function exportsToDo(reads: Reads, region: string): Promise<ImageExport[]> {
  const rows = await reads
    .selectFrom('vpc_image_export')
    .selectAll()
    .where('phase', 'in', unfinished)
    .where('region', '=', region)
    .orderBy('created_at')
    .execute()
  return rows.map(toExport)
}

export async function readExportForWork(reads: Reads, id: ImageExportId): Promise<ImageExport | null> {
  const row = await reads.selectFrom('vpc_image_export').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toExport(row) : null
}

export async function hasUnfinishedExport(reads: Reads, imageId: ImageId): Promise<boolean> {
  const row = await reads
    .selectFrom('vpc_image_export')
    .select('id')
    .where('image_id', '=', imageId)
    .where('phase', 'in', unfinished)
    .executeTakeFirst()
  return row !== undefined
}

/** Null when it was cancelled meanwhile, or has begun. */
export const startExport = (tx: Tx, id: ImageExportId, now: number): Promise<ImageExport | null> =>
  change(tx, id, ['queued'], { phase: 'running', started_at: now })

/** The passphrase that the file will have from now on. Null when the job was cancelled meanwhile. */
export const keepPassphrase = (tx: Tx, id: ImageExportId, passphrase: Uint8Array): Promise<ImageExport | null> =>
  change(tx, id, ['running'], { passphrase })

export const succeedExport = (tx: Tx, id: ImageExportId, now: number): Promise<ImageExport | null> =>
  change(tx, id, ['running'], { phase: 'succeeded', completed_at: now })

export const failExport = (
  tx: Tx,
  id: ImageExportId,
  now: number,
  { code, message }: StatusReason,
): Promise<ImageExport | null> =>
  change(tx, id, ['queued', 'running'], {
    phase: 'failed',
    completed_at: now,
    failure_code: code,
    failure_message: message,
  })

export async function removeCancelled(tx: Tx, id: ImageExportId): Promise<boolean> {
  const result = await tx
    .deleteFrom('vpc_image_export')
    .where('id', '=', id)
    .where('phase', '=', 'deleting')
    .executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}

/** With their image. */
export async function removeExportsOf(tx: Tx, imageId: ImageId): Promise<void> {
  await tx.deleteFrom('vpc_image_export').where('image_id', '=', imageId).execute()
}

async function change(
  tx: Tx,
  id: ImageExportId,
  from: readonly ExportStatus[],
  to: Partial<Row>,
  accountId?: string,
): Promise<ImageExport | null> {
  const row = await tx
    .updateTable('vpc_image_export')
    .set(to)
    .where('id', '=', id)
    .where('phase', 'in', from)
    .$if(accountId !== undefined, (q) => q.where('account_id', '=', accountId ?? ''))
    .returningAll()
    .executeTakeFirst()
  return row ? toExport(row) : null
}

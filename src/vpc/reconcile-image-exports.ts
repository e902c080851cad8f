// Does what image export jobs are for, and undoes those that were cancelled. Takes no input, reads the tables, and may run at
// any time, twice, or late. The steps of a job, each of which the next pass takes up:
//
//   1. its row: `queued`; the request is answered
//   2. a copy has room for it: `running`
//   3. of an image under a user's key: a passphrase for the file, wrapped under that key, kept in the row
//   4. a disk process writes the file; object storage takes it whole, under a name that is the job's alone
//   5. `succeeded`
//
// A crash before 5 has the file written again, over itself. A job that is cancelled ends its copy first, and then removes
// what step 4 may have left.

import { Fault } from '#base/fault.ts'
import { vpcWorkParallelMax } from '#base/limits.ts'
import type { Copies } from './copies.ts'
import { forEach } from './each.ts'
import { imageServiceOf, imageSpec } from './image.ts'
import type { Image } from './image.ts'
import type { ImageExport } from './image-export.ts'
import { failureOf } from './image-failure.ts'
import type { VpcParts } from './parts.ts'
import {
  exportsToDo,
  failExport,
  keepPassphrase,
  readExportForWork,
  removeCancelled,
  startExport,
  succeedExport,
} from './tables-image-exports.ts'
import { readImageForWork } from './tables-image-work.ts'
import { blockStorageOf } from './volume.ts'
import { keyReason } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

export async function reconcileImageExports(parts: VpcParts, copies: Copies): Promise<void> {
  const jobs = await exportsToDo(parts.database.reads, parts.region)
  await forEach(jobs, vpcWorkParallelMax, async (job) => {
    if (job.status === 'deleting') return await undo(parts, copies, job)
    copies.start(job.id, () => run(parts, job, copies.since(job.id, job.createdAt)))
  })
}

/** VPC API, "ImageExportJobStatusReason". */
const reasons = {
  refused: { code: 'internal_error', message: 'the file could not be made' },
  timedOut: { code: 'internal_error', message: 'no disk made the file in time' },
} as const

async function run(parts: VpcParts, { id }: ImageExport, waitingSince: number): Promise<void> {
  const { database, clock } = parts
  await database.transaction((tx) => startExport(tx, id, clock.now()))
  const job = await readExportForWork(database.reads, id)
  if (job?.status !== 'running') return
  const image = await readImageForWork(database.reads, job.imageId)
  if (!image) return
  try {
    await write(parts, image, await withPassphrase(parts, image, job))
  } catch (error) {
    // One that was cancelled was ended on purpose, and its end begins another pass.
    if ((await readExportForWork(database.reads, id))?.status !== 'running') return
    const failure = await reasonOf(parts, { ...image, waitingSince }, error)
    if (!failure) throw error
    parts.log.warn({ err: error, jobId: id, code: failure.code }, 'an image could not be exported')
    return await giveUp(parts, image, job, failure)
  }
  await database.transaction(async (tx) => {
    const ended = await succeedExport(tx, id, clock.now())
    const { accountId, crn: imageCrn } = image
    if (ended) await parts.outbox.append(tx, { type: 'vpc.image-export.succeeded', accountId, imageCrn, jobId: id })
  })
}

/** Step 3. VPC docs: what is exported of an encrypted image is encrypted, and its data key comes with the job. */
async function withPassphrase(parts: VpcParts, image: Image, job: ImageExport): Promise<ImageExport> {
  if (image.isProviderManaged || job.passphrase) return job
  const as = blockStorageOf(image.accountId)
  const { wrapped } = await parts.kms.createPassphrase({ keyCrn: image.keyCrn, resourceCrn: image.crn, as })
  const kept = await parts.database.transaction((tx) => keepPassphrase(tx, job.id, wrapped))
  if (kept) return kept
  throw new Fault('conflict', 'the export was cancelled')
}

class StorageRefused extends Error {}

/** Step 4. */
async function write(parts: VpcParts, image: Image, job: ImageExport): Promise<void> {
  const { id: exportId, format, bucket, object, passphrase: wrappedPassphrase } = job
  const place = { bucket: bucket.name, location: bucket.location, object, as: imageServiceOf(image.accountId) }
  await parts.disk.exportImage(imageSpec(image), { exportId, format, wrappedPassphrase }, async (body) => {
    try {
      await parts.cos.writeObject({ ...place, contentType: 'application/octet-stream', body })
    } catch (cause) {
      const isRefusal = cause instanceof Fault && (cause.code === 'forbidden' || cause.code === 'not_found')
      throw isRefusal ? new StorageRefused(cause.message, { cause }) : cause
    }
  })
}

/** Null when it is worth another try. */
async function reasonOf(parts: VpcParts, image: Image, error: unknown): Promise<StatusReason | null> {
  if (error instanceof StorageRefused) return { code: 'cannot_access_storage_bucket', message: error.message }
  const failure = await failureOf(parts, image, error, reasons)
  if (failure !== 'key') return failure
  // A file that was begun under a key that has been taken is not finished when the key comes back: nobody waits for it.
  const now = await readImageForWork(parts.database.reads, image.id)
  const reason = now && keyReason(now.keyStanding)
  return reason ? { code: reason.code, message: reason.message.replace('volume', 'image') } : null
}

async function giveUp(parts: VpcParts, image: Image, job: ImageExport, failure: StatusReason): Promise<void> {
  const { accountId, crn: imageCrn } = image
  await parts.database.transaction(async (tx) => {
    if (!(await failExport(tx, job.id, parts.clock.now(), failure))) return
    const facts = { accountId, imageCrn, jobId: job.id, reason: failure.code }
    await parts.outbox.append(tx, { type: 'vpc.image-export.failed', ...facts })
  })
}

/** While a copy may be writing, there is a row: what it leaves is removed after its end. */
async function undo(parts: VpcParts, copies: Copies, job: ImageExport): Promise<void> {
  const { id, imageId, accountId, bucket, object } = job
  await parts.disk.cancelExport(imageId, id)
  if (copies.isRunning(id)) return
  try {
    await parts.cos.deleteObject({ bucket: bucket.name, object, as: imageServiceOf(accountId) })
  } catch (error) {
    // Its owner has taken the bucket or the leave: what there is in it is his.
    if (!(error instanceof Fault) || (error.code !== 'forbidden' && error.code !== 'not_found')) throw error
  }
  const image = await readImageForWork(parts.database.reads, imageId)
  await parts.database.transaction(async (tx) => {
    if (!(await removeCancelled(tx, id)) || !image) return
    await parts.outbox.append(tx, { type: 'vpc.image-export.deleted', accountId, imageCrn: image.crn, jobId: id })
  })
}

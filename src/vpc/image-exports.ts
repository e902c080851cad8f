// Image export jobs, as requests reach them. How the file comes to be is reconcile-image-exports.ts.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { imageExportsMax } from '#base/limits.ts'
import { printCosUrl } from '#cos/port.ts'
import type { ObjectPlace } from '#cos/port.ts'
import type { Context } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import type { imageExportPatch, imageExportPrototype } from './contract-image-exports.ts'
import { imageIdText, makeImageExportId } from './ids.ts'
import { imageServiceOf } from './image.ts'
import type { Image } from './image.ts'
import type { ImageExport } from './image-export.ts'
import { unfinished } from './image-export.ts'
import { imageInStatus, imageNameTaken, imageNotFound, isPublic, storageRefused, wrong } from './image-faults.ts'
import { imageStatusOf, mayBeDone } from './image-state.ts'
import { isStockImage } from './images.ts'
import { checkName, makeName, nameDrawsMax } from './names.ts'
import type { VpcParts } from './parts.ts'
import {
  countUnfinishedExports,
  endExport,
  insertExport,
  readExport,
  readExports,
  renameExport,
} from './tables-image-exports.ts'
import type { ExportGrant } from './tables-image-exports.ts'
import { locateImage, readImage } from './tables-images.ts'
import { targetOf } from './targets.ts'

export type ImageExports = ReturnType<typeof makeImageExports>

export function makeImageExports(parts: VpcParts) {
  const { database, iam, outbox, region, clock, random } = parts
  const { reads } = database

  /** As of the image itself: who may not know that it exists reads that it does not. */
  async function grantOn<Verb extends 'create' | 'read' | 'list' | 'update' | 'delete'>(
    context: Context,
    verb: Verb,
    imageId: string,
  ): Promise<ExportGrant<Verb>> {
    const place = await locateImage(reads, { accountId: context.caller.accountId, region, id: imageId })
    if (!place) throw isStockImage(imageId) ? isPublic() : imageNotFound(imageId)
    return await iam.authorize(context.caller, `is.image.image-export-job.${verb}`, targetOf('image', place))
  }

  /** Who may write there is asked before anything is made, and again when it is written. */
  async function bucketOf(
    context: Context,
    { name, crn }: Static<typeof imageExportPrototype>['storage_bucket'],
    object: string,
  ): Promise<ObjectPlace> {
    if ((name === undefined) === (crn === undefined)) {
      throw wrong('storage_bucket', 'storage_bucket has a name or a crn', 'validation_only_one')
    }
    const bucket = name ?? crn?.split(':').at(-1) ?? ''
    try {
      const place = await parts.cos.placeForWriting({ bucket, object, as: imageServiceOf(context.caller.accountId) })
      if (crn === undefined || crn === place.bucketCrn) return place
    } catch (error) {
      throw storageRefused(error, 'storage_bucket')
    }
    throw wrong('storage_bucket.crn', 'storage_bucket.crn names no bucket', 'cos_not_found')
  }

  async function insert(tx: Tx, context: Context, grant: ExportGrant<'create'>, job: ImageExport): Promise<boolean> {
    const image = await readImage(tx, grant)
    if (!image) throw imageNotFound(job.imageId)
    checkExportable(image, clock.now())
    // VPC docs, "Exporting a custom image": an encrypted image has the one form that can be encrypted.
    if (job.format === 'vhd' && !image.isProviderManaged)
      throw wrong('format', 'an encrypted image is exported as qcow2')
    const others = await readExports(tx, grant)
    const active = others.filter(({ status }) => unfinished.includes(status)).length
    if (others.length >= imageExportsMax.ofImage) throw quotaReached(`image ${image.id} has`, imageExportsMax.ofImage)
    if (active >= imageExportsMax.activeOfImage)
      throw quotaReached(`image ${image.id} has`, imageExportsMax.activeOfImage, 'unfinished ')
    if ((await countUnfinishedExports(tx, grant, region)) >= imageExportsMax.activeOfAccount)
      throw quotaReached('the account has', imageExportsMax.activeOfAccount, 'unfinished ')
    if (!(await insertExport(tx, grant, job))) return false
    await append(tx, context, image, job, 'vpc.image-export.created')
    return true
  }

  const append = (
    tx: Tx,
    { caller }: Context,
    { crn: imageCrn }: Pick<Image, 'crn'>,
    { accountId, id: jobId }: ImageExport,
    type: `vpc.image-export.${'created' | 'updated' | 'deletion-requested' | 'deleted'}`,
  ): Promise<void> => outbox.append(tx, { type, accountId, initiatorId: caller.iamId, imageCrn, jobId })

  return {
    async create(context: Context, imageId: string, body: Static<typeof imageExportPrototype>) {
      const grant = await grantOn(context, 'create', imageId)
      const asked = body.name === undefined ? null : checkName(body.name)
      const format = body.format ?? 'qcow2'
      for (let draw = 0; draw < nameDrawsMax; draw++) {
        const name = asked ?? makeName(random)
        const id = makeImageExportId(random, region)
        // Of no other job, whatever that is called: what is written under it is this job's.
        const object = `${name}-${id}.${format}`
        const { bucket, bucketCrn, location } = await bucketOf(context, body.storage_bucket, object)
        const job: ImageExport = {
          id,
          imageId: imageIdText(imageId),
          accountId: grant.target.accountId,
          region,
          name,
          format,
          bucket: { name: bucket, crn: bucketCrn, location },
          object,
          passphrase: null,
          status: 'queued',
          failure: null,
          createdAt: clock.now(),
          startedAt: null,
          completedAt: null,
        }
        if (await database.transaction((tx) => insert(tx, context, grant, job))) return view(context.baseUrl, job)
        if (asked !== null) throw imageNameTaken(asked)
      }
      throw new Fault('unavailable', 'no free name was found for the export job')
    },

    async list(context: Context, imageId: string) {
      const jobs = await readExports(reads, await grantOn(context, 'list', imageId))
      return { export_jobs: jobs.map((job) => view(context.baseUrl, job)) }
    },

    async get(context: Context, imageId: string, id: string) {
      const job = await readExport(reads, await grantOn(context, 'read', imageId), id)
      if (!job) throw exportNotFound(id)
      return view(context.baseUrl, job)
    },

    async update(context: Context, imageId: string, id: string, { name }: Static<typeof imageExportPatch>) {
      if (name !== undefined) checkName(name)
      const grant = await grantOn(context, 'update', imageId)
      const job = await database.transaction(async (tx) => {
        const [image, all] = [await readImage(tx, grant), await readExports(tx, grant)]
        const before = all.find((one) => one.id === id)
        if (!image || !before) throw exportNotFound(id)
        if (name === undefined || name === before.name) return before
        if (all.some((other) => other.name === name)) throw imageNameTaken(name)
        const now = await renameExport(tx, grant, before.id, name)
        if (!now) throw exportIsDeleting(id)
        await append(tx, context, image, now, 'vpc.image-export.updated')
        return now
      })
      return view(context.baseUrl, job)
    },

    /** One that runs is cancelled, and leaves nothing; what one that has succeeded has written stays (VPC API). */
    async remove(context: Context, imageId: string, id: string): Promise<void> {
      const grant = await grantOn(context, 'delete', imageId)
      await database.transaction(async (tx) => {
        const [image, before] = [await readImage(tx, grant), await readExport(tx, grant, id)]
        if (!image || !before) throw exportNotFound(id)
        const now = await endExport(tx, grant, before.id)
        if (!now) throw exportIsDeleting(id)
        const isEnded = now.status !== 'deleting'
        await append(tx, context, image, now, `vpc.image-export.${isEnded ? 'deleted' : 'deletion-requested'}`)
      })
    },
  }
}

/** VPC API, "Create an export job": one that is unusable would need its key, since the file is encrypted anew. */
function checkExportable(image: Image, now: number): void {
  const status = imageStatusOf(image, now)
  if (!mayBeDone('export', status)) throw imageInStatus(image, status, ', and cannot be exported')
}

const exportNotFound = (id: string): Fault =>
  new Fault('not_found', `image export job with id ${JSON.stringify(id.slice(0, 64))} is not found`)

const exportIsDeleting = (id: string): Fault =>
  new Fault('conflict', `image export job ${id} is being deleted`, { reason: 'invalid_state' })

const quotaReached = (who: string, count: number, what = ''): Fault =>
  new Fault('invalid', `${who} ${count} ${what}export jobs, which is the quota`, { reason: 'over_quota' })

function view(base: string, job: ImageExport) {
  const { bucket, completedAt, failure, format, id, imageId, name, object, passphrase, startedAt, status } = job
  return {
    ...(completedAt !== null && { completed_at: rfc3339(completedAt) }),
    created_at: rfc3339(job.createdAt),
    ...(passphrase && { encrypted_data_key: Buffer.from(passphrase).toString('base64') }),
    format,
    href: `${base}/v1/images/${imageId}/export_jobs/${id}`,
    id,
    name,
    resource_type: 'image_export_job' as const,
    ...(startedAt !== null && { started_at: rfc3339(startedAt) }),
    status,
    status_reasons: failure ? [{ ...failure }] : [],
    storage_bucket: { crn: bucket.crn, name: bucket.name },
    storage_href: printCosUrl({ location: bucket.location, bucket: bucket.name, object }),
    storage_object: { name: object },
  }
}

// Finishes or undoes what requests for custom images began: makes those that have their key, removes those that nobody
// wants. Takes no input, reads the tables, and may run at any time, twice, or late.

import { Fault } from '#base/fault.ts'
import { imageFileBytesMax, imageGb, vpcWorkParallelMax } from '#base/limits.ts'
import type { ImageImported } from '#disk/port.ts'
import type { Copies } from './copies.ts'
import { forEach } from './each.ts'
import { imageServiceOf, imageSpec } from './image.ts'
import type { Image } from './image.ts'
import { imageEvent } from './image-event.ts'
import { failureOf, isOverdue } from './image-failure.ts'
import { parseFile } from './image-prototype.ts'
import { overdueBefore } from './parts.ts'
import type { VpcParts } from './parts.ts'
import { percentCopied } from './restore.ts'
import {
  abandonImage,
  failImage,
  keepMadeImage,
  overdueImages,
  readImageForWork,
  removeImage,
  unfinishedImages,
  volumesCopyingImage,
} from './tables-image-work.ts'
import { hasUnfinishedExport } from './tables-image-exports.ts'
import { readVolumeForWork } from './tables-work.ts'
import { bytesPerGb, volumeSpec } from './volume.ts'
import { returnVolumeKey } from './volume-key.ts'
import { keyReason, statusOf } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

export async function reconcileImages(parts: VpcParts, copies: Copies): Promise<void> {
  await abandonOverdue(parts)
  const images = await unfinishedImages(parts.database.reads, parts.region)
  await forEach(images, vpcWorkParallelMax, (image) => proceed(parts, copies, image))
}

/** A hidden row is somebody's request, still running; one that is older than any request may be is nobody's. */
async function abandonOverdue(parts: VpcParts): Promise<void> {
  const before = overdueBefore(parts)
  for (const { id, accountId, crn: imageCrn } of await overdueImages(parts.database.reads, parts.region, before)) {
    await parts.database.transaction(async (tx) => {
      if (!(await abandonImage(tx, id))) return
      const reason = 'the request did not come to its end'
      await parts.outbox.append(tx, { type: 'vpc.image.abandoned', accountId, imageCrn, reason })
    })
  }
}

/** An image whose key does not open waits: its return has an event. A deleted key ends the matter. */
async function proceed(parts: VpcParts, copies: Copies, image: Image): Promise<void> {
  if (image.phase !== 'keyed') return await remove(parts, copies, image)
  const failure = keyReason('deleted')
  if (image.keyStanding === 'deleted' && failure) return await giveUp(parts, image, failure)
  if (statusOf(image) === 'unusable') return
  const copied = { ...image, waitingSince: copies.since(image.id, image.waitingSince) }
  if (!copies.isRunning(image.id)) return copies.start(image.id, () => make(parts, copied))
  if (isOverdue(parts, copied) && (await percentCopied(parts, image.id)) === null) {
    await giveUp(parts, image, reasons.timedOut)
  }
}

const reasons = {
  refused: { code: 'image_not_created', message: 'the image could not be made' },
  timedOut: { code: 'image_creation_timed_out', message: 'no disk made the image in time' },
} as const

/** Ends the matter, whatever the key says. */
class SourceGone extends Error {
  readonly reason: StatusReason

  constructor(reason: StatusReason, options: ErrorOptions = {}) {
    super(reason.message, options)
    this.reason = reason
  }
}

async function make(parts: VpcParts, image: Image): Promise<void> {
  let made: ImageImported
  try {
    made = image.fileHref === null ? await copyVolume(parts, image) : await importFile(parts, image, image.fileHref)
  } catch (error) {
    // One that is being deleted was ended on purpose, and its end begins another pass.
    if ((await readImageForWork(parts.database.reads, image.id))?.phase !== 'keyed') return
    const failure = error instanceof SourceGone ? error.reason : await reasonOf(parts, image, error)
    if (failure === 'key') return
    if (!failure) throw error
    parts.log.warn({ err: error, imageId: image.id, code: failure.code }, 'an image could not be made')
    return await giveUp(parts, image, failure)
  }
  const { storedBytes, sha256 } = made
  const kept = await parts.database.transaction(async (tx) => {
    const now = await keepMadeImage(tx, image.id, { capacityGb: made.capacityBytes / bytesPerGb, storedBytes, sha256 })
    if (now) await parts.outbox.append(tx, imageEvent(now))
    return now !== null
  })
  // It may have been given up and removed meanwhile: then nobody will ask for it.
  if (!kept && !(await readImageForWork(parts.database.reads, image.id))) await parts.disk.deleteVolume(image.id)
}

/** What is wrong with the file has VPC's own codes. */
async function reasonOf(parts: VpcParts, image: Image, error: unknown): Promise<StatusReason | 'key' | null> {
  const isOfFile = error instanceof Fault && (error.code === 'unprocessable' || error.code === 'too_large')
  if (isOfFile && error.reason !== undefined) return { code: error.reason, message: error.message }
  return await failureOf(parts, image, error, reasons)
}

function importFile(parts: VpcParts, image: Image, href: string): Promise<ImageImported> {
  const { format, ...object } = parseFile(href)
  const wanted = {
    format,
    capacityBytes: { min: imageGb.min * bytesPerGb, max: imageGb.max * bytesPerGb, step: bytesPerGb },
    wrappedPassphrase: image.filePassphrase,
    fileBytesMax: imageFileBytesMax,
  }
  return parts.disk.importImage(imageSpec(image), wanted, async () => {
    try {
      return (await parts.cos.readObject({ ...object, as: imageServiceOf(image.accountId) })).body
    } catch (cause) {
      // What may no longer be read, or has gone since it was asked for.
      if (!(cause instanceof Fault) || (cause.code !== 'forbidden' && cause.code !== 'not_found')) throw cause
      const code = cause.code === 'forbidden' ? 'cos_not_authorized' : 'cos_not_found'
      throw new SourceGone({ code, message: cause.message }, { cause })
    }
  })
}

/** Nobody writes it: its machine is stopped, and the volume is busy until this ends. */
async function copyVolume(parts: VpcParts, image: Image): Promise<ImageImported> {
  const volume = image.sourceVolume && (await readVolumeForWork(parts.database.reads, image.sourceVolume.id))
  if (!volume?.wrappedDataKey || volume.phase === 'deleting') {
    throw new SourceGone({ code: 'source_volume_deleted', message: 'the volume was deleted before the image was made' })
  }
  const reencrypt = volume.keyCrn !== image.keyCrn
  await parts.disk.createVolumeFrom(imageSpec(image), volumeSpec(volume), { reencrypt })
  const made = await parts.disk.describeImage(image.id)
  return { capacityBytes: volume.capacityGb * bytesPerGb, storedBytes: made?.storedBytes ?? 0, sha256: null }
}

async function giveUp(parts: VpcParts, image: Image, failure: StatusReason): Promise<void> {
  const { accountId, crn: imageCrn } = image
  await parts.database.transaction(async (tx) => {
    if (!(await failImage(tx, image.id, failure))) return
    await parts.outbox.append(tx, { type: 'vpc.image.failed', accountId, imageCrn, reason: failure.code })
  })
}

/**
 * In this order, as of volumes: while there are bytes there is a registration, and while there is a registration there is a
 * row. Not under a copy of it; one to it is ended.
 */
async function remove(parts: VpcParts, copies: Copies, image: Image): Promise<void> {
  const { id, accountId, crn: imageCrn, phase } = image
  if (phase !== 'deleting' && phase !== 'abandoned') return
  // VPC docs, "Deleting an image": its exports come to their end first.
  if (await hasUnfinishedExport(parts.database.reads, id)) return
  const copying = await volumesCopyingImage(parts.database.reads, id)
  if (copying.some((volumeId) => copies.isRunning(volumeId))) return
  if (phase === 'deleting') await parts.disk.deleteVolume(id)
  if (copies.isRunning(id)) return
  await returnVolumeKey(parts.kms, image)
  await parts.database.transaction(async (tx) => {
    if (!(await removeImage(tx, id, phase))) return
    if (phase === 'deleting') await parts.outbox.append(tx, { type: 'vpc.image.deleted', accountId, imageCrn })
    else await parts.outbox.append(tx, { type: 'vpc.image.refused', accountId, imageCrn, reason: 'abandoned' })
  })
}

// Finishes or undoes what requests began: formats volumes that have their key, removes those that nobody wants. Takes
// no input, reads the tables, and may run at any time, twice, or late.

import { vpcWorkParallelMax } from '#base/limits.ts'
import type { Copies } from './copies.ts'
import { discardOverdue } from './discard.ts'
import { forEach } from './each.ts'
import { failureOf, isOverdue } from './image-failure.ts'
import { overdueBefore } from './parts.ts'
import type { VpcParts } from './parts.ts'
import { returnSecondKeys, tellExport } from './reencrypt.ts'
import { copyImage, hasSource, percentCopied, sourceFor } from './restore.ts'
import { removeReencryption } from './tables-reencryptions.ts'
import { busyVolumes } from './tables-snapshots.ts'
import {
  markAbandoned,
  markFailed,
  markFormatted,
  markUpdated,
  overdueRequests,
  readVolumeForWork,
  removeVolume,
  unfinishedVolumes,
} from './tables-work.ts'
import { volumeSpec } from './volume.ts'
import type { Volume } from './volume.ts'
import { statusEvent } from './volume-event.ts'
import { returnVolumeKey } from './volume-key.ts'
import { keyReason, statusOf } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

export async function reconcileVolumes(parts: VpcParts, copies: Copies): Promise<void> {
  await abandonOverdue(parts)
  await discardOverdue(parts)
  const volumes = await unfinishedVolumes(parts.database.reads, parts.region)
  await forEach(volumes, vpcWorkParallelMax, (volume) => proceed(parts, copies, volume))
}

/** A volume whose key does not open waits: its return has an event, and that wakes this again. */
async function proceed(parts: VpcParts, copies: Copies, volume: Volume): Promise<void> {
  if (volume.phase === 'deleting' || volume.phase === 'abandoned') return await remove(parts, copies, volume)
  if (statusOf(volume) === 'unusable') return await endIfKeyIsDeleted(parts, volume)
  if (volume.phase !== 'keyed') await settleUpdate(parts, volume)
  else if (!hasSource(volume)) await make(parts, volume, () => parts.disk.createVolume(volumeSpec(volume)))
  else await restore(parts, copies, volume)
}

/** A copy that a disk has nothing to say of in all this time is none: the volume fails, whatever becomes of the call. */
async function restore(parts: VpcParts, copies: Copies, volume: Volume): Promise<void> {
  const source = await sourceFor(parts, volume)
  if (source === 'waits') return isOverdue(parts, volume) ? await giveUp(parts, volume, reasons.timedOut) : undefined
  if ('code' in source) return await giveUp(parts, volume, source)
  const copied = { ...volume, waitingSince: copies.since(volume.id, volume.waitingSince) }
  if (!copies.isRunning(volume.id)) {
    return copies.start(volume.id, () => make(parts, copied, () => copyImage(parts, volume, source)))
  }
  if (isOverdue(parts, copied) && (await percentCopied(parts, volume.id)) === null) {
    await giveUp(parts, volume, reasons.timedOut)
  }
}

const reasons = {
  refused: { code: 'volume_not_created', message: 'the volume could not be formatted' },
  timedOut: { code: 'volume_creation_timed_out', message: 'no disk formatted the volume in time' },
} as const

/** An unusable key is no failure to format, since it may become usable again; a deleted one ends the matter. */
async function endIfKeyIsDeleted(parts: VpcParts, volume: Volume): Promise<void> {
  const failure = keyReason('deleted')
  if (volume.phase === 'keyed' && volume.keyStanding === 'deleted' && failure) await giveUp(parts, volume, failure)
}

/** A new size or performance counts from the next opening of the image; the export is told of it. */
async function settleUpdate(parts: VpcParts, volume: Volume): Promise<void> {
  await tellExport(parts, volume)
  await parts.database.transaction(async (tx) => {
    const now = await markUpdated(tx, volume.id)
    if (now) await parts.outbox.append(tx, statusEvent(now))
  })
}

/** A hidden row is somebody's request, still running; one that is older than any request may be is nobody's. */
async function abandonOverdue(parts: VpcParts): Promise<void> {
  const before = overdueBefore(parts)
  for (const { id, accountId, crn: volumeCrn } of await overdueRequests(parts.database.reads, parts.region, before)) {
    await parts.database.transaction(async (tx) => {
      if (!(await markAbandoned(tx, id))) return
      const reason = 'the request did not come to its end'
      await parts.outbox.append(tx, { type: 'vpc.volume.abandoned', accountId, volumeCrn, reason })
    })
  }
}

async function make(parts: VpcParts, volume: Volume, makeImage: () => Promise<void>): Promise<void> {
  try {
    await makeImage()
  } catch (error) {
    const failure = await failureOf(parts, volume, error, reasons)
    if (failure === 'key') return
    if (!failure) throw error
    parts.log.warn({ err: error, volumeId: volume.id, code: failure.code }, 'a volume could not be made')
    return await giveUp(parts, volume, failure)
  }
  const formatted = await parts.database.transaction(async (tx) => {
    const now = await markFormatted(tx, volume.id)
    if (now) await parts.outbox.append(tx, statusEvent(now))
    return now !== null
  })
  // Another pass may have given the volume up meanwhile, and its owner deleted it: then nobody will ask for the image.
  if (!formatted && !(await readVolumeForWork(parts.database.reads, volume.id))) {
    await parts.disk.deleteVolume(volume.id)
  }
}

async function giveUp(parts: VpcParts, volume: Volume, failure: StatusReason): Promise<void> {
  const { accountId, crn: volumeCrn } = volume
  await parts.database.transaction(async (tx) => {
    if (!(await markFailed(tx, volume.id, failure))) return
    await parts.outbox.append(tx, { type: 'vpc.volume.failed', accountId, volumeCrn, reason: failure.code })
  })
}

/**
 * In this order: while there is an image there is a registration, and while there is a registration there is a row. A
 * stop between two lines leaves a row in its phase, and the next pass says all of it again. An abandoned row never had
 * an image, since only `keyed` ones get one. An image that is being copied, to this volume or from it, is not removed
 * under the copy: the end of that has an event.
 */
async function remove(parts: VpcParts, copies: Copies, volume: Volume): Promise<void> {
  const { id, accountId, crn: volumeCrn, phase } = volume
  if (phase !== 'deleting' && phase !== 'abandoned') return
  if (copies.isRunning(id) || (await busyVolumes(parts.database.reads, [id])).has(id)) return
  if (phase === 'deleting') await parts.disk.deleteVolume(id)
  await returnSecondKeys(parts, volume)
  await returnVolumeKey(parts.kms, volume)
  await parts.database.transaction(async (tx) => {
    if (!(await removeVolume(tx, id, phase))) return
    await removeReencryption(tx, id)
    if (phase === 'deleting') await parts.outbox.append(tx, { type: 'vpc.volume.deleted', accountId, volumeCrn })
    else await parts.outbox.append(tx, { type: 'vpc.volume.refused', accountId, volumeCrn, reason: 'abandoned' })
  })
}

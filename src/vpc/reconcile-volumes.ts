// Finishes or undoes what requests began: formats volumes that have their key, removes those that nobody wants. Takes
// no input, reads the tables, and may run at any time, twice, or late.

import { Fault } from '#base/fault.ts'
import { volumePendingMsMax, volumeRequestMsMax, vpcWorkParallelMax } from '#base/limits.ts'
import { forEach } from './each.ts'
import type { VpcParts } from './parts.ts'
import {
  markAbandoned,
  markFailed,
  markFormatted,
  overdueRequests,
  readVolumeForWork,
  removeVolume,
  unfinishedVolumes,
} from './tables-work.ts'
import { blockStorageOf, volumeSpec } from './volume.ts'
import type { Volume } from './volume.ts'
import { statusEvent } from './volume-event.ts'
import { returnVolumeKey } from './volume-key.ts'
import { keyReason } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

export async function reconcileVolumes(parts: VpcParts): Promise<void> {
  await abandonOverdue(parts)
  const volumes = await unfinishedVolumes(parts.database.reads, parts.region)
  await forEach(volumes, vpcWorkParallelMax, (volume) =>
    volume.phase === 'keyed' ? format(parts, volume) : remove(parts, volume),
  )
}

/** A hidden row is somebody's request, still running; one that is older than any request may be is nobody's. */
async function abandonOverdue(parts: VpcParts): Promise<void> {
  const before = parts.clock.now() - volumeRequestMsMax
  for (const { id, accountId, crn: volumeCrn } of await overdueRequests(parts.database.reads, parts.region, before)) {
    await parts.database.transaction(async (tx) => {
      if (!(await markAbandoned(tx, id))) return
      const reason = 'the request did not come to its end'
      await parts.outbox.append(tx, { type: 'vpc.volume.abandoned', accountId, volumeCrn, reason })
    })
  }
}

async function format(parts: VpcParts, volume: Volume): Promise<void> {
  try {
    await parts.disk.createVolume(volumeSpec(volume))
  } catch (error) {
    const failure = await failureOf(parts, volume, error)
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

/**
 * Why a volume will not come to be, or null when it is worth another try. A refusal stays one; a disk that does not
 * answer is asked again, but not for ever: pending is a promise.
 */
async function failureOf(parts: VpcParts, volume: Volume, error: unknown): Promise<StatusReason | null> {
  if (error instanceof Fault && error.code !== 'unavailable' && error.code !== 'over_limit') {
    const key = { keyCrn: volume.keyCrn, as: blockStorageOf(volume.accountId) }
    const [report] = await parts.kms.standings([key])
    const reason = report ? keyReason(report.standing) : null
    return reason ?? { code: 'volume_not_created', message: 'the volume could not be formatted' }
  }
  if (parts.clock.now() - volume.createdAt < volumePendingMsMax) return null
  return { code: 'volume_creation_timed_out', message: 'no disk formatted the volume in time' }
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
 * an image, since only `keyed` ones get one.
 */
async function remove(parts: VpcParts, volume: Volume): Promise<void> {
  const { id, accountId, crn: volumeCrn, phase } = volume
  if (phase !== 'deleting' && phase !== 'abandoned') return
  if (phase === 'deleting') await parts.disk.deleteVolume(id)
  await returnVolumeKey(parts.kms, volume)
  await parts.database.transaction(async (tx) => {
    if (!(await removeVolume(tx, id, phase))) return
    if (phase === 'deleting') await parts.outbox.append(tx, { type: 'vpc.volume.deleted', accountId, volumeCrn })
    else await parts.outbox.append(tx, { type: 'vpc.volume.refused', accountId, volumeCrn, reason: 'abandoned' })
  })
}

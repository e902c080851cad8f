// Attaching, inside one transaction: all that has to be true at the same moment.

import { Fault } from '#base/fault.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { volumeUnknown } from './attached-volume.ts'
import type { ExistingVolume } from './attached-volume.ts'
import { makeAttachmentId } from './ids.ts'
import type { Attachment, AttachmentView, Instance } from './instance.ts'
import { makeName } from './names.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import { isVolumeBusy } from './snapshot-create.ts'
import { busy } from './snapshot-faults.ts'
import { attachmentsOf, attachmentsOfInstance, insertAttachment } from './tables-attachments.ts'
import { readVolume } from './tables-volumes.ts'
import type { Volume } from './volume.ts'
import { keyReason, mayInStatus, statusOf } from './volume-state.ts'

/** A volume that was there before has to be available; one that was made for the instance comes when it is ready. */
export async function readAttachable(tx: Tx, { grant }: ExistingVolume): Promise<Volume> {
  const volume = await readVolume(tx, grant)
  if (!volume) throw volumeUnknown(grant.target.resource ?? '')
  const status = statusOf(volume)
  if (await isVolumeBusy(tx, volume)) throw busy(volume)
  if (mayInStatus('attach', status)) return volume
  const reason = keyReason(volume.keyStanding)
  const why = status === 'unusable' && reason ? `: ${reason.message} (${reason.code})` : ''
  throw new Fault('conflict', `volume ${volume.id} is ${status}, not available${why}`, {
    reason: 'volume_status_not_available',
  })
}

export async function attach(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  wanted: {
    readonly instance: Instance
    readonly volume: Volume
    readonly name: string | null
    readonly type: 'boot' | 'data'
    readonly deleteVolume: boolean
  },
): Promise<AttachmentView> {
  const { instance, volume, type, deleteVolume } = wanted
  if (volume.zone !== instance.zone) throw zonesDiffer(volume, instance)
  const others = await attachmentsOfInstance(tx, instance.id)
  const dataCount = others.filter((other) => other.type === 'data').length
  if (type === 'data') checkQuota(parts, 'data_volumes_per_instance', dataCount)
  const name = wanted.name ?? makeName(parts.random)
  if (others.some((other) => other.name === name)) throw attachmentNameTaken(name)
  const attachment: Attachment = {
    id: makeAttachmentId(parts.random, instance.zone),
    accountId: instance.accountId,
    instanceId: instance.id,
    volumeId: volume.id,
    name,
    type,
    deleteVolume,
    status: 'attaching',
    createdAt: parts.clock.now(),
  }
  if (!(await insertAttachment(tx, grant, attachment))) throw attachedAlready(volume)
  const view = (await attachmentsOf(tx, [volume])).get(volume.id)
  if (!view) throw new Error('an attachment that was inserted is there')
  const facts = { attachmentId: attachment.id, instanceCrn: instance.crn, volumeCrn: volume.crn }
  const { accountId } = volume
  const initiatorId = context.caller.iamId
  await parts.outbox.append(tx, { type: 'vpc.attachment.created', accountId, initiatorId, ...facts })
  return view
}

const zonesDiffer = (volume: Volume, instance: Instance): Fault =>
  new Fault('invalid', `volume ${volume.id} is in ${volume.zone} and instance ${instance.id} in ${instance.zone}`, {
    reason: 'zone_inconsistency',
    target: { type: 'field', name: 'volume' },
  })

export const attachmentNameTaken = (name: string): Fault =>
  new Fault('invalid', `Provided Name (${name}) is not unique`, {
    reason: 'validation_unique_failed',
    target: { type: 'field', name: 'name' },
  })

const attachedAlready = (volume: Volume): Fault =>
  new Fault('conflict', `volume ${volume.id} is attached already`, { reason: 'volume_not_available' })

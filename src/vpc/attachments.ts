// Attachments, as requests reach them. Attaching needs leave to update the instance and to operate the volume (VPC
// docs, "Required permissions"); one volume has one attachment, and the unique index settles who of two was first.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { dataVolumesPerInstanceMax } from '#base/limits.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { idOf } from './identity.ts'
import { makeAttachmentId } from './ids.ts'
import type { Attachment, AttachmentView, Instance } from './instance.ts'
import { attachmentView } from './instance-reply.ts'
import { attachmentVolumeNotYet } from './instance-schemas.ts'
import type { attachmentPrototype } from './instance-schemas.ts'
import { instanceGrant } from './instances.ts'
import { checkName, makeName } from './names.ts'
import { refuseNotYet } from './not-yet.ts'
import type { VpcParts } from './parts.ts'
import { finishDetach } from './reconcile-exports.ts'
import {
  attachmentsOf,
  insertAttachment,
  readAttachment,
  readAttachments,
  requestDetach,
} from './tables-attachments.ts'
import { readRunningInstance } from './tables-instances.ts'
import type { UpdateInstance } from './tables-instances.ts'
import { locateVolume, readVolume } from './tables-volumes.ts'
import { targetOf } from './targets.ts'
import type { Volume } from './volume.ts'
import { keyReason, mayInStatus, statusOf } from './volume-state.ts'

export type Attachments = ReturnType<typeof makeAttachments>

export function makeAttachments(parts: VpcParts) {
  const { database, outbox } = parts

  return {
    async list(context: Context, instanceId: string) {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.read', instanceId)
      const attachments = await readAttachments(database.reads, [grant])
      return { volume_attachments: attachments.map((attachment) => attachmentView(context.baseUrl, attachment)) }
    },

    async get(context: Context, instanceId: string, id: string) {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.read', instanceId)
      const attachment = await readAttachment(database.reads, grant, id)
      if (!attachment) throw attachmentNotFound(id)
      return attachmentView(context.baseUrl, attachment)
    },

    async create(context: Context, instanceId: string, body: Static<typeof attachmentPrototype>) {
      refuseNotYet(body.volume, attachmentVolumeNotYet)
      const wanted = {
        name: body.name === undefined ? null : checkName(body.name),
        deleteVolume: body.delete_volume_on_instance_delete ?? false,
      }
      const instance = await instanceGrant(parts, context, 'is.instance.instance.update', instanceId)
      const volume = await volumeGrant(parts, context, 'is.volume.volume.operate', idOf(body.volume, 'volume'))
      // A flag that will delete the volume is a deletion asked for in advance.
      if (wanted.deleteVolume) await parts.iam.authorize(context.caller, 'is.volume.volume.delete', volume.target)
      const view = await database.transaction((tx) => attach(tx, context, { instance, volume, ...wanted }))
      return attachmentView(context.baseUrl, view)
    },

    /** Clients are cut before it is answered: whoever detaches may hand the volume on. */
    async remove(context: Context, instanceId: string, id: string): Promise<void> {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.update', instanceId)
      const attachment = await database.transaction(async (tx) => {
        const found = await readAttachment(tx, grant, id)
        if (!found) throw attachmentNotFound(id)
        if (await requestDetach(tx, grant, found.id)) {
          const facts = { accountId: found.accountId, attachmentId: found.id, volumeCrn: found.volume.crn }
          const initiatorId = context.caller.iamId
          await outbox.append(tx, { type: 'vpc.attachment.detach-requested', initiatorId, ...facts })
        }
        return found
      })
      await finishDetach(parts, attachment)
    },
  }

  /** All that has to be true at the same moment. */
  async function attach(tx: Tx, context: Context, wanted: Wanted): Promise<AttachmentView> {
    const instance = await readRunningInstance(tx, wanted.instance)
    if (!instance) throw instanceBusy(wanted.instance.target.resource ?? '')
    const volume = await readVolume(tx, wanted.volume)
    if (!volume) throw volumeUnknown(wanted.volume.target.resource ?? '')
    if (volume.zone !== instance.zone) throw zonesDiffer(volume, instance)
    refuseUnlessAvailable(volume)
    const others = await readAttachments(tx, [wanted.instance])
    if (others.length >= dataVolumesPerInstanceMax) throw overQuota(instance)
    const name = wanted.name ?? makeName(parts.random)
    if (others.some((other) => other.name === name)) throw nameTaken(name)
    const attachment = draft(parts, instance, volume, { name, deleteVolume: wanted.deleteVolume })
    if (!(await insertAttachment(tx, wanted.instance, attachment))) throw attachedAlready(volume)
    const view = (await attachmentsOf(tx, [volume])).get(volume.id)
    if (!view) throw attachmentNotFound(attachment.id)
    const facts = { attachmentId: attachment.id, instanceCrn: instance.crn, volumeCrn: volume.crn }
    const { accountId } = volume
    await outbox.append(tx, { type: 'vpc.attachment.created', accountId, initiatorId: context.caller.iamId, ...facts })
    return view
  }
}

interface Wanted {
  readonly instance: UpdateInstance
  readonly volume: Grant<'is.volume.volume.operate'>
  readonly name: string | null
  readonly deleteVolume: boolean
}

const draft = (
  parts: VpcParts,
  instance: Instance,
  volume: Volume,
  wanted: { readonly name: string; readonly deleteVolume: boolean },
): Attachment => ({
  id: makeAttachmentId(parts.random, instance.zone),
  accountId: instance.accountId,
  instanceId: instance.id,
  volumeId: volume.id,
  ...wanted,
  status: 'attaching',
  createdAt: parts.clock.now(),
})

/** Leave on a volume that a body points at: one that the caller's account does not have is a wrong value, 400. */
export async function volumeGrant<Action extends string>(
  parts: VpcParts,
  context: Context,
  action: Action,
  id: string,
) {
  const { accountId } = context.caller
  const place = await locateVolume(parts.database.reads, { accountId, region: parts.region, id })
  if (!place) throw volumeUnknown(id)
  return await parts.iam.authorize(context.caller, action, targetOf('volume', place))
}

function refuseUnlessAvailable(volume: Volume): void {
  const status = statusOf(volume)
  if (mayInStatus('attach', status)) return
  const reason = keyReason(volume.keyStanding)
  const why = status === 'unusable' && reason ? `: ${reason.message} (${reason.code})` : ''
  throw new Fault('conflict', `volume ${volume.id} is ${status}, not available${why}`, {
    reason: 'volume_status_not_available',
  })
}

const volumeUnknown = (id: string): Fault =>
  new Fault('invalid', `volume with id ${JSON.stringify(id.slice(0, 64))} is not found`, {
    reason: 'volume_id_invalid',
    target: { type: 'field', name: 'volume' },
  })

export const attachmentNotFound = (id: string): Fault =>
  new Fault('not_found', `volume attachment with id ${JSON.stringify(id.slice(0, 64))} is not found`)

const instanceBusy = (id: string): Fault =>
  new Fault('conflict', `instance ${id} is being deleted`, { reason: 'volume_action_invalid_request' })

const zonesDiffer = (volume: Volume, instance: Instance): Fault =>
  new Fault('invalid', `volume ${volume.id} is in ${volume.zone} and instance ${instance.id} in ${instance.zone}`, {
    reason: 'zone_inconsistency',
    target: { type: 'field', name: 'volume' },
  })

const overQuota = (instance: Instance): Fault =>
  new Fault('invalid', `instance ${instance.id} has ${dataVolumesPerInstanceMax} data volumes, the most that one can`, {
    reason: 'volume_attachment_over_quota',
  })

const nameTaken = (name: string): Fault =>
  new Fault('invalid', `Provided Name (${name}) is not unique`, {
    reason: 'validation_unique_failed',
    target: { type: 'field', name: 'name' },
  })

const attachedAlready = (volume: Volume): Fault =>
  new Fault('conflict', `volume ${volume.id} is attached already`, { reason: 'volume_not_available' })

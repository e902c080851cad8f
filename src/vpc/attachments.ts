// Attachments, as requests reach them. Attaching needs leave to update the instance and to operate the volume (VPC
// docs, "Required permissions"); one volume has one attachment, and the unique index settles who of two was first.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { attach, attachmentNameTaken, readAttachable } from './attach.ts'
import { planVolumeAttachment, volumeGrant, within } from './attached-volume.ts'
import { attachmentView } from './instance-reply.ts'
import type { attachmentPatch, attachmentPrototype } from './instance-schemas.ts'
import { instanceMay } from './instance-state.ts'
import { instanceGrant, instanceNotFound } from './instance-grants.ts'
import { checkName } from './names.ts'
import type { VpcParts } from './parts.ts'
import { discard } from './discard.ts'
import { finishDetach } from './reconcile-exports.ts'
import { readAttachment, readAttachments, requestDetach, updateAttachment } from './tables-attachments.ts'
import { readInstance } from './tables-instances.ts'
import type { UpdateInstance } from './tables-instances.ts'
import { claimVolumes } from './tables-volumes.ts'
import { givenUp, makeVolume } from './volume-create.ts'

export type Attachments = ReturnType<typeof makeAttachments>

export function makeAttachments(parts: VpcParts) {
  const { database, outbox } = parts
  const { reads } = database

  /** The instance if volumes may come and go at this moment; inside the transaction in which they do. */
  async function readReady(tx: Tx, grant: UpdateInstance) {
    const instance = await readInstance(tx, grant)
    if (!instance) throw instanceNotFound(grant.target.resource ?? '')
    if (instanceMay('attach', instance.status)) return instance
    throw new Fault(
      'conflict',
      `instance ${instance.id} is ${instance.status}: ask again when it is running or stopped`,
      {
        reason: 'volume_action_invalid_request',
      },
    )
  }

  async function found(grant: Parameters<typeof readAttachment>[1], id: string) {
    const attachment = await readAttachment(reads, grant, id)
    if (!attachment) throw attachmentNotFound(id)
    return attachment
  }

  return {
    async list(context: Context, instanceId: string) {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.read', instanceId)
      const attachments = await readAttachments(reads, [grant])
      return { volume_attachments: attachments.map((attachment) => attachmentView(context.baseUrl, attachment)) }
    },

    async get(context: Context, instanceId: string, id: string) {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.read', instanceId)
      return attachmentView(context.baseUrl, await found(grant, id))
    },

    /** A volume that is made on the way belongs to the attachment: it is seen with it, and goes where that fails. */
    async create(context: Context, instanceId: string, body: Static<typeof attachmentPrototype>) {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.update', instanceId)
      const instance = await database.transaction((tx) => readReady(tx, grant))
      const at = { zone: instance.zone, type: 'data', field: '', resourceGroupId: instance.resourceGroupId } as const
      const planned = await planVolumeAttachment(parts, context, body, at)
      const { volume } = planned
      if (volume.by === 'id') {
        const view = await database.transaction(async (tx) => {
          const there = { ...planned, instance: await readReady(tx, grant), volume: await readAttachable(tx, volume) }
          return await attach(parts, tx, context, grant, there)
        })
        return attachmentView(context.baseUrl, view)
      }
      const purpose = { instanceId: instance.id, imageId: null }
      const { wanted } = volume
      const made = await within('volume', () => makeVolume(parts, context, wanted, volume.grant, purpose))
      try {
        const view = await database.transaction(async (tx) => {
          const now = await readReady(tx, grant)
          const [claimed] = (await claimVolumes(tx, grant, instance.id, [made.id])) ?? []
          if (!claimed) throw givenUp()
          return await attach(parts, tx, context, grant, { ...planned, instance: now, volume: claimed })
        })
        return attachmentView(context.baseUrl, view)
      } catch (error) {
        await discard(parts, [made])
        throw error
      }
    },

    async update(context: Context, instanceId: string, id: string, body: Static<typeof attachmentPatch>) {
      const name = body.name === undefined ? undefined : checkName(body.name)
      const deleteVolume = body.delete_volume_on_instance_delete
      const grant = await instanceGrant(parts, context, 'is.instance.instance.update', instanceId)
      const before = await found(grant, id)
      if (name !== undefined && name !== before.name && before.type === 'boot') throw isBoot('update', 'be renamed')
      if (deleteVolume === true && !before.deleteVolume) {
        await volumeGrant(parts, context, 'is.volume.volume.delete', before.volumeId)
      }
      await database.transaction(async (tx) => {
        const others = await readAttachments(tx, [grant])
        if (others.some((other) => other.id !== id && other.name === name)) throw attachmentNameTaken(name ?? '')
        const change = { ...(name !== undefined && { name }), ...(deleteVolume !== undefined && { deleteVolume }) }
        if (Object.keys(change).length === 0) return
        if (!(await updateAttachment(tx, grant, before.id, change))) throw attachmentNotFound(id)
        const facts = { accountId: before.accountId, attachmentId: before.id, volumeCrn: before.volume.crn }
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: 'vpc.attachment.updated', initiatorId, ...facts })
      })
      return attachmentView(context.baseUrl, await found(grant, id))
    },

    /** Clients are cut before it is answered: whoever detaches may hand the volume on. */
    async remove(context: Context, instanceId: string, id: string): Promise<void> {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.update', instanceId)
      const attachment = await database.transaction(async (tx) => {
        const before = await readAttachment(tx, grant, id)
        if (!before) throw attachmentNotFound(id)
        if (before.type === 'boot') throw isBoot('delete', 'be detached')
        if (before.status === 'detaching') return before
        await readReady(tx, grant)
        if (await requestDetach(tx, grant, before.id)) {
          const facts = { accountId: before.accountId, attachmentId: before.id, volumeCrn: before.volume.crn }
          const initiatorId = context.caller.iamId
          await outbox.append(tx, { type: 'vpc.attachment.detach-requested', initiatorId, ...facts })
        }
        return before
      })
      await finishDetach(parts, attachment)
    },
  }
}

/** VPC API error catalogue: the boot volume belongs to its instance as long as that lives. */
const isBoot = (action: 'update' | 'delete', what: string): Fault =>
  new Fault('conflict', `the attachment of a boot volume cannot ${what}`, {
    reason: `volume_attachment_${action}_invalid_request`,
  })

export const attachmentNotFound = (id: string): Fault =>
  new Fault('not_found', `volume attachment with id ${JSON.stringify(id.slice(0, 64))} is not found`)

// Makes the disks serve exactly the attachments that there are, and ends those that were asked to end. Takes no input;
// says everything again on every pass, because a disk process that restarted has forgotten it.

import { vpcWorkParallelMax } from '#base/limits.ts'
import type { Tx } from '#store/database.ts'
import { releaseInterfaces } from './discard.ts'
import { forEach } from './each.ts'
import type { AttachmentView, Instance } from './instance.ts'
import type { VpcParts } from './parts.ts'
import { endUse } from './run-on.ts'
import { attachmentsOfInstance, attachmentsToServe, isToBeServed, removeAttachment } from './tables-attachments.ts'
import type { AttachmentWork } from './tables-attachments.ts'
import { plugIn, runsHere } from './machines.ts'
import { becomeAttached, reconcileInstances } from './reconcile-instances.ts'
import { instancesToDelete, isInstanceEnding, removeInstance } from './tables-instances.ts'
import { requestFlaggedDeletion } from './tables-work.ts'
import { volumeSpec } from './volume.ts'

export async function reconcileExports(parts: VpcParts): Promise<void> {
  await reconcileInstances(parts)
  const work = await attachmentsToServe(parts.database.reads, parts.region)
  await forEach(work, vpcWorkParallelMax, (item) =>
    item.attachment.status === 'detaching' ? finishDetach(parts, item.attachment) : serve(parts, item),
  )
  for (const instance of await instancesToDelete(parts.database.reads, parts.region)) {
    await finishInstance(parts, instance)
  }
}

/**
 * The volume is opened when the first client comes: an export under a key that does not open stands idle. One that is
 * still being formatted is not there to be opened. A stopped instance has its attachments without exports.
 */
async function serve(parts: VpcParts, { attachment, volume }: AttachmentWork): Promise<void> {
  const { status } = attachment.instance
  if (volume.phase !== 'formatted' && volume.phase !== 'updating') return
  if (status === 'stopped' && attachment.status === 'attaching') return await becomeAttached(parts, attachment)
  if (status !== 'running') return
  await parts.disk.addExport({ attachmentId: attachment.id, volume: volumeSpec(volume) })
  if (attachment.status === 'attaching' && (await takenUp(parts, attachment))) await becomeAttached(parts, attachment)
  await withdrawIfEnded(parts, attachment)
}

/** A machine that runs here has to take the disk; one that cannot now is asked again in the next pass. */
async function takenUp(parts: VpcParts, attachment: AttachmentView): Promise<boolean> {
  const attachments = await attachmentsOfInstance(parts.database.reads, attachment.instanceId)
  return !runsHere(parts.compute, attachments) || (await plugIn(parts, attachment))
}

/**
 * After an export was added: whoever detached or stopped meanwhile has removed it before it came, so it goes again. He
 * marked the row before he removed the export, so either this sees the mark or his removal comes after.
 */
export async function withdrawIfEnded(parts: VpcParts, attachment: AttachmentView): Promise<boolean> {
  if (await isToBeServed(parts.database.reads, attachment.id)) return false
  await parts.disk.removeExport(attachment.volumeId, attachment.id)
  return true
}

/** The second half of a detach: clients are cut, then the row goes. */
export async function finishDetach(parts: VpcParts, attachment: AttachmentView): Promise<void> {
  await parts.compute.unplug(attachment.instanceId, attachment.id)
  await parts.disk.removeExport(attachment.volumeId, attachment.id)
  await parts.database.transaction(async (tx) => {
    const ended = (await attachmentsOfInstance(tx, attachment.instanceId)).find(({ id }) => id === attachment.id)
    if (!ended || !(await removeAttachment(tx, attachment.id))) return
    if (ended.instance.status !== 'stopped') await endUse(parts, tx, ended)
    const { accountId, id, instance, volume } = attachment
    const facts = { accountId, attachmentId: id, instanceCrn: instance.crn, volumeCrn: volume.crn }
    await parts.outbox.append(tx, { type: 'vpc.attachment.deleted', ...facts })
    if (attachment.deleteVolume) await deleteWithInstance(parts, tx, attachment)
  })
}

/**
 * VPC API, `delete_volume_on_instance_delete`: the volume goes when its instance does, not when it is only detached.
 */
async function deleteWithInstance(parts: VpcParts, tx: Tx, attachment: AttachmentView): Promise<void> {
  const { accountId, instanceId, volumeId, volume } = attachment
  if (!(await isInstanceEnding(tx, instanceId)) || !(await requestFlaggedDeletion(tx, volumeId))) return
  await parts.outbox.append(tx, { type: 'vpc.volume.deletion-requested', accountId, volumeCrn: volume.crn })
}

/** The second half of an instance's deletion. Its row goes last, so that each detach can see that it is ending. */
export async function finishInstance(parts: VpcParts, instance: Instance): Promise<void> {
  await parts.compute.remove(instance.id)
  const attachments = await attachmentsOfInstance(parts.database.reads, instance.id)
  await forEach(attachments, vpcWorkParallelMax, (attachment) => finishDetach(parts, attachment))
  await parts.database.transaction(async (tx) => {
    if (!(await removeInstance(tx, instance.id))) return
    await releaseInterfaces(tx, instance.id)
    const { accountId, crn: instanceCrn } = instance
    await parts.outbox.append(tx, { type: 'vpc.instance.deleted', accountId, instanceCrn })
  })
}

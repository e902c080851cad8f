// Carries instances from one status to the next: a machine that starts gets its volumes, one that stops gives them back,
// one whose volume has lost its key for good is stopped. Takes no input, and every step may be said again. Where machines are
// run here (machines.ts), a machine takes its time to start and to stop: its instance waits, and its driver wakes us.

import { vpcWorkParallelMax } from '#base/limits.ts'
import { forEach } from './each.ts'
import type { AttachmentView, Instance } from './instance.ts'
import { endReasons, startReasons } from './instance-state.ts'
import { followMachines, runsHere, startMachine, stopMachine } from './machines.ts'
import type { VpcParts } from './parts.ts'
import { endUse } from './run-on.ts'
import { attachmentsOfInstance, instancesOfDeletedKeys, markAttached } from './tables-attachments.ts'
import { instancesInTransition, isInstanceServed, moveInstance } from './tables-instances.ts'
import { readVolumeForWork } from './tables-work.ts'
import { volumeSpec } from './volume.ts'
import type { StatusReason } from './volume-state.ts'

export async function reconcileInstances(parts: VpcParts): Promise<void> {
  await stopWithoutKey(parts)
  await followMachines(parts)
  const instances = await instancesInTransition(parts.database.reads, parts.region)
  await forEach(instances, vpcWorkParallelMax, (instance) => proceedInstance(parts, instance))
}

/** VPC docs, "Managing data encryption": with the key of an attached volume deleted, the instance is stopped. */
async function stopWithoutKey(parts: VpcParts): Promise<void> {
  for (const { id, accountId, crn: instanceCrn } of await instancesOfDeletedKeys(parts.database.reads, parts.region)) {
    await parts.database.transaction(async (tx) => {
      if (!(await moveInstance(tx, id, 'running', 'stopping'))) return
      const reason = startReasons.deleted.code
      await parts.outbox.append(tx, { type: 'vpc.instance.stop-requested', accountId, instanceCrn, reason })
    })
  }
}

/** `force` is the wish of a request that is going on: who begins anew has no machine that would need it. */
export async function proceedInstance(
  parts: VpcParts,
  instance: Instance,
  { force }: { readonly force: boolean } = { force: false },
): Promise<void> {
  const attachments = await attachmentsOfInstance(parts.database.reads, instance.id)
  switch (instance.status) {
    case 'stopping':
      if (!(await stopMachine(parts, instance, attachments, force))) return
      await withdrawAll(parts, attachments)
      return await arrive(parts, instance, 'stopped')
    case 'restarting':
      if (await parts.compute.reset(instance.id)) return await arrive(parts, instance, 'running')
      // A machine that its user boots anew opens its volumes anew.
      if (!runsHere(parts.compute, attachments)) await withdrawAll(parts, attachments)
      return await start(parts, instance, attachments)
    case 'starting':
      return await start(parts, instance, attachments)
    default:
  }
}

const withdrawAll = (parts: VpcParts, attachments: readonly AttachmentView[]): Promise<void> =>
  forEach(attachments, vpcWorkParallelMax, ({ volumeId, id }) => parts.disk.removeExport(volumeId, id))

/** A volume that is still being formatted is waited for; one that could not be made ends the matter. */
async function start(parts: VpcParts, instance: Instance, attachments: readonly AttachmentView[]): Promise<void> {
  if (attachments.some(({ volume }) => volume.phase === 'failed')) {
    return await arrive(parts, instance, 'failed', startReasons.failed)
  }
  if (attachments.some(({ volume }) => volume.phase === 'keyed')) return
  await forEach(attachments, vpcWorkParallelMax, (attachment) => exportVolume(parts, attachment))
  const state = await startMachine(parts, instance, attachments)
  if (state === 'failed') await arrive(parts, instance, 'failed', endReasons.notStarted)
  else if (state === 'no-room') await arrive(parts, instance, 'failed', endReasons.noRoom)
  // One that has been on and ended since is seen to when it counts as running.
  else if (state !== 'booting' && state !== 'unknown') await arrive(parts, instance, 'running')
  if (await isInstanceServed(parts.database.reads, instance.id)) return
  // Whoever stopped it meanwhile, or it failed, was too early for what has been done here.
  if (!(await parts.compute.stop(instance.id, 'at-once'))) return
  await withdrawAll(parts, attachments)
}

async function exportVolume(parts: VpcParts, attachment: AttachmentView): Promise<void> {
  if (attachment.status === 'detaching') return
  const volume = await readVolumeForWork(parts.database.reads, attachment.volumeId)
  if (!volume) return
  await parts.disk.addExport({ attachmentId: attachment.id, volume: volumeSpec(volume) })
  if (attachment.status === 'attaching') await becomeAttached(parts, attachment)
}

export async function becomeAttached(parts: VpcParts, { id, accountId, volume }: AttachmentView): Promise<void> {
  await parts.database.transaction(async (tx) => {
    if (!(await markAttached(tx, id))) return
    const facts = { accountId, attachmentId: id, volumeCrn: volume.crn }
    await parts.outbox.append(tx, { type: 'vpc.attachment.attached', ...facts })
  })
}

const arrived = {
  running: 'vpc.instance.started',
  stopped: 'vpc.instance.stopped',
} as const

async function arrive(
  parts: VpcParts,
  instance: Instance,
  to: 'running' | 'stopped' | 'failed',
  why: StatusReason | null = null,
): Promise<void> {
  const { id, status, accountId, crn: instanceCrn } = instance
  await parts.database.transaction(async (tx) => {
    if (!(await moveInstance(tx, id, status, to, why))) return
    if (to === 'stopped') for (const ended of await attachmentsOfInstance(tx, id)) await endUse(parts, tx, ended)
    if (to !== 'failed') return await parts.outbox.append(tx, { type: arrived[to], accountId, instanceCrn })
    const reason = why?.code ?? 'unknown'
    await parts.outbox.append(tx, { type: 'vpc.instance.failed', accountId, instanceCrn, reason })
  })
}

// Instances as machines, where machines are run: what the driver is told, and what becomes of an instance whose machine ended
// by itself. An instance without a boot volume has nothing to run: as with the other driver, its machine is its user's.

import type { ComputePort, MachineDisk, MachineState } from '#compute/port.ts'
import type { AttachmentView, Instance } from './instance.ts'
import { profileOf } from './instance-profiles.ts'
import { deviceSerial, startReason } from './instance-reply.ts'
import { endReasons } from './instance-state.ts'
import type { VpcParts } from './parts.ts'
import { bootedInstances, instanceStatuses, moveInstance } from './tables-instances.ts'
import type { StatusReason } from './volume-state.ts'

const mibPerGib = 1024

export const runsHere = (compute: ComputePort, attachments: readonly Pick<AttachmentView, 'type'>[]): boolean =>
  compute.runsMachines && attachments.some(({ type }) => type === 'boot')

/** Its volumes are served by now. */
export async function startMachine(
  parts: VpcParts,
  instance: Instance,
  attachments: readonly AttachmentView[],
): Promise<MachineState> {
  if (!runsHere(parts.compute, attachments)) return 'on'
  const { vcpuCount, memoryGib } = profileOf(instance.profile)
  const bootFirst = attachments.toSorted((a, b) => Number(b.type === 'boot') - Number(a.type === 'boot'))
  const disks = bootFirst.filter(({ status }) => status !== 'detaching').map((one) => diskOf(parts, one))
  const machine = {
    instanceId: instance.id,
    vcpuCount,
    memoryMib: memoryGib * mibPerGib,
    disks: await Promise.all(disks),
  }
  return await parts.compute.start(machine)
}

/** False while its system shuts down. Where a key was deleted there is nothing left that a system could save. */
export async function stopMachine(
  parts: VpcParts,
  { id }: Instance,
  attachments: readonly AttachmentView[],
  force: boolean,
): Promise<boolean> {
  const isLost = startReason(attachments)?.code === 'encryption_key_deleted'
  return await parts.compute.stop(id, force || isLost ? 'at-once' : 'by-button')
}

export async function plugIn(parts: VpcParts, attachment: AttachmentView): Promise<boolean> {
  return await parts.compute.plug(attachment.instanceId, await diskOf(parts, attachment))
}

/** Of the connection only the socket's address is used; the secret for elsewhere is never seen, and ends as it begins. */
async function diskOf(parts: VpcParts, attachment: AttachmentView): Promise<MachineDisk> {
  const { unixUri } = await parts.disk.connect(attachment.volumeId, attachment.id, 0)
  return { attachmentId: attachment.id, serial: deviceSerial(attachment), nbdUri: unixUri }
}

/** Machines that ended without us, and those that a server before this one has taken with it. */
export async function followMachines(parts: VpcParts): Promise<void> {
  if (!parts.compute.runsMachines) return
  for (const instance of await bootedInstances(parts.database.reads, parts.region)) await followMachine(parts, instance)
  await endStrays(parts)
}

async function followMachine(parts: VpcParts, { id, settings, accountId, crn: instanceCrn }: Instance): Promise<void> {
  await parts.database.transaction(async (tx) => {
    // Asked in the transaction: a machine is on before its instance is said to run.
    const state = await parts.compute.state(id)
    if (state === 'on') return
    if (state === 'unknown' && settings.availabilityPolicy.host_failure === 'restart') {
      if (!(await moveInstance(tx, id, 'running', 'starting'))) return
      return await parts.outbox.append(tx, { type: 'vpc.instance.start-requested', accountId, instanceCrn })
    }
    const end = endOf(state)
    if (!(await moveInstance(tx, id, 'running', 'stopping', end))) return
    const reason = end?.code ?? 'shut_down'
    await parts.outbox.append(tx, { type: 'vpc.instance.stop-requested', accountId, instanceCrn, reason })
  })
}

/** A system that shut down needs no reason: somebody in the machine wanted it. */
function endOf(state: MachineState): StatusReason | null {
  if (state === 'shut-down') return null
  return state === 'unknown' ? endReasons.hostFailed : endReasons.died
}

/** Machines of instances that are to be off, or are not there: a start and a stop have crossed. */
async function endStrays(parts: VpcParts): Promise<void> {
  const ids = await parts.compute.known()
  const statuses = await instanceStatuses(parts.database.reads, ids)
  for (const id of ids) {
    const status = statuses.get(id)
    if (status === undefined) await parts.compute.remove(id)
    else if (status === 'stopped' || status === 'failed') await parts.compute.stop(id, 'at-once')
  }
}

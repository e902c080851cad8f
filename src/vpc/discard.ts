// Undoing what was made for an instance: its volumes, and with an instance that did not come to be its interfaces. Each
// may run at any time and again; what has been taken into use meanwhile is left alone.

import type { InstanceId } from '#base/id.ts'
import type { Tx } from '#store/database.ts'
import type { Instance } from './instance.ts'
import { overdueBefore } from './parts.ts'
import type { VpcParts } from './parts.ts'
import { dropAssembling, overdueInstances } from './tables-instances.ts'
import { readRecordForWork, recordsOfInstance, removeRecords, writeFacts } from './tables-records.ts'
import { discardVolume, markAbandoned, orphanedVolumes, volumesMadeFor } from './tables-work.ts'
import type { Volume } from './volume.ts'

export async function discard(parts: VpcParts, volumes: readonly Volume[]): Promise<void> {
  await parts.database.transaction(async (tx) => {
    for (const volume of volumes) await discardOne(parts, tx, volume)
  })
}

async function discardOne(parts: VpcParts, tx: Tx, { id, accountId, crn: volumeCrn, phase }: Volume): Promise<void> {
  if (phase === 'requested' && (await markAbandoned(tx, id))) {
    const reason = 'its instance was given up'
    await parts.outbox.append(tx, { type: 'vpc.volume.abandoned', accountId, volumeCrn, reason })
  } else if (await discardVolume(tx, id)) {
    await parts.outbox.append(tx, { type: 'vpc.volume.deletion-requested', accountId, volumeCrn })
  }
}

/** The instance, its interfaces and its volumes go together; nothing of it was ever seen. */
export async function abandonInstance(parts: VpcParts, instance: Instance, reason: string): Promise<void> {
  const { id, accountId, crn: instanceCrn } = instance
  await parts.database.transaction(async (tx) => {
    if (!(await dropAssembling(tx, id))) return
    for (const volume of await volumesMadeFor(tx, id)) await discardOne(parts, tx, volume)
    await releaseInterfaces(tx, id)
    await parts.outbox.append(tx, { type: 'vpc.instance.abandoned', accountId, instanceCrn, reason })
  })
}

/** What an instance had of its subnets: what was to go with it goes, what was lent to it is free again. */
export async function releaseInterfaces(tx: Tx, instanceId: InstanceId): Promise<void> {
  const nics = await recordsOfInstance(tx, instanceId)
  for (const { id, facts } of nics) {
    const vni = facts.vniId === null ? null : await readRecordForWork(tx, 'virtual-network-interface', facts.vniId)
    await removeRecords(tx, [id])
    if (vni && !vni.facts.autoDelete) {
      await writeFacts(tx, vni, { ...vni.facts, targetId: null })
      continue
    }
    if (vni) await removeRecords(tx, [vni.id])
    const address = await readRecordForWork(tx, 'reserved-ip', facts.addressId)
    if (address?.facts.autoDelete) await removeRecords(tx, [address.id])
    else if (address) await writeFacts(tx, address, { ...address.facts, targetId: null })
  }
}

/** A hidden row is somebody's request, still running; one that is older than any request may be is nobody's. */
export async function discardOverdue(parts: VpcParts): Promise<void> {
  const { database, region } = parts
  const createdBefore = overdueBefore(parts)
  for (const instance of await overdueInstances(database.reads, region, createdBefore)) {
    await abandonInstance(parts, instance, 'the request did not come to its end')
  }
  const orphans = await orphanedVolumes(database.reads, { region, createdBefore })
  if (orphans.length > 0) await discard(parts, orphans)
}

// What instances show that lies elsewhere, read in a few queries for many of them.

import type { Reads } from '#store/database.ts'
import { interfaceEnds } from './interface-ends.ts'
import type { Instance } from './instance.ts'
import type { InstanceAround, ShownInterface } from './instance-reply.ts'
import { attachmentsOfInstances } from './tables-attachments.ts'
import { childrenOf, referredRecords } from './tables-records.ts'

/** For instances of one account that have been read by leave, by their ids; without the names of groups. */
export async function instancesAround(
  reads: Reads,
  accountId: string,
  instances: readonly Instance[],
): Promise<(instance: Instance) => Omit<InstanceAround, 'groupNames' | 'images'>> {
  const ids = instances.map(({ id }) => id)
  const attachments = await attachmentsOfInstances(reads, ids)
  const networks = await referredRecords(
    reads,
    'vpc',
    accountId,
    instances.flatMap(({ vpcId }) => vpcId ?? []),
  )
  const interfaces = await interfacesOf(reads, accountId, ids)
  return (instance) => ({
    attachments: attachments.filter(({ instanceId }) => instanceId === instance.id),
    network: networks.get(instance.vpcId ?? ''),
    interfaces: interfaces.filter(({ nic }) => nic.parentId === instance.id),
  })
}

/** The primary one first. */
export async function interfacesOf(
  reads: Reads,
  accountId: string,
  instanceIds: readonly string[],
): Promise<ShownInterface[]> {
  const nics = await childrenOf(reads, 'network-interface', accountId, instanceIds)
  const ends = await interfaceEnds(reads, accountId, nics)
  const vniIds = nics.flatMap(({ facts }) => facts.vniId ?? [])
  const vnis = await referredRecords(reads, 'virtual-network-interface', accountId, vniIds)
  const primaryFirst = nics.toSorted((a, b) => Number(b.facts.isPrimary) - Number(a.facts.isPrimary))
  return primaryFirst.flatMap((nic) => {
    const end = ends.get(nic.id)
    return end ? [{ nic, vni: vnis.get(nic.facts.vniId ?? '') ?? null, ends: end }] : []
  })
}

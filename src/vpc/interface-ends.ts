// What interfaces refer to (subnet, address, security groups), read in a few queries for many of them.

import type { Reads } from '#store/database.ts'
import type { InterfaceEnds } from './network-reply.ts'
import type { InterfaceFacts } from './record.ts'
import { referredRecords } from './tables-records.ts'

/** By the id of the interface; one whose subnet or address has gone is left out. */
export async function interfaceEnds(
  reads: Reads,
  accountId: string,
  interfaces: readonly { readonly id: string; readonly facts: InterfaceFacts }[],
): Promise<ReadonlyMap<string, InterfaceEnds>> {
  const all = interfaces.map(({ facts }) => facts)
  const subnets = await referredRecords(
    reads,
    'subnet',
    accountId,
    all.map(({ subnetId }) => subnetId),
  )
  const addresses = await referredRecords(
    reads,
    'reserved-ip',
    accountId,
    all.map(({ addressId }) => addressId),
  )
  const groups = await referredRecords(
    reads,
    'security-group',
    accountId,
    all.flatMap(({ groupIds }) => groupIds),
  )
  const ends = new Map<string, InterfaceEnds>()
  for (const { id, facts } of interfaces) {
    const subnet = subnets.get(facts.subnetId)
    const address = addresses.get(facts.addressId)
    if (subnet && address)
      ends.set(id, { subnet, address, groups: facts.groupIds.flatMap((one) => groups.get(one) ?? []) })
  }
  return ends
}

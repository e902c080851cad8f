// Reserving an address of a subnet, inside the transaction that uses it: two requests cannot get the same one.

import { Fault } from '#base/fault.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { formatAddress, freeAddress, isUsable, parseAddress, parseBlock } from './addresses.ts'
import { insertNamed } from './collections.ts'
import { makeZonalId } from './ids.ts'
import type { VpcParts } from './parts.ts'
import type { Recorded } from './record.ts'
import { childrenOf } from './tables-records.ts'

export interface WantedAddress {
  readonly address: string | null
  readonly name: string | null
  readonly autoDelete: boolean
  readonly targetId: string | null
}

export async function reserveAddress(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  {
    subnet,
    wanted,
    field,
  }: { readonly subnet: Recorded<'subnet'>; readonly wanted: WantedAddress; readonly field: string },
): Promise<Recorded<'reserved-ip'>> {
  const block = parseBlock(subnet.facts.cidr)
  if (!block) throw new Error(`subnet ${subnet.id} has no block`)
  const others = await childrenOf(tx, 'reserved-ip', subnet.accountId, [subnet.id])
  const taken = new Set(others.map(({ facts }) => parseAddress(facts.address) ?? -1))
  const asked = wanted.address === null ? null : parseAddress(wanted.address)
  if (wanted.address !== null && (asked === null || !isUsable(block, asked)))
    throw outside(wanted.address, subnet, field)
  if (asked !== null && taken.has(asked)) throw inUse(wanted.address ?? '', field)
  const address = asked ?? freeAddress(block, taken)
  if (address === null) throw full(subnet)
  const reserved = {
    id: makeZonalId(parts.random, subnet.facts.zone),
    kind: 'reserved-ip',
    accountId: subnet.accountId,
    region: subnet.region,
    parentId: subnet.id,
    nameScope: subnet.id,
    crn: '',
    resourceGroupId: subnet.resourceGroupId,
    facts: { address: formatAddress(address), autoDelete: wanted.autoDelete, targetId: wanted.targetId },
    createdAt: parts.clock.now(),
  } as const
  const nameTakenCode = 'validation_unique_failed'
  const name = await insertNamed(parts, tx, context, grant, { ...reserved, name: wanted.name, nameTakenCode })
  return { ...reserved, name }
}

const outside = (address: string, { facts }: Recorded<'subnet'>, field: string): Fault =>
  new Fault('invalid', `${field} ${JSON.stringify(address.slice(0, 64))} is not one that ${facts.cidr} can give away`, {
    reason: 'bad_field',
    target: { type: 'field', name: field },
  })

const inUse = (address: string, field: string): Fault =>
  new Fault('invalid', `${field} ${address} is reserved already`, {
    reason: 'bad_field',
    target: { type: 'field', name: field },
  })

const full = ({ name, facts }: Recorded<'subnet'>): Fault =>
  new Fault('conflict', `subnet ${name} (${facts.cidr}) has no free address`, { reason: 'subnet_conflict' })

// The network interfaces of an instance: what the body asks for, checked by leave on each thing it points at, and then
// written down in the transaction that writes the instance. Source: VPC API, "InstancePrototype" with
// `primary_network_interface` (the older form) or `primary_network_attachment` and a virtual network interface.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { collections, insertNamed, referred } from './collections.ts'
import { idOf } from './identity.ts'
import { makeZonalId, vpcCrn } from './ids.ts'
import { checkName } from './names.ts'
import type { attachmentNicPrototype, nicPrototype, vniFields } from './network-schemas.ts'
import type { VpcParts } from './parts.ts'
import type { Recorded } from './record.ts'
import { reserveAddress } from './reserve-address.ts'
import { childrenOf, referredRecords, updateRecord, writeFacts } from './tables-records.ts'

export interface PlannedInterface {
  readonly name: string | null
  readonly isPrimary: boolean
  readonly subnet: Recorded<'subnet'>
  readonly groupIds: readonly string[]
  readonly allowIpSpoofing: boolean
  /** An address that is reserved already, or what to reserve. */
  readonly address: Recorded<'reserved-ip'> | NewAddress
  readonly vni: Recorded<'virtual-network-interface'> | NewVni | null
  readonly field: string
}

interface NewAddress {
  readonly address: string | null
  readonly name: string | null
  readonly autoDelete: boolean
}

interface NewVni {
  readonly name: string | null
  readonly autoDelete: boolean
  readonly enableNat: boolean
  readonly resourceGroupId: string | null
}

type VniBody = Static<typeof vniFields>

/** What VPC, zone and groups an interface may have, checked as soon as its subnet is known. */
export async function planInterface(
  parts: VpcParts,
  context: Context,
  body: Static<typeof nicPrototype> | VniBody,
  at: { readonly field: string; readonly isPrimary: boolean },
): Promise<PlannedInterface> {
  const { field } = at
  if (!body.subnet) throw wrong(under(field, 'subnet'), 'is required', 'validation_required_field')
  const subnet = await referred(
    parts,
    context,
    collections.subnet,
    idOf(body.subnet, under(field, 'subnet')),
    under(field, 'subnet'),
  )
  return {
    ...at,
    name: body.name === undefined ? null : checkName(body.name, under(field, 'name')),
    subnet,
    groupIds: await planGroups(parts, context, body.security_groups, subnet, field),
    allowIpSpoofing: body.allow_ip_spoofing ?? false,
    address: await planAddress(parts, body.primary_ip, subnet, under(field, 'primary_ip')),
    vni: null,
  }
}

export async function planAttachment(
  parts: VpcParts,
  context: Context,
  body: Static<typeof attachmentNicPrototype>,
  at: { readonly field: string; readonly isPrimary: boolean },
): Promise<PlannedInterface> {
  const name = body.name === undefined ? null : checkName(body.name, `${at.field}.name`)
  const field = `${at.field}.virtual_network_interface`
  const { id, crn, href, ...fields } = body.virtual_network_interface
  if ((id ?? crn ?? href) === undefined) {
    const planned = await planInterface(parts, context, fields, { ...at, field })
    const vni = {
      name: planned.name,
      autoDelete: fields.auto_delete ?? true,
      enableNat: fields.enable_infrastructure_nat ?? true,
      resourceGroupId: fields.resource_group?.id ?? null,
    }
    return { ...planned, name, vni }
  }
  const vni = await referred(parts, context, collections.virtualInterface, idOf({ id, crn, href }, field), field)
  const { subnetId, addressId, groupIds, allowIpSpoofing } = vni.facts
  const { reads } = parts.database
  const subnet = (await referredRecords(reads, 'subnet', vni.accountId, [subnetId])).get(subnetId)
  const address = (await referredRecords(reads, 'reserved-ip', vni.accountId, [addressId])).get(addressId)
  if (!subnet || !address) throw wrong(field, 'has lost its subnet')
  return { ...at, field, name, subnet, groupIds, allowIpSpoofing, address, vni }
}

/** The groups named, all of the subnet's VPC; its default group where none is. */
export async function planGroups(
  parts: VpcParts,
  context: Context,
  groups: readonly { readonly id?: string; readonly crn?: string; readonly href?: string }[] | undefined,
  subnet: Recorded<'subnet'>,
  field: string,
): Promise<readonly string[]> {
  const { reads } = parts.database
  if (groups === undefined || groups.length === 0) {
    const network = (await referredRecords(reads, 'vpc', subnet.accountId, [subnet.parentId])).get(subnet.parentId)
    return network ? [network.facts.defaultGroupId] : []
  }
  const ids: string[] = []
  for (const [i, group] of groups.entries()) {
    const name = under(field, `security_groups.${i}`)
    const found = await referred(parts, context, collections.securityGroup, idOf(group, name), name)
    if (found.parentId !== subnet.parentId)
      throw wrong(name, 'is of another VPC than the subnet', 'vpc_resource_separation')
    if (!ids.includes(found.id)) ids.push(found.id)
  }
  return ids
}

export async function planAddress(
  parts: VpcParts,
  body: Static<typeof nicPrototype>['primary_ip'],
  subnet: Recorded<'subnet'>,
  field: string,
): Promise<PlannedInterface['address']> {
  const { id, href, address, name, auto_delete: autoDelete } = body ?? {}
  if (id === undefined && href === undefined) {
    const checked = name === undefined ? null : checkName(name, `${field}.name`)
    return { address: address ?? null, name: checked, autoDelete: autoDelete ?? true }
  }
  const wanted = idOf({ id, href }, field)
  const reserved = await childrenOf(parts.database.reads, 'reserved-ip', subnet.accountId, [subnet.id])
  const found = reserved.find((one) => one.id === wanted)
  if (!found) throw wrong(field, 'is not an address that is reserved in the subnet', 'validation_invalid_ref')
  return found
}

/** Writes the address and, where it has one, the virtual interface; a thing that serves another already is refused. */
export async function writeAddressFor(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  planned: PlannedInterface,
  targetId: string,
): Promise<Recorded<'reserved-ip'>> {
  const { address, subnet, field } = planned
  if (!('id' in address)) {
    const wanted = { ...address, targetId }
    return await reserveAddress(parts, tx, context, grant, {
      subnet,
      wanted,
      field: under(field, 'primary_ip.address'),
    })
  }
  const now = (await referredRecords(tx, 'reserved-ip', subnet.accountId, [address.id])).get(address.id)
  if (!now || now.facts.targetId !== null) throw wrong(under(field, 'primary_ip'), 'is bound to something else')
  await updateRecord(tx, grant, now, { facts: { ...now.facts, targetId } })
  return now
}

export async function writeVni(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  planned: PlannedInterface,
  wanted: NewVni & { readonly resourceGroupId: string },
): Promise<Recorded<'virtual-network-interface'>> {
  const { subnet, groupIds, allowIpSpoofing } = planned
  const { accountId, region } = subnet
  const { zone } = subnet.facts
  const id = makeZonalId(parts.random, zone)
  const address = await writeAddressFor(parts, tx, context, grant, planned, id)
  const { autoDelete, enableNat, resourceGroupId } = wanted
  const vni = {
    id,
    kind: 'virtual-network-interface',
    accountId,
    region,
    parentId: subnet.id,
    nameScope: `${accountId}/${region}`,
    crn: vpcCrn('virtual-network-interface', { accountId, location: zone }, id),
    resourceGroupId,
    facts: {
      subnetId: subnet.id,
      addressId: address.id,
      groupIds,
      allowIpSpoofing,
      autoDelete,
      enableNat,
      macAddress: macOf(parts.random.bytes(4)),
      targetId: null,
    },
    createdAt: parts.clock.now(),
  } as const
  const nameTakenCode = collections.virtualInterface.nameTakenCode
  return { ...vni, name: await insertNamed(parts, tx, context, grant, { ...vni, name: wanted.name, nameTakenCode }) }
}

/** The locally administered range that IBM's own interfaces use. */
const macOf = (bytes: Uint8Array): string =>
  ['02', '00', ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))].join(':')

export async function writeInterface(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  planned: PlannedInterface,
  instance: { readonly id: string; readonly zone: string; readonly resourceGroupId: string },
): Promise<void> {
  const { subnet, groupIds, allowIpSpoofing, isPrimary } = planned
  const id = makeZonalId(parts.random, instance.zone)
  const vni = planned.vni && (await vniFor(parts, tx, context, grant, planned, instance.resourceGroupId))
  const addressId = vni ? vni.facts.addressId : (await writeAddressFor(parts, tx, context, grant, planned, id)).id
  if (vni) await writeFacts(tx, vni, { ...vni.facts, targetId: id })
  await insertNamed(parts, tx, context, grant, {
    id,
    kind: 'network-interface',
    accountId: subnet.accountId,
    region: subnet.region,
    parentId: instance.id,
    name: planned.name,
    nameScope: instance.id,
    crn: '',
    resourceGroupId: instance.resourceGroupId,
    facts: { subnetId: subnet.id, addressId, groupIds, allowIpSpoofing, isPrimary, vniId: vni?.id ?? null },
    createdAt: parts.clock.now(),
    nameTakenCode: 'validation_unique_failed',
  })
}

async function vniFor(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  planned: PlannedInterface,
  groupId: string,
): Promise<Recorded<'virtual-network-interface'>> {
  const { vni, field } = planned
  if (!vni) throw new Error('only an attachment has a virtual network interface')
  if (!('id' in vni)) {
    return await writeVni(parts, tx, context, grant, planned, {
      ...vni,
      resourceGroupId: vni.resourceGroupId ?? groupId,
    })
  }
  const now = (await referredRecords(tx, 'virtual-network-interface', vni.accountId, [vni.id])).get(vni.id)
  if (!now || now.facts.targetId !== null) throw wrong(field, 'is attached to an instance already')
  return now
}

const wrong = (name: string, rule: string, reason = 'bad_field'): Fault =>
  new Fault('invalid', `${name} ${rule}`, { reason, target: { type: 'field', name } })

/** The name of a field of an interface, which may be the whole body. */
const under = (field: string, name: string): string => (field === '' ? name : `${field}.${name}`)

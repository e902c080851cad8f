// Networks as clients see them. Source: VPC API, "VPC", "AddressPrefix", "Subnet", "ReservedIP", "SecurityGroup",
// "VirtualNetworkInterface", "NetworkInterface", "InstanceNetworkAttachment". Pure.

import { rfc3339 } from '#base/clock.ts'
import { contains, keptAddresses, parseBlock } from './addresses.ts'
import { groupReference } from './groups.ts'
import type { Recorded } from './record.ts'
import { zoneReference } from './regions.ts'

type Names = ReadonlyMap<string, string>

export const vpcHref = (base: string, id: string): string => `${base}/v1/vpcs/${id}`

export const vpcReference = (base: string, { crn, id, name }: Recorded<'vpc'>) => ({
  crn,
  href: vpcHref(base, id),
  id,
  name,
  resource_type: 'vpc' as const,
})

const aclReference = (base: string, { facts: { acl }, accountId, region }: Recorded<'vpc'>) => ({
  crn: `crn:v1:bluemix:public:is:${region}:a/${accountId}::network-acl:${acl.id}`,
  href: `${base}/v1/network_acls/${acl.id}`,
  ...acl,
})

export const routingTableCrn = ({ facts, accountId, region }: Recorded<'vpc'>): string =>
  `crn:v1:bluemix:public:is:${region}:a/${accountId}::routing-table:${facts.routingTable.id}`

const routingTableReference = (base: string, { id, facts: { routingTable } }: Recorded<'vpc'>) => ({
  href: `${vpcHref(base, id)}/routing_tables/${routingTable.id}`,
  ...routingTable,
  resource_type: 'routing_table' as const,
})

export const securityGroupReference = (base: string, { crn, id, name }: Recorded<'security-group'>) => ({
  crn,
  href: `${base}/v1/security_groups/${id}`,
  id,
  name,
})

export function vpcView(
  base: string,
  network: Recorded<'vpc'>,
  around: { readonly groupNames: Names; readonly defaultGroup: Recorded<'security-group'> | undefined },
) {
  const { defaultGroup } = around
  return {
    ...vpcReference(base, network),
    classic_access: network.facts.classicAccess,
    created_at: rfc3339(network.createdAt),
    cse_source_ips: [],
    default_network_acl: aclReference(base, network),
    default_routing_table: routingTableReference(base, network),
    default_security_group: defaultGroup
      ? securityGroupReference(base, defaultGroup)
      : { crn: '', href: '', id: network.facts.defaultGroupId, name: '' },
    dns: { enable_hub: false, resolution_binding_count: 0, resolver: { servers: [], type: 'system' as const } },
    health_reasons: [],
    health_state: 'ok' as const,
    public_address_ranges: [],
    resource_group: groupReference(base, network.resourceGroupId, around.groupNames),
    status: 'available' as const,
  }
}

export const aclView = (base: string, network: Recorded<'vpc'>, groupNames: Names) => ({
  ...aclReference(base, network),
  created_at: rfc3339(network.createdAt),
  resource_group: groupReference(base, network.resourceGroupId, groupNames),
  rules: [],
  subnets: [],
  vpc: vpcReference(base, network),
})

export const routingTableView = (base: string, network: Recorded<'vpc'>, subnets: readonly Recorded<'subnet'>[]) => ({
  ...routingTableReference(base, network),
  created_at: rfc3339(network.createdAt),
  is_default: true,
  lifecycle_state: 'stable' as const,
  routes: [],
  subnets: subnets.map((subnet) => subnetReference(base, subnet)),
})

export function prefixView(base: string, prefix: Recorded<'address-prefix'>, subnets: readonly Recorded<'subnet'>[]) {
  const { cidr, zone, isDefault } = prefix.facts
  const block = parseBlock(cidr)
  const isWithin = ({ facts }: Recorded<'subnet'>): boolean => {
    const inner = parseBlock(facts.cidr)
    return block !== null && inner !== null && contains(block, inner)
  }
  return {
    cidr,
    created_at: rfc3339(prefix.createdAt),
    has_subnets: subnets.some(isWithin),
    href: `${vpcHref(base, prefix.parentId)}/address_prefixes/${prefix.id}`,
    id: prefix.id,
    is_default: isDefault,
    name: prefix.name,
    zone: zoneReference(base, zone),
  }
}

export const subnetHref = (base: string, id: string): string => `${base}/v1/subnets/${id}`

export const subnetReference = (base: string, { crn, id, name }: Recorded<'subnet'>) => ({
  crn,
  href: subnetHref(base, id),
  id,
  name,
  resource_type: 'subnet' as const,
})

export function subnetView(
  base: string,
  subnet: Recorded<'subnet'>,
  around: { readonly groupNames: Names; readonly network: Recorded<'vpc'>; readonly addressCount: number },
) {
  const { network, addressCount } = around
  const total = parseBlock(subnet.facts.cidr)?.size ?? 0
  return {
    ...subnetReference(base, subnet),
    available_ipv4_address_count: total - keptAddresses - addressCount,
    created_at: rfc3339(subnet.createdAt),
    ip_version: 'ipv4' as const,
    ipv4_cidr_block: subnet.facts.cidr,
    network_acl: aclReference(base, network),
    resource_group: groupReference(base, subnet.resourceGroupId, around.groupNames),
    routing_table: routingTableReference(base, network),
    status: 'available' as const,
    total_ipv4_address_count: total,
    vpc: vpcReference(base, network),
    zone: zoneReference(base, subnet.facts.zone),
  }
}

export const addressReference = (base: string, address: Recorded<'reserved-ip'>) => ({
  address: address.facts.address,
  href: `${subnetHref(base, address.parentId)}/reserved_ips/${address.id}`,
  id: address.id,
  name: address.name,
  resource_type: 'subnet_reserved_ip' as const,
})

export const addressView = (base: string, address: Recorded<'reserved-ip'>) => ({
  ...addressReference(base, address),
  auto_delete: address.facts.autoDelete,
  created_at: rfc3339(address.createdAt),
  lifecycle_state: 'stable' as const,
  owner: 'user' as const,
})

export const ruleView = (
  base: string,
  rule: Recorded<'security-group-rule'>,
  groups: ReadonlyMap<string, Recorded<'security-group'>>,
) => {
  const { direction, protocol, remote, ports } = rule.facts
  const group = 'groupId' in remote ? groups.get(remote.groupId) : undefined
  return {
    direction,
    href: `${base}/v1/security_groups/${rule.parentId}/rules/${rule.id}`,
    id: rule.id,
    ip_version: 'ipv4' as const,
    local: { cidr_block: '0.0.0.0/0' },
    name: rule.name,
    protocol,
    remote:
      'groupId' in remote ? (group ? securityGroupReference(base, group) : { id: remote.groupId }) : { ...remote },
    ...ports,
  }
}

/** What an interface refers to, read for it. */
export interface InterfaceEnds {
  readonly subnet: Recorded<'subnet'>
  readonly address: Recorded<'reserved-ip'>
  readonly groups: readonly Recorded<'security-group'>[]
}

export const nicHref = (base: string, { parentId, id }: Recorded<'network-interface'>): string =>
  `${base}/v1/instances/${parentId}/network_interfaces/${id}`

export const nicReference = (base: string, nic: Recorded<'network-interface'>, ends: InterfaceEnds) => ({
  href: nicHref(base, nic),
  id: nic.id,
  name: nic.name,
  primary_ip: addressReference(base, ends.address),
  resource_type: 'network_interface' as const,
  subnet: subnetReference(base, ends.subnet),
})

/** VPC API: megabits per second of an interface; here it is as fast as the user's own network. */
const portSpeedMbps = 16_000

const nicType = ({ facts }: Recorded<'network-interface'>) =>
  facts.isPrimary ? ('primary' as const) : ('secondary' as const)

export const nicView = (base: string, nic: Recorded<'network-interface'>, ends: InterfaceEnds) => ({
  ...nicReference(base, nic, ends),
  allow_ip_spoofing: nic.facts.allowIpSpoofing,
  created_at: rfc3339(nic.createdAt),
  floating_ips: [],
  port_speed: portSpeedMbps,
  security_groups: ends.groups.map((group) => securityGroupReference(base, group)),
  status: 'available' as const,
  type: nicType(nic),
})

export const networkAttachmentReference = (
  base: string,
  nic: Recorded<'network-interface'>,
  vni: Recorded<'virtual-network-interface'>,
  ends: InterfaceEnds,
) => ({
  href: `${base}/v1/instances/${nic.parentId}/network_attachments/${nic.id}`,
  id: nic.id,
  name: nic.name,
  primary_ip: addressReference(base, ends.address),
  resource_type: 'instance_network_attachment' as const,
  subnet: subnetReference(base, ends.subnet),
  virtual_network_interface: vniReference(base, vni),
})

export const networkAttachmentView = (...ends: Parameters<typeof networkAttachmentReference>) => ({
  ...networkAttachmentReference(...ends),
  created_at: rfc3339(ends[1].createdAt),
  lifecycle_state: 'stable' as const,
  port_speed: portSpeedMbps,
  type: nicType(ends[1]),
})

const vniReference = (base: string, { crn, id, name }: Recorded<'virtual-network-interface'>) => ({
  crn,
  href: `${base}/v1/virtual_network_interfaces/${id}`,
  id,
  name,
  resource_type: 'virtual_network_interface' as const,
})

export function vniView(
  base: string,
  vni: Recorded<'virtual-network-interface'>,
  around: InterfaceEnds & {
    readonly groupNames: Names
    readonly network: Recorded<'vpc'>
    readonly nic: Recorded<'network-interface'> | undefined
  },
) {
  const { facts } = vni
  const primary = addressReference(base, around.address)
  return {
    ...vniReference(base, vni),
    allow_ip_spoofing: facts.allowIpSpoofing,
    auto_delete: facts.autoDelete,
    created_at: rfc3339(vni.createdAt),
    enable_infrastructure_nat: facts.enableNat,
    ips: [primary],
    lifecycle_state: 'stable' as const,
    mac_address: facts.macAddress,
    primary_ip: primary,
    protocol_state_filtering_mode: 'auto' as const,
    resource_group: groupReference(base, vni.resourceGroupId, around.groupNames),
    security_groups: around.groups.map((group) => securityGroupReference(base, group)),
    subnet: subnetReference(base, around.subnet),
    ...(around.nic && { target: attachmentTarget(base, around.nic) }),
    vpc: vpcReference(base, around.network),
    zone: zoneReference(base, around.subnet.facts.zone),
  }
}

const attachmentTarget = (base: string, nic: Recorded<'network-interface'>) => ({
  href: `${base}/v1/instances/${nic.parentId}/network_attachments/${nic.id}`,
  id: nic.id,
  name: nic.name,
  resource_type: 'instance_network_attachment' as const,
})

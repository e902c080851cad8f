// Networks and SSH keys on the wire. Source: VPC API, the prototypes, patches and resources of the same names.

import { Type } from 'typebox'
import type { TProperties } from 'typebox'
import { notYetFields } from './not-yet.ts'
import {
  closed,
  groupIdentity,
  groupReference,
  idIdentity,
  nameIdentity,
  ofVpc,
  pageReply,
  paged,
  reason,
  reference,
  text,
  when,
} from './schemas.ts'

const name = Type.Optional(Type.String())
const resource_group = Type.Optional(groupIdentity)
const cidr = Type.String({ maxLength: 18 })
const address = Type.String({ maxLength: 15 })

/** What only takes a new name. */
export const namePatch = Type.Object({ name }, closed)

const crnReference = { crn: Type.String(), href: Type.String(), id: Type.String(), name: Type.String() }
const typedReference = <T extends string>(type: T) =>
  Type.Object({ ...crnReference, resource_type: Type.Literal(type) })
const plainReference = Type.Object(crnReference)

const collectionOf = <Fields extends TProperties>(fields: Fields) => pageReply(fields)

// SSH keys ---------------------------------------------------------------------------------------------------------------

/** An RSA key of 16384 bits, in base64, is shorter. */
const publicKeyLengthMax = 4096

export const keyPrototype = Type.Object(
  {
    public_key: Type.String({ maxLength: publicKeyLengthMax }),
    type: Type.Optional(Type.Enum(['rsa', 'ed25519'])),
    name,
    resource_group,
  },
  closed,
)
export const keyPatch = namePatch

export const keyReferenceReply = Type.Object({ ...crnReference, fingerprint: Type.String() })

export const keyReply = Type.Object({
  ...keyReferenceReply.properties,
  created_at: when,
  length: Type.Integer(),
  public_key: Type.String(),
  resource_group: groupReference,
  type: Type.Enum(['rsa', 'ed25519']),
})
export const keyCollection = collectionOf({ keys: Type.Array(keyReply) })

// VPCs -------------------------------------------------------------------------------------------------------------------

export const vpcPrototypeNotYet = ['dns', 'user_tags'] as const

export const vpcPrototype = Type.Object(
  {
    name,
    resource_group,
    address_prefix_management: Type.Optional(Type.Enum(['auto', 'manual'])),
    classic_access: Type.Optional(Type.Literal(false)),
    ...notYetFields(vpcPrototypeNotYet),
  },
  closed,
)
export const vpcPatch = namePatch

const flag = Type.Optional(Type.Boolean())

export const vpcQuery = Type.Object({
  ...paged,
  name: Type.Optional(text),
  'resource_group.id': Type.Optional(text),
  classic_access: flag,
})

export const vpcReferenceReply = typedReference('vpc')
const routingTableReference = Type.Object({
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  resource_type: Type.Literal('routing_table'),
})

export const vpcReply = Type.Object({
  ...vpcReferenceReply.properties,
  classic_access: Type.Boolean(),
  created_at: when,
  cse_source_ips: Type.Array(Type.Unknown()),
  default_network_acl: plainReference,
  default_routing_table: routingTableReference,
  default_security_group: plainReference,
  dns: Type.Object({
    enable_hub: Type.Boolean(),
    resolution_binding_count: Type.Integer(),
    resolver: Type.Object({ servers: Type.Array(Type.Unknown()), type: Type.Enum(['system', 'manual', 'delegated']) }),
  }),
  health_reasons: Type.Array(reason),
  health_state: Type.Enum(['ok', 'degraded', 'faulted', 'inapplicable']),
  public_address_ranges: Type.Array(Type.Unknown()),
  resource_group: groupReference,
  status: Type.Enum(['available', 'pending', 'deleting', 'failed']),
})
export const vpcCollection = collectionOf({ vpcs: Type.Array(vpcReply) })

export const subnetReferenceReply = typedReference('subnet')

export const aclReply = Type.Object({
  ...crnReference,
  created_at: when,
  resource_group: groupReference,
  rules: Type.Array(Type.Unknown()),
  subnets: Type.Array(subnetReferenceReply),
  vpc: vpcReferenceReply,
})

export const routingTableReply = Type.Object({
  ...routingTableReference.properties,
  created_at: when,
  is_default: Type.Boolean(),
  lifecycle_state: Type.String(),
  routes: Type.Array(Type.Unknown()),
  subnets: Type.Array(subnetReferenceReply),
})

export const prefixPrototype = Type.Object({ cidr, zone: nameIdentity, name, is_default: flag }, closed)
/** `is_default` is kept as it was made. */
export const prefixPatch = namePatch

export const prefixReply = Type.Object({
  cidr: Type.String(),
  created_at: when,
  has_subnets: Type.Boolean(),
  href: Type.String(),
  id: Type.String(),
  is_default: Type.Boolean(),
  name: Type.String(),
  zone: reference,
})
export const prefixCollection = collectionOf({ address_prefixes: Type.Array(prefixReply) })

// Subnets ----------------------------------------------------------------------------------------------------------------

export const subnetPrototypeNotYet = ['network_acl', 'public_gateway', 'routing_table'] as const

export const subnetPrototype = Type.Object(
  {
    name,
    vpc: idIdentity,
    zone: Type.Optional(nameIdentity),
    ipv4_cidr_block: Type.Optional(cidr),
    total_ipv4_address_count: Type.Optional(Type.Integer()),
    ip_version: Type.Optional(Type.Literal('ipv4')),
    resource_group,
    ...notYetFields(subnetPrototypeNotYet),
  },
  closed,
)
export const subnetPatch = Type.Object({ name, ...notYetFields(subnetPrototypeNotYet) }, closed)

export const subnetQuery = Type.Object({
  ...paged,
  name: Type.Optional(text),
  'resource_group.id': Type.Optional(text),
  ...ofVpc,
  'zone.name': Type.Optional(text),
  'routing_table.id': Type.Optional(text),
  'routing_table.crn': Type.Optional(text),
  'routing_table.name': Type.Optional(text),
})

export const subnetReply = Type.Object({
  ...subnetReferenceReply.properties,
  available_ipv4_address_count: Type.Integer(),
  created_at: when,
  ip_version: Type.Literal('ipv4'),
  ipv4_cidr_block: Type.String(),
  network_acl: plainReference,
  resource_group: groupReference,
  routing_table: routingTableReference,
  status: Type.Enum(['available', 'pending', 'deleting', 'failed']),
  total_ipv4_address_count: Type.Integer(),
  vpc: vpcReferenceReply,
  zone: reference,
})
export const subnetCollection = collectionOf({ subnets: Type.Array(subnetReply) })

export const addressPrototype = Type.Object({ address: Type.Optional(address), name, auto_delete: flag }, closed)
export const addressPatch = Type.Object({ name, auto_delete: flag }, closed)

export const addressReferenceReply = Type.Object({
  address: Type.String(),
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  resource_type: Type.Literal('subnet_reserved_ip'),
})
export const addressReply = Type.Object({
  ...addressReferenceReply.properties,
  auto_delete: Type.Boolean(),
  created_at: when,
  lifecycle_state: Type.String(),
  owner: Type.Enum(['user', 'provider']),
})
export const addressCollection = collectionOf({ reserved_ips: Type.Array(addressReply) })

// Interfaces -------------------------------------------------------------------------------------------------------------

const primary_ip = Type.Optional(
  Type.Object(
    { id: Type.Optional(text), href: Type.Optional(text), address: Type.Optional(address), name, auto_delete: flag },
    closed,
  ),
)
const interfaceFields = {
  name,
  subnet: Type.Optional(idIdentity),
  primary_ip,
  security_groups: Type.Optional(Type.Array(idIdentity, { maxItems: 5 })),
  allow_ip_spoofing: flag,
}
export const nicPrototype = Type.Object(interfaceFields, closed)

const vniShape = {
  ...interfaceFields,
  auto_delete: flag,
  enable_infrastructure_nat: flag,
  protocol_state_filtering_mode: Type.Optional(Type.Enum(['auto', 'enabled', 'disabled'])),
  resource_group,
}
export const vniFields = Type.Object(vniShape, closed)
export const vniPrototype = vniFields
export const vniPatch = Type.Object(
  { name, auto_delete: flag, allow_ip_spoofing: flag, enable_infrastructure_nat: flag },
  closed,
)

export const attachmentNicPrototype = Type.Object(
  { name, virtual_network_interface: Type.Object({ ...vniShape, ...idIdentity.properties }, closed) },
  closed,
)

export const nicReferenceReply = Type.Object({
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  primary_ip: addressReferenceReply,
  resource_type: Type.Literal('network_interface'),
  subnet: subnetReferenceReply,
})
export const nicReply = Type.Object({
  ...nicReferenceReply.properties,
  allow_ip_spoofing: Type.Boolean(),
  created_at: when,
  floating_ips: Type.Array(Type.Unknown()),
  port_speed: Type.Integer(),
  security_groups: Type.Array(plainReference),
  status: Type.Enum(['available', 'pending', 'deleting', 'failed']),
  type: Type.Enum(['primary', 'secondary']),
})
export const nicCollection = Type.Object({ network_interfaces: Type.Array(nicReply) })

export const networkAttachmentReferenceReply = Type.Object({
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  primary_ip: addressReferenceReply,
  resource_type: Type.Literal('instance_network_attachment'),
  subnet: subnetReferenceReply,
  virtual_network_interface: typedReference('virtual_network_interface'),
})
export const networkAttachmentReply = Type.Object({
  ...networkAttachmentReferenceReply.properties,
  created_at: when,
  lifecycle_state: Type.String(),
  port_speed: Type.Integer(),
  type: Type.Enum(['primary', 'secondary']),
})
export const networkAttachmentCollection = Type.Object({ network_attachments: Type.Array(networkAttachmentReply) })

export const vniReply = Type.Object({
  ...typedReference('virtual_network_interface').properties,
  allow_ip_spoofing: Type.Boolean(),
  auto_delete: Type.Boolean(),
  created_at: when,
  enable_infrastructure_nat: Type.Boolean(),
  ips: Type.Array(addressReferenceReply),
  lifecycle_state: Type.String(),
  mac_address: Type.String(),
  primary_ip: addressReferenceReply,
  protocol_state_filtering_mode: Type.String(),
  resource_group: groupReference,
  security_groups: Type.Array(plainReference),
  subnet: subnetReferenceReply,
  target: Type.Optional(
    Type.Object({
      href: Type.String(),
      id: Type.String(),
      name: Type.String(),
      resource_type: Type.Literal('instance_network_attachment'),
    }),
  ),
  vpc: vpcReferenceReply,
  zone: reference,
})
export const vniQuery = Type.Object({ ...paged, 'resource_group.id': Type.Optional(text) })
export const vniCollection = collectionOf({ virtual_network_interfaces: Type.Array(vniReply) })

// Security groups --------------------------------------------------------------------------------------------------------

const port = Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 }))
/** VPC API: `all` is the name that `icmp_tcp_udp` had before December 2025. */
const protocol = Type.Optional(Type.Enum(['all', 'any', 'icmp', 'icmp_tcp_udp', 'individual', 'tcp', 'udp']))
const ruleFields = {
  name,
  protocol,
  ip_version: Type.Optional(Type.Literal('ipv4')),
  remote: Type.Optional(
    Type.Object(
      {
        ...idIdentity.properties,
        name: Type.Optional(text),
        cidr_block: Type.Optional(cidr),
        address: Type.Optional(address),
      },
      closed,
    ),
  ),
  local: Type.Optional(Type.Object({ cidr_block: Type.Optional(cidr), address: Type.Optional(address) }, closed)),
  port_min: port,
  port_max: port,
  type: Type.Optional(Type.Integer({ minimum: 0, maximum: 254 })),
  code: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
}
const direction = Type.Enum(['inbound', 'outbound'])
export const rulePrototype = Type.Object({ ...ruleFields, direction }, closed)
export const rulePatch = Type.Object({ ...ruleFields, direction: Type.Optional(direction) }, closed)

export const ruleReply = Type.Object({
  direction,
  href: Type.String(),
  id: Type.String(),
  ip_version: Type.Literal('ipv4'),
  local: Type.Object({ cidr_block: Type.String() }),
  name: Type.String(),
  protocol: Type.String(),
  remote: Type.Partial(Type.Object({ ...crnReference, cidr_block: Type.String(), address: Type.String() })),
  port_min: Type.Optional(Type.Integer()),
  port_max: Type.Optional(Type.Integer()),
  type: Type.Optional(Type.Integer()),
  code: Type.Optional(Type.Integer()),
})
export const ruleCollection = Type.Object({ rules: Type.Array(ruleReply) })

export const securityGroupPrototype = Type.Object(
  { vpc: idIdentity, name, resource_group, rules: Type.Optional(Type.Array(rulePrototype, { maxItems: 250 })) },
  closed,
)
export const securityGroupPatch = namePatch

export const securityGroupQuery = Type.Object({
  ...paged,
  'resource_group.id': Type.Optional(text),
  ...ofVpc,
})

export const securityGroupReply = Type.Object({
  ...crnReference,
  created_at: when,
  resource_group: groupReference,
  rules: Type.Array(ruleReply),
  targets: Type.Array(nicReferenceReply),
  vpc: vpcReferenceReply,
})
export const securityGroupCollection = collectionOf({ security_groups: Type.Array(securityGroupReply) })

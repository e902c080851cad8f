// Things that are only written down here: networks, addresses, security groups and SSH keys. Nothing filters packets by
// them and nobody logs in with them; whoever runs the machines reads them. What each kind has beyond its name:

import type { RecordKind } from '#store/schema/vpc.ts'

export interface Facts {
  readonly key: {
    readonly type: 'rsa' | 'ed25519'
    readonly length: number
    readonly fingerprint: string
    /** Two fields, without the comment. */
    readonly publicKey: string
  }
  readonly vpc: {
    readonly classicAccess: boolean
    readonly defaultGroupId: string
    /** Ids and names of what has no record of its own. */
    readonly acl: Named
    readonly routingTable: Named
  }
  readonly 'address-prefix': { readonly cidr: string; readonly zone: string; readonly isDefault: boolean }
  readonly subnet: { readonly cidr: string; readonly zone: string }
  readonly 'reserved-ip': { readonly address: string; readonly autoDelete: boolean; readonly targetId: string | null }
  readonly 'security-group': Readonly<Record<string, never>>
  readonly 'security-group-rule': RuleFacts
  readonly 'virtual-network-interface': InterfaceFacts & {
    readonly autoDelete: boolean
    readonly enableNat: boolean
    readonly macAddress: string
    /** The network attachment of an instance that has it. */
    readonly targetId: string | null
  }
  /** Of an instance; with a virtual network interface it is also its network attachment. */
  readonly 'network-interface': InterfaceFacts & { readonly isPrimary: boolean; readonly vniId: string | null }
}

interface Named {
  readonly id: string
  readonly name: string
}

export interface InterfaceFacts {
  readonly subnetId: string
  readonly addressId: string
  readonly groupIds: readonly string[]
  readonly allowIpSpoofing: boolean
}

/** VPC API, "SecurityGroupRule"; ports and ICMP types only where the protocol has them. */
export interface RuleFacts {
  readonly direction: 'inbound' | 'outbound'
  readonly protocol: 'all' | 'any' | 'icmp' | 'icmp_tcp_udp' | 'individual' | 'tcp' | 'udp'
  readonly remote: { readonly cidr_block: string } | { readonly address: string } | { readonly groupId: string }
  readonly ports: {
    readonly port_min?: number
    readonly port_max?: number
    readonly type?: number
    readonly code?: number
  }
}

export interface Recorded<Kind extends RecordKind = RecordKind> {
  readonly id: string
  readonly kind: Kind
  readonly accountId: string
  readonly region: string
  readonly parentId: string
  readonly name: string
  readonly nameScope: string
  readonly crn: string
  readonly resourceGroupId: string
  readonly facts: Facts[Kind]
  readonly createdAt: number
}

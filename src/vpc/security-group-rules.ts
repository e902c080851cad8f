// Rules of security groups: from the body to what is written down. Pure. Source: VPC API, "SecurityGroupRulePrototype".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import { parseAddress, parseBlock } from './addresses.ts'
import { makeRegionalId } from './ids.ts'
import { makeName } from './names.ts'
import type { rulePrototype } from './network-schemas.ts'
import type { Recorded, RuleFacts } from './record.ts'

interface Below {
  readonly accountId: string
  readonly region: string
  readonly groupId: string
  readonly createdAt: number
  readonly random: Random
}

export const draftRule = (
  { accountId, region, groupId, createdAt, random }: Below,
  facts: RuleFacts,
  name: string | null,
): Omit<Recorded<'security-group-rule'>, 'name'> & { readonly name: string } => ({
  id: makeRegionalId(random, region),
  kind: 'security-group-rule',
  accountId,
  region,
  parentId: groupId,
  name: name ?? makeName(random),
  nameScope: groupId,
  crn: '',
  resourceGroupId: '',
  facts,
  createdAt,
})

const anywhere = { cidr_block: '0.0.0.0/0' } as const
const everyProtocol = 'icmp_tcp_udp'

/** VPC docs, "About security groups": the default group lets its own members in, and everybody out. */
export const defaultRules = (below: Below) => [
  draftRule(
    below,
    { direction: 'inbound', protocol: everyProtocol, remote: { groupId: below.groupId }, ports: {} },
    'inbound-icmp-tcp-udp-from-this-security-group',
  ),
  draftRule(
    below,
    { direction: 'outbound', protocol: everyProtocol, remote: anywhere, ports: {} },
    'outbound-icmp-tcp-udp',
  ),
]

/** `remoteGroup` is the id of the group that the body points at, where it points at one. */
export function parseRule(body: Static<typeof rulePrototype>, remoteGroup: string | null): RuleFacts {
  const { direction, protocol = everyProtocol, port_min, port_max, type, code } = body
  const hasPorts = port_min !== undefined || port_max !== undefined
  if (hasPorts && protocol !== 'tcp' && protocol !== 'udp')
    throw wrong('port_min', `is for tcp and udp, not ${protocol}`)
  if ((port_min === undefined) !== (port_max === undefined)) throw wrong('port_max', 'and port_min go together')
  if (port_min !== undefined && port_max !== undefined && port_min > port_max) {
    throw wrong('port_max', 'must not be less than port_min')
  }
  if ((type !== undefined || code !== undefined) && protocol !== 'icmp')
    throw wrong('type', `is for icmp, not ${protocol}`)
  if (code !== undefined && type === undefined) throw wrong('code', 'needs type')
  return {
    direction,
    protocol,
    remote: remoteGroup === null ? remoteOf(body.remote) : { groupId: remoteGroup },
    ports: {
      ...(port_min !== undefined && { port_min }),
      ...(port_max !== undefined && { port_max }),
      ...(type !== undefined && { type }),
      ...(code !== undefined && { code }),
    },
  }
}

function remoteOf(remote: Static<typeof rulePrototype>['remote']): RuleFacts['remote'] {
  if (!remote) return anywhere
  const { cidr_block, address } = remote
  if (cidr_block !== undefined && address === undefined) {
    if (parseBlock(cidr_block) === null) throw wrong('remote.cidr_block', 'is not an IPv4 block')
    return { cidr_block }
  }
  if (address !== undefined && cidr_block === undefined) {
    if (parseAddress(address) === null) throw wrong('remote.address', 'is not an IPv4 address')
    return { address }
  }
  throw new Fault('invalid', 'remote must have one of address, cidr_block or the identity of a security group', {
    reason: 'validation_only_one',
    target: { type: 'field', name: 'remote' },
  })
}

const wrong = (name: string, rule: string): Fault =>
  new Fault('invalid', `${name} ${rule}`, { reason: 'bad_field', target: { type: 'field', name } })

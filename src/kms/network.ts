// Where a request comes from, as the network policies of an instance see it. Source: Key Protect, "Managing network access
// policies", "Managing allowed IP addresses".

import { BlockList, isIP, isIPv4 } from 'node:net'
import { allowedAddresses, isPrivateOnly } from './policy.ts'
import type { InstancePolicies } from './policy.ts'

/** What counts as the private network here: addresses that no route from outside leads to. RFC 1918, 6598, 4193, 4291. */
const privateAddresses = new BlockList()
for (const [net, prefix] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  privateAddresses.addSubnet(net, prefix, 'ipv4')
}
for (const [net, prefix] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  privateAddresses.addSubnet(net, prefix, 'ipv6')
}

/** An absent address is a caller in this process: no network lies between. */
export function isAdmitted(policies: InstancePolicies, remoteAddress: string | undefined): boolean {
  if (remoteAddress === undefined) return true
  const address = plain(remoteAddress)
  if (isPrivateOnly(policies) && !isIn(privateAddresses, address)) return false
  const ranges = allowedAddresses(policies)
  return ranges === null || isIn(listOf(ranges), address)
}

/** Whether a list of addresses and ranges admits the address. */
export const isListed = (ranges: readonly string[], remoteAddress: string): boolean =>
  isIn(listOf(ranges), plain(remoteAddress))

/** Whether the text is an IPv4 address or range in CIDR form: what the policy takes. */
export function isIpv4Range(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  if (!isIPv4(address) || rest.length > 0) return false
  return prefix === undefined || (/^\d{1,2}$/.test(prefix) && Number(prefix) <= 32)
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix = '32'] = range.split('/')
    list.addSubnet(address, Number(prefix), 'ipv4')
  }
  return list
}

const isIn = (list: BlockList, address: string): boolean => {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** A listener on both families shows IPv4 clients as `::ffff:192.0.2.1`. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')

// Where a webhook may point: to the outside, by HTTPS. A receiver inside (loopback, private networks, link-local addresses
// with their metadata services) would let a tenant reach what only the server should. Names are resolved here and the
// connection goes to the address that was looked at, so that a name cannot change its mind in between.
// Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.

import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { Fault } from '#base/fault.ts'
import { webhookUrlLengthMax } from '#base/limits-ledger.ts'

export interface Address {
  readonly address: string
  readonly family: 4 | 6
}

const notPublic = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  notPublic.addSubnet(network, bits, 'ipv4')
}
/** Of IPv6 only global unicast is public, and of that not what carries other addresses in it. */
const publicV6 = new BlockList()
publicV6.addSubnet('2000::', 3, 'ipv6')
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  notPublic.addSubnet(network, bits, 'ipv6')
}

export function isPublic({ address, family }: Address): boolean {
  if (family === 4) return !notPublic.check(address, 'ipv4')
  return publicV6.check(address, 'ipv6') && !notPublic.check(address, 'ipv6')
}

/** What a URL alone tells. With private targets (a laboratory) plain HTTP is allowed too. */
export function parseTarget(text: string, allowPrivate: boolean): URL {
  const refuse = (why: string): Fault => new Fault('invalid', `url ${why}`, { target: { type: 'field', name: 'url' } })
  const url = text.length <= webhookUrlLengthMax && URL.canParse(text) ? new URL(text) : null
  if (!url) throw refuse('is none')
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) throw refuse('must be https')
  if (url.username !== '' || url.password !== '') throw refuse('must not hold credentials: deliveries are signed')
  if (url.hash !== '') throw refuse('must not have a fragment')
  const host = hostOf(url)
  const family = isIP(host)
  if (!allowPrivate && family !== 0 && !isPublic({ address: host, family: family === 4 ? 4 : 6 })) {
    throw refuse('points to an address that is not public')
  }
  if (!allowPrivate && /(^|\.)(localhost|local|internal)\.?$/i.test(host)) throw refuse('points to this network')
  return url
}

/** IPv6 addresses stand in brackets in a URL. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1')

export type Resolve = (host: string) => Promise<readonly Address[]>

export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))

/** The address to connect to. A name with one address inside is refused whole: it is not known which would be taken. */
export async function addressOf(url: URL, allowPrivate: boolean, resolve: Resolve): Promise<Address> {
  const host = hostOf(url)
  const family = isIP(host)
  const found = family === 0 ? await resolve(host) : [{ address: host, family: family === 4 ? 4 : 6 } as const]
  const [first] = found
  if (!first) throw new Fault('unavailable', 'the name has no address')
  if (allowPrivate || found.every(isPublic)) return first
  throw new Fault('forbidden', 'the name has an address that is not public')
}

// From where an account may be used: IBM Cloud IAM, "Allowing specific IP addresses for an account". A list of addresses,
// networks (`10.0.0.0/8`) and ranges (`10.0.0.1-10.0.0.9`), separated by commas or spaces; an empty list allows everybody.

import { BlockList, isIP } from 'node:net'
import { Fault } from '#base/fault.ts'
import { allowedAddressesMax } from '#base/limits.ts'
import { makeRecent } from './recent.ts'

export interface AllowLists {
  /** `list` has been parsed before it was kept. */
  allows(list: string, address: string): boolean
}

/** Lists that are in use, so that each is parsed once. */
const listsRemembered = 1000

export function makeAllowLists(): AllowLists {
  const parsed = makeRecent<BlockList>(listsRemembered)
  return {
    allows(text, address) {
      if (text === '') return true
      const list = parsed.get(text) ?? parseAllowedAddresses(text)
      parsed.set(text, list)
      return allowsAddress(list, address)
    },
  }
}

export function allowsAddress(list: BlockList, address: string): boolean {
  const plain = withoutMapping(address)
  return isIP(plain) !== 0 && list.check(plain, familyOf(plain))
}

/** Fault 'invalid' for the first entry that is none of the three. */
export function parseAllowedAddresses(text: string): BlockList {
  const list = new BlockList()
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '')
  if (entries.length > allowedAddressesMax) throw refusal(`has more than ${allowedAddressesMax} entries`)
  for (const entry of entries) add(list, entry)
  return list
}

function add(list: BlockList, entry: string): void {
  const [from = '', to] = entry.split('-')
  const [address = '', prefix] = entry.split('/')
  if (isIP(entry)) return list.addAddress(entry, familyOf(entry))
  if (to !== undefined && isIP(from) && isIP(from) === isIP(to)) return addRange(list, from, to)
  const bits = isIP(address) === 4 ? 32 : 128
  if (prefix === undefined || !isIP(address) || !/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) {
    throw refusal(`entry ${JSON.stringify(entry.slice(0, 80))} is no address, network or range`)
  }
  list.addSubnet(address, Number(prefix), familyOf(address))
}

function addRange(list: BlockList, from: string, to: string): void {
  try {
    list.addRange(from, to, familyOf(from))
  } catch (cause) {
    throw refusal(`range ${from}-${to} ends before it begins`, cause)
  }
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 4 ? 'ipv4' : 'ipv6')

/** A socket that listens for both families shows IPv4 peers this way (RFC 4291, section 2.5.5.2). */
const withoutMapping = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')

const refusal = (what: string, cause?: unknown): Fault =>
  new Fault('invalid', `allowed_ip_addresses ${what}`, {
    target: { type: 'field', name: 'allowed_ip_addresses' },
    ...(cause !== undefined && { cause }),
  })

// Names of VPC resources: the rule they follow, and names for what was made without one. Source: VPC API, `name` of
// each prototype: lower-case letters, digits and single hyphens between them, 1 to 63; "if unspecified, the name will
// be a hyphenated list of randomly-selected words".

import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'

const nameLengthMax = 63
/** VPC API, "SnapshotConsistencyGroupPrototype". */
export const groupNameLengthMax = 64
const nameRule = /^-?([a-z]|[a-z][-a-z0-9]*[a-z0-9])$/

/** The name itself, or a Fault that names the field. */
export function checkName(name: string, field = 'name', lengthMax = nameLengthMax): string {
  if (name.length <= lengthMax && nameRule.test(name)) return name
  const rule = `must begin with a letter, hold lower-case letters, digits and hyphens, and have 1 to ${lengthMax} of them`
  throw new Fault('invalid', `${field} ${rule}`, {
    reason: 'validation_invalid_name',
    target: { type: 'field', name: field },
  })
}

/** Four words of 64 are 16 million names; whoever draws one that is taken draws again. */
export function makeName(random: Random): string {
  return Array.from(random.bytes(4), (byte) => words[byte % words.length]).join('-')
}

/** How often a drawn name may turn out to be taken before the caller is told. */
export const nameDrawsMax = 5

const words = [
  'acorn amber anchor apple arrow aspen autumn badger basil beacon birch bramble bridge brook candle canyon',
  'cedar cherry clover cobalt copper coral cricket crystal daisy dawn delta ember falcon fern flint forest',
  'garnet ginger glacier harbor hazel heron ivory jasper juniper kestrel lagoon lantern laurel linden lotus maple',
  'marble meadow mint nectar olive opal orchid otter pebble pepper quartz raven river saffron thistle willow',
].flatMap((row) => row.split(' '))

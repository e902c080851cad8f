// The five volume profiles as data, and the rules that follow from them. Sources: VPC docs, "Block Storage for VPC
// profiles", "Capacity and performance" and "Bandwidth allocation".

import { Fault } from '#base/fault.ts'

interface Ceiling {
  readonly upToGb: number
  readonly iopsMin: number
  readonly iopsMax: number
  readonly bandwidthMbpsMax: number
}

interface Common {
  readonly name: string
  readonly capacityGb: { readonly min: number; readonly max: number }
  readonly bootCapacityGb: { readonly min: number; readonly max: number }
  readonly iops: { readonly min: number; readonly max: number }
  readonly bandwidthMbpsMax: number
  readonly adjustableCapacityStates: readonly ('attached' | 'unattached')[]
  readonly adjustableIopsStates: readonly ('attached' | 'unattached')[]
}

/** IOPS follow from capacity. */
interface Tiered extends Common {
  readonly family: 'tiered'
  readonly storageGeneration: 1
  readonly iopsPerGb: number
  readonly ioKib: number
}

/** IOPS are chosen within what the capacity allows; bandwidth follows from them. */
interface Custom extends Common {
  readonly family: 'custom'
  readonly storageGeneration: 1
  readonly ioKib: number
  readonly ceilings: readonly Ceiling[]
}

/** IOPS and bandwidth are chosen within what the capacity allows. */
interface Defined extends Common {
  readonly family: 'defined_performance'
  readonly storageGeneration: 2
  readonly bandwidthMbpsMin: number
  readonly ceilings: readonly Ceiling[]
}

export type VolumeProfile = Tiered | Custom | Defined

const gen1 = {
  storageGeneration: 1,
  bootCapacityGb: { min: 10, max: 250 },
  adjustableCapacityStates: ['attached'],
} as const

const tiered = {
  ...gen1,
  family: 'tiered',
  iops: { min: 3000, max: 48_000 },
  adjustableIopsStates: [],
} as const

/** "Custom profile": the range of IOPS for each range of capacity. */
const customCeilings = (
  [
    [39, 100, 1000],
    [79, 100, 2000],
    [99, 100, 4000],
    [499, 100, 6000],
    [999, 100, 10_000],
    [1999, 100, 20_000],
    [3999, 200, 40_000],
    [7999, 300, 40_000],
    [9999, 500, 48_000],
    [16_000, 1000, 48_000],
  ] as const
).map(([upToGb, iopsMin, iopsMax]): Ceiling => ({ upToGb, iopsMin, iopsMax, bandwidthMbpsMax: 8192 }))

/** "Defined performance profile": the most IOPS and bandwidth for each range of capacity. */
const definedCeilings = (
  [
    [20, 3000, 1000],
    [50, 5000, 4096],
    [80, 20_000, 6144],
    [100, 30_000, 8192],
    [130, 45_000, 8192],
    [150, 60_000, 8192],
    [32_000, 64_000, 8192],
  ] as const
).map(([upToGb, iopsMax, bandwidthMbpsMax]): Ceiling => ({ upToGb, iopsMin: 3000, iopsMax, bandwidthMbpsMax }))

export const volumeProfiles: readonly VolumeProfile[] = [
  {
    ...tiered,
    name: 'general-purpose',
    capacityGb: { min: 10, max: 16_000 },
    iopsPerGb: 3,
    ioKib: 16,
    bandwidthMbpsMax: 5360,
  },
  {
    ...tiered,
    name: '5iops-tier',
    capacityGb: { min: 10, max: 9600 },
    iopsPerGb: 5,
    ioKib: 16,
    bandwidthMbpsMax: 6144,
  },
  {
    ...tiered,
    name: '10iops-tier',
    capacityGb: { min: 10, max: 4800 },
    iopsPerGb: 10,
    ioKib: 256,
    bandwidthMbpsMax: 8192,
  },
  {
    ...gen1,
    name: 'custom',
    family: 'custom',
    capacityGb: { min: 10, max: 16_000 },
    iops: { min: 100, max: 48_000 },
    ioKib: 256,
    bandwidthMbpsMax: 8192,
    adjustableIopsStates: ['attached'],
    ceilings: customCeilings,
  },
  {
    name: 'sdp',
    family: 'defined_performance',
    storageGeneration: 2,
    capacityGb: { min: 1, max: 32_000 },
    bootCapacityGb: { min: 10, max: 32_000 },
    iops: { min: 3000, max: 64_000 },
    bandwidthMbpsMin: 1000,
    bandwidthMbpsMax: 8192,
    adjustableCapacityStates: ['attached', 'unattached'],
    adjustableIopsStates: ['attached', 'unattached'],
    ceilings: definedCeilings,
  },
]

export const findProfile = (name: string): VolumeProfile | null =>
  volumeProfiles.find((profile) => profile.name === name) ?? null

export const profilesOfGeneration = (generation: number): readonly string[] =>
  volumeProfiles.filter(({ storageGeneration }) => storageGeneration === generation).map(({ name }) => name)

/** What a client may ask of a new volume; absent is what the profile gives by itself. */
export interface Wish {
  readonly capacityGb: number
  readonly iops?: number | undefined
  readonly bandwidthMbps?: number | undefined
  /** A volume that a machine boots from has narrower limits of capacity. */
  readonly isBoot?: boolean
}

export interface Performance {
  readonly iops: number
  readonly bandwidthMbps: number
}

/** What a volume of this profile and capacity delivers. Faults carry the documented code and name the field. */
export function performanceOf(profile: VolumeProfile, wish: Wish): Performance {
  checkCapacity(profile, wish)
  if (wish.iops !== undefined && wish.iops <= 0) {
    throw refused('volume_iops_zero_or_negative', 'iops', wish.iops, 'must be greater than zero')
  }
  if (profile.family === 'tiered') return tieredPerformance(profile, wish)
  return profile.family === 'custom' ? customPerformance(profile, wish) : definedPerformance(profile, wish)
}

/** The IOPS that a volume keeps when its capacity becomes this: its own, or the nearest that are allowed. */
export function iopsWithin(profile: Custom | Defined, capacityGb: number, iops: number): number {
  const ceiling = profile.ceilings.find(({ upToGb }) => capacityGb <= upToGb)
  return ceiling ? Math.min(Math.max(iops, ceiling.iopsMin), ceiling.iopsMax) : iops
}

function checkCapacity(profile: VolumeProfile, { capacityGb, isBoot }: Wish): void {
  const { min, max } = isBoot ? profile.bootCapacityGb : profile.capacityGb
  if (capacityGb <= 0) {
    throw refused('volume_capacity_zero_or_negative', 'capacity', capacityGb, 'must be greater than zero')
  }
  if (capacityGb > max) {
    throw refused('volume_capacity_max', 'capacity', capacityGb, `of profile ${profile.name} is at most ${max} GB`)
  }
  if (capacityGb < min) {
    const reason = 'volume_profile_capacity_iops_invalid'
    throw refused(reason, 'capacity', capacityGb, `of profile ${profile.name} is at least ${min} GB`)
  }
}

function tieredPerformance(profile: Tiered, wish: Wish): Performance {
  const iops = Math.min(Math.max(profile.iopsPerGb * wish.capacityGb, profile.iops.min), profile.iops.max)
  // The service manages the IOPS of tiers and documents that it refuses a value; its own documented commands send one
  // all the same (100 with 20 GB of general-purpose). What the tier gives anyway is no contradiction, more would be.
  if (wish.iops !== undefined && wish.iops > iops) {
    const rule = `of profile ${profile.name} follow from capacity and are ${iops} here; leave the field out`
    throw refused('volume_profile_iops_invalid', 'iops', wish.iops, rule)
  }
  return { iops, bandwidthMbps: dependentBandwidth(profile, wish, iops) }
}

function customPerformance(profile: Custom, wish: Wish): Performance {
  const ceiling = ceilingFor(profile, wish.capacityGb)
  const iops = wish.iops ?? ceiling.iopsMin
  checkIops(profile, wish.capacityGb, iops, ceiling)
  return { iops, bandwidthMbps: dependentBandwidth(profile, wish, iops) }
}

function definedPerformance(profile: Defined, wish: Wish): Performance {
  const ceiling = ceilingFor(profile, wish.capacityGb)
  const iops = wish.iops ?? ceiling.iopsMin
  checkIops(profile, wish.capacityGb, iops, ceiling)
  const bandwidthMbps = wish.bandwidthMbps ?? profile.bandwidthMbpsMin
  if (bandwidthMbps < profile.bandwidthMbpsMin || bandwidthMbps > ceiling.bandwidthMbpsMax) {
    const range = `${profile.bandwidthMbpsMin} to ${ceiling.bandwidthMbpsMax} Mbps`
    const rule = `of profile ${profile.name} with ${wish.capacityGb} GB must be ${range}`
    throw refused('volume_profile_capacity_maxbandwidth_invalid', 'bandwidth', bandwidthMbps, rule)
  }
  return { iops, bandwidthMbps }
}

function ceilingFor(profile: Custom | Defined, capacityGb: number): Ceiling {
  const ceiling = profile.ceilings.find(({ upToGb }) => capacityGb <= upToGb)
  if (!ceiling) throw new Error(`profile ${profile.name} has no ceiling for ${capacityGb} GB`)
  return ceiling
}

function checkIops(profile: VolumeProfile, capacityGb: number, iops: number, ceiling: Ceiling): void {
  if (iops >= ceiling.iopsMin && iops <= ceiling.iopsMax) return
  const rule = `of profile ${profile.name} with ${capacityGb} GB must be ${ceiling.iopsMin} to ${ceiling.iopsMax}`
  throw refused('volume_profile_capacity_iops_invalid', 'iops', iops, rule)
}

/** "Bandwidth allocation": IOPS times the profile's I/O size, in whole megabits, up to the profile's ceiling. */
function dependentBandwidth(profile: Tiered | Custom, wish: Wish, iops: number): number {
  if (wish.bandwidthMbps !== undefined) {
    throw refused('bad_field', 'bandwidth', wish.bandwidthMbps, `of profile ${profile.name} follows from its IOPS`)
  }
  const mbps = Math.floor((iops * profile.ioKib * 1024 * 8) / 1_000_000)
  return Math.min(mbps, profile.bandwidthMbpsMax)
}

const refused = (reason: string, name: string, value: number, rule: string): Fault =>
  new Fault('invalid', `${name} ${rule}`, { reason, target: { type: 'field', name, value: String(value) } })

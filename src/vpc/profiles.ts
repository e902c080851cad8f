// The volume profiles as clients see them. Source: VPC API, "VolumeProfile".

import { Fault } from '#base/fault.ts'
import { vpcPageDefault } from '#base/limits.ts'
import type { Anyone } from '#iam/port.ts'
import { pageLinks } from './page.ts'
import type { PageRequest } from './page.ts'
import { profileReference } from './volume-reply.ts'
import { findProfile, volumeProfiles } from './volume-profiles.ts'
import type { VolumeProfile } from './volume-profiles.ts'

/** The console's own proposal for a new volume. */
const defaultCapacityGb = 100

const states = (values: readonly string[]) => ({ type: 'enum' as const, values: [...values] })

const profileView = (base: string, profile: VolumeProfile) => ({
  ...profileReference(base, profile.name),
  family: profile.family,
  storage_generation: { type: 'fixed' as const, value: profile.storageGeneration },
  capacity: { type: 'range' as const, ...profile.capacityGb, step: 1, default: defaultCapacityGb },
  boot_capacity: { type: 'range' as const, ...profile.bootCapacityGb, step: 1, default: defaultCapacityGb },
  iops: { type: 'dependent_range' as const, ...profile.iops, step: 1 },
  bandwidth:
    profile.family === 'defined_performance'
      ? { type: 'dependent_range' as const, min: profile.bandwidthMbpsMin, max: profile.bandwidthMbpsMax, step: 1 }
      : { type: 'dependent' as const },
  adjustable_capacity_states: states(profile.adjustableCapacityStates),
  adjustable_iops_states: states(profile.adjustableIopsStates),
})

/** Tokens of this collection are names: the list never changes while the program runs. */
export async function listProfiles(context: Anyone, request: PageRequest) {
  const limit = request.limit ?? vpcPageDefault
  const from = request.start === undefined ? 0 : volumeProfiles.findIndex(({ name }) => name === request.start)
  if (from < 0) {
    const target = { type: 'parameter', name: 'start' } as const
    throw new Fault('invalid', 'start is not a token of this collection', { reason: 'invalid_id_format', target })
  }
  const items = volumeProfiles.slice(from, from + limit)
  const next = volumeProfiles[from + limit]?.name ?? null
  const page = { items, limit, totalCount: volumeProfiles.length, next }
  return {
    ...pageLinks(page, `${context.baseUrl}/v1/volume/profiles`, {}),
    profiles: items.map((profile) => profileView(context.baseUrl, profile)),
  }
}

export async function getProfile(context: Anyone, name: string) {
  const profile = findProfile(name)
  if (profile) return profileView(context.baseUrl, profile)
  throw new Fault('not_found', `volume profile ${JSON.stringify(name.slice(0, 64))} is not found`, {
    reason: 'volume_profile_not_found',
  })
}

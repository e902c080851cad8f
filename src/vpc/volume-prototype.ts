// From the body of POST /volumes to what shall be made; every refusal names the field. Pure. Source: VPC API,
// "VolumePrototype".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { userTagLengthMax, userTagsMax } from '#base/limits.ts'
import { nameOf } from './identity.ts'
import { checkName } from './names.ts'
import { refuseNotYet } from './not-yet.ts'
import { checkZone } from './regions.ts'
import type { VolumePatch } from './tables-volumes.ts'
import { checkKeyCrn } from './volume-key.ts'
import { findProfile, performanceOf } from './volume-profiles.ts'
import { volumePatchNotYet, volumePrototypeNotYet } from './volume-schemas.ts'
import type { volumePatch, volumePrototype } from './volume-schemas.ts'

export interface NewVolume {
  readonly name: string | null
  readonly zone: string
  readonly profile: string
  readonly capacityGb: number
  readonly iops: number
  readonly bandwidthMbps: number
  readonly userTags: readonly string[]
  readonly keyCrn: string
  readonly resourceGroupId: string | null
}

export function parseVolumePrototype(body: Static<typeof volumePrototype>, region: string): NewVolume {
  refuseNotYet(body, volumePrototypeNotYet)
  const profile = parseProfile(nameOf(body.profile, 'profile'))
  const capacityGb = body.capacity
  if (capacityGb === undefined) {
    throw new Fault('invalid', 'capacity is required', { reason: 'volume_capacity_missing', target: field('capacity') })
  }
  const performance = performanceOf(profile, { capacityGb, iops: body.iops, bandwidthMbps: body.bandwidth })
  return {
    name: body.name === undefined ? null : checkName(body.name),
    zone: checkZone(region, nameOf(body.zone, 'zone')),
    profile: profile.name,
    capacityGb,
    ...performance,
    userTags: parseUserTags(body.user_tags ?? []),
    keyCrn: parseKey(body.encryption_key),
    resourceGroupId: body.resource_group?.id ?? null,
  }
}

export function parseVolumePatch(body: Static<typeof volumePatch>): VolumePatch {
  refuseNotYet(body, volumePatchNotYet)
  return {
    ...(body.name !== undefined && { name: checkName(body.name) }),
    ...(body.user_tags !== undefined && { userTags: parseUserTags(body.user_tags) }),
  }
}

function parseProfile(name: string) {
  const profile = findProfile(name)
  if (profile) return profile
  const message = `volume profile ${JSON.stringify(name.slice(0, 64))} is not found`
  throw new Fault('invalid', message, { reason: 'volume_profile_not_found', target: field('profile.name') })
}

/** A volume whose key was forgotten must not come to be under another's, not even the provider's. */
function parseKey(key: { readonly crn: string } | undefined): string {
  if (key) return checkKeyCrn(key.crn)
  const message = 'volumes without encryption_key, encrypted with keys of the provider, are not supported yet'
  throw new Fault('not_implemented', message, { target: field('encryption_key') })
}

/** VPC API, "user tags": letters, digits and `:_ .-`; the tagging service keeps them in lower case. */
function parseUserTags(tags: readonly string[]): readonly string[] {
  const rule = /^[A-Za-z0-9:_ .-]+$/
  if (tags.length > userTagsMax || tags.some((tag) => tag.length > userTagLengthMax || !rule.test(tag))) {
    const message = `user_tags must be at most ${userTagsMax} of 1 to ${userTagLengthMax} letters, digits and ":_ .-"`
    throw new Fault('invalid', message, { reason: 'bad_field', target: field('user_tags') })
  }
  return [...new Set(tags.map((tag) => tag.toLowerCase()))].sort()
}

const field = (name: string) => ({ type: 'field', name }) as const

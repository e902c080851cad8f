// From the bodies of POST and PATCH to what shall be made or changed; every refusal names the field. Pure. Source: VPC
// API, "VolumePrototype", "VolumePatch".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { userTagLengthMax, userTagsMax } from '#base/limits.ts'
import type { BootImage } from './boot-image.ts'
import { nameOf } from './identity.ts'
import { asksForIntegrity, refuseCopy } from './integrity.ts'
import { checkName } from './names.ts'
import { checkZone } from './regions.ts'
import type { RestoreSource } from './restore-source.ts'
import type { Snapshot } from './snapshot.ts'
import type { AllowedUse } from './volume.ts'
import type { WantedChange } from './volume-change.ts'
import { checkKeyCrn } from './volume-key.ts'
import { findProfile, performanceOf } from './volume-profiles.ts'
import type { VolumeProfile } from './volume-profiles.ts'
import type { volumeFields, volumePatch, volumePrototype } from './volume-schemas.ts'

export interface NewVolume {
  readonly name: string | null
  readonly zone: string
  readonly profile: string
  readonly capacityGb: number
  readonly iops: number
  readonly bandwidthMbps: number
  readonly userTags: readonly string[]
  /** Null for a key of the provider's. */
  readonly keyCrn: string | null
  readonly allowedUse: AllowedUse | null
  /** The snapshot that it is made of; null for a blank one. */
  readonly source: RestoreSource | null
  /** The custom image that it is made of, as the boot volume of a machine. */
  readonly image: BootImage | null
  readonly resourceGroupId: string | null
}

export function parseVolumePrototype(
  body: Static<typeof volumePrototype>,
  region: string,
  source: RestoreSource | null,
): NewVolume {
  return parseVolume(body, checkZone(region, nameOf(body.zone, 'zone')), { isBoot: false, source, image: null })
}

/** VPC API, "InstancePrototype": a boot volume may leave its capacity to its image. */
const bootCapacityGb = 100

/** What a volume is for, and what it is made of. */
export interface VolumeSource {
  readonly isBoot: boolean
  readonly source: RestoreSource | null
  readonly image: BootImage | null
}

/** The body without its zone, as the prototypes of instances and attachments hold it, and what its snapshot says of it. */
export function parseVolume(
  body: Static<typeof volumeFields>,
  zone: string,
  { isBoot, source, image }: VolumeSource,
): NewVolume {
  const profile = parseProfile(nameOf(body.profile, 'profile'))
  const snapshot = source?.snapshot ?? null
  if (snapshot) checkGeneration(profile, snapshot)
  if (isBoot && snapshot && snapshot.imageId === null) throw notBootable(snapshot)
  const ofImage = image?.image.capacityGb ?? undefined
  const capacityGb = body.capacity ?? snapshot?.capacityGb ?? ofImage ?? (isBoot ? bootCapacityGb : undefined)
  if (capacityGb === undefined) {
    const message = 'capacity is required, or a source_snapshot that says it'
    throw new Fault('invalid', message, { reason: 'volume_capacity_missing', target: field('capacity') })
  }
  if (snapshot && capacityGb < snapshot.capacityGb)
    throw tooSmall(capacityGb, `snapshot ${snapshot.id}`, snapshot.capacityGb)
  if (ofImage !== undefined && capacityGb < ofImage) throw tooSmall(capacityGb, `image ${image?.image.id}`, ofImage)
  const userTags = parseUserTags(body.user_tags ?? [])
  if (snapshot || image) refuseCopy(asksForIntegrity(userTags), 'user_tags', 'making them of a snapshot or an image')
  const named = body.encryption_key ? checkKeyCrn(body.encryption_key.crn) : null
  const performance = performanceOf(profile, { capacityGb, iops: body.iops, bandwidthMbps: body.bandwidth, isBoot })
  return {
    name: body.name === undefined ? null : checkName(body.name),
    zone,
    profile: profile.name,
    capacityGb,
    ...performance,
    userTags,
    keyCrn: snapshot ? restoredKey(snapshot, named) : (named ?? keyOfImage(image)),
    allowedUse: isBoot || snapshot?.imageId ? parseAllowedUse(body.allowed_use) : refuseAllowedUse(body.allowed_use),
    source,
    image,
    resourceGroupId: body.resource_group?.id ?? null,
  }
}

/**
 * VPC docs, "Restoring a volume from a snapshot": an encrypted volume stays encrypted, under the snapshot's key where no
 * other is named. A first-generation snapshot without one may be given one; of the second generation the type stays.
 */
function restoredKey(snapshot: Snapshot, named: string | null): string | null {
  if (!snapshot.isProviderManaged) return named ?? snapshot.keyCrn
  if (named === null || snapshot.storageGeneration === 1) return named
  const message = 'encryption_key cannot be added to what is restored from a second-generation snapshot without one'
  throw new Fault('invalid', message, { reason: 'bad_field', target: field('encryption_key') })
}

/** VPC docs, "Encrypted custom images": their boot volumes lie under their key where no other is named. */
const keyOfImage = (boot: BootImage | null): string | null =>
  boot && !boot.image.isProviderManaged ? boot.image.keyCrn : null

function checkGeneration(profile: VolumeProfile, { storageGeneration }: Snapshot): void {
  if (profile.storageGeneration === storageGeneration) return
  const message = `profile ${profile.name} is not of the snapshot's storage generation, ${storageGeneration}`
  throw new Fault('invalid', message, { reason: 'volume_profile_invalid', target: field('profile.name') })
}

const notBootable = ({ id }: Snapshot): Fault =>
  new Fault('invalid', `snapshot ${id} is not of a boot volume`, {
    reason: 'bad_field',
    target: field('source_snapshot'),
  })

const tooSmall = (capacityGb: number, of: string, min: number): Fault =>
  new Fault('invalid', `capacity of a volume from ${of} is at least ${min} GB, not ${capacityGb}`, {
    reason: 'volume_profile_capacity_iops_invalid',
    target: field('capacity'),
  })

export function parseVolumePatch(body: Static<typeof volumePatch>): WantedChange {
  const allowedUse = parseAllowedUse(body.allowed_use)
  return {
    ...(body.name !== undefined && { name: checkName(body.name) }),
    ...(body.user_tags !== undefined && { userTags: parseUserTags(body.user_tags) }),
    ...(allowedUse && { allowedUse }),
    ...(body.capacity !== undefined && { capacityGb: body.capacity }),
    ...(body.iops !== undefined && { iops: body.iops }),
    ...(body.bandwidth !== undefined && { bandwidthMbps: body.bandwidth }),
    ...(body.profile && { profile: parseProfile(nameOf(body.profile, 'profile')) }),
  }
}

function parseProfile(name: string): VolumeProfile {
  const profile = findProfile(name)
  if (profile) return profile
  const message = `volume profile ${JSON.stringify(name.slice(0, 64))} is not found`
  throw new Fault('invalid', message, { reason: 'volume_profile_not_found', target: field('profile.name') })
}

type AllowedUseBody = Static<typeof volumeFields>['allowed_use']

/** An empty one says nothing: Terraform's provider 1.72 sends it with every volume. */
export function parseAllowedUse(body: AllowedUseBody): AllowedUse | null {
  if (!body || Object.keys(body).length === 0) return null
  return {
    api_version: body.api_version ?? '',
    bare_metal_server: body.bare_metal_server ?? 'true',
    instance: body.instance ?? 'true',
  }
}

/** VPC API, `allowed_use`: for what machines can boot from, which a blank volume is not. */
function refuseAllowedUse(body: AllowedUseBody): null {
  if (parseAllowedUse(body) === null) return null
  const target = field('allowed_use')
  throw new Fault('invalid', 'allowed_use is for boot volumes only', { reason: 'bad_field', target })
}

/** VPC API, "user tags": letters, digits and `:_ .-`; the tagging service keeps them in lower case. */
export function parseUserTags(tags: readonly string[], name = 'user_tags'): readonly string[] {
  const rule = /^[A-Za-z0-9:_ .-]+$/
  if (tags.length > userTagsMax || tags.some((tag) => tag.length > userTagLengthMax || !rule.test(tag))) {
    const message = `${name} must be at most ${userTagsMax} of 1 to ${userTagLengthMax} letters, digits and ":_ .-"`
    throw new Fault('invalid', message, { reason: 'bad_field', target: field(name) })
  }
  return [...new Set(tags.map((tag) => tag.toLowerCase()))].sort()
}

const field = (name: string) => ({ type: 'field', name }) as const

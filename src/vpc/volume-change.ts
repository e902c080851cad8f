// What a PATCH may make of a volume. Pure. Sources: VPC API, "VolumePatch"; VPC docs, "Expanding block storage volume
// capacity" and "Adjusting IOPS": capacity never shrinks; a first-generation volume is changed while it is attached to a
// running instance; a profile changes within its family and generation.

import { Fault } from '#base/fault.ts'
import type { AttachmentView } from './instance.ts'
import { refuseTagChange } from './integrity.ts'
import type { VolumePatch } from './tables-volumes.ts'
import type { AllowedUse, Volume } from './volume.ts'
import { findProfile, iopsWithin, performanceOf } from './volume-profiles.ts'
import type { VolumeProfile } from './volume-profiles.ts'
import { mayInStatus, statusOf } from './volume-state.ts'

export interface WantedChange {
  readonly name?: string
  readonly userTags?: readonly string[]
  readonly allowedUse?: AllowedUse
  readonly capacityGb?: number
  readonly iops?: number
  readonly bandwidthMbps?: number
  readonly profile?: VolumeProfile
}

/** What to write; members that stay as they are are absent. Faults name the field. */
export function changeOf(volume: Volume, attachment: AttachmentView | undefined, wanted: WantedChange): VolumePatch {
  if (wanted.allowedUse) checkAllowedUse(volume, attachment)
  const { name, userTags, allowedUse } = wanted
  if (userTags) refuseTagChange(volume.isAuthenticated, userTags)
  return {
    ...(name !== undefined && { name }),
    ...(userTags && { userTags }),
    ...(allowedUse && { allowedUse }),
    ...resizeOf(volume, attachment, wanted),
  }
}

function checkAllowedUse(volume: Volume, attachment: AttachmentView | undefined): void {
  if (volume.imageId === null) {
    throw refused('bad_field', 'allowed_use', 'is for boot volumes only, and this is none')
  }
  if (!attachment) return
  throw new Fault('conflict', `allowed_use of volume ${volume.id} changes while it is unattached only`, {
    reason: 'volume_still_attached',
    target: { type: 'field', name: 'allowed_use' },
  })
}

function resizeOf(
  volume: Volume,
  attachment: AttachmentView | undefined,
  wanted: WantedChange,
): Pick<VolumePatch, 'resize'> {
  const { capacityGb, iops, bandwidthMbps, profile } = wanted
  if (capacityGb === undefined && iops === undefined && bandwidthMbps === undefined && !profile) return {}
  const present = findProfile(volume.profile)
  if (!present) throw new Error(`volume ${volume.id} has the unknown profile ${volume.profile}`)
  const next = profile ?? present
  if (capacityGb !== undefined && capacityGb < volume.capacityGb) {
    throw refused('volume_update_invalid_request', 'capacity', `never shrinks, and is ${volume.capacityGb} GB`)
  }
  if (next.family !== present.family || next.storageGeneration !== present.storageGeneration) {
    throw refused('bad_field', 'profile', `${present.name} changes within its family ${present.family} only`)
  }
  if (next.family === 'tiered' && iops !== undefined) {
    throw refused('volume_profile_iops_invalid', 'iops', `of profile ${next.name} follow from capacity`)
  }
  const resized = withPerformance(volume, next, wanted, attachment?.type === 'boot')
  const changed = fieldsThatDiffer(volume, resized)
  if (changed.length === 0) return {}
  const status = statusOf(volume)
  if (!mayInStatus('resize', status)) {
    throw new Fault('conflict', `volume ${volume.id} is ${status}`, { reason: 'volume_status_not_available' })
  }
  for (const field of changed) checkState(volume, attachment, present, field)
  return { resize: resized }
}

/** What the client did not name stays, unless the new capacity does not allow it. */
function withPerformance(volume: Volume, next: VolumeProfile, wanted: WantedChange, isBoot: boolean) {
  const capacityGb = wanted.capacityGb ?? volume.capacityGb
  const kept = next.family === 'tiered' ? {} : { iops: iopsWithin(next, capacityGb, volume.iops) }
  const bandwidth = next.family === 'defined_performance' ? { bandwidthMbps: volume.bandwidthMbps } : {}
  const { iops, bandwidthMbps } = wanted
  const performance = performanceOf(next, {
    capacityGb,
    ...kept,
    ...bandwidth,
    ...(iops !== undefined && { iops }),
    ...(bandwidthMbps !== undefined && { bandwidthMbps }),
    isBoot,
  })
  return { profile: next.name, capacityGb, ...performance }
}

type Resized = ReturnType<typeof withPerformance>
type Adjustable = 'capacity' | 'iops' | 'profile'

/** Bandwidth is changed under the rule of IOPS. What follows from a new capacity or profile needs no leave of its own. */
function fieldsThatDiffer(volume: Volume, now: Resized): readonly Adjustable[] {
  if (now.profile !== volume.profile) return ['profile', ...(now.capacityGb === volume.capacityGb ? [] : capacityOnly)]
  if (now.capacityGb !== volume.capacityGb) return capacityOnly
  return now.iops === volume.iops && now.bandwidthMbps === volume.bandwidthMbps ? [] : ['iops']
}

const capacityOnly: readonly Adjustable[] = ['capacity']

function checkState(
  volume: Volume,
  attachment: AttachmentView | undefined,
  profile: VolumeProfile,
  field: Adjustable,
): void {
  const state = attachment?.status === 'attached' ? 'attached' : 'unattached'
  const isGen1 = profile.storageGeneration === 1
  const isRunning = attachment?.instance.status === 'running'
  const needed = isGen1 ? 'attached to a running instance' : 'available'
  if (isGen1 ? state === 'attached' && isRunning : statesFor(profile, field).includes(state)) return
  throw new Fault('conflict', `${field} of volume ${volume.id} changes only while it is ${needed}`, {
    reason: 'invalid_state',
    target: { type: 'field', name: field },
  })
}

const statesFor = (profile: VolumeProfile, field: Adjustable): readonly ('attached' | 'unattached')[] =>
  field === 'capacity' ? profile.adjustableCapacityStates : profile.adjustableIopsStates

const refused = (reason: string, name: string, rule: string): Fault =>
  new Fault('invalid', `${name} ${rule}`, { reason, target: { type: 'field', name } })

// A volume as clients see it. Source: VPC API, "Volume". Pure.

import { rfc3339 } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import { groupReference } from './groups.ts'
import type { AttachmentView } from './instance.ts'
import { attachmentHref, deviceOf, instanceReference } from './instance-reply.ts'
import { imageReferenceOf } from './image-reply.ts'
import { damagedHealth } from './integrity.ts'
import { deletedReference, encryptionOf, snapshotReference, volumeHref } from './references.ts'
import { zoneReference } from './regions.ts'
import type { NamedImage } from './tables-images.ts'
import type { SourceSnapshot, Volume } from './volume.ts'
import { findProfile } from './volume-profiles.ts'
import { attachmentStateOf, healthOf, keyReason } from './volume-state.ts'
import type { VolumeStatus } from './volume-state.ts'

/** What a volume shows that lies elsewhere. */
export interface Surroundings {
  readonly groupNames: ReadonlyMap<string, string>
  readonly attachment: AttachmentView | undefined
  /** The image that it was made of, where that is the account's own and is still there. */
  readonly image: NamedImage | undefined
  /** Whether a snapshot or an image of it is being made. */
  readonly isBusy: boolean
  /** What its snapshot is called now; undefined where that has gone, or is another account's. */
  readonly sourceName: string | undefined
  /** While it is being restored: how much of it is there. */
  readonly percent: number | null
  /** As readers see it: run-on.ts. */
  readonly status: VolumeStatus
}

export const profileReference = (base: string, name: string) => ({ href: `${base}/v1/volume/profiles/${name}`, name })

/**
 * VPC API, "If-Match": a weak validator that changes with what the user changes and not with status or attachments;
 * Terraform sends back the one it got before the volume settled.
 */
export const volumeEtag = (volume: Volume): string => `W/"${volume.revision}-${volume.id.slice(-12)}"`

export function volumeView(base: string, volume: Volume, around: Surroundings) {
  const { attachment, status } = around
  const profile = findProfile(volume.profile)
  return {
    active: attachment?.instance.status === 'running',
    ...(volume.allowedUse && { allowed_use: { ...volume.allowedUse } }),
    adjustable_capacity_states: [...(profile?.adjustableCapacityStates ?? [])],
    adjustable_iops_states: [...(profile?.adjustableIopsStates ?? [])],
    attachment_state: attachmentStateOf(volume, attachment !== undefined),
    bandwidth: volume.bandwidthMbps,
    busy: around.isBusy,
    capacity: volume.capacityGb,
    created_at: rfc3339(volume.createdAt),
    crn: volume.crn,
    ...encryptionOf(volume),
    ...healthOfVolume(volume, status, around.percent),
    href: volumeHref(base, volume.id),
    id: volume.id,
    iops: volume.iops,
    name: volume.name,
    profile: profileReference(base, volume.profile),
    resource_group: groupReference(base, volume.resourceGroupId, around.groupNames),
    resource_type: 'volume' as const,
    ...(around.image && { source_image: imageReferenceOf(base, around.image) }),
    ...(volume.source && { source_snapshot: sourceReference(base, volume, volume.source, around.sourceName) }),
    status,
    status_reasons: statusReasons(volume, status),
    storage_generation: profile?.storageGeneration ?? 1,
    user_tags: [...volume.userTags],
    volume_attachments: attachment ? [attachmentReference(base, attachment)] : [],
    zone: zoneReference(base, volume.zone),
  }
}

/**
 * VPC API, `health_reasons`: `initializing_from_snapshot` while a volume is being restored. Here that is before anybody may
 * use it, since a volume serves whole or not at all; the message says how far it is.
 */
function healthOfVolume(volume: Volume, status: VolumeStatus, percent: number | null) {
  const health = healthOf(status)
  if (volume.damage && health === 'ok') return damagedHealth(volume.damage)
  if (status !== 'pending' || !volume.source) return { health_reasons: [], health_state: health }
  const message = `the volume is being restored from its snapshot: ${percent ?? 0} percent are there`
  return { health_reasons: [{ code: 'initializing_from_snapshot', message }], health_state: 'degraded' as const }
}

/** VPC API, "SnapshotReference": another account's names its account, and nothing more of it is known here. */
function sourceReference(base: string, volume: Volume, source: SourceSnapshot, present: string | undefined) {
  const reference = snapshotReference(base, { ...source, name: present ?? source.name })
  const owner = parseCrn(source.crn)?.accountId
  if (owner !== undefined && owner !== volume.accountId) {
    return { ...reference, remote: { account: { id: owner, resource_type: 'account' as const } } }
  }
  return present === undefined ? { ...reference, ...deletedReference } : reference
}

function statusReasons(volume: Volume, status: VolumeStatus) {
  if (status === 'failed') return volume.failure ? [{ ...volume.failure }] : []
  const reason = status === 'unusable' ? keyReason(volume.keyStanding) : null
  return reason ? [{ ...reason }] : []
}

const attachmentReference = (base: string, attachment: AttachmentView) => ({
  delete_volume_on_instance_delete: attachment.deleteVolume,
  ...deviceOf(attachment),
  href: attachmentHref(base, attachment),
  id: attachment.id,
  instance: instanceReference(base, attachment.instance),
  name: attachment.name,
  type: attachment.type,
})

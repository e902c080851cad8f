// A volume as clients see it. Source: VPC API, "Volume". Pure.

import { rfc3339 } from '#base/clock.ts'
import { groupReference } from './groups.ts'
import type { AttachmentView } from './instance.ts'
import { attachmentHref, deviceOf, instanceReference } from './instance-reply.ts'
import { zoneReference } from './regions.ts'
import type { Volume } from './volume.ts'
import { findProfile } from './volume-profiles.ts'
import { attachmentStateOf, healthOf, keyReason, statusOf } from './volume-state.ts'

/** What a volume shows that lies elsewhere. */
export interface Surroundings {
  readonly groupNames: ReadonlyMap<string, string>
  readonly attachment: AttachmentView | undefined
}

export const volumeHref = (base: string, id: string): string => `${base}/v1/volumes/${id}`

export const profileReference = (base: string, name: string) => ({ href: `${base}/v1/volume/profiles/${name}`, name })

/**
 * VPC API, "If-Match": a weak validator that changes with what the user changes and not with status or attachments;
 * Terraform sends back the one it got before the volume settled.
 */
export const volumeEtag = (volume: Volume): string => `W/"${volume.revision}-${volume.id.slice(-12)}"`

export function volumeView(base: string, volume: Volume, around: Surroundings) {
  const { attachment } = around
  const profile = findProfile(volume.profile)
  const status = statusOf(volume)
  return {
    active: attachment?.instance.status === 'running',
    ...(volume.allowedUse && { allowed_use: { ...volume.allowedUse } }),
    adjustable_capacity_states: [...(profile?.adjustableCapacityStates ?? [])],
    adjustable_iops_states: [...(profile?.adjustableIopsStates ?? [])],
    attachment_state: attachmentStateOf(volume, attachment !== undefined),
    bandwidth: volume.bandwidthMbps,
    busy: false,
    capacity: volume.capacityGb,
    created_at: rfc3339(volume.createdAt),
    crn: volume.crn,
    ...encryptionOf(volume),
    health_reasons: [],
    health_state: healthOf(status),
    href: volumeHref(base, volume.id),
    id: volume.id,
    iops: volume.iops,
    name: volume.name,
    profile: profileReference(base, volume.profile),
    resource_group: groupReference(base, volume.resourceGroupId, around.groupNames),
    resource_type: 'volume' as const,
    status,
    status_reasons: statusReasons(volume, status),
    storage_generation: profile?.storageGeneration ?? 1,
    user_tags: [...volume.userTags],
    volume_attachments: attachment ? [attachmentReference(base, attachment)] : [],
    zone: zoneReference(base, volume.zone),
  }
}

/** The provider's key is the provider's business: its name is shown to nobody. */
const encryptionOf = (volume: Volume) =>
  volume.isProviderManaged
    ? { encryption: 'provider_managed' as const }
    : { encryption: 'user_managed' as const, encryption_key: { crn: volume.keyCrn } }

function statusReasons(volume: Volume, status: ReturnType<typeof statusOf>) {
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

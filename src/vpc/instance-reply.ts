// Instances and their attachments as clients see them. Source: VPC API, "Instance", "VolumeAttachment". Members that
// describe a machine we do not run (memory, processors, networks, boot volume) are left out. Pure.

import { rfc3339 } from '#base/clock.ts'
import { groupReference } from './groups.ts'
import type { Attachment, AttachmentView, Instance } from './instance.ts'
import { zoneReference } from './regions.ts'

export const instanceHref = (base: string, id: string): string => `${base}/v1/instances/${id}`

export const attachmentHref = (base: string, attachment: Attachment): string =>
  `${instanceHref(base, attachment.instanceId)}/volume_attachments/${attachment.id}`

/** VPC API, "device": a serial of 20 characters by which the machine can tell its disks apart, once there is one. */
export const deviceOf = (attachment: Attachment): { device?: { id: string } } =>
  attachment.status === 'attaching' ? {} : { device: { id: attachment.id.replaceAll('-', '').slice(0, 20) } }

const volumeReference = (base: string, { volume }: AttachmentView) => ({
  crn: volume.crn,
  href: `${base}/v1/volumes/${volume.id}`,
  id: volume.id,
  name: volume.name,
  resource_type: 'volume' as const,
})

export const attachmentView = (base: string, attachment: AttachmentView) => ({
  bandwidth: attachment.volume.bandwidthMbps,
  created_at: rfc3339(attachment.createdAt),
  delete_volume_on_instance_delete: attachment.deleteVolume,
  ...deviceOf(attachment),
  href: attachmentHref(base, attachment),
  id: attachment.id,
  name: attachment.name,
  status: attachment.status,
  type: 'data' as const,
  volume: volumeReference(base, attachment),
})

export function instanceView(
  base: string,
  instance: Instance,
  around: { readonly groupNames: ReadonlyMap<string, string>; readonly attachments: readonly AttachmentView[] },
) {
  return {
    availability: { class: 'standard' as const },
    created_at: rfc3339(instance.createdAt),
    crn: instance.crn,
    disks: [],
    enable_secure_boot: false,
    health_reasons: [],
    health_state: 'inapplicable' as const,
    href: instanceHref(base, instance.id),
    id: instance.id,
    lifecycle_reasons: [],
    lifecycle_state: instance.status === 'running' ? ('stable' as const) : ('deleting' as const),
    name: instance.name,
    network_attachments: [],
    network_interfaces: [],
    profile: {
      href: `${base}/v1/instance/profiles/${instance.profile}`,
      name: instance.profile,
      resource_type: 'instance_profile' as const,
    },
    resource_group: groupReference(base, instance.resourceGroupId, around.groupNames),
    resource_type: 'instance' as const,
    startable: true,
    status: instance.status,
    status_reasons: [],
    volume_attachments: around.attachments.map((attachment) => ({
      ...deviceOf(attachment),
      href: attachmentHref(base, attachment),
      id: attachment.id,
      name: attachment.name,
      volume: volumeReference(base, attachment),
    })),
    zone: zoneReference(base, instance.zone),
  }
}

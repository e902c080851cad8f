// Instances and their attachments as clients see them. Source: VPC API, "Instance", "VolumeAttachment". What describes
// the machine (processors, memory, bandwidth) is what its profile's name says; the machine is the user's. Pure.

import { rfc3339 } from '#base/clock.ts'
import { groupReference } from './groups.ts'
import { referenceToImage } from './image-reply.ts'
import type { Attachment, AttachmentView, Instance } from './instance.ts'
import { bandwidthOf, defaultVolumeShare, instanceProfileReference, profileOf } from './instance-profiles.ts'
import { lifecycleOf, startReasons } from './instance-state.ts'
import { networkAttachmentReference, nicReference, vpcReference } from './network-reply.ts'
import type { InterfaceEnds } from './network-reply.ts'
import type { Recorded } from './record.ts'
import { zoneReference } from './regions.ts'
import type { NamedImage } from './tables-images.ts'
import { statusOf } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

export const instanceHref = (base: string, id: string): string => `${base}/v1/instances/${id}`

export const instanceReference = (base: string, { crn, id, name }: Pick<Instance, 'crn' | 'id' | 'name'>) => ({
  crn,
  href: instanceHref(base, id),
  id,
  name,
})

/** As with volumes: a weak validator of what the user changes. */
export const instanceEtag = (instance: Instance): string => `W/"${instance.revision}-${instance.id.slice(-12)}"`

export const attachmentHref = (base: string, attachment: Attachment): string =>
  `${instanceHref(base, attachment.instanceId)}/volume_attachments/${attachment.id}`

/** VPC API, "device": a serial of 20 characters by which the machine can tell its disks apart, once there is one. */
export const deviceOf = (attachment: Attachment): { device?: { id: string } } =>
  attachment.status === 'attaching' ? {} : { device: { id: deviceSerial(attachment) } }

export const deviceSerial = ({ id }: Attachment): string => id.replaceAll('-', '').slice(0, 20)

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
  type: attachment.type,
  volume: volumeReference(base, attachment),
})

const attachmentReference = (base: string, attachment: AttachmentView) => ({
  ...deviceOf(attachment),
  href: attachmentHref(base, attachment),
  id: attachment.id,
  name: attachment.name,
  volume: volumeReference(base, attachment),
})

/** A network interface of an instance with everything it shows. */
export interface ShownInterface {
  readonly nic: Recorded<'network-interface'>
  readonly vni: Recorded<'virtual-network-interface'> | null
  readonly ends: InterfaceEnds
}

export interface InstanceAround {
  /** The account's own of those that instances were made of. */
  readonly images: ReadonlyMap<string, NamedImage>
  readonly groupNames: ReadonlyMap<string, string>
  readonly attachments: readonly AttachmentView[]
  readonly network: Recorded<'vpc'> | undefined
  readonly interfaces: readonly ShownInterface[]
}

/** What keeps the machine from being started, or null. */
export function startReason(attachments: readonly AttachmentView[]): StatusReason | null {
  if (attachments.some(({ volume }) => volume.phase === 'failed')) return startReasons.failed
  const unusable = attachments.filter(({ volume }) => statusOf(volume) === 'unusable')
  if (unusable.some(({ volume }) => volume.keyStanding === 'deleted')) return startReasons.deleted
  return unusable.length > 0 ? startReasons.unusable : null
}

export function instanceView(base: string, instance: Instance, around: InstanceAround) {
  const { settings, status } = instance
  const { attachments } = around
  const profile = profileOf(instance.profile)
  const hindrance = startReason(attachments)
  const reason = hindrance ?? instance.statusReason
  // A hidden instance is shown to the one who makes it, at the moment when it is done.
  const shown = status === 'assembling' ? ('starting' as const) : status
  const total = bandwidthOf(profile)
  const ofVolumes = settings.totalVolumeBandwidthMbps ?? total / defaultVolumeShare
  const boot = attachments.find(({ type }) => type === 'boot')
  const image = referenceToImage(base, instance.region, instance.imageId, around.images)
  return {
    availability: { class: 'standard' as const },
    availability_policy: { ...settings.availabilityPolicy },
    bandwidth: total,
    ...(boot && { boot_volume_attachment: attachmentReference(base, boot) }),
    cluster_network_attachments: [],
    confidential_compute_mode: 'disabled',
    created_at: rfc3339(instance.createdAt),
    crn: instance.crn,
    disks: [],
    enable_secure_boot: settings.enableSecureBoot,
    health_reasons: [],
    health_state: shown === 'running' ? ('ok' as const) : ('inapplicable' as const),
    href: instanceHref(base, instance.id),
    id: instance.id,
    ...(image && { image }),
    lifecycle_reasons: [],
    lifecycle_state: lifecycleOf(shown),
    memory: profile.memoryGib,
    metadata_service: { ...settings.metadataService },
    name: instance.name,
    ...interfacesView(base, around.interfaces),
    profile: instanceProfileReference(base, instance.profile),
    reservation_affinity: { policy: 'disabled', pool: [] },
    resource_group: groupReference(base, instance.resourceGroupId, around.groupNames),
    resource_type: 'instance' as const,
    startable: hindrance === null,
    status: shown,
    status_reasons:
      reason && (shown === 'stopped' || shown === 'stopping' || shown === 'failed') ? [{ ...reason }] : [],
    total_network_bandwidth: total - ofVolumes,
    total_volume_bandwidth: ofVolumes,
    vcpu: { architecture: 'amd64', count: profile.vcpuCount, manufacturer: 'intel', percentage: 100 },
    volume_attachments: attachments.map((attachment) => attachmentReference(base, attachment)),
    volume_bandwidth_qos_mode: settings.volumeBandwidthQosMode,
    ...(around.network && { vpc: vpcReference(base, around.network) }),
    zone: zoneReference(base, instance.zone),
  }
}

/** VPC API: instances with network attachments show each of them as an interface of the older kind too. */
function interfacesView(base: string, interfaces: readonly ShownInterface[]) {
  const nics = interfaces.map(({ nic, ends }) => nicReference(base, nic, ends))
  const attached = interfaces.flatMap(({ nic, vni, ends }) =>
    vni ? [networkAttachmentReference(base, nic, vni, ends)] : [],
  )
  const primary = interfaces.find(({ nic }) => nic.facts.isPrimary)?.nic.id
  const primaryNic = nics.find(({ id }) => id === primary)
  const primaryAttachment = attached.find(({ id }) => id === primary)
  return {
    network_attachments: attached,
    network_interfaces: nics,
    ...(primaryAttachment && { primary_network_attachment: primaryAttachment }),
    ...(primaryNic && { primary_network_interface: primaryNic }),
  }
}

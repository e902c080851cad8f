// Operating systems and instance profiles on the wire. Source: VPC API, "OperatingSystem",
// "InstanceProfile".

import { Type } from 'typebox'
import { pageReply } from './schemas.ts'

export const operatingSystemReply = Type.Object({
  allow_user_image_creation: Type.Boolean(),
  architecture: Type.String(),
  dedicated_host_only: Type.Boolean(),
  display_name: Type.String(),
  family: Type.String(),
  href: Type.String(),
  name: Type.String(),
  user_data_format: Type.String(),
  vendor: Type.String(),
  version: Type.String(),
})
export const operatingSystemCollection = pageReply({ operating_systems: Type.Array(operatingSystemReply) })

/** A value of a profile: fixed, a range, or one of a list. */
const profileValue = Type.Object({
  type: Type.Enum(['fixed', 'range', 'enum']),
  value: Type.Optional(Type.Union([Type.Integer(), Type.String()])),
  values: Type.Optional(Type.Array(Type.Union([Type.String(), Type.Boolean()]))),
  min: Type.Optional(Type.Integer()),
  max: Type.Optional(Type.Integer()),
  step: Type.Optional(Type.Integer()),
  default: Type.Optional(Type.Union([Type.Number(), Type.String(), Type.Boolean()])),
})

export const instanceProfileReply = Type.Object({
  availability_class: profileValue,
  bandwidth: profileValue,
  cluster_network_attachment_count: profileValue,
  confidential_compute_modes: profileValue,
  disks: Type.Array(Type.Unknown()),
  family: Type.String(),
  href: Type.String(),
  memory: profileValue,
  name: Type.String(),
  network_attachment_count: profileValue,
  network_interface_count: profileValue,
  os_architecture: profileValue,
  port_speed: profileValue,
  reservation_terms: profileValue,
  resource_type: Type.Literal('instance_profile'),
  secure_boot_modes: profileValue,
  status: Type.Enum(['current', 'previous']),
  supported_cluster_network_profiles: Type.Array(Type.Unknown()),
  total_volume_bandwidth: profileValue,
  vcpu_architecture: profileValue,
  vcpu_burst_limit: profileValue,
  vcpu_count: profileValue,
  vcpu_manufacturer: profileValue,
  vcpu_percentage: profileValue,
  volume_bandwidth_qos_modes: profileValue,
})

/** Without its links in versions of the API that knew no pages of it. */
export const instanceProfileCollection = Type.Partial(pageReply({ profiles: Type.Array(instanceProfileReply) }))

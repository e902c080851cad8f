// Instances, attachments and connections on the wire. Source: VPC API, "Instance", "InstancePrototype",
// "VolumeAttachment"; the connection is our own.

import { Type } from 'typebox'
import { notYetFields } from './not-yet.ts'
import {
  groupIdentity,
  groupReference,
  idIdentity,
  nameIdentity,
  pageReply,
  paged,
  reason,
  reference,
  text,
} from './schemas.ts'

/** What would make or place a machine: here the machine is the user's own, and only its record is kept. */
export const instancePrototypeNotYet = [
  'availability',
  'availability_policy',
  'boot_volume_attachment',
  'catalog_offering',
  'cluster_network_attachments',
  'confidential_compute_mode',
  'default_trusted_profile',
  'enable_secure_boot',
  'image',
  'keys',
  'metadata_service',
  'network_attachments',
  'network_interfaces',
  'placement_target',
  'primary_network_attachment',
  'primary_network_interface',
  'reservation_affinity',
  'source_template',
  'total_volume_bandwidth',
  'user_data',
  'user_tags',
  'vcpu',
  'volume_attachments',
  'volume_bandwidth_qos_mode',
  'vpc',
] as const

/** With one of these a volume is to be made, not found. */
export const attachmentVolumeNotYet = [
  'capacity',
  'encryption_key',
  'iops',
  'bandwidth',
  'profile',
  'source_snapshot',
  'user_tags',
  'resource_group',
  'name',
] as const

const closed = { additionalProperties: false } as const

export const instancePrototype = Type.Object(
  {
    name: Type.Optional(Type.String()),
    zone: nameIdentity,
    profile: Type.Optional(nameIdentity),
    resource_group: Type.Optional(groupIdentity),
    ...notYetFields(instancePrototypeNotYet),
  },
  closed,
)

export const instanceQuery = Type.Object({
  ...paged,
  name: Type.Optional(text),
  'resource_group.id': Type.Optional(text),
})

const deviceReference = Type.Optional(Type.Object({ id: Type.String() }))

const attachmentVolume = Type.Object({
  crn: Type.String(),
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  resource_type: Type.Literal('volume'),
})

export const instanceReply = Type.Object({
  availability: Type.Object({ class: Type.Enum(['standard', 'spot']) }),
  created_at: Type.String({ format: 'date-time' }),
  crn: Type.String(),
  disks: Type.Array(Type.Unknown()),
  enable_secure_boot: Type.Boolean(),
  health_reasons: Type.Array(reason),
  health_state: Type.Enum(['ok', 'degraded', 'faulted', 'inapplicable']),
  href: Type.String(),
  id: Type.String(),
  lifecycle_reasons: Type.Array(reason),
  lifecycle_state: Type.Enum(['pending', 'stable', 'updating', 'waiting', 'suspended', 'deleting', 'failed']),
  name: Type.String(),
  network_attachments: Type.Array(Type.Unknown()),
  network_interfaces: Type.Array(Type.Unknown()),
  profile: Type.Object({ href: Type.String(), name: Type.String(), resource_type: Type.Literal('instance_profile') }),
  resource_group: groupReference,
  resource_type: Type.Literal('instance'),
  startable: Type.Boolean(),
  status: Type.Enum(['pending', 'starting', 'running', 'stopping', 'stopped', 'restarting', 'deleting', 'failed']),
  status_reasons: Type.Array(reason),
  volume_attachments: Type.Array(
    Type.Object({
      device: deviceReference,
      href: Type.String(),
      id: Type.String(),
      name: Type.String(),
      volume: attachmentVolume,
    }),
  ),
  zone: reference,
})

export const instanceCollection = pageReply({ instances: Type.Array(instanceReply) })

export const attachmentPrototype = Type.Object(
  {
    name: Type.Optional(Type.String()),
    delete_volume_on_instance_delete: Type.Optional(Type.Boolean()),
    volume: Type.Interface([idIdentity], notYetFields(attachmentVolumeNotYet)),
  },
  closed,
)

export const attachmentReply = Type.Object({
  bandwidth: Type.Integer(),
  created_at: Type.String({ format: 'date-time' }),
  delete_volume_on_instance_delete: Type.Boolean(),
  device: deviceReference,
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  status: Type.Enum(['attached', 'attaching', 'deleting', 'detaching']),
  type: Type.Enum(['boot', 'data']),
  volume: attachmentVolume,
})

export const attachmentCollection = Type.Object({ volume_attachments: Type.Array(attachmentReply) })

export const connectionReply = Type.Object({
  uri: Type.String(),
  tls: Type.Object({ psk_identity: Type.String(), psk_key: Type.String() }),
  unix_uri: Type.String(),
  expires_at: Type.String({ format: 'date-time' }),
})

// Volumes and their profiles on the wire. Source: VPC API, "Volume", "VolumePrototype", "VolumePatch", "VolumeProfile".

import { Type } from 'typebox'
import { notYetFields } from './not-yet.ts'
import { groupIdentity, groupReference, nameIdentity, pageReply, paged, reason, reference, text } from './schemas.ts'

export const volumePrototypeNotYet = ['source_snapshot', 'allowed_use'] as const
export const volumePatchNotYet = ['allowed_use', 'bandwidth', 'capacity', 'iops', 'profile'] as const

const closed = { additionalProperties: false } as const

export const volumePrototype = Type.Object(
  {
    name: Type.Optional(Type.String()),
    profile: nameIdentity,
    zone: nameIdentity,
    capacity: Type.Optional(Type.Integer()),
    iops: Type.Optional(Type.Integer()),
    bandwidth: Type.Optional(Type.Integer()),
    encryption_key: Type.Optional(Type.Object({ crn: text }, closed)),
    resource_group: Type.Optional(groupIdentity),
    user_tags: Type.Optional(Type.Array(Type.String())),
    ...notYetFields(volumePrototypeNotYet),
  },
  closed,
)

export const volumePatch = Type.Object(
  {
    name: Type.Optional(Type.String()),
    user_tags: Type.Optional(Type.Array(Type.String())),
    ...notYetFields(volumePatchNotYet),
  },
  closed,
)

export const volumeQuery = Type.Object({
  ...paged,
  name: Type.Optional(text),
  'zone.name': Type.Optional(text),
  attachment_state: Type.Optional(Type.Enum(['attached', 'unattached', 'unusable'])),
  encryption: Type.Optional(Type.Enum(['provider_managed', 'user_managed'])),
})

const states = Type.Array(Type.Enum(['attached', 'unattached', 'unusable']))

export const volumeAttachmentReference = Type.Object({
  delete_volume_on_instance_delete: Type.Boolean(),
  device: Type.Optional(Type.Object({ id: Type.String() })),
  href: Type.String(),
  id: Type.String(),
  instance: Type.Object({ crn: Type.String(), href: Type.String(), id: Type.String(), name: Type.String() }),
  name: Type.String(),
  type: Type.Enum(['boot', 'data']),
})

export const volumeReply = Type.Object({
  active: Type.Boolean(),
  adjustable_capacity_states: states,
  adjustable_iops_states: states,
  attachment_state: Type.Enum(['attached', 'unattached', 'unusable']),
  bandwidth: Type.Integer(),
  busy: Type.Boolean(),
  capacity: Type.Integer(),
  created_at: Type.String({ format: 'date-time' }),
  crn: Type.String(),
  encryption: Type.Enum(['provider_managed', 'user_managed']),
  encryption_key: Type.Object({ crn: Type.String() }),
  health_reasons: Type.Array(reason),
  health_state: Type.Enum(['ok', 'degraded', 'faulted', 'inapplicable']),
  href: Type.String(),
  id: Type.String(),
  iops: Type.Integer(),
  name: Type.String(),
  profile: reference,
  resource_group: groupReference,
  resource_type: Type.Literal('volume'),
  status: Type.Enum(['available', 'failed', 'pending', 'pending_deletion', 'unusable', 'updating']),
  status_reasons: Type.Array(reason),
  storage_generation: Type.Integer(),
  user_tags: Type.Array(Type.String()),
  volume_attachments: Type.Array(volumeAttachmentReference),
  zone: reference,
})

export const volumeCollection = pageReply({ volumes: Type.Array(volumeReply) })

/** A value of a profile: fixed, a range, or dependent on other values; `values` is for the enumerated ones. */
const profileValue = Type.Object({
  type: Type.Enum(['fixed', 'range', 'dependent', 'dependent_range', 'enum']),
  value: Type.Optional(Type.Integer()),
  values: Type.Optional(Type.Array(Type.String())),
  min: Type.Optional(Type.Integer()),
  max: Type.Optional(Type.Integer()),
  step: Type.Optional(Type.Integer()),
  default: Type.Optional(Type.Integer()),
})

export const volumeProfileReply = Type.Object({
  name: Type.String(),
  href: Type.String(),
  family: Type.Enum(['tiered', 'custom', 'defined_performance']),
  storage_generation: profileValue,
  capacity: profileValue,
  boot_capacity: profileValue,
  iops: profileValue,
  bandwidth: profileValue,
  adjustable_capacity_states: profileValue,
  adjustable_iops_states: profileValue,
})

export const volumeProfileCollection = pageReply({ profiles: Type.Array(volumeProfileReply) })

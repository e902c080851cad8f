// Volumes and their profiles on the wire. Source: VPC API, "Volume", "VolumePrototype", "VolumePatch", "VolumeProfile".

import { Type } from 'typebox'
import {
  closed,
  groupIdentity,
  groupReference,
  idIdentity,
  nameIdentity,
  pageReply,
  paged,
  reason,
  reference,
  text,
  when,
} from './schemas.ts'

/** Longest text of an expression; VPC API, "VolumeAllowedUse". */
const expression = Type.Optional(Type.String({ maxLength: 500 }))

export const allowedUse = Type.Optional(
  Type.Object({ api_version: expression, bare_metal_server: expression, instance: expression }, closed),
)

const shared = {
  name: Type.Optional(Type.String()),
  capacity: Type.Optional(Type.Integer()),
  iops: Type.Optional(Type.Integer()),
  bandwidth: Type.Optional(Type.Integer()),
  user_tags: Type.Optional(Type.Array(Type.String())),
  allowed_use: allowedUse,
}

/** Everything about a new volume but where it lies. */
const prototype = {
  ...shared,
  profile: nameIdentity,
  encryption_key: Type.Optional(Type.Object({ crn: text }, closed)),
  resource_group: Type.Optional(groupIdentity),
  source_snapshot: Type.Optional(Type.Object(idIdentity.properties, closed)),
}

export const volumeFields = Type.Object(prototype, closed)
export const volumePrototype = Type.Object({ ...prototype, zone: nameIdentity }, closed)
export const volumePatch = Type.Object({ ...shared, profile: Type.Optional(nameIdentity) }, closed)

/** Either a volume that there is, or one to be made: attachments take both. Which it is, attached-volume.ts decides. */
export const volumeOrFields = Type.Object(
  { ...prototype, ...idIdentity.properties, profile: Type.Optional(nameIdentity) },
  closed,
)

export const volumeQuery = Type.Object({
  ...paged,
  name: Type.Optional(text),
  'zone.name': Type.Optional(text),
  attachment_state: Type.Optional(Type.Enum(['attached', 'unattached', 'unusable'])),
  encryption: Type.Optional(Type.Enum(['provider_managed', 'user_managed'])),
  'operating_system.family': Type.Optional(text),
  'operating_system.architecture': Type.Optional(text),
  storage_generation: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 })),
  tag: Type.Optional(text),
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

export const allowedUseReply = Type.Object({
  api_version: Type.String(),
  bare_metal_server: Type.String(),
  instance: Type.String(),
})

/** `remote` where it lies in another account. */
const snapshotReference = Type.Object({
  crn: Type.String(),
  deleted: Type.Optional(Type.Object({ more_info: Type.String() })),
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  remote: Type.Optional(
    Type.Object({ account: Type.Object({ id: Type.String(), resource_type: Type.Literal('account') }) }),
  ),
  resource_type: Type.Literal('snapshot'),
})

const imageReference = Type.Object({
  crn: Type.String(),
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  resource_type: Type.Literal('image'),
})

export const volumeReply = Type.Object({
  active: Type.Boolean(),
  allowed_use: Type.Optional(allowedUseReply),
  adjustable_capacity_states: states,
  adjustable_iops_states: states,
  attachment_state: Type.Enum(['attached', 'unattached', 'unusable']),
  bandwidth: Type.Integer(),
  busy: Type.Boolean(),
  capacity: Type.Integer(),
  created_at: when,
  crn: Type.String(),
  encryption: Type.Enum(['provider_managed', 'user_managed']),
  encryption_key: Type.Optional(Type.Object({ crn: Type.String() })),
  health_reasons: Type.Array(reason),
  health_state: Type.Enum(['ok', 'degraded', 'faulted', 'inapplicable']),
  href: Type.String(),
  id: Type.String(),
  iops: Type.Integer(),
  name: Type.String(),
  profile: reference,
  resource_group: groupReference,
  resource_type: Type.Literal('volume'),
  source_image: Type.Optional(imageReference),
  source_snapshot: Type.Optional(snapshotReference),
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

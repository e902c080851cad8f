// Snapshots, their clones and consistency groups on the wire. Source: VPC API, "Snapshot", "SnapshotPrototype",
// "SnapshotClone", "SnapshotConsistencyGroup".

import { Type } from 'typebox'
import { snapshotsPerGroupMax } from '#base/limits.ts'
import {
  closed,
  groupIdentity,
  groupReference,
  idIdentity,
  nameIdentity,
  pageReply,
  paged,
  text,
  when,
} from './schemas.ts'
import { allowedUse, allowedUseReply } from './volume-schemas.ts'

const identity = Type.Object(idIdentity.properties, closed)
const tags = Type.Optional(Type.Array(Type.String()))

/** Of a volume, or, with `source_snapshot`, the copy of one of another region: which it is, snapshots.ts decides. */
export const snapshotPrototype = Type.Object(
  {
    name: Type.Optional(Type.String()),
    source_volume: Type.Optional(identity),
    source_snapshot: Type.Optional(identity),
    encryption_key: Type.Optional(Type.Object({ crn: text }, closed)),
    resource_group: Type.Optional(groupIdentity),
    user_tags: tags,
    clones: Type.Optional(Type.Array(Type.Object({ zone: nameIdentity }, closed), { maxItems: 16 })),
    allowed_use: allowedUse,
  },
  closed,
)

export const snapshotPatch = Type.Object(
  { name: Type.Optional(Type.String()), user_tags: tags, allowed_use: allowedUse },
  closed,
)

export const snapshotQuery = Type.Object({
  ...paged,
  tag: Type.Optional(text),
  'resource_group.id': Type.Optional(text),
  name: Type.Optional(text),
  'source_volume.id': Type.Optional(text),
  'source_volume.crn': Type.Optional(text),
  'source_image.id': Type.Optional(text),
  'source_image.crn': Type.Optional(text),
  sort: Type.Optional(text),
  'backup_policy_plan.id': Type.Optional(text),
  'copies[].id': Type.Optional(text),
  'copies[].name': Type.Optional(text),
  'copies[].crn': Type.Optional(text),
  'copies[].remote.region.name': Type.Optional(text),
  'source_snapshot.id': Type.Optional(text),
  'source_snapshot.remote.region.name': Type.Optional(text),
  'source_volume.remote.region.name': Type.Optional(text),
  'source_image.remote.region.name': Type.Optional(text),
  'clones[].zone.name': Type.Optional(text),
  'snapshot_consistency_group.id': Type.Optional(text),
  'snapshot_consistency_group.crn': Type.Optional(text),
})

export const snapshotsOfVolume = Type.Object({
  version: Type.Optional(Type.String()),
  generation: Type.Optional(Type.String()),
  'source_volume.id': text,
})

const deleted = Type.Optional(Type.Object({ more_info: Type.String() }))
const named = { crn: Type.String(), href: Type.String(), id: Type.String(), name: Type.String() }
const memberReference = Type.Object({ ...named, resource_type: Type.Literal('snapshot') })

const states = ['deleting', 'failed', 'pending', 'stable', 'suspended', 'unusable', 'updating', 'waiting'] as const

const zone = Type.Object({ href: Type.String(), name: Type.String() })
export const cloneReply = Type.Object({ available: Type.Boolean(), created_at: when, zone })
export const cloneList = Type.Object({ clones: Type.Array(cloneReply) })

export const snapshotReply = Type.Object({
  ...named,
  allowed_use: Type.Optional(allowedUseReply),
  bootable: Type.Boolean(),
  captured_at: Type.Optional(when),
  clones: Type.Array(cloneReply),
  copies: Type.Array(memberReference),
  created_at: when,
  deletable: Type.Boolean(),
  encryption: Type.Enum(['provider_managed', 'user_managed']),
  encryption_key: Type.Optional(Type.Object({ crn: Type.String() })),
  lifecycle_state: Type.Enum([...states]),
  minimum_capacity: Type.Integer(),
  progress: Type.Integer(),
  resource_group: groupReference,
  resource_type: Type.Literal('snapshot'),
  service_tags: Type.Array(Type.String()),
  size: Type.Integer(),
  snapshot_consistency_group: Type.Optional(
    Type.Object({ ...named, resource_type: Type.Literal('snapshot_consistency_group') }),
  ),
  source_image: Type.Optional(Type.Object({ ...named, resource_type: Type.Literal('image') })),
  source_volume: Type.Object({ ...named, resource_type: Type.Literal('volume'), deleted }),
  storage_generation: Type.Integer(),
  user_tags: Type.Array(Type.String()),
})

export const snapshotCollection = pageReply({ snapshots: Type.Array(snapshotReply) })

// Consistency groups --------------------------------------------------------------------------------------------------------

export const snapshotGroupPrototype = Type.Object(
  {
    name: Type.Optional(Type.String()),
    delete_snapshots_on_delete: Type.Optional(Type.Boolean()),
    resource_group: Type.Optional(groupIdentity),
    snapshots: Type.Array(
      Type.Object({ name: Type.Optional(Type.String()), source_volume: identity, user_tags: tags }, closed),
      { minItems: 1, maxItems: snapshotsPerGroupMax },
    ),
  },
  closed,
)

export const snapshotGroupPatch = Type.Object(
  { name: Type.Optional(Type.String()), delete_snapshots_on_delete: Type.Optional(Type.Boolean()) },
  closed,
)

export const snapshotGroupQuery = Type.Object({
  ...paged,
  name: Type.Optional(text),
  'resource_group.id': Type.Optional(text),
  sort: Type.Optional(text),
  'backup_policy_plan.id': Type.Optional(text),
})

export const snapshotGroupReply = Type.Object({
  ...named,
  created_at: when,
  delete_snapshots_on_delete: Type.Boolean(),
  lifecycle_state: Type.Enum(['deleting', 'failed', 'pending', 'stable', 'suspended', 'updating', 'waiting']),
  resource_group: groupReference,
  resource_type: Type.Literal('snapshot_consistency_group'),
  service_tags: Type.Array(Type.String()),
  snapshots: Type.Array(memberReference),
})

export const snapshotGroupCollection = pageReply({ snapshot_consistency_groups: Type.Array(snapshotGroupReply) })

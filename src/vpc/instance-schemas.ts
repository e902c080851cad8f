// Instances, attachments and connections on the wire. Source: VPC API, "Instance", "InstancePrototype",
// "VolumeAttachment"; the connection is our own.

import { Type } from 'typebox'
import { networkInterfacesPerInstanceMax, userDataLengthMax } from '#base/limits.ts'
import {
  attachmentNicPrototype,
  keyReferenceReply,
  networkAttachmentReferenceReply,
  nicPrototype,
  nicReferenceReply,
  vpcReferenceReply,
} from './network-schemas.ts'
import { notYetFields } from './not-yet.ts'
import {
  closed,
  groupIdentity,
  groupReference,
  idIdentity,
  nameIdentity,
  ofVpc,
  pageReply,
  paged,
  reason,
  reference,
  text,
  when,
} from './schemas.ts'
import { volumeOrFields } from './volume-schemas.ts'

/** What would place a machine or dress it: here the machine is the user's own, and only its record is kept. */
export const instancePrototypeNotYet = [
  'catalog_offering',
  'cluster_network_attachments',
  'default_trusted_profile',
  'placement_target',
  'reservation_affinity',
  'source_template',
  'user_tags',
  'vcpu',
] as const

const metadataService = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean()),
    protocol: Type.Optional(Type.Enum(['http', 'https'])),
    response_hop_limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
  },
  closed,
)
const availabilityPolicy = Type.Object(
  {
    host_failure: Type.Optional(Type.Enum(['restart', 'stop'])),
    preemption: Type.Optional(Type.Enum(['stop', 'delete'])),
  },
  closed,
)

/** What is set when a machine is made and may be set anew later. */
const settings = {
  availability_policy: Type.Optional(availabilityPolicy),
  confidential_compute_mode: Type.Optional(Type.Literal('disabled')),
  enable_secure_boot: Type.Optional(Type.Literal(false)),
  metadata_service: Type.Optional(metadataService),
  total_volume_bandwidth: Type.Optional(Type.Integer()),
  volume_bandwidth_qos_mode: Type.Optional(Type.Enum(['pooled', 'weighted'])),
}

export const attachmentPrototype = Type.Object(
  {
    name: Type.Optional(Type.String()),
    delete_volume_on_instance_delete: Type.Optional(Type.Boolean()),
    volume: volumeOrFields,
  },
  closed,
)

export const attachmentPatch = Type.Object(
  { name: Type.Optional(Type.String()), delete_volume_on_instance_delete: Type.Optional(Type.Boolean()) },
  closed,
)

const keyIdentity = Type.Object({ ...idIdentity.properties, fingerprint: Type.Optional(text) })

export const instancePrototype = Type.Object(
  {
    name: Type.Optional(Type.String()),
    zone: nameIdentity,
    profile: Type.Optional(nameIdentity),
    resource_group: Type.Optional(groupIdentity),
    vpc: Type.Optional(idIdentity),
    image: Type.Optional(idIdentity),
    keys: Type.Optional(Type.Array(keyIdentity, { maxItems: 100 })),
    boot_volume_attachment: Type.Optional(attachmentPrototype),
    volume_attachments: Type.Optional(Type.Array(attachmentPrototype, { maxItems: 100 })),
    primary_network_interface: Type.Optional(nicPrototype),
    network_interfaces: Type.Optional(Type.Array(nicPrototype, { maxItems: networkInterfacesPerInstanceMax - 1 })),
    primary_network_attachment: Type.Optional(attachmentNicPrototype),
    network_attachments: Type.Optional(
      Type.Array(attachmentNicPrototype, { maxItems: networkInterfacesPerInstanceMax - 1 }),
    ),
    user_data: Type.Optional(Type.String({ maxLength: userDataLengthMax })),
    availability: Type.Optional(Type.Object({ class: Type.Literal('standard') }, closed)),
    ...settings,
    ...notYetFields(instancePrototypeNotYet),
  },
  closed,
)

export const instancePatchNotYet = ['placement_target', 'reservation_affinity', 'vcpu', 'availability'] as const

export const instancePatch = Type.Object(
  {
    name: Type.Optional(Type.String()),
    profile: Type.Optional(nameIdentity),
    ...settings,
    ...notYetFields(instancePatchNotYet),
  },
  closed,
)

/** VPC API, filters by what machines of IBM's may lie in or on, and none of these does. */
export const placementFilters = ['cluster_network', 'dedicated_host', 'placement_group', 'reservation'].flatMap(
  (of) => [`${of}.id`, `${of}.crn`, `${of}.name`],
)

export const instanceQuery = Type.Object({
  ...paged,
  name: Type.Optional(text),
  'resource_group.id': Type.Optional(text),
  ...ofVpc,
  'availability.class': Type.Optional(Type.Enum(['standard', 'spot'])),
  'reservation_affinity.policy': Type.Optional(Type.Enum(['automatic', 'disabled', 'manual'])),
  ...Object.fromEntries(placementFilters.map((name) => [name, Type.Optional(text)])),
})

export const actionPrototype = Type.Object(
  { type: Type.Enum(['start', 'stop', 'reboot']), force: Type.Optional(Type.Boolean()) },
  closed,
)

export const actionReply = Type.Object({
  completed_at: Type.Optional(when),
  created_at: when,
  force: Type.Boolean(),
  href: Type.String(),
  id: Type.String(),
  started_at: when,
  status: Type.Enum(['pending', 'running', 'completed', 'failed']),
  type: Type.Enum(['start', 'stop', 'reboot']),
})

export const initializationReply = Type.Object({ keys: Type.Array(keyReferenceReply) })

const deviceReference = Type.Optional(Type.Object({ id: Type.String() }))

const attachmentVolume = Type.Object({
  crn: Type.String(),
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  resource_type: Type.Literal('volume'),
})

const attachmentReference = Type.Object({
  device: deviceReference,
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  volume: attachmentVolume,
})

const imageReference = Type.Object({
  crn: Type.String(),
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  resource_type: Type.Literal('image'),
})

export const instanceReply = Type.Object({
  availability: Type.Object({ class: Type.Enum(['standard', 'spot']) }),
  availability_policy: Type.Object({ host_failure: Type.String(), preemption: Type.String() }),
  bandwidth: Type.Integer(),
  boot_volume_attachment: Type.Optional(attachmentReference),
  cluster_network_attachments: Type.Array(Type.Unknown()),
  confidential_compute_mode: Type.String(),
  created_at: when,
  crn: Type.String(),
  disks: Type.Array(Type.Unknown()),
  enable_secure_boot: Type.Boolean(),
  health_reasons: Type.Array(reason),
  health_state: Type.Enum(['ok', 'degraded', 'faulted', 'inapplicable']),
  href: Type.String(),
  id: Type.String(),
  image: Type.Optional(imageReference),
  lifecycle_reasons: Type.Array(reason),
  lifecycle_state: Type.Enum(['pending', 'stable', 'updating', 'waiting', 'suspended', 'deleting', 'failed']),
  memory: Type.Integer(),
  metadata_service: Type.Object({
    enabled: Type.Boolean(),
    protocol: Type.String(),
    response_hop_limit: Type.Integer(),
  }),
  name: Type.String(),
  network_attachments: Type.Array(networkAttachmentReferenceReply),
  network_interfaces: Type.Array(nicReferenceReply),
  primary_network_attachment: Type.Optional(networkAttachmentReferenceReply),
  primary_network_interface: Type.Optional(nicReferenceReply),
  profile: Type.Object({ href: Type.String(), name: Type.String(), resource_type: Type.Literal('instance_profile') }),
  reservation_affinity: Type.Object({ policy: Type.String(), pool: Type.Array(Type.Unknown()) }),
  resource_group: groupReference,
  resource_type: Type.Literal('instance'),
  startable: Type.Boolean(),
  status: Type.Enum(['pending', 'starting', 'running', 'stopping', 'stopped', 'restarting', 'deleting', 'failed']),
  status_reasons: Type.Array(reason),
  total_network_bandwidth: Type.Integer(),
  total_volume_bandwidth: Type.Integer(),
  vcpu: Type.Object({
    architecture: Type.String(),
    count: Type.Integer(),
    manufacturer: Type.String(),
    percentage: Type.Integer(),
  }),
  volume_attachments: Type.Array(attachmentReference),
  volume_bandwidth_qos_mode: Type.String(),
  vpc: Type.Optional(vpcReferenceReply),
  zone: reference,
})

export const instanceCollection = pageReply({ instances: Type.Array(instanceReply) })

export const attachmentReply = Type.Object({
  bandwidth: Type.Integer(),
  created_at: when,
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

export const consoleLogReply = Type.Object({
  text: Type.String(),
  /** What was printed before and is not kept any more. */
  skipped_bytes: Type.Integer(),
})

export const connectionReply = Type.Object({
  uri: Type.String(),
  tls: Type.Object({ psk_identity: Type.String(), psk_key: Type.String() }),
  unix_uri: Type.String(),
  expires_at: when,
})

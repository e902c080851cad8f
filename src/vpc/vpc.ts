// Block storage: volumes whose keys may be another account's, and the machines that they are attached to. A function
// of its ports; compose.ts puts it together with the rest.

import type { Consumer } from '#events/dispatcher.ts'
import { makeAttachments } from './attachments.ts'
import type { Attachments } from './attachments.ts'
import { makeConnections } from './connection.ts'
import type { Connections } from './connection.ts'
import { followKeys } from './follow-keys.ts'
import { makeInstances } from './instances.ts'
import type { Instances } from './instances.ts'
import type { VpcParts } from './parts.ts'
import { reconcileExports } from './reconcile-exports.ts'
import { reconcileVolumes } from './reconcile-volumes.ts'
import { makeRegions } from './regions.ts'
import type { Regions } from './regions.ts'
import { sweepRegistrations } from './registrations.ts'
import { checkVersion } from './version.ts'
import { makeVolumes } from './volumes.ts'
import type { Volumes } from './volumes.ts'

export interface Vpc {
  readonly regions: Regions
  readonly volumes: Volumes
  readonly instances: Instances
  readonly attachments: Attachments
  readonly connections: Connections
  readonly consumers: readonly Consumer[]
  /** The check that every operation of vpcContract shares; not for the connection, which is ours. */
  checkQuery(query: Readonly<Record<string, unknown>>): void
}

export function makeVpc(parts: VpcParts): Vpc {
  return {
    regions: makeRegions(parts.region),
    volumes: makeVolumes(parts),
    instances: makeInstances(parts),
    attachments: makeAttachments(parts),
    connections: makeConnections(parts),
    consumers: consumersOf(parts),
    checkQuery: (query) => checkVersion(query, parts.clock.now()),
  }
}

const consumersOf = (parts: VpcParts): readonly Consumer[] => [
  {
    name: 'vpc.volumes',
    types: ['vpc.volume.created', 'vpc.volume.abandoned', 'vpc.volume.deletion-requested'],
    reconcile: () => reconcileVolumes(parts),
  },
  {
    name: 'vpc.exports',
    types: ['vpc.attachment.created', 'vpc.attachment.detach-requested', 'vpc.instance.deletion-requested'],
    reconcile: () => reconcileExports(parts),
  },
  {
    name: 'vpc.keys',
    types: [
      'kms.key.disabled',
      'kms.key.enabled',
      'kms.key.deleted',
      'kms.key.expired',
      'iam.policy.created',
      'iam.policy.deleted',
      'vpc.volume.created',
    ],
    reconcile: () => followKeys(parts),
  },
  {
    name: 'vpc.registrations',
    types: ['vpc.volume.refused', 'vpc.volume.deleted'],
    reconcile: () => sweepRegistrations(parts),
  },
]

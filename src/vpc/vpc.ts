// Block storage: volumes whose keys may be another account's, and the machines that they are attached to. A function
// of its ports; compose.ts puts it together with the rest.

import type { Consumer } from '#events/dispatcher.ts'
import { makeAttachments } from './attachments.ts'
import type { Attachments } from './attachments.ts'
import { makeConnections } from './connection.ts'
import type { Connections } from './connection.ts'
import { makeConsoleLogs } from './console-log.ts'
import type { ConsoleLogs } from './console-log.ts'
import { makeConsistencyGroups } from './consistency-groups.ts'
import type { ConsistencyGroups } from './consistency-groups.ts'
import { makeCopies } from './copies.ts'
import type { Copies } from './copies.ts'
import { makeCustomImages } from './custom-images.ts'
import type { CustomImages } from './custom-images.ts'
import { makeFacts } from './facts.ts'
import { followKeys } from './follow-keys.ts'
import { followNotices } from './follow-notices.ts'
import { makeImageExports } from './image-exports.ts'
import type { ImageExports } from './image-exports.ts'
import { makeInstances } from './instances.ts'
import type { Instances } from './instances.ts'
import { makeNetworks } from './networks.ts'
import type { Networks } from './networks.ts'
import type { VpcParts } from './parts.ts'
import type { VpcPort } from './port.ts'
import { reconcileImageExports } from './reconcile-image-exports.ts'
import { reconcileImages } from './reconcile-images.ts'
import { reconcileExports } from './reconcile-exports.ts'
import { reconcileSnapshots } from './reconcile-snapshots.ts'
import { reconcileVolumes } from './reconcile-volumes.ts'
import { reconcileReencryptions } from './reencrypt.ts'
import { makeReencryptions } from './reencryptions.ts'
import type { Reencryptions } from './reencryptions.ts'
import { makeRegions } from './regions.ts'
import type { Regions } from './regions.ts'
import { sweepRegistrations } from './registrations.ts'
import { makeSecurityGroups } from './security-groups.ts'
import type { SecurityGroups } from './security-groups.ts'
import { makeSnapshots } from './snapshots.ts'
import type { Snapshots } from './snapshots.ts'
import { makeSshKeys } from './ssh-keys.ts'
import type { SshKeys } from './ssh-keys.ts'
import { makeSubnets } from './subnets.ts'
import type { Subnets } from './subnets.ts'
import { makeVirtualInterfaces } from './virtual-interfaces.ts'
import type { VirtualInterfaces } from './virtual-interfaces.ts'
import { checkVersion } from './version.ts'
import { withHistory } from './volume-history.ts'
import { makeSizes } from './volume-size.ts'
import type { Sizes } from './volume-size.ts'
import { makeVolumes } from './volumes.ts'
import type { Volumes } from './volumes.ts'

export interface Vpc {
  readonly port: VpcPort
  readonly regions: Regions
  readonly volumes: Volumes
  readonly reencryptions: Reencryptions
  readonly snapshots: Snapshots
  readonly consistencyGroups: ConsistencyGroups
  readonly images: CustomImages
  readonly imageExports: ImageExports
  readonly instances: Instances
  readonly attachments: Attachments
  readonly connections: Connections
  readonly consoleLogs: ConsoleLogs
  readonly networks: Networks
  readonly subnets: Subnets
  readonly securityGroups: SecurityGroups
  readonly virtualInterfaces: VirtualInterfaces
  readonly sshKeys: SshKeys
  readonly region: string
  readonly consumers: readonly Consumer[]
  /** The check that every operation of vpcContract shares; not for the connection, which is ours. */
  checkQuery(query: Readonly<Record<string, unknown>>): void
  /** Fulfilled when no image is being copied: what a disk was asked for has ended, well or not. */
  idle(): Promise<void>
}

export function makeVpc(given: VpcParts): Vpc {
  const parts = { ...given, outbox: withHistory(given.outbox, given.keyClock, given.revocation) }
  const copies = makeCopies(parts, async (more) => {
    await reconcileSnapshots(parts, more)
    await reconcileImageExports(parts, more)
    await reconcileImages(parts, more)
    await reconcileVolumes(parts, more)
  })
  // Of their own, since one may be told to take days.
  const reencryptions = makeCopies(parts, (more) => reconcileReencryptions(parts, more))
  return {
    port: makeFacts({ reads: parts.database.reads, ...parts }),
    regions: makeRegions(parts.region),
    volumes: makeVolumes(parts),
    reencryptions: makeReencryptions(parts),
    snapshots: makeSnapshots(parts),
    consistencyGroups: makeConsistencyGroups(parts),
    images: makeCustomImages(parts),
    imageExports: makeImageExports(parts),
    instances: makeInstances(parts),
    attachments: makeAttachments(parts),
    connections: makeConnections(parts),
    consoleLogs: makeConsoleLogs(parts),
    networks: makeNetworks(parts),
    subnets: makeSubnets(parts),
    securityGroups: makeSecurityGroups(parts),
    virtualInterfaces: makeVirtualInterfaces(parts),
    sshKeys: makeSshKeys(parts),
    region: parts.region,
    consumers: consumersOf(parts, copies, reencryptions, makeSizes(parts)),
    checkQuery: (query) => checkVersion(query, parts.clock.now()),
    idle: async () => void (await Promise.all([copies.idle(), reencryptions.idle()])),
  }
}

const consumersOf = (parts: VpcParts, copies: Copies, reencryptions: Copies, sizes: Sizes): readonly Consumer[] => [
  {
    name: 'vpc.volumes',
    types: [
      'vpc.volume.created',
      'vpc.volume.abandoned',
      'vpc.volume.updated',
      'vpc.volume.became-unusable',
      'vpc.volume.resumed',
      'vpc.volume.deletion-requested',
      'vpc.instance.abandoned',
      // A volume that is to go waits for the snapshot that is being taken of it.
      'vpc.snapshot.became-stable',
      'vpc.snapshot.became-unusable',
      'vpc.snapshot.resumed',
      'vpc.snapshot.failed',
      'vpc.snapshot.abandoned',
      'vpc.snapshot.deletion-requested',
      // And for the image that is being made of it; one that is made of an image waits for that one's key.
      'vpc.image.became-available',
      'vpc.image.became-unusable',
      'vpc.image.failed',
      'vpc.image.abandoned',
      'vpc.image.deletion-requested',
    ],
    reconcile: () => reconcileVolumes(parts, copies),
  },
  {
    name: 'vpc.snapshots',
    types: [
      'vpc.snapshot.created',
      'vpc.snapshot.abandoned',
      'vpc.snapshot.became-unusable',
      'vpc.snapshot.resumed',
      'vpc.snapshot.deletion-requested',
      'vpc.snapshot.deleted',
      'vpc.snapshot.refused',
      'vpc.snapshot-group.deletion-requested',
    ],
    reconcile: () => reconcileSnapshots(parts, copies),
  },
  {
    name: 'vpc.images',
    types: [
      'vpc.image.created',
      'vpc.image.abandoned',
      'vpc.image.became-unusable',
      'vpc.image.resumed',
      'vpc.image.deletion-requested',
      // An image that is to go waits for its exports.
      'vpc.image-export.succeeded',
      'vpc.image-export.failed',
      'vpc.image-export.deleted',
    ],
    reconcile: () => reconcileImages(parts, copies),
  },
  {
    name: 'vpc.image-exports',
    types: ['vpc.image-export.created', 'vpc.image-export.deletion-requested'],
    reconcile: () => reconcileImageExports(parts, copies),
  },
  {
    name: 'vpc.reencryptions',
    types: [
      'vpc.volume.reencryption-started',
      'vpc.volume.reencryption-refused',
      'vpc.volume.reencrypted',
      'vpc.volume.became-available',
      'vpc.volume.resumed',
    ],
    reconcile: () => reconcileReencryptions(parts, reencryptions),
  },
  {
    name: 'vpc.exports',
    types: [
      'vpc.attachment.created',
      'vpc.attachment.detach-requested',
      'vpc.instance.created',
      'vpc.instance.start-requested',
      'vpc.instance.stop-requested',
      'vpc.instance.reboot-requested',
      'vpc.instance.deletion-requested',
      'vpc.volume.became-available',
      'vpc.volume.became-unusable',
      'vpc.volume.failed',
    ],
    reconcile: () => reconcileExports(parts),
  },
  {
    name: 'vpc.keys',
    types: [
      'kms.key.disabled',
      'kms.key.enabled',
      'kms.key.deleted',
      'kms.key.expired',
      'kms.key.restored',
      'kms.key.sync-requested',
      'iam.policy.created',
      'iam.policy.deleted',
      'iam.policy.updated',
      'iam.policy.restored',
      'iam.policy.ended',
      'iam.role.updated',
      'iam.access-settings.updated',
      'iam.account.disabled',
      'iam.account.enabled',
      'vpc.volume.created',
      'vpc.snapshot.created',
      'vpc.image.created',
      'vpc.volume.reencryption-started',
      'vpc.volume.reencrypted',
    ],
    reconcile: (signal) => followKeys(parts, signal),
  },
  {
    name: 'vpc.notices',
    types: [
      'kms.key.disabled',
      'kms.key.enabled',
      'kms.key.deleted',
      'kms.key.restored',
      'kms.key.rotated',
      'kms.key.sync-requested',
      'iam.policy.created',
      'iam.account.enabled',
      'vpc.volume.reencrypted',
      // Not of what is made: it begins with the newest version, and where a rotation overtook it, the next sweep finds it.
    ],
    reconcile: (signal) => followNotices(parts, signal),
  },
  {
    name: 'vpc.registrations',
    types: [
      'vpc.volume.refused',
      'vpc.volume.deleted',
      'vpc.snapshot.refused',
      'vpc.snapshot.deleted',
      'vpc.image.refused',
      'vpc.image.deleted',
      'kms.key.sync-requested',
    ],
    reconcile: (signal) => sweepRegistrations(parts, sizes, signal),
  },
]

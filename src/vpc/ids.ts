// Ids and CRNs of VPC resources. Source: VPC API: volumes have regional ids (`r006-<uuid>`), instances and attachments
// zonal ones (`0717_<uuid>`, `0717-<uuid>`), and the location of their CRNs is the zone.

import { formatCrn } from '#base/crn.ts'
import type {
  AttachmentId,
  ImageExportId,
  ImageId,
  InstanceId,
  SnapshotGroupId,
  SnapshotId,
  VolumeId,
} from '#base/id.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Kind } from './targets.ts'

/** The prefixes that IBM Cloud's regions use. */
const regionPrefixes: Readonly<Record<string, string>> = {
  'us-south': 'r006',
  'us-east': 'r014',
  'eu-de': 'r010',
  'eu-gb': 'r018',
  'au-syd': 'r026',
  'br-sao': 'r042',
  'eu-es': 'r050',
  'jp-tok': 'r022',
  'jp-osa': 'r034',
  'ca-tor': 'r038',
}

/** For regions that are nobody's but the operator's. */
const otherRegionPrefix = 'r900'

const regionPrefix = (region: string): string =>
  Object.hasOwn(regionPrefixes, region) ? (regionPrefixes[region] ?? otherRegionPrefix) : otherRegionPrefix

/** us-south-1 is 0717, us-south-2 is 0727: the third digit is the zone. */
const zonePrefix = (zone: string): string => `07${zone.at(-1) ?? '0'}7`

// These make ids of their kinds, which nothing else does: the casts claim what is so by being written.
export const makeVolumeId = (random: Random, region: string): VolumeId =>
  `${regionPrefix(region)}-${makeUuid(random)}` as VolumeId

export const makeInstanceId = (random: Random, zone: string): InstanceId =>
  `${zonePrefix(zone)}_${makeUuid(random)}` as InstanceId

export const makeAttachmentId = (random: Random, zone: string): AttachmentId =>
  `${zonePrefix(zone)}-${makeUuid(random)}` as AttachmentId

export const makeSnapshotId = (random: Random, region: string): SnapshotId =>
  makeRegionalId(random, region) as SnapshotId

export const makeSnapshotGroupId = (random: Random, region: string): SnapshotGroupId =>
  makeRegionalId(random, region) as SnapshotGroupId

export const makeImageExportId = (random: Random, region: string): ImageExportId =>
  makeRegionalId(random, region) as ImageExportId

export const makeImageId = (random: Random, region: string): ImageId => makeRegionalId(random, region) as ImageId

// An id as a client wrote it, to be compared with ids: whether it is one is what the query finds out.
export const volumeIdText = (text: string): VolumeId => text as VolumeId
export const imageIdText = (text: string): ImageId => text as ImageId
export const snapshotIdText = (text: string): SnapshotId => text as SnapshotId
export const snapshotGroupIdText = (text: string): SnapshotGroupId => text as SnapshotGroupId
export const instanceIdText = (text: string): InstanceId => text as InstanceId
export const attachmentIdText = (text: string): AttachmentId => text as AttachmentId

/** For what has an id of its region, such as a VPC, and for what has one of its zone, such as a subnet. */
export const makeRegionalId = (random: Random, region: string): string => `${regionPrefix(region)}-${makeUuid(random)}`
export const makeZonalId = (random: Random, zone: string): string => `${zonePrefix(zone)}-${makeUuid(random)}`

/** `location` is the zone of what has one, else the region. */
export const vpcCrn = (
  resourceType: Kind,
  place: { readonly accountId: string; readonly location: string },
  id: string,
): string =>
  formatCrn({ serviceName: 'is', location: place.location, accountId: place.accountId, resourceType, resource: id })

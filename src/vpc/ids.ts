// Ids and CRNs of VPC resources. Source: VPC API: volumes have regional ids (`r006-<uuid>`), instances and attachments
// zonal ones (`0717_<uuid>`, `0717-<uuid>`), and the location of their CRNs is the zone.

import { formatCrn } from '#base/crn.ts'
import type { AttachmentId, InstanceId, VolumeId } from '#base/id.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'

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

// These three make ids of their kinds, which nothing else does: the casts claim what is so by being written.
export const makeVolumeId = (random: Random, region: string): VolumeId =>
  `${regionPrefix(region)}-${makeUuid(random)}` as VolumeId

export const makeInstanceId = (random: Random, zone: string): InstanceId =>
  `${zonePrefix(zone)}_${makeUuid(random)}` as InstanceId

export const makeAttachmentId = (random: Random, zone: string): AttachmentId =>
  `${zonePrefix(zone)}-${makeUuid(random)}` as AttachmentId

// An id as a client wrote it, to be compared with ids: whether it is one is what the query finds out.
export const volumeIdText = (text: string): VolumeId => text as VolumeId
export const instanceIdText = (text: string): InstanceId => text as InstanceId
export const attachmentIdText = (text: string): AttachmentId => text as AttachmentId

export const vpcCrn = (
  resourceType: 'volume' | 'instance',
  place: { readonly accountId: string; readonly zone: string },
  id: string,
): string =>
  formatCrn({ serviceName: 'is', location: place.zone, accountId: place.accountId, resourceType, resource: id })

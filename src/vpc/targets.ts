// What IAM is asked about, for each kind of thing.

import type { Target } from '#iam/port.ts'

/** Where a resource lies, as far as policies can tell resources apart. */
export interface Place {
  readonly id: string
  readonly accountId: string
  readonly region: string
  readonly resourceGroupId: string
}

export type Kind =
  | 'volume'
  | 'instance'
  | 'key'
  | 'vpc'
  | 'subnet'
  | 'snapshot'
  | 'image'
  | 'snapshot-consistency-group'
  | 'security-group'
  | 'virtual-network-interface'

export const targetOf = (kind: Kind, place: Place): Target => ({
  ...collectionTarget(kind, place.accountId, place.region),
  resource: place.id,
  resourceGroupId: place.resourceGroupId,
})

/** For what does not exist yet: everything about it but its id. */
export const newTarget = (kind: Kind, place: Omit<Place, 'id'>): Target => ({
  ...collectionTarget(kind, place.accountId, place.region),
  resourceGroupId: place.resourceGroupId,
})

/** The collection as such: nothing of it by name. */
export const collectionTarget = (kind: Kind, accountId: string, region: string): Target => ({
  accountId,
  serviceName: 'is',
  resourceType: kind,
  region,
})

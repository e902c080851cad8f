// What IAM is asked about, for each kind of thing, and how listings leave out what a caller may not see.

import type { Caller, Grant, IamPort, Target } from '#iam/port.ts'

/** Where a resource lies, as far as policies can tell resources apart. */
export interface Place {
  readonly id: string
  readonly accountId: string
  readonly region: string
  readonly resourceGroupId: string
}

export type Kind = 'volume' | 'instance' | 'key' | 'vpc' | 'subnet' | 'security-group' | 'virtual-network-interface'

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

const collectionTarget = (kind: Kind, accountId: string, region: string): Target => ({
  accountId,
  serviceName: 'is',
  resourceType: kind,
  region,
})

/**
 * The places that the caller may see, in their order. A caller who may see none of them, and may not list the
 * collection as such either, is refused: an empty list would say that there is nothing.
 */
export async function visibleOf<P extends Place>(
  iam: IamPort,
  request: { readonly caller: Caller; readonly action: string; readonly kind: Kind; readonly region: string },
  places: readonly P[],
): Promise<readonly P[]> {
  const { caller, action, kind } = request
  const collection = collectionTarget(kind, caller.accountId, request.region)
  // What is permitted without naming a resource or group is permitted for each of them.
  if ((await iam.decide(caller, action, collection)).permitted) return places
  const decisions = await Promise.all(places.map((place) => iam.decide(caller, action, targetOf(kind, place))))
  const visible = places.filter((_, i) => decisions[i]?.permitted)
  if (visible.length === 0) await iam.authorize(caller, action, collection)
  return visible
}

/** Leave for each of the places; they have been decided on already, so a refusal means that a policy has just gone. */
export const grantsFor = <Action extends string>(
  iam: IamPort,
  caller: Caller,
  action: Action,
  kind: Kind,
  places: readonly Place[],
): Promise<readonly Grant<Action>[]> =>
  Promise.all(places.map((place) => iam.authorize(caller, action, targetOf(kind, place))))

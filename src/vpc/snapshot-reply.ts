// Snapshots and consistency groups as clients see them. Source: VPC API, "Snapshot", "SnapshotConsistencyGroup". Pure.

import { rfc3339 } from '#base/clock.ts'
import type { VolumeId } from '#base/id.ts'
import { groupReference } from './groups.ts'
import { referenceToImage } from './image-reply.ts'
import { deletedReference, encryptionOf, groupHref, snapshotReference, volumeHref } from './references.ts'
import { zoneReference } from './regions.ts'
import type { Snapshot, SnapshotGroup } from './snapshot.ts'
import { groupStateOf, snapshotStateOf } from './snapshot-state.ts'
import type { NamedImage } from './tables-images.ts'
import type { Clone } from './tables-snapshot-groups.ts'
import { bytesPerGb } from './volume.ts'

/** What a snapshot shows that lies elsewhere. */
export interface SnapshotSurroundings {
  readonly groupNames: ReadonlyMap<string, string>
  /** What its volume is called now; undefined where it has gone. */
  readonly volumeNames: ReadonlyMap<VolumeId, string>
  /** The account's own of those that their volumes were made of. */
  readonly images: ReadonlyMap<string, NamedImage>
  readonly clones: readonly Clone[]
  readonly group: SnapshotGroup | undefined
  /** While it is being taken: how much of it is there. */
  readonly percent: number | null
}

/** VPC API, "If-Match": changes with what the user changes, and not with states. */
export const snapshotEtag = ({ id, revision }: Pick<Snapshot | SnapshotGroup, 'id' | 'revision'>): string =>
  `W/"${revision}-${id.slice(-12)}"`

export function snapshotView(base: string, snapshot: Snapshot, around: SnapshotSurroundings) {
  const state = snapshotStateOf(snapshot)
  const image = referenceToImage(base, snapshot.region, snapshot.imageId, around.images)
  return {
    ...snapshotReference(base, snapshot),
    ...(snapshot.allowedUse && { allowed_use: { ...snapshot.allowedUse } }),
    bootable: snapshot.imageId !== null,
    ...(snapshot.capturedAt !== null && { captured_at: rfc3339(snapshot.capturedAt) }),
    clones: around.clones.map((clone) => cloneView(base, snapshot, clone)),
    copies: [],
    created_at: rfc3339(snapshot.createdAt),
    deletable: true,
    ...encryptionOf(snapshot),
    lifecycle_state: state,
    minimum_capacity: snapshot.capacityGb,
    progress: snapshot.storedBytes === null ? (around.percent ?? 0) : 100,
    resource_group: groupReference(base, snapshot.resourceGroupId, around.groupNames),
    service_tags: [],
    // VPC API, `size`: in gigabytes, rounded up.
    size: Math.max(1, Math.ceil((snapshot.storedBytes ?? 0) / bytesPerGb)),
    ...(around.group && { snapshot_consistency_group: groupOfSnapshot(base, around.group) }),
    ...(image && { source_image: image }),
    source_volume: sourceVolume(base, snapshot, around.volumeNames.get(snapshot.sourceVolume.id)),
    storage_generation: snapshot.storageGeneration,
    user_tags: [...snapshot.userTags],
  }
}

/** The volume by its present name; one that has gone, by the name it had. */
const sourceVolume = (base: string, { sourceVolume: { id, crn, name } }: Snapshot, present: string | undefined) => ({
  crn,
  href: volumeHref(base, id),
  id,
  name: present ?? name,
  resource_type: 'volume' as const,
  ...(present === undefined && deletedReference),
})

const groupOfSnapshot = (base: string, { id, crn, name }: SnapshotGroup) => ({
  crn,
  href: groupHref(base, id),
  id,
  name,
  resource_type: 'snapshot_consistency_group' as const,
})

/** Snapshots lie where every zone's disks read them: a clone is of use as soon as its snapshot is. */
export const cloneView = (base: string, snapshot: Snapshot, clone: Clone) => ({
  available: snapshotStateOf(snapshot) === 'stable',
  created_at: rfc3339(clone.createdAt),
  zone: zoneReference(base, clone.zone),
})

export function groupView(
  base: string,
  group: SnapshotGroup,
  around: { readonly groupNames: ReadonlyMap<string, string>; readonly members: readonly Snapshot[] },
) {
  const state = groupStateOf(group.phase, around.members)
  return {
    ...groupOfSnapshot(base, group),
    created_at: rfc3339(group.createdAt),
    delete_snapshots_on_delete: group.deleteSnapshots,
    lifecycle_state: state === 'unusable' ? ('stable' as const) : state,
    resource_group: groupReference(base, group.resourceGroupId, around.groupNames),
    service_tags: [],
    snapshots: around.members.map((member) => snapshotReference(base, member)),
  }
}

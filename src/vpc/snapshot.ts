// A snapshot as the rest of this folder sees it: what a volume held at one moment, in an image and under a data key of its
// own, which lies under the volume's root key. And the group that several may have been taken for.

import { assert } from '#base/assert.ts'
import type { SnapshotGroupId, SnapshotId, VolumeId } from '#base/id.ts'
import type { VolumeSpec } from '#disk/port.ts'
import type { SnapshotGroupPhase, SnapshotPhase } from '#store/schema/vpc-snapshots.ts'
import { blockStorageOf, bytesPerGb } from './volume.ts'
import type { AllowedUse } from './volume.ts'
import type { VolumeTruth } from './volume-state.ts'

export interface Snapshot extends VolumeTruth {
  readonly id: SnapshotId
  readonly accountId: string
  readonly region: string
  readonly name: string
  readonly crn: string
  readonly resourceGroupId: string
  readonly sourceVolume: { readonly id: VolumeId; readonly crn: string; readonly name: string }
  readonly storageGeneration: number
  /** Of its volume at that moment: what is restored from it is no smaller. */
  readonly capacityGb: number
  /** Null until the image is there. */
  readonly storedBytes: number | null
  readonly userTags: readonly string[]
  readonly keyCrn: string
  readonly isProviderManaged: boolean
  /** Null until the key manager has answered, which readers never see. */
  readonly wrappedDataKey: Uint8Array | null
  readonly phase: SnapshotPhase
  /** From when a disk could have taken it. */
  readonly waitingSince: number
  /** The stock image of its boot volume: a snapshot that a machine can boot from. */
  readonly imageId: string | null
  readonly allowedUse: AllowedUse | null
  readonly groupId: SnapshotGroupId | null
  readonly capturedAt: number | null
  readonly revision: number
  readonly createdAt: number
}

export interface SnapshotGroup {
  readonly id: SnapshotGroupId
  readonly accountId: string
  readonly region: string
  readonly name: string
  readonly crn: string
  readonly resourceGroupId: string
  readonly deleteSnapshots: boolean
  readonly phase: SnapshotGroupPhase
  readonly revision: number
  readonly createdAt: number
}

/** Snapshots lie beside volumes and are opened like them: by block storage of the account whose they are. */
export function snapshotSpec(snapshot: Snapshot): VolumeSpec {
  assert(snapshot.wrappedDataKey !== null, 'a snapshot that reaches a disk has its wrapped data key')
  return {
    volumeId: snapshot.id,
    volumeCrn: snapshot.crn,
    capacityBytes: snapshot.capacityGb * bytesPerGb,
    keyCrn: snapshot.keyCrn,
    wrappedDataKey: snapshot.wrappedDataKey,
    as: blockStorageOf(snapshot.accountId),
  }
}

// A volume as the rest of this folder sees it: what it is, whose key it lies under, how far it has come.

import { assert } from '#base/assert.ts'
import type { InstanceId, SnapshotId, VolumeId } from '#base/id.ts'
import type { BadSectors, NewerKey, VolumeSpec } from '#disk/port.ts'
import type { ServiceSubject } from '#iam/port.ts'
import type { StatusReason, VolumeTruth } from './volume-state.ts'

/** VPC API, "VolumeAllowedUse": expressions that are kept for whoever starts machines, and not evaluated here. */
export interface AllowedUse {
  readonly api_version: string
  readonly bare_metal_server: string
  readonly instance: string
}

export interface SourceSnapshot {
  readonly id: SnapshotId
  readonly crn: string
  readonly name: string
}

export interface Volume extends VolumeTruth {
  readonly id: VolumeId
  readonly accountId: string
  readonly region: string
  readonly zone: string
  readonly name: string
  readonly crn: string
  readonly resourceGroupId: string
  readonly profile: string
  readonly capacityGb: number
  readonly iops: number
  readonly bandwidthMbps: number
  readonly userTags: readonly string[]
  readonly keyCrn: string
  /** Null until the key manager has answered, which readers never see. Opaque: only `kms` and `disk` can read it. */
  readonly wrappedDataKey: Uint8Array | null
  /** The data key that it will lie under, while it is being re-encrypted: then it opens with both. */
  readonly newer: NewerKey | null
  readonly failure: StatusReason | null
  /** Whether the key is the provider's: then the client never named it and is not shown it. */
  readonly isProviderManaged: boolean
  /** From when a disk could have formatted it. */
  readonly waitingSince: number
  /** The instance that is being made together with it. */
  readonly madeFor: InstanceId | null
  /** The image that its instance named, for a boot volume: a stock image, or one of the account's own. */
  readonly imageId: string | null
  readonly allowedUse: AllowedUse | null
  /** What it was or is being restored from, as that was called then. It may be another account's. */
  readonly source: SourceSnapshot | null
  /** Whether its sectors say when they were changed. */
  readonly isAuthenticated: boolean
  /** What was found of it that is not what was written; null while nothing was. */
  readonly damage: BadSectors | null
  readonly revision: number
  readonly createdAt: number
}

/** VPC documents gigabytes; its volumes have 2^30 bytes for each. */
export const bytesPerGb = 2 ** 30
/** Of bandwidth, in bits, it means powers of ten. */
const bytesPerMegabit = 1_000_000 / 8

/** Who asks the key manager on behalf of an account's volumes: its block storage service, never its users. */
export const blockStorageOf = (accountId: string): ServiceSubject => ({
  kind: 'service',
  serviceName: 'server-protect',
  accountId,
})

export function volumeSpec(volume: Volume): VolumeSpec {
  assert(volume.wrappedDataKey !== null, 'a volume that reaches a disk has its wrapped data key')
  return {
    volumeId: volume.id,
    volumeCrn: volume.crn,
    capacityBytes: volume.capacityGb * bytesPerGb,
    keyCrn: volume.keyCrn,
    wrappedDataKey: volume.wrappedDataKey,
    as: blockStorageOf(volume.accountId),
    ...(volume.newer && { newer: volume.newer }),
    iopsMax: volume.iops,
    bandwidthBytesPerSecondMax: volume.bandwidthMbps * bytesPerMegabit,
    isAuthenticated: volume.isAuthenticated,
  }
}

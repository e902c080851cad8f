// A custom image as the rest of this folder sees it: a disk that machines boot from, in an image and under a data key of its
// own. It came from a file in object storage, or from the boot volume of a machine.

import { assert } from '#base/assert.ts'
import type { ImageId, VolumeId } from '#base/id.ts'
import { imageGb } from '#base/limits.ts'
import type { VolumeSpec } from '#disk/port.ts'
import type { ServiceSubject } from '#iam/port.ts'
import type { SnapshotPhase } from '#store/schema/vpc-snapshots.ts'
import { blockStorageOf, bytesPerGb } from './volume.ts'
import type { AllowedUse } from './volume.ts'
import type { StatusReason, VolumeTruth } from './volume-state.ts'

export interface Image extends VolumeTruth {
  readonly id: ImageId
  readonly accountId: string
  readonly region: string
  readonly name: string
  readonly crn: string
  readonly resourceGroupId: string
  readonly operatingSystem: string
  readonly fileHref: string | null
  /** As it was called then. */
  readonly sourceVolume: { readonly id: VolumeId; readonly crn: string; readonly name: string } | null
  /** Null until the image is there: the least that a volume of it has. */
  readonly capacityGb: number | null
  readonly storedBytes: number | null
  readonly fileSha256: string | null
  readonly keyCrn: string
  readonly isProviderManaged: boolean
  /** Null until the key manager has answered, which readers never see. */
  readonly wrappedDataKey: Uint8Array | null
  readonly phase: SnapshotPhase
  readonly failure: StatusReason | null
  /** From when a disk could have made it. */
  readonly waitingSince: number
  readonly deprecationAt: number | null
  readonly obsolescenceAt: number | null
  readonly createdAt: number
  /** What opens the file, as the client wrapped it under the key; null where the file is not encrypted, and afterwards. */
  readonly filePassphrase: Uint8Array | null
  readonly allowedUse: AllowedUse | null
}

/**
 * Who reads the files of an account's images: VPC's image service. What it encrypts lies beside volumes, and there block
 * storage asks for the key (VPC docs, "Establishing service-to-service authorizations").
 */
export const imageServiceOf = (accountId: string): ServiceSubject => ({
  kind: 'service',
  serviceName: 'is',
  resourceType: 'image',
  accountId,
})

export function imageSpec(image: Image): VolumeSpec {
  assert(image.wrappedDataKey !== null, 'an image that reaches a disk has its wrapped data key')
  return {
    volumeId: image.id,
    volumeCrn: image.crn,
    capacityBytes: (image.capacityGb ?? imageGb.max) * bytesPerGb,
    keyCrn: image.keyCrn,
    wrappedDataKey: image.wrappedDataKey,
    as: blockStorageOf(image.accountId),
  }
}

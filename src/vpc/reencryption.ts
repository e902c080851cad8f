// The re-encryption of a volume to another data key, under its root key or another one, while it serves.

import type { VolumeId } from '#base/id.ts'
import type { ReencryptionPhase } from '#store/schema/vpc-reencryption.ts'

export interface Reencryption {
  readonly volumeId: VolumeId
  readonly volumeCrn: string
  readonly accountId: string
  readonly region: string
  readonly phase: ReencryptionPhase
  readonly olderKeyCrn: string
  readonly newerKeyCrn: string
  /** Whether the newer key is the provider's. */
  readonly isProviderManaged: boolean
  /** Null for no limit. */
  readonly mibPerSecond: number | null
  readonly createdAt: number
  readonly completedAt: number | null
}

export const bytesPerMib = 2 ** 20

export const bytesPerSecondOf = ({ mibPerSecond }: Reencryption): number | null =>
  mibPerSecond === null ? null : mibPerSecond * bytesPerMib

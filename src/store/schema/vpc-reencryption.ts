import type { VolumeId } from '#base/id.ts'

/**
 * `requested`: whether there is a newer key is not known. `running`: the volume's row has both. `changed`: the newer is the
 * only one, and the registration of the older may still be there. `abandoned`: so may that of the newer, and nobody wants it.
 */
export type ReencryptionPhase = 'requested' | 'abandoned' | 'running' | 'changed' | 'done'

export interface VpcReencryptionTables {
  /** The newest of each volume. */
  vpc_reencryption: {
    volume_id: VolumeId
    volume_crn: string
    account_id: string
    region: string
    phase: ReencryptionPhase
    older_key_crn: string
    newer_key_crn: string
    /** 1 where the newer key is the provider's. */
    provider_managed: number
    /** Null for no limit. */
    mib_per_second: number | null
    created_at: number
    completed_at: number | null
  }
}

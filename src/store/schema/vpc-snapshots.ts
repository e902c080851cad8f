import type { SnapshotGroupId, SnapshotId, VolumeId } from '#base/id.ts'
import type { VolumePhase } from './vpc.ts'

/** As a volume's: `formatted` is a snapshot whose image is there. It has nothing that could be updated. */
export type SnapshotPhase = Exclude<VolumePhase, 'updating'>

/** `requested` rows are hidden from readers: the snapshots are still being asked for. */
export type SnapshotGroupPhase = 'requested' | 'made' | 'deleting'

export interface VpcSnapshotTables {
  vpc_snapshot: {
    id: SnapshotId
    account_id: string
    region: string
    /** Unique in its account and region, whatever the phase. */
    name: string
    crn: string
    resource_group_id: string
    /** The volume may have gone; the snapshot does not need it. */
    source_volume_id: VolumeId
    source_volume_crn: string
    /** As it was called then. */
    source_volume_name: string
    storage_generation: number
    capacity_gb: number
    /** Null until the image is there. */
    stored_bytes: number | null
    /** JSON array of text. */
    user_tags: string
    key_crn: string
    /** 1 where the key is the provider's. */
    provider_managed: number
    key_version_id: string | null
    /** Opaque here; docs/formats.md, "Wrapped data key". */
    wrapped_data_key: Uint8Array | null
    phase: SnapshotPhase
    key_standing: 'usable' | 'disabled' | 'expired' | 'deleted' | 'unauthorized'
    failure_code: string | null
    failure_message: string | null
    /** From when a disk could have taken it. */
    waiting_since: number
    /** The stock image of its boot volume; null for snapshots that nothing boots from. */
    image_id: string | null
    /** JSON object of expressions, or null where there are none. */
    allowed_use: string | null
    group_id: SnapshotGroupId | null
    captured_at: number | null
    /** Counts what the user changed; the ETag. */
    revision: number
    created_at: number
  }
  vpc_snapshot_group: {
    id: SnapshotGroupId
    account_id: string
    region: string
    /** Unique in its account and region. */
    name: string
    crn: string
    resource_group_id: string
    /** 1 where the snapshots go together with their group. */
    delete_snapshots: number
    phase: SnapshotGroupPhase
    revision: number
    created_at: number
  }
  vpc_snapshot_clone: {
    snapshot_id: SnapshotId
    zone: string
    created_at: number
  }
}

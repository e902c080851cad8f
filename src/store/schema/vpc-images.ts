import type { ImageExportId, ImageId, VolumeId } from '#base/id.ts'
import type { SnapshotPhase } from './vpc-snapshots.ts'

export interface VpcImageTables {
  vpc_image: {
    id: ImageId
    account_id: string
    region: string
    /** Unique in its account and region, whatever the phase. */
    name: string
    crn: string
    resource_group_id: string
    /** By its name. */
    operating_system: string
    /** `cos://...` where it was imported from a file. */
    file_href: string | null
    /** The boot volume that it was made of; it may have gone. */
    source_volume_id: VolumeId | null
    /** JSON object: the volume's CRN, and its name then. */
    source_volume: string | null
    /** 0 until the image is there. */
    capacity_gb: number
    stored_bytes: number | null
    /** Of the file, in hexadecimal; null where a restart came between reading and writing it down. */
    file_sha256: string | null
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
    /** From when a disk could have made it. */
    waiting_since: number
    deprecation_at: number | null
    obsolescence_at: number | null
    created_at: number
    /** What opens the file that it is made of, as the client wrapped it; null where that is not encrypted, and afterwards. */
    file_passphrase: Uint8Array | null
    /** JSON object of the API's `allowed_use`. */
    allowed_use: string | null
  }
  vpc_image_export: {
    id: ImageExportId
    image_id: ImageId
    account_id: string
    region: string
    /** Unique on its image. */
    name: string
    format: 'qcow2' | 'vhd'
    bucket: string
    bucket_crn: string
    /** Of the bucket, such as `us-south`. */
    location: string
    object: string
    /** What opens the file, wrapped as the API's wrap action would; null for a file in the clear. */
    passphrase: Uint8Array | null
    phase: 'queued' | 'running' | 'succeeded' | 'failed' | 'deleting'
    failure_code: string | null
    failure_message: string | null
    created_at: number
    started_at: number | null
    completed_at: number | null
  }
}

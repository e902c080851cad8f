import type { AttachmentId, InstanceId, VolumeId } from '#base/id.ts'

/**
 * How far a volume has come. `requested` and `abandoned` rows are hidden from readers: whether such a volume has a key
 * is not known. The status that clients see is worked out from the phase and the key's standing (vpc/volume-state.ts).
 */
export type VolumePhase = 'requested' | 'abandoned' | 'keyed' | 'formatted' | 'failed' | 'deleting'

export type AttachmentStatus = 'attaching' | 'attached' | 'detaching'

export interface VpcTables {
  vpc_volume: {
    id: VolumeId
    account_id: string
    region: string
    zone: string
    /** Unique in its account and region, whatever the phase. */
    name: string
    crn: string
    resource_group_id: string
    profile: string
    capacity_gb: number
    iops: number
    bandwidth_mbps: number
    /** JSON array of text. */
    user_tags: string
    /** As the client wrote it until the key manager has answered with the full name. */
    key_crn: string
    key_version_id: string | null
    /** Opaque here; docs/formats.md, "Wrapped data key". */
    wrapped_data_key: Uint8Array | null
    phase: VolumePhase
    key_standing: 'usable' | 'disabled' | 'expired' | 'deleted' | 'unauthorized'
    failure_code: string | null
    failure_message: string | null
    /** Counts what the user changed; the ETag. */
    revision: number
    created_at: number
  }
  vpc_instance: {
    id: InstanceId
    account_id: string
    region: string
    zone: string
    name: string
    crn: string
    resource_group_id: string
    profile: string
    status: 'running' | 'deleting'
    created_at: number
  }
  vpc_attachment: {
    id: AttachmentId
    account_id: string
    instance_id: InstanceId
    /** Unique: one volume has one attachment. */
    volume_id: VolumeId
    name: string
    delete_volume: number
    status: AttachmentStatus
    created_at: number
  }
}

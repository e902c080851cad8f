import type { Generated } from 'kysely'
import type { AttachmentId, InstanceId, SnapshotId, VolumeId } from '#base/id.ts'

/**
 * How far a volume has come. `requested` and `abandoned` rows are hidden from readers: whether such a volume has a key
 * is not known. The status that clients see is worked out from the phase and the key's standing (vpc/volume-state.ts).
 */
export type VolumePhase = 'requested' | 'abandoned' | 'keyed' | 'formatted' | 'updating' | 'failed' | 'deleting'

export type AttachmentStatus = 'attaching' | 'attached' | 'detaching'

/** `assembling` rows are hidden from readers: the volumes that belong to the instance are still being made. */
export type InstanceStatus =
  | 'assembling'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'stopped'
  | 'restarting'
  | 'failed'
  | 'deleting'

/** What vpc_record holds: things of a network that are only written down, and SSH keys. */
export type RecordKind =
  | 'key'
  | 'vpc'
  | 'address-prefix'
  | 'subnet'
  | 'reserved-ip'
  | 'security-group'
  | 'security-group-rule'
  | 'virtual-network-interface'
  | 'network-interface'

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
    /** 1 where the key is the provider's, which the client did not name and is not shown. */
    provider_managed: number
    key_version_id: string | null
    /** Opaque here; docs/formats.md, "Wrapped data key". */
    wrapped_data_key: Uint8Array | null
    /** While the volume is being re-encrypted: the data key that it will lie under, as the three above. */
    newer_key_crn: string | null
    newer_key_version_id: string | null
    newer_wrapped_data_key: Uint8Array | null
    phase: VolumePhase
    key_standing: 'usable' | 'disabled' | 'expired' | 'deleted' | 'unauthorized'
    failure_code: string | null
    failure_message: string | null
    /** From when a disk could have formatted it: later than its creation where the key was unusable for a time. */
    waiting_since: number
    /** The instance that is being made with it; null once that is whole, and for all others. */
    made_for: InstanceId | null
    /** The stock image that its instance named; it marks a boot volume. The volume itself is blank. */
    image_id: string | null
    /** JSON object of expressions, or null where the client gave none. */
    allowed_use: string | null
    /** The snapshot that it was restored from, which may have gone, and be another account's. */
    source_snapshot_id: SnapshotId | null
    /** JSON: that snapshot's CRN and name, as they were then. */
    source_snapshot: string | null
    /** Counts what the user changed of name, tags and allowed use; the ETag. */
    revision: number
    created_at: number
    /** 1 where its sectors have tags; docs/decisions/0020-sector-integrity.md. */
    authenticated: number
    /** JSON: what was found of it that is not what was written; null while nothing was. */
    damage: string | null
  }
  /** The newest root of each volume whose sectors have tags. */
  vpc_volume_root: {
    volume_id: VolumeId
    generation: number
    mac: Uint8Array
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
    status: InstanceStatus
    vpc_id: string | null
    image_id: string | null
    /** JSON: what the client set of the machine, as vpc/instance.ts, `InstanceSettings`, has it. */
    settings: string
    /** Why it is stopped or failed, where nobody had asked for that and no attached volume says it. */
    status_code: string | null
    status_message: string | null
    /** Counts what the user changed; the ETag. */
    revision: number
    created_at: number
  }
  vpc_attachment: {
    id: AttachmentId
    account_id: string
    instance_id: InstanceId
    /** Unique: one volume has one attachment. */
    volume_id: VolumeId
    name: string
    type: 'boot' | 'data'
    delete_volume: number
    status: AttachmentStatus
    created_at: number
  }
  /** What a volume was when: a row for each time in which nothing of this changed, the last one open. */
  vpc_volume_history: {
    seq: Generated<number>
    volume_crn: string
    account_id: string
    capacity_gb: number
    status: string
    attached: number
    from_at: number
    /** Up to, and not including, this moment; null while it is so. */
    until_at: number | null
  }
  vpc_record: {
    id: string
    kind: RecordKind
    account_id: string
    region: string
    /** What it lies in: the VPC of a subnet, the subnet of an address, the instance of an interface; empty for none. */
    parent_id: string
    /** Unique among its kind within its scope: the account, or the parent. */
    name: string
    name_scope: string
    /** Empty for what has none. */
    crn: string
    resource_group_id: string
    /** JSON: the rest, which vpc/records.ts describes for each kind. */
    facts: string
    created_at: number
  }
  /** Kept by triggers of the tables that it counts. */
  vpc_count: {
    of_table: 'vpc_volume' | 'vpc_instance'
    account_id: string
    region: string
    resource_group_id: string
    all_rows: number
    /** Without those that readers do not see. */
    listed_rows: number
  }
}

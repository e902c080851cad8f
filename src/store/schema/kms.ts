export interface KmsTables {
  /** A service instance: room for keys, provisioned by the resource controller. */
  kms_instance: {
    id: string
    account_id: string
    region: string
    resource_group_id: string
    created_at: number
  }
  kms_key: {
    id: string
    instance_id: string
    key_ring: string
    name: string
    description: string | null
    /** JSON array of strings. */
    tags: string
    /** 1 for a standard key, 0 for a root key. */
    extractable: number
    imported: number
    /** The number of the API. An expired key may still say 1 here: kms/key-state.ts, `stateAt`. */
    state: number
    created_at: number
    created_by: string
    updated_at: number
    rotated_at: number | null
    expires_at: number | null
    deleted_at: number | null
    deleted_by: string | null
  }
  /** Material is added by a rotation and never replaced: what an old version wrapped stays readable. */
  kms_key_version: {
    key_id: string
    id: string
    /** 1 for the first; the greatest is the newest. */
    ordinal: number
    created_at: number
    /** Sealed with the master key for `kms.key-version/<key id>/<version id>`. */
    sealed_material: Uint8Array
  }
  /** Which resource, of whatever account, is protected by which key; and the service that said so. */
  kms_registration: {
    key_id: string
    resource_crn: string
    /** The version that wrapped the resource's data key last. */
    key_version_id: string
    service_name: string
    account_id: string
    created_at: number
    updated_at: number
  }
}

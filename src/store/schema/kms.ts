import type { Generated } from 'kysely'

export interface KmsTables {
  /** A service instance: room for keys, provisioned by the resource controller. */
  kms_instance: {
    id: string
    service_name: 'kms' | 'hs-crypto'
    account_id: string
    region: string
    resource_group_id: string
    created_at: number
    /** JSON, by type: kms/instance-policies.ts. */
    policies: string
  }
  /** Rings other than `default`, which every instance has and no row. */
  kms_key_ring: {
    instance_id: string
    id: string
    created_at: number
    created_by: string
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
    /** When the key was last disabled, enabled, deleted or restored: what the waits between those count from. */
    state_changed_at: number
    synced_at: number | null
    /** JSON, by type: kms/key-policies.ts. */
    policies: string
    /** When the rotation policy wants the next version; null where none does. */
    rotation_due_at: number | null
    /** Dual authorization: who gave the first of two words for the deletion, and until when it counts. */
    deletion_set_by: string | null
    deletion_set_until: number | null
    /** Since when, and by whom, uses that a disabled key would refuse are counted; null where they are not. */
    quarantined_at: number | null
    quarantined_by: string | null
    /** Of a deleted key: who gave the first word, where two were asked for. */
    deletion_approved_by: string | null
  }
  /** Who has used a key in quarantine: a service of an account, or somebody by an IAM id. */
  kms_quarantine_use: {
    key_id: string
    account_id: string
    user: string
    count: number
    last_at: number | null
    last_action: string | null
    last_resource_crn: string | null
  }
  /** What an account asks of deletions; no row where nothing. */
  kms_key_safety: {
    account_id: string
    /** 0 where no quarantine is asked for. */
    quarantine_hours: number
    updated_at: number
  }
  /** Other names of a key, unique in its instance. */
  kms_alias: {
    instance_id: string
    alias: string
    key_id: string
    created_at: number
    created_by: string
  }
  /** How material comes in without being seen on the way. One to an instance; the next one replaces it. */
  kms_import_token: {
    instance_id: string
    id: string
    /** PEM, SubjectPublicKeyInfo. */
    public_key: string
    /** Sealed with the master key for `kms.import-token/<instance id>/<id>`: docs/formats.md, "Import token". */
    sealed: Uint8Array
    created_at: number
    expires_at: number
    retrievals_max: number
    retrievals_left: number
  }
  /** Something that happened to a key and that the services with registrations on it have to follow. */
  kms_notice: {
    id: string
    key_id: string
    type: 'rotate' | 'disable' | 'enable' | 'delete' | 'restore' | 'sync'
    /** The number of the state that the key had afterwards. */
    key_state: number
    old_version_id: string | null
    new_version_id: string | null
    created_at: number
    due_at: number
  }
  /** One service of one account that has to acknowledge a notice. */
  kms_notice_service: {
    notice_id: string
    service_name: string
    account_id: string
    /** JSON array of CRNs that it had registered, the first of them only. */
    resources: string
    resource_count: number
    acknowledged_at: number | null
    /** When it was said that no acknowledgement came. */
    overdue_at: number | null
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
    description: string
    /** 1 where the resource is under retention: then not even force deletes the key. */
    prevent_key_deletion: number
    /** The service's own notes, which the owner of the key is not shown. */
    metadata: string | null
    /** When the data key was last opened; written a moment later (kms/unwrap-times.ts), null where never since it is noted. */
    last_unwrapped_at: number | null
    /** How much a volume holds, as its service has said; null where nothing was said. */
    capacity_gb: number | null
  }
  /** How many registrations of each registrant name each version: equal to the rows above, at every commit. */
  kms_registration_tally: {
    key_id: string
    key_version_id: string
    service_name: string
    account_id: string
    registrations: number
    /** Those that came from another version and did not begin with this one. */
    followed: number
  }
  /** Which registration was there when: a row for each time in which nothing of it changed, the last one open. */
  kms_use_history: {
    seq: Generated<number>
    key_id: string
    resource_crn: string
    service_name: string
    account_id: string
    key_version_id: string
    registered_at: number
    /** From this moment on. */
    from_at: number
    /** Up to, and not including, this moment; null while it is so. */
    until_at: number | null
  }
}

import type { Generated } from 'kysely'

export interface KmsRevocationTables {
  /** Every data key that a root key has wrapped for a resource: added in the transaction that wraps, and never changed. */
  kms_wrapped_key: {
    seq: Generated<number>
    key_id: string
    resource_crn: string
    service_name: string
    account_id: string
    key_version_id: string
    /** Of the wrapped data key; null where the service wraps by the API, and the key manager does not know for what. */
    sha256: Uint8Array | null
    /** Hides the leaf from who can guess the rest. */
    salt: Uint8Array
    made_at: number
  }
  /** What a purge leaves of a key; docs/formats.md, "Destroy certificate". */
  kms_destroyed_key: {
    key_id: string
    key_crn: string
    account_id: string
    purged_at: number
    statement: string
    persons: string
    /** The first of the key's wrapped data keys, by `seq`: those that were there. */
    data_key_count: number
  }
  /** A right that ended, and how long it took until nothing was served under it. */
  kms_revocation: {
    id: string
    /** The account of the key. */
    account_id: string
    /** kms/revocation-state.ts. */
    cause: string
    key_crn: string
    committed_at: number
    state: string
    /** Open data keys that it called back; null while that is not written down. */
    volume_count: number | null
    duration_ms: number | null
    /** JSON of the holders that did not acknowledge; null where there are none. */
    unacknowledged: string | null
  }
}

export interface AuditTables {
  /** The head of each account's log: docs/formats.md, "Audit log". */
  audit_log_head: {
    account_id: string
    size: number
    /** The newest signed checkpoint, which is of this size. */
    checkpoint: string
  }
  /** Which record is which leaf. Rows are never changed. */
  audit_log_leaf: {
    account_id: string
    leaf_index: number
    /** `event_audit.seq`. */
    record_seq: number
  }
  /** Merkle tree hashes. A tile grows at its end until it has 256 hashes. */
  audit_log_tile: {
    account_id: string
    level: number
    tile_index: number
    hashes: Uint8Array
  }
}

// Rows that hold a sealed record, as whoever replaces the master key goes through them. Every table with such a column
// offers itself in this shape; a column that is forgotten here would be lost with the old master key, so a test compares.

import type { Reads, Tx } from './database.ts'

export interface SealedRow {
  /** Unique in its table; rows come in the order of it. */
  readonly key: string
  /** What the record was sealed for. */
  readonly purpose: string
  readonly sealed: Uint8Array
}

export interface SealedRows {
  /** Table and column, for people: `kms_key_version.sealed_material`. */
  readonly name: string
  /** The next rows after the given key; '' begins. */
  page(reads: Reads, afterKey: string, limit: number): Promise<readonly SealedRow[]>
  /** Puts `resealed` in the place of what the row held when it was read; does nothing where that has changed or gone. */
  replace(tx: Tx, row: SealedRow, resealed: Uint8Array): Promise<void>
}

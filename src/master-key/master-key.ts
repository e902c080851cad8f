// The master key seals root key material, signing keys and whatever else the database keeps secret. Where it comes from
// is one of four sources behind one interface: a file, the environment, a passphrase, or a PKCS#11 token that it never
// leaves. What the database knows of it is its record: enough to recognise it, nothing to make it from.

import type { Sealer } from '#base/sealer.ts'

export interface MasterKey extends Sealer, Disposable {
  readonly record: MasterKeyRecord
}

/** docs/formats.md, "Master key record". */
export type MasterKeyRecord = KeyRecord | PassphraseRecord | TokenRecord

interface Known {
  /** 16 bytes in hexadecimal; sealed records name it. */
  readonly id: string
}

/** 32 bytes from a file or from the environment. */
export interface KeyRecord extends Known {
  readonly kind: 'key'
}

export interface PassphraseRecord extends Known {
  readonly kind: 'passphrase'
  readonly argon2id: Argon2idCosts & {
    /** Hexadecimal. */
    readonly salt: string
  }
}

export interface Argon2idCosts {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

export interface TokenRecord extends Known {
  readonly kind: 'pkcs11'
  /** Base64 of a record that only this key opens: the id is a name, this is the proof. */
  readonly check: string
}

export interface MasterKeyProvider {
  /** For sentences to the operator: `the master key file /x`. */
  readonly name: string
  readonly kind: MasterKeyRecord['kind']
  /** The key that the record tells of, or null where this source does not hold it. Throws a Fault where it cannot be asked. */
  find(record: MasterKeyRecord): Promise<MasterKey | null>
  /** The key to begin with: the one that is there, or else a new one. Durable before it is returned. */
  first(): Promise<MasterKey>
  /** Another key, to replace the present one; null where a new one can only come from the operator. */
  fresh(): Promise<MasterKey | null>
  /** After the key has replaced another: a plain start finds it from now on. May be repeated. */
  settle(key: MasterKeyRecord): Promise<void>
}

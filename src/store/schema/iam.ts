import type { ColumnType } from 'kysely'

export interface IamTables {
  iam_account: {
    id: string
    name: string
    state: 'active' | 'disabled'
    owner_iam_id: string
    created_at: number
  }
  /** Whoever can hold an API key. An identity may be known in several accounts; `account_id` is its home. */
  iam_identity: {
    iam_id: string
    account_id: string
    kind: 'user' | 'serviceId'
    name: string
    email: string
    state: 'active' | 'disabled'
    created_at: number
  }
  iam_api_key: {
    id: string
    account_id: string
    iam_id: string
    name: string
    /** Hexadecimal SHA-256 of the key; the key itself is kept nowhere. */
    hash: string
    /** A locked key cannot be changed or deleted; it still logs in. */
    locked: 0 | 1
    /** A disabled key does not log in, and its tokens are refused. */
    disabled: 0 | 1
    created_at: number
    created_by_id: string
  }
  /** Keys that sign tokens. The newest signs, all verify. */
  iam_signing_key: {
    kid: string
    /** JSON of the public JWK. */
    public_jwk: string
    /** The private key in PKCS #8, sealed by the master key for the purpose `iam.signing-key/<kid>`. */
    sealed_private: Uint8Array
    created_at: number
  }
  iam_policy: {
    id: string
    /** The account of the resource: whose policy it is. */
    account_id: string
    type: 'access' | 'authorization'
    state: 'active' | 'deleted'
    /** How decisions find it: docs/formats.md, "Policies". */
    subject_key: string
    service_type: 'service' | 'platform_service' | null
    /** JSON of the attributes as they were sent, and the description. */
    document: string
    /** JSON of what decisions read: attributes by their right names, role names. Never changed after the insert. */
    facts: ColumnType<string, string, never>
    /** Hexadecimal SHA-256 of the facts in a fixed order: two active policies of an account never share it. */
    fingerprint: string
    revision: string
    created_at: number
    created_by_id: string
    last_modified_at: number
    last_modified_by_id: string
  }
}

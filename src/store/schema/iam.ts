import type { Generated } from 'kysely'
import type { IamPolicyTables } from './iam-policies.ts'

export interface IamTables extends IamPolicyTables {
  iam_account: {
    id: string
    name: string
    state: 'active' | 'disabled'
    owner_iam_id: string
    created_at: number
    /** JSON of what the account has set, docs/formats.md, "Account settings". */
    settings: string
    settings_revision: string
    /** One of the settings, since every request asks for it; empty for no restriction. */
    allowed_ip_addresses: string
  }
  /** Whoever a token can speak for, but for services and their resources, which are known by their CRN alone. */
  iam_identity: {
    iam_id: string
    account_id: string
    kind: 'user' | 'serviceId' | 'profile'
    name: string
    /** Null where none was given. */
    description: string | null
    email: string
    state: 'active' | 'disabled'
    /** A locked service id cannot be changed or deleted; it still logs in. */
    locked: 0 | 1
    group_id: string | null
    /** JSON array of the CRNs that a service id was made for; null where none were given. */
    unique_instance_crns: string | null
    created_at: number
    created_by_id: string
    modified_at: number
    revision: string
  }
  iam_api_key: {
    id: string
    account_id: string
    iam_id: string
    name: string
    description: string | null
    /** Hexadecimal SHA-256 of the key; the key itself is kept nowhere. */
    hash: string
    /** A locked key cannot be changed or deleted; it still logs in. */
    locked: 0 | 1
    /** A disabled key does not log in, and its tokens are refused. */
    disabled: 0 | 1
    support_sessions: 0 | 1
    action_when_leaked: 'none' | 'disable' | 'delete'
    /** As it was sent, because clients compare; `expires_at_ms` is what it means. Null for a key without an end. */
    expires_at: string | null
    expires_at_ms: number | null
    created_at: number
    created_by_id: string
    modified_at: number
    revision: string
  }
  /** Opaque tokens that give access tokens again, until they end or their API key does. */
  iam_refresh_token: {
    /** Hexadecimal SHA-256 of the token; the token itself is kept nowhere. */
    hash: string
    api_key_id: string
    /** JSON array of the clients that may show it. */
    client_ids: string
    /** Whether it was made to be shown by somebody else. */
    delegated: 0 | 1
    created_at: number
    expires_at: number
  }
  /** Who may speak as a trusted profile. */
  iam_profile_identity: {
    profile_iam_id: string
    type: 'user' | 'serviceid' | 'crn'
    /** As it was sent. */
    identifier: string
    iam_id: string
    /** JSON array of the accounts from which it may; null where none were given. */
    accounts: string | null
    description: string | null
    created_at: number
  }
  /** Claim rules and links of a trusted profile. Kept, and decided by nobody yet. */
  iam_profile_part: {
    id: string
    profile_iam_id: string
    kind: 'rule' | 'link'
    /** JSON of the body, as it was sent. */
    document: string
    created_at: number
    modified_at: number
    revision: string
  }
  /** What has been done to an identity or API key, for people who ask. */
  iam_history: {
    seq: Generated<number>
    entity_id: string
    at: number
    iam_id: string
    iam_id_account: string
    action: string
    /** JSON array of the names of what was changed. */
    params: string
  }
  /** Keys that sign tokens. The newest whose time has come signs, all verify. */
  iam_signing_key: {
    kid: string
    /** JSON of the public JWK. */
    public_jwk: string
    /** The private key in PKCS #8, sealed by the master key for the purpose `iam.signing-key/<kid>`. */
    sealed_private: Uint8Array
    created_at: number
    /** Until then it is only published. */
    signs_from: number
  }
}

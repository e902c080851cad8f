// What other services may ask of the key manager: data keys for their resources, and the truth about keys. A service
// always acts as itself for one account (`as`), and the policies of the key's account decide.
// `vpc` sees wrapped data keys as opaque bytes; only `disk` receives an open one, on a lease.

import type { Fault } from '#base/fault.ts'
import type { Caller, PassedBound, ServiceSubject, Target } from '#iam/port.ts'
import type { KeyState as State } from './key-state.ts'
import type { KmsServiceName } from './service-name.ts'

/** Why a key can or cannot be used by the one who asks. Deleted includes purged; the reason is what its resources show. */
export type KeyStanding = 'usable' | 'disabled' | 'expired' | 'deleted' | 'unauthorized'

/**
 * What becomes of volumes in use when their key is disabled or their authorization taken away: they stop at once, or run on
 * until their machine stops or gives them back. A deleted key stops them in either case.
 */
export type Revocation = 'at-once' | 'until-stop'

export interface KeyReport {
  /** The full name of the key, also where the short form was asked for. */
  readonly keyCrn: string
  readonly standing: KeyStanding
}

export interface WrappedDataKey {
  readonly keyCrn: string
  readonly keyVersionId: string
  /** Opaque; docs/formats.md, "Wrapped data key". Bound to the key, its version and the resource. */
  readonly wrapped: Uint8Array
}

/** How large a resource is, and of what kind, as its service says it. */
export interface ResourceSize {
  readonly capacityGb?: number
  readonly profile?: string
  readonly zone?: string
}

/** Something that happened to a key on which the service has registrations: to be followed, and then acknowledged. */
export interface PendingNotice {
  readonly noticeId: string
  readonly keyCrn: string
  readonly type: 'rotate' | 'disable' | 'enable' | 'delete' | 'restore' | 'sync'
  /** The account whose resources are meant. */
  readonly accountId: string
  /** The number of the state that the key had afterwards. */
  readonly keyState: number
}

/** What a service has written down of a data key that it holds. */
export interface HeldDataKey {
  readonly keyCrn: string
  readonly keyVersionId: string
  readonly resourceCrn: string
  readonly as: ServiceSubject
}

/** Data keys of one service under one root key. */
export interface RewrapRequest {
  readonly keyCrn: string
  readonly as: ServiceSubject
  readonly held: readonly { readonly resourceCrn: string; readonly wrapped: Uint8Array }[]
}

export interface Lease {
  readonly leaseId: string
  /** How long the holder may use the data key without hearing again, from the moment it asked. */
  readonly leaseMs: number
}

export interface LeasedDataKey extends Lease {
  /** Sealed to the recipient of the request: docs/formats.md, "Leased data key". */
  readonly sealedDataKey: Uint8Array
}

export interface LeaseRequest {
  readonly keyCrn: string
  readonly resourceCrn: string
  readonly wrapped: Uint8Array
  readonly as: ServiceSubject
  /**
   * Where it is no data key of the resource's own but the passphrase of a file: bound to nothing, and of any length that one
   * may have.
   */
  readonly isPassphrase?: boolean
  /** Public key (X25519) of a pair that the holder made for this request. */
  readonly recipientKey: Uint8Array
}

/** What a disk process says, signed, after it has stopped serving under a key. */
export interface FenceAck {
  readonly holderId: string
  readonly leaseId: string
  readonly resourceCrn: string
  readonly fencedAt: number
  /** Ed25519 over docs/formats.md, "Fence acknowledgement". */
  readonly signature: Uint8Array
}

/** Whoever holds leases (a disk process): told to stop, answers when it has stopped. */
export interface LeaseHolder {
  readonly holderId: string
  /** SPKI DER of the Ed25519 key that signs its acknowledgements. */
  readonly publicKey: Uint8Array
  fence(leaseIds: readonly string[]): Promise<readonly FenceAck[]>
}

export interface RegisteredResource {
  readonly keyCrn: string
  readonly resourceCrn: string
  /** As its service has said; null where it has not. */
  readonly capacityGb: number | null
}

/** A service instance of the key manager, as the resource controller provisions it. */
export interface KmsInstance {
  readonly id: string
  readonly serviceName: KmsServiceName
  readonly accountId: string
  readonly region: string
  readonly resourceGroupId: string
}

export interface KmsPort {
  /** Why no instance of `hs-crypto` can be made here, for whoever asked for one; null where it can. */
  readonly hsCryptoRefusal: string | null
  /**
   * Makes room for keys. Does nothing if the instance is there already. Fault 'conflict' with
   * `hsCryptoRefusal` for an instance of `hs-crypto` where there is one.
   */
  createInstance(instance: KmsInstance): Promise<void>
  /** Fault 'conflict' while keys that are not destroyed remain. Does nothing if the instance has gone. */
  deleteInstance(id: string): Promise<void>
  /**
   * Makes a fresh data key, wraps it under the root key and registers the resource on it, in one transaction.
   * Repeating it for the same resource replaces the wrapped key and keeps one registration.
   * Faults: 'invalid' (reason `key_crn_invalid`), 'forbidden' with explanation, 'not_found' (reason `KEY_NOT_FOUND_ERR`),
   * 'invalid' (reason `KEY_ROOT_REQ_ERR`: a standard key), 'conflict' (reason `KEY_ACTION_INVALID_STATE_ERR`: not active),
   * 'gone' (reason `KEY_DELETED_ERR`).
   */
  createDataKey(request: {
    keyCrn: string
    resourceCrn: string
    as: ServiceSubject
    /** What bounds of authorizations are held against; what is not said fits none. */
    size?: ResourceSize
  }): Promise<WrappedDataKey>
  /**
   * Leave for a resource to become as large, or of another profile, before it does; booked as that from then on. Fault
   * 'forbidden' where the bounds of the authorization do not allow it.
   */
  resize(request: { keyCrn: string; resourceCrn: string; as: ServiceSubject; size: ResourceSize }): Promise<void>
  /** How large the resource is, whatever was booked. Does nothing where it is not registered. */
  noteSize(request: { keyCrn: string; resourceCrn: string; as: ServiceSubject; capacityGb: number }): Promise<void>
  /**
   * A fresh passphrase for a file that the resource becomes, wrapped under the root key on which the resource is registered,
   * as the wrap action of the API would: bound to nothing, so that whoever may use the key opens it. Registers nothing.
   * Faults as above; 'not_found' (reason `registration_not_found`) where the resource is not registered.
   */
  createPassphrase(request: { keyCrn: string; resourceCrn: string; as: ServiceSubject }): Promise<WrappedDataKey>
  /**
   * The same data keys under the newest version of their root key, and the registrations moved to that version (or made
   * again, where a forced deletion took them and the key was restored), in one transaction; at most `rewrapBatchMax`, each
   * of another resource. In the order of the request; a Fault stands where one of them could not be done ('unprocessable'
   * when the bytes do not open) and the others were. Repeating it does no harm. Throws as above.
   */
  rewrapDataKeys(request: RewrapRequest): Promise<readonly (WrappedDataKey | Fault)[]>
  /** Which of the data keys wait to be re-wrapped, or for their registration, and can be: in the order of the requests. */
  lagging(held: readonly HeldDataKey[]): Promise<readonly boolean[]>
  /** What the service has not acknowledged yet, in all accounts, oldest first. */
  pendingNotices(serviceName: string, limit: number): Promise<readonly PendingNotice[]>
  /**
   * False where resources of the service still use an older version: to be said again later. Fault 'conflict' where the
   * service takes the key for something else than it is. Repeating it does no harm.
   */
  acknowledge(notice: { noticeId: string; as: ServiceSubject; keyState: number }): Promise<boolean>
  /**
   * The CRN of the provider's root key for the account of `as`, made when it is first asked for: for resources whose owners
   * brought no key. Tenants can neither see nor end it.
   */
  providerKey(as: ServiceSubject, region: string): Promise<string>
  /**
   * Opens a data key and seals it to the holder. Faults as above; 'unprocessable' when the bytes do not open, 'invalid' for a
   * `recipientKey` that is none.
   */
  leaseDataKey(holderId: string, request: LeaseRequest): Promise<LeasedDataKey>
  /** Which of the leases live on. A lease that is missing from the answer is over: its holder fences it at once. */
  renewLeases(holderId: string, leaseIds: readonly string[]): Promise<readonly Lease[]>
  releaseLeases(holderId: string, leaseIds: readonly string[]): Promise<void>
  /** Removes the registrant's own registration: permitted even when the authorization or the key has gone. Idempotent. */
  unregister(request: { keyCrn: string; resourceCrn: string; as: ServiceSubject }): Promise<void>
  /** Every registration that a service has made, in all accounts, in pages ordered by resource CRN. */
  registrationsOf(serviceName: string, afterResourceCrn: string, limit: number): Promise<readonly RegisteredResource[]>
  /**
   * The standing of each key for the one who asks. Who may not use it learns 'unauthorized' and nothing else; to who may,
   * an unknown key is 'deleted'.
   */
  standings(requests: readonly { keyCrn: string; as: ServiceSubject }[]): Promise<readonly KeyReport[]>
}

/** kms/key-state.ts. */
export type KeyState = State

/** Who asks about a key, and which: by its CRN, or by an id or alias in an instance. */
export interface KeyAsk {
  readonly caller: Caller
  readonly remoteAddress: string
  readonly instanceId: string | undefined
  readonly key: string
}

export interface LedgerKey {
  readonly keyId: string
  readonly keyCrn: string
  readonly accountId: string
  readonly state: KeyState
  readonly newestVersionId: string
  readonly expiresAt: number | null
}

/** A resource that a key protects, as its registration tells. */
export interface KeyUse {
  readonly resourceCrn: string
  readonly serviceName: string
  readonly accountId: string
  readonly keyVersionId: string
  readonly registeredAt: number
  /** When its data key was last opened. Of past times this is not known. */
  readonly lastUnwrappedAt: number | null
  /** Whether its data key is open at this moment. Of past times this is not known. */
  readonly isOpen: boolean | null
}

/** What the resources of one service of one account have to do with one key. */
export interface UsedKey {
  readonly keyCrn: string
  readonly ownerAccountId: string
  readonly accountId: string
  readonly serviceName: string
  readonly resourceCount: number
  /** Since when the oldest of them is registered. */
  readonly since: number
}

/** What a service may do with a key, and by which policy of the key's account. */
export interface KeyRight {
  readonly standing: KeyStanding
  readonly policyId: string | null
  /** Where the key is in quarantine: since when, and what of its uses by the one who asks a disabled key would refuse. */
  readonly quarantine?: { readonly since: number; readonly count: number; readonly lastAt: number | null }
  /** The one whose bounds stand in the way, where no other permits it. */
  readonly boundedBy?: PassedBound
  /** Null to whom it does not concern: who may not use the key. */
  readonly newestVersionId: string | null
  readonly expiresAt: number | null
}

/** One line of both books of the key manager: what is registered, and what the history says is. */
export interface BookLine {
  readonly keyCrn: string
  readonly ownerAccountId: string
  readonly resourceCrn: string
  readonly serviceName: string
  readonly accountId: string
  readonly registeredVersionId: string | null
  readonly historyVersionId: string | null
}

export type PlannableAction = 'disable' | 'delete' | 'rotate'
export type ImpactAction = PlannableAction | 'expire' | 'remove-authorization'

/** What would refuse an action; `isForceable` where the action has a force that overrides it. */
export interface Refusal {
  readonly code: string
  readonly message: string
  readonly isForceable: boolean
}

/** What an action would do to the resources of one service of one account. */
export interface ImpactGroup extends Omit<UsedKey, 'keyCrn' | 'ownerAccountId'> {
  /** Resources whose data keys are open: running I/O. */
  readonly openCount: number
  readonly before: KeyStanding
  readonly after: KeyStanding
}

export interface KeyImpact {
  readonly key: LedgerKey
  readonly stateAfter: KeyState
  /** All that stands in the way, not only the first. */
  readonly refusals: readonly Refusal[]
  readonly groups: readonly ImpactGroup[]
}

/** What a purge has left of a key: docs/formats.md, "Destroy certificate". */
export interface DestroyedKey {
  readonly keyId: string
  readonly keyCrn: string
  readonly accountId: string
  readonly statement: string
  /** Who did it: for the owner alone. */
  readonly persons: string
}

/** A wrapped data key that died with a key: the text of its leaf, and the proof that it is in the tree of the statement. */
export interface DestroyedDataKey {
  readonly leaf: string
  readonly index: number
  readonly hashes: readonly Uint8Array[]
}

/** What makes the use of keys visible asks the key manager: who uses what, and what would come of an action. */
export interface KeyLedgerPort {
  /** Leave to see who uses a key. Faults as the key manager's API has them. */
  keyForUses(ask: KeyAsk): Promise<LedgerKey>
  /** Leave for the action itself. Faults as the key manager's API has them. */
  keyForAction(ask: KeyAsk, action: PlannableAction): Promise<LedgerKey>
  /** By a leave of the above. In pages, ordered by resource CRN; at a past time, or now where that is null. */
  uses(request: {
    readonly keyId: string
    readonly at: number | null
    readonly after: string
    readonly limit: number
  }): Promise<readonly KeyUse[]>
  /** Who used the key at that time or within it; where no time is given, who does now. */
  usersOf(keyCrn: string, at: number | null): Promise<readonly { accountId: string; resourceCrns: readonly string[] }[]>
  /** Of one account, or of all that have resources under another account's key, the provider's apart. */
  foreignUses(accountId: string | null): Promise<readonly UsedKey[]>
  rights(requests: readonly { keyCrn: string; as: ServiceSubject }[]): Promise<readonly KeyRight[]>
  /** How much of an account lies under those keys of another, or of its own, that are covered. */
  amounts(of: {
    readonly ownerAccountId: string
    readonly accountId: string
    covers(key: Target): boolean
  }): Promise<{ readonly volumes: number; readonly capacityGb: number }>
  /** Keys with resources under them that expire in the time given, its end included. */
  expiring(after: number, until: number): Promise<readonly { keyCrn: string; accountId: string; expiresAt: number }[]>
  /** Both books of the key manager, in pages ordered by resource and key. */
  books(after: { resourceCrn: string; keyCrn: string }, limit: number): Promise<readonly BookLine[]>
  /** In which state each key is, whoever asks; destroyed where there is none. */
  states(keyCrns: readonly string[]): Promise<readonly KeyState[]>
  /** Changes nothing. A policy is named where one is to be removed. */
  impact(ask: KeyAsk, action: ImpactAction, policyId: string | null): Promise<KeyImpact>
  /** Does it, as the API of the key manager would for the caller. */
  act(ask: KeyAsk, action: PlannableAction, options: { readonly force: boolean }): Promise<void>
  /** Null where the account has no purged key of that id. */
  destroyedKey(accountId: string, keyId: string): Promise<DestroyedKey | null>
  /**
   * Every data key of the account's resource that the key had wrapped; of the key that was purged last where none is named.
   * Null where there is none.
   */
  destroyedDataKeys(wanted: {
    readonly accountId: string
    readonly resourceCrn: string
    readonly keyId: string | null
  }): Promise<{ readonly key: DestroyedKey; readonly dataKeys: readonly DestroyedDataKey[] } | null>
}

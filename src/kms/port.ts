// What other services may ask of the key manager: data keys for their resources, and the truth about keys. A service
// always acts as itself for one account (`as`), and the policies of the key's account decide.
// `vpc` sees wrapped data keys as opaque bytes; only `disk` receives an open one, on a lease.

import type { ServiceSubject } from '#iam/port.ts'

/** Why a key can or cannot be used by the one who asks. Deleted includes purged; the reason is what its resources show. */
export type KeyStanding = 'usable' | 'disabled' | 'expired' | 'deleted' | 'unauthorized'

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

export interface Lease {
  readonly leaseId: string
  /** How long the holder may use the data key without hearing again, from the moment it asked. */
  readonly leaseMs: number
}

export interface LeasedDataKey extends Lease {
  /** Owned by the receiver, who wipes it. */
  readonly dataKey: Uint8Array
}

export interface LeaseRequest {
  readonly keyCrn: string
  readonly resourceCrn: string
  readonly wrapped: Uint8Array
  readonly as: ServiceSubject
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

/** A service instance of the key manager, as the resource controller provisions it. */
export interface KmsInstance {
  readonly id: string
  readonly serviceName: 'kms'
  readonly accountId: string
  readonly region: string
  readonly resourceGroupId: string
}

export interface KmsPort {
  /** Makes room for keys. Does nothing if the instance is there already. */
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
  createDataKey(request: { keyCrn: string; resourceCrn: string; as: ServiceSubject }): Promise<WrappedDataKey>
  /** Opens a data key for the holder. Faults as above; 'unprocessable' when the bytes do not open. */
  leaseDataKey(holderId: string, request: LeaseRequest): Promise<LeasedDataKey>
  /** Which of the leases live on. A lease that is missing from the answer is over: its holder fences it at once. */
  renewLeases(holderId: string, leaseIds: readonly string[]): Promise<readonly Lease[]>
  releaseLeases(holderId: string, leaseIds: readonly string[]): Promise<void>
  /** Removes the registrant's own registration: permitted even when the authorization or the key has gone. Idempotent. */
  unregister(request: { keyCrn: string; resourceCrn: string; as: ServiceSubject }): Promise<void>
  /** Every registration that a service has made, in all accounts, in pages ordered by resource CRN. */
  registrationsOf(
    serviceName: string,
    afterResourceCrn: string,
    limit: number,
  ): Promise<readonly { keyCrn: string; resourceCrn: string }[]>
  /**
   * The standing of each key for the one who asks. Who may not use it learns 'unauthorized' and nothing else; to who may,
   * an unknown key is 'deleted'.
   */
  standings(requests: readonly { keyCrn: string; as: ServiceSubject }[]): Promise<readonly KeyReport[]>
}

// A key and its versions as the rest of this folder knows them, and the rules that every use of a key obeys.

import { formatCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { isAllowed } from './key-state.ts'
import type { KeyAction, KeyState } from './key-state.ts'
import type { KeyPolicies } from './policy.ts'
import type { KmsServiceName } from './service-name.ts'

export interface Instance {
  readonly id: string
  readonly serviceName: KmsServiceName
  readonly accountId: string
  readonly region: string
  readonly resourceGroupId: string
}

export interface Key {
  readonly id: string
  readonly instance: Instance
  readonly keyRing: string
  readonly name: string
  readonly description: string | null
  readonly tags: readonly string[]
  readonly extractable: boolean
  readonly imported: boolean
  /** At the time the key was read: expiry is already in it. */
  readonly state: KeyState
  readonly createdAt: number
  readonly createdBy: string
  readonly updatedAt: number
  readonly rotatedAt: number | null
  readonly expiresAt: number | null
  readonly deleted: Deletion | null
  /** When it was last disabled, enabled, deleted or restored. */
  readonly stateChangedAt: number
  readonly syncedAt: number | null
  readonly policies: KeyPolicies
  /** When the rotation policy wants the next version. */
  readonly rotationDueAt: number | null
  /** Dual authorization: the first of the two words that a deletion needs, whether or not it still counts. */
  readonly deletionSet: { readonly by: string; readonly until: number } | null
  /** Since when its uses are counted, and who has asked for that. */
  readonly quarantine: { readonly since: number; readonly by: string } | null
  /** The version that wraps; a standard key has only this one. */
  readonly newestVersion: KeyVersion
}

export interface Deletion {
  readonly at: number
  readonly by: string
  /** Who gave the first of two words, where dual authorization asked for two. */
  readonly approvedBy: string | null
}

export interface KeyVersion {
  readonly id: string
  readonly createdAt: number
}

/** A version with its material, still sealed. */
export interface SealedVersion extends KeyVersion {
  readonly keyId: string
  readonly ordinal: number
  readonly sealedMaterial: Uint8Array
}

/** Names the row that material is sealed for, so that it opens in no other. */
export const versionPurpose = (version: { readonly keyId: string; readonly id: string }): string =>
  `kms.key-version/${version.keyId}/${version.id}`

/** Where a key lies: what IAM is asked about before anything is known of it. */
export interface KeyPlace extends Instance {
  readonly keyRing: string
}

/** The ring that every instance has. */
export const defaultKeyRing = 'default'

export const keyCrn = (instance: Instance, keyId: string): string =>
  formatCrn({
    serviceName: instance.serviceName,
    location: instance.region,
    accountId: instance.accountId,
    serviceInstance: instance.id,
    resourceType: 'key',
    resource: keyId,
  })

export const crnOf = (key: Key): string => keyCrn(key.instance, key.id)

export const keyNotFound = (keyId: string): Fault =>
  new Fault('not_found', `key ${JSON.stringify(keyId.slice(0, 90))} does not exist`, { reason: 'KEY_NOT_FOUND_ERR' })

/** Key Protect, "Error messages": 410 for a deleted key, 409 for every other state that does not permit the action. */
export function requireState(key: Key, action: KeyAction): void {
  if (isAllowed(action, key.state) && !isRefusedByHsm(key, action)) return
  if (key.state === 'destroyed') {
    throw new Fault('gone', `key ${key.id} has been deleted`, { reason: 'KEY_DELETED_ERR' })
  }
  const message = `${actionWords[action]} is not possible while key ${key.id} is ${key.state}`
  throw new Fault('conflict', message, { reason: 'KEY_ACTION_INVALID_STATE_ERR' })
}

/** Hyper Protect Crypto Services, "Key states": unlike Key Protect's, its table does not rotate a deactivated key. */
const isRefusedByHsm = (key: Key, action: KeyAction): boolean =>
  key.instance.serviceName === 'hs-crypto' && action === 'rotate' && key.state === 'deactivated'

/** Key Protect, "Error messages": requested action can only be completed with a root key. */
export function requireRootKey(key: Pick<Key, 'id' | 'extractable'>): void {
  if (!key.extractable) return
  throw new Fault('invalid', `key ${key.id} is a standard key, the action needs a root key`, {
    reason: 'KEY_ROOT_REQ_ERR',
  })
}

const actionWords = {
  wrap: 'wrapping',
  unwrap: 'unwrapping',
  rewrap: 'rewrapping',
  rotate: 'rotating',
  disable: 'disabling',
  enable: 'enabling',
  delete: 'deleting',
  expire: 'expiring',
  restore: 'restoring',
  purge: 'purging',
  setForDeletion: 'setting for deletion',
  sync: 'syncing',
  change: 'changing',
  readPayload: 'retrieving',
  listVersions: 'listing versions',
  register: 'registering a resource',
  lease: 'using a data key',
  quarantine: 'quarantine',
} as const satisfies Record<KeyAction, string>

/** As events and the audit trail call the two kinds. */
export const keyTypeOf = ({ extractable }: { readonly extractable: boolean }): string =>
  extractable ? 'standard_key' : 'root_key'

/** What the event of its creation says of a key. */
export const createdFacts = (key: Key) => ({
  keyVersionId: key.newestVersion.id,
  keyType: keyTypeOf(key),
  createdAt: key.createdAt,
  ...(key.expiresAt !== null && { expiresAt: key.expiresAt }),
})

// The mission, from the side of the account that has no key of its own: block storage of account B asks the key manager
// for a data key under a root key that may be account A's. A's policies decide, not B's user; and whoever is refused
// learns which permission is missing, in whose account, and nothing else about A.
// Source of the codes: VPC API error catalogue, `volume_encryption_key_*` and `volume_crn_invalid`.

import { parseCrn, parseShortKeyCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { FaultDetails } from '#base/fault.ts'
import { providerAccountId } from '#base/provider.ts'
import type { KmsPort, ResourceSize, WrappedDataKey } from '#kms/port.ts'
import { blockStorageOf } from './volume.ts'
import type { Volume } from './volume.ts'

/** What lies under a root key: a volume, or a snapshot of one. */
export type Keyed = Pick<Volume, 'accountId' | 'crn' | 'keyCrn'>

const target = { type: 'field', name: 'encryption_key.crn' } as const

/** The services whose root keys the VPC API names for volumes. */
const keyServices: ReadonlySet<string> = new Set(['kms', 'hs-crypto'])

/** Whether the text names a key at all, before anybody is asked about it. */
export function checkKeyCrn(text: string): string {
  const crn = parseCrn(text) ?? parseShortKeyCrn(text)
  if (!crn || !keyServices.has(crn.serviceName) || crn.resourceType !== 'key' || crn.resource === '') {
    throw new Fault('invalid', 'encryption_key.crn is not the CRN of a key', {
      reason: 'volume_encryption_key_crn_invalid',
      target,
    })
  }
  if (crn.cname !== 'bluemix' || crn.ctype !== 'public') {
    throw new Fault('invalid', `encryption_key.crn is of another cloud: ${crn.cname}:${crn.ctype}`, {
      reason: 'volume_crn_cname_mismatch',
      target,
    })
  }
  // The provider's keys are nobody's to name: what lies under them is provider_managed, and says so.
  if (crn.accountId === providerAccountId) {
    const message = 'CRN specified in the request is not valid: there is no such key'
    throw new Fault('invalid', message, { reason: 'volume_crn_invalid', target })
  }
  return text
}

/**
 * A data key for the volume or snapshot, wrapped under the root key and registered on it in one step of the key manager's. Throws
 * the VPC API's own refusal when the key manager refuses; any other failure comes through as it is, and then nobody
 * knows whether there is a registration.
 */
export async function requestVolumeKey(
  kms: KmsPort,
  volume: Keyed,
  /** Of volumes, which bounds of the key's owner may be held against. */
  size: ResourceSize = {},
): Promise<WrappedDataKey> {
  const as = blockStorageOf(volume.accountId)
  try {
    return await kms.createDataKey({ keyCrn: volume.keyCrn, resourceCrn: volume.crn, as, size })
  } catch (cause) {
    throw refusal(cause, volume) ?? cause
  }
}

export const sizeOf = ({
  capacityGb,
  profile,
  zone,
}: Pick<Volume, 'capacityGb' | 'profile' | 'zone'>): ResourceSize => ({
  capacityGb,
  profile,
  zone,
})

/** Leave for a volume to become larger, or of another profile, before it does. Throws as `requestVolumeKey`. */
export async function requestResize(kms: KmsPort, volume: Keyed, size: ResourceSize): Promise<void> {
  const as = blockStorageOf(volume.accountId)
  try {
    await kms.resize({ keyCrn: volume.keyCrn, resourceCrn: volume.crn, as, size })
  } catch (cause) {
    throw refusal(cause, volume) ?? cause
  }
}

/**
 * The other end: the registration goes, if there is one. A name that the key manager cannot read was never registered
 * under; a request that stopped before it was asked may have left such a one.
 */
export async function returnVolumeKey(kms: KmsPort, volume: Keyed): Promise<void> {
  const as = blockStorageOf(volume.accountId)
  try {
    await kms.unregister({ keyCrn: volume.keyCrn, resourceCrn: volume.crn, as })
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'invalid') throw error
  }
}

/** Marks a fault as the key manager's considered no: nothing was wrapped and nothing registered. */
export class KeyRefused extends Fault {}

function refusal(cause: unknown, volume: Keyed): KeyRefused | null {
  if (!(cause instanceof Fault)) return null
  switch (cause.code) {
    case 'forbidden':
      if (cause.explanation?.bound) return refused('volume_encryption_key_not_authorized', cause.message, cause)
      return refused('volume_encryption_key_not_authorized', missingAuthorization(cause, volume), cause)
    case 'not_found':
      return refused('volume_crn_invalid', 'CRN specified in the request is not valid: there is no such key', cause)
    case 'gone':
      return refused('volume_encryption_key_not_active', 'the root key was deleted', cause)
    case 'conflict':
      return refused('volume_encryption_key_not_active', `the root key is not active: ${cause.message}`, cause)
    case 'invalid':
      return invalidKey(cause)
    default:
      return null
  }
}

function invalidKey(cause: Fault): KeyRefused {
  if (cause.reason === 'KEY_ROOT_REQ_ERR') {
    const message =
      'CRN specified in the request is not valid: it names a standard key, and only a root key wraps others'
    return refused('volume_crn_invalid', message, cause)
  }
  if (cause.reason === 'key_crn_invalid') {
    return refused('volume_encryption_key_crn_invalid', 'encryption_key.crn is not the CRN of a key', cause)
  }
  return refused('volume_crn_invalid', `CRN specified in the request is not valid: ${cause.message}`, cause)
}

/**
 * VPC docs, "Establishing service-to-service authorizations": the authorization is made in the account that owns the
 * key, with the role Reader of the key manager. (Across accounts they add AuthorizationDelegator, which nothing here
 * needs.)
 */
function missingAuthorization(cause: Fault, volume: Keyed): string {
  const owner =
    cause.explanation?.account ?? parseCrn(volume.keyCrn)?.accountId ?? parseShortKeyCrn(volume.keyCrn)?.accountId
  const where =
    owner === volume.accountId ? `this account, ${owner},` : `account ${owner ?? 'of the key'}, which owns the key,`
  return (
    `block storage (server-protect) of account ${volume.accountId} is not authorized to use this root key: ` +
    `${where} must have an authorization policy for it to kms with role Reader`
  )
}

function refused(reason: string, message: string, cause: Fault): KeyRefused {
  const details: FaultDetails = {
    reason,
    target,
    cause,
    ...(cause.explanation && { explanation: cause.explanation }),
  }
  return new KeyRefused('invalid', message, details)
}

// Key Protect's ways: which service instances are key managers, and what every request to one of them bears. Pure.

import { parseCrn } from '#base/crn.ts'
import type { Answer } from './operations.ts'

export type KeyManager = Answer<'resources', 'getResourceInstance'>
export type Key = Answer<'kms', 'getKeyMetadata'>['resources'][number]

const keyServices: ReadonlySet<string> = new Set(['kms', 'hs-crypto'])

export const isKeyManager = ({ crn }: KeyManager): boolean => keyServices.has(parseCrn(crn)?.serviceName ?? '')

/** Key Protect API: every request names its instance. */
export const inInstance = (instanceId: string) => ({ 'bluemix-instance': instanceId })

/** Only a root key wraps other keys, so only a root key protects volumes. */
export const isRoot = (key: Key): boolean => key.extractable === false

/** Key Protect API: bodies come in an envelope that counts them. */
export const envelope = <T>(kind: 'key' | 'policy', resources: readonly T[]) => ({
  metadata: { collectionType: `application/vnd.ibm.kms.${kind}+json`, collectionTotal: resources.length },
  resources: [...resources],
})

/** IBM Cloud global catalog: the plan of Key Protect that there is one of everywhere. */
export const standardPlan = 'eedd3585-90c6-4c8f-be3d-062069e99fc3'

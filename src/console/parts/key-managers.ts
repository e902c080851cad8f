// The account's instances of the key manager, and the header that says which of them is meant.

import { parseCrn } from '#base/crn.ts'
import type { Answer } from '../api/operations.ts'
import { useApi } from '../api/use-api.ts'

export type KeyManager = Answer<'resources', 'getResourceInstance'>
export type Key = Answer<'kms', 'getKeyMetadata'>['resources'][number]

/** Key Protect API: every request names its instance. */
export const inInstance = (instanceId: string) => ({ 'bluemix-instance': instanceId })

const keyServices: ReadonlySet<string> = new Set(['kms', 'hs-crypto'])

export function useKeyManagers() {
  const { data, error } = useApi('resources', 'listResourceInstances', { query: { type: 'service_instance' } })
  const instances = data?.resources.filter(({ crn }) => keyServices.has(parseCrn(crn)?.serviceName ?? ''))
  return { instances, error }
}

/** Only a root key wraps other keys, so only a root key protects volumes. */
export const isRoot = (key: Key): boolean => key.extractable === false

/** Key Protect API: bodies come in an envelope that counts them. */
export const envelope = <T>(kind: 'key' | 'policy', resources: readonly T[]) => ({
  metadata: { collectionType: `application/vnd.ibm.kms.${kind}+json`, collectionTotal: resources.length },
  resources: [...resources],
})

// The account's instances of the key manager.

import { isKeyManager } from '#client/key-manager.ts'
import { useApi } from '../api/use-api.ts'

export function useKeyManagers() {
  const { data, error } = useApi('resources', 'listResourceInstances', { query: { type: 'service_instance' } })
  return { instances: data?.resources.filter(isKeyManager), error }
}

// Every key of the account, of all of its key managers, and everything that lies under them, up to what a picture can hold.

import { useQueries } from '@tanstack/react-query'
import { call } from '../api/call.ts'
import type { Answer } from '#client/operations.ts'
import type { Refusal } from '#client/refusal.ts'
import { pollMs, useSession } from '../api/use-api.ts'
import { inInstance } from '#client/key-manager.ts'
import { useKeyManagers } from './key-managers.ts'
import type { Key } from '#client/key-manager.ts'

export type KeyOf = Key & { readonly instanceId: string }
export type Registration = Answer<'kms', 'listKeyRegistrations'>['resources'][number]

const rowsMax = 500

export function useAllKeys(): {
  readonly keys: readonly KeyOf[] | undefined
  readonly registrations: readonly Registration[] | undefined
  readonly problem: Refusal | null
} {
  const session = useSession()
  const { instances, error } = useKeyManagers()
  const results = useQueries({
    queries: (instances ?? []).map(({ guid }) => ({
      queryKey: [session.accountId, 'all keys', guid],
      queryFn: async () => {
        const asked = { headers: inInstance(guid), query: { limit: rowsMax } }
        const keys = await call(session, 'kms', 'listKeys', asked)
        const registrations = await call(session, 'kms', 'listInstanceRegistrations', asked)
        return {
          keys: keys.resources.map((key): KeyOf => ({ ...key, instanceId: guid })),
          registrations: registrations.resources,
        }
      },
      refetchInterval: pollMs.audited,
      retry: false,
    })),
  })
  const isKnown = instances !== undefined && results.every((one) => one.data)
  // useQueries types its errors as Error; call() throws Refusals alone.
  const problem = error ?? (results.find((one) => one.error)?.error as Refusal | undefined) ?? null
  return {
    keys: isKnown ? results.flatMap((one) => one.data?.keys ?? []) : undefined,
    registrations: isKnown ? results.flatMap((one) => one.data?.registrations ?? []) : undefined,
    problem,
  }
}

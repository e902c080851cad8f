// Reading and changing through hooks. What was read is kept per account and operation; a change makes everything that the
// account has read be read again, for one change is seen in many places (a key that is disabled stops volumes).

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { UseMutationResult, UseQueryResult } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { call } from './call.ts'
import type { Answer, Given, Name, Service } from '#client/operations.ts'
import { Refusal } from '#client/refusal.ts'
import { getSessions, onSessions } from './sessions.ts'
import type { Session, Sessions } from './sessions.ts'

export const useSessions = (): Sessions => useSyncExternalStore(onSessions, getSessions)

/** Pages are drawn for somebody who is signed in; the shell sees to it. */
export function useSession(): Session {
  const { active } = useSessions()
  if (!active) throw new Error('nobody is signed in')
  return active
}

/**
 * How often what is on the screen is read again: gently, and quickly while something is under way. The key manager records
 * every read in the audit trail, so it is asked least: somebody who looks at keys should not fill it with his looking. The
 * stream of notices makes all of it be read again when something happens.
 */
export const pollMs = { gentle: 5000, quick: 1000, audited: 60_000 } as const

const audited: ReadonlySet<Service> = new Set<Service>(['kms', 'transparency'])

interface Options<T> {
  /** False while what to ask for is not known yet. */
  readonly when?: boolean
  readonly pollMs?: number | ((answer: T | undefined) => number)
}

export function useApi<S extends Service, N extends Name<S>>(
  service: S,
  name: N,
  given: Given<S, N>,
  options: Options<Answer<S, N>> = {},
): UseQueryResult<Answer<S, N>, Refusal> {
  const session = useSession()
  const { when = true, pollMs: every = audited.has(service) ? pollMs.audited : pollMs.gentle } = options
  return useQuery<Answer<S, N>, Refusal>({
    queryKey: [session.accountId, service, name, given],
    queryFn: () => call(session, service, name, given),
    enabled: when,
    refetchInterval: (query) => (typeof every === 'function' ? every(query.state.data) : every),
    retry: (count, error) => error.status === 0 && count < 2,
  })
}

/** Calls that follow each other and are one thing to whoever asks for it. */
export function useAct<Input, Output>(
  act: (session: Session, input: Input) => Promise<Output>,
  onDone?: (output: Output, input: Input) => void,
): UseMutationResult<Output, Refusal, Input> {
  const session = useSession()
  const client = useQueryClient()
  return useMutation<Output, Refusal, Input>({
    mutationFn: async (input) => {
      try {
        return await act(session, input)
      } catch (error) {
        if (error instanceof Refusal) throw error
        throw new Refusal({ status: 0, code: 'bug', message: `The console met a bug of its own: ${String(error)}` })
      }
    },
    onSuccess: async (output, input) => {
      onDone?.(output, input)
      await client.invalidateQueries({ queryKey: [session.accountId] })
    },
  })
}

// What records of calls have in common, whichever service was called: who asked, and how a refusal reads.

import { Fault } from '#base/fault.ts'
import type { Draft, Ending } from './audit.ts'

/** As IAM knows whoever asks. */
interface Asker {
  readonly iamId: string
  readonly accountId: string
  readonly kind: keyof typeof initiatorTypes
  readonly name: string
}

export const initiatorTypes = {
  user: 'service/security/account/user',
  serviceId: 'service/security/account/serviceid',
  service: 'service/security/account/service',
  profile: 'service/security/account/profile',
} as const

/** Nobody's name where it is not known who asks. */
export function initiatorOf({
  caller,
  anyone,
  headers,
}: {
  readonly caller: Asker | null
  readonly anyone: { readonly remoteAddress: string }
  readonly headers: Readonly<Record<string, string | undefined>>
}): Draft['initiator'] {
  const agent = headers['user-agent']
  const host = { address: anyone.remoteAddress, ...(agent !== undefined && { agent: agent.slice(0, agentLengthMax) }) }
  if (!caller) return { id: '', name: '', typeURI: initiatorTypes.user, accountId: null, host }
  return {
    id: caller.iamId,
    name: caller.name,
    typeURI: initiatorTypes[caller.kind],
    accountId: caller.accountId,
    host,
  }
}

const agentLengthMax = 200

export const failed = (status: number, error: unknown): Ending => ({
  status,
  responseData: {},
  reason: error instanceof Error && status !== 500 ? error.message : 'internal error',
})

/** As an API would answer, where none was spoken; they differ in how they say that somebody may not. */
export function statusOfFault(error: unknown, forbidden: 401 | 403): number {
  if (!(error instanceof Fault)) return 500
  const statuses: Readonly<Partial<Record<Fault['code'], number>>> = {
    invalid: 400,
    forbidden,
    not_found: 404,
    conflict: 409,
    gone: 410,
    unprocessable: 422,
    over_limit: 429,
  }
  return statuses[error.code] ?? 503
}

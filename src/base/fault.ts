// Faults are what the world does wrong and a caller may read; a false assertion is what we did wrong.
// The edge turns a fault into the error body of the service that was asked (edge/error-bodies.ts) and nobody else does.

export type FaultCode =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'gone'
  | 'precondition'
  | 'too_large'
  | 'unprocessable'
  | 'over_limit'
  | 'not_implemented'
  | 'unavailable'

/** What of the request was wrong: a body field, a query parameter or a header, by its wire name. */
export interface FaultTarget {
  readonly type: 'field' | 'parameter' | 'header'
  readonly name: string
  readonly value?: string
}

export interface FaultDetails {
  /** The documented code of the service, such as `KEY_NOT_FOUND_ERR` or `volume_name_duplicate`. */
  readonly reason?: string
  readonly target?: FaultTarget
  /** The JSON Schema keyword that was not met, where a schema refused. */
  readonly keyword?: string
  /** Further members of the documented error body, such as `conflicts_with`. Plain JSON, no secrets. */
  readonly extra?: Readonly<Record<string, unknown>>
  /** For denials: what is missing, in whose account, and the shortest fix. */
  readonly explanation?: Explanation
  /** For 'over_limit': when asking again may help. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/**
 * Why a request was denied, in words the denied caller may know: it tells what to ask for, never what the other
 * account has.
 */
export interface Explanation {
  readonly action: string
  readonly subject: Readonly<Record<string, string>>
  readonly resource: Readonly<Record<string, unknown>>
  /** The account that has to act. */
  readonly account: string
  /** The policy that would permit the request, as a body for `POST /v1/policies`. */
  readonly missingPolicy?: unknown
  /** The same as a command and as configuration, for whoever has to act. */
  readonly fix?: { readonly curl: string; readonly terraform: string }
  /** The policy of the caller's own account that came nearest, and what of it did not match. */
  readonly nearestPolicy?: {
    readonly id: string
    readonly differs: readonly {
      readonly in: 'roles' | 'subject' | 'resource' | 'tags' | 'rule'
      readonly attribute?: string
      readonly policy: unknown
      readonly request: unknown
    }[]
  }
  /** Where an authorization would permit it but for a bound: which, and what to ask of the account. */
  readonly bound?: {
    readonly policyId: string
    readonly name: string
    readonly limit: number | string | readonly string[]
    /** How much there is already, of what is counted. */
    readonly used?: number
    readonly ask: string
  }
  /** Where no policy is missing but a setting of the account stands in the way: which one. */
  readonly setting?: string
}

export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly reason: string | undefined
  readonly target: FaultTarget | undefined
  readonly keyword: string | undefined
  readonly extra: Readonly<Record<string, unknown>> | undefined
  readonly explanation: Explanation | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: FaultCode, message: string, details: FaultDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.reason = details.reason
    this.target = details.target
    this.keyword = details.keyword
    this.extra = details.extra
    this.explanation = details.explanation
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/** Ends a switch over a union: a new member that is not handled does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}

// A request that was refused, in the words of whichever service refused it. The bodies are those of src/edge/error-bodies.ts:
// each service has its own. Pure.

import type { Explanation } from '#base/fault.ts'

export class Refusal extends Error {
  override readonly name = 'Refusal'
  /** 0 where there was no answer at all. */
  readonly status: number
  readonly code: string
  readonly explanation: Explanation | null
  /** The field, parameter or header that was wrong. */
  readonly field: string | null
  /** What finds the request in the server's log. */
  readonly requestId: string | null

  constructor(parts: {
    readonly status: number
    readonly code: string
    readonly message: string
    readonly explanation?: Explanation | null
    readonly field?: string | null
    readonly requestId?: string | null
  }) {
    super(parts.message)
    this.status = parts.status
    this.code = parts.code
    this.explanation = parts.explanation ?? null
    this.field = parts.field ?? null
    this.requestId = parts.requestId ?? null
  }
}

/** Reads what it knows of a body, and makes do with the status where it knows nothing of it. */
export function refusalOf(status: number, body: unknown, requestId: string | null): Refusal {
  const first = firstOf(get(body, 'errors')) ?? firstReason(body) ?? body
  const message =
    text(get(first, 'message')) ??
    text(get(body, 'errorMessage')) ??
    text(get(firstOf(get(body, 'resources')), 'errorMsg')) ??
    `the server answered ${status}`
  const code =
    text(get(first, 'code')) ?? text(get(body, 'errorCode')) ?? text(get(body, 'error_code')) ?? String(status)
  const explanation = get(body, 'explanation') ?? null
  return new Refusal({
    status,
    code,
    message: sentence(message),
    // Made by the server as src/base/fault.ts says.
    explanation: explanation as Explanation | null,
    field: text(get(get(first, 'target'), 'name')) ?? null,
    requestId,
  })
}

/** Key Protect: `resources[0].reasons[0]`. */
const firstReason = (body: unknown): unknown => firstOf(get(firstOf(get(body, 'resources')), 'reasons'))

const get = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

const firstOf = (value: unknown): unknown => (Array.isArray(value) ? value[0] : undefined)

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** The server's messages join with colons and have no full stop; here they stand alone. */
const sentence = (message: string): string => message.charAt(0).toUpperCase() + message.slice(1)

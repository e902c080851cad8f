// One request and its whole answer, or why there was none.

import { Refusal, refusalOf } from '#client/refusal.ts'
import { jsonOf } from '#client/request.ts'

/** A fence waits for disks and a proof compares everything; beyond this nobody is at work any more. */
const answerMs = 120_000

export interface Answered {
  readonly status: number
  readonly body: unknown
  /** Null where the request succeeded. */
  readonly refusal: Refusal | null
}

export async function send(url: string, request: RequestInit): Promise<Answered> {
  const response = await reach(url, { ...request, signal: AbortSignal.timeout(answerMs) })
  const text = await response.text().catch((cause: unknown) => {
    throw unreachable(url, cause)
  })
  const body = text === '' ? undefined : jsonOf(text)
  const requestId = response.headers.get('x-correlation-id') ?? response.headers.get('transaction-id')
  return {
    status: response.status,
    body,
    refusal: response.ok ? null : refusalOf(response.status, body, requestId),
  }
}

/** As fetch, but with a sentence where there is no answer. A redirect is none of ours: it would carry the token elsewhere. */
export async function reach(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...request, redirect: 'error' })
  } catch (cause) {
    if (request.signal?.aborted && request.signal.reason instanceof DOMException === false) throw cause
    throw unreachable(url, cause)
  }
}

const unreachable = (url: string, cause: unknown): Refusal =>
  new Refusal({
    status: 0,
    code: 'unreachable',
    message: `${new URL(url).origin} does not answer: ${reasonOf(cause)}`,
  })

/** The innermost: fetch wraps what the socket said. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `nothing came within ${answerMs / 1000} seconds`
  if (error.cause !== undefined) return reasonOf(error.cause)
  // Where a name has several addresses, each has failed.
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  return error.message
}

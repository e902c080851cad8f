// An API key against a token, and what the token says of whoever holds it.

import { Failure } from './failure.ts'
import { send } from './http.ts'
import type { CachedToken } from './targets.ts'

export interface Identity {
  readonly accountId: string
  readonly iamId: string
  readonly userName: string
}

/** Before the server says no: a request is under way for a while. */
const renewBeforeMs = 60_000
const oneLine = /^[\u0021-\u007e]+$/

export async function exchange(url: string, apiKey: string, nowMs: number): Promise<CachedToken & Identity> {
  // Nothing of it may come back in an error, so it is looked at here.
  if (!oneLine.test(apiKey)) throw new Failure('usage', 'that is no API key: it is one word of printable characters')
  const body = new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: apiKey })
  const { status, body: answer, refusal } = await send(`${url}/identity/token`, { method: 'POST', body })
  if (refusal) {
    if (status !== 400 && status !== 401) throw refusal
    throw new Failure('denied', `${url} does not take this API key: ${refusal.message}`, { next: 'keyward login' })
  }
  const { access_token: value, expires_in: seconds } = record(answer)
  const claims = typeof value === 'string' ? claimsOf(value) : null
  if (typeof value !== 'string' || typeof seconds !== 'number' || !claims) {
    throw new Failure('failed', `${url} answers, and not as Keyward does: is it another server?`)
  }
  return { value, renewAtMs: nowMs + seconds * 1000 - renewBeforeMs, ...identityOf(claims) }
}

/** Of a token that was given to us: what it says is shown, never trusted. */
function claimsOf(token: string): Claims | null {
  try {
    return record(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()))
  } catch {
    return null
  }
}

function identityOf(claims: Claims): Identity {
  const iamId = String(claims['iam_id'] ?? '')
  return {
    accountId: String(record(claims['account'])['bss'] ?? ''),
    iamId,
    userName: String(claims['name'] ?? claims['sub'] ?? iamId),
  }
}

type Claims = Readonly<Record<string, unknown>>

const record = (value: unknown): Claims => (typeof value === 'object' && value !== null ? { ...value } : {})

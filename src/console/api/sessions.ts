// Who is signed in, in this tab. An API key is exchanged for tokens and forgotten at once. The access token is in memory
// only; the refresh token, which needs renewing after hours and dies with its API key, is in the tab's session storage, so
// that loading the page again does not sign out. There is no cookie, so no other site's page can act with it.

import { systemClock } from '#base/clock.ts'
import { Refusal, refusalOf } from '#client/refusal.ts'

export interface Session {
  readonly accountId: string
  /** Of whoever signed in, as the token says. */
  readonly userName: string
  readonly iamId: string
  readonly refreshToken: string
}

export interface Sessions {
  readonly all: readonly Session[]
  readonly active: Session | null
}

interface Access {
  readonly token: string
  readonly renewAtMs: number
}

const storageName = 'keyward.sessions'
/** HTTP Basic user of the token API: a client that has a name receives refresh tokens. It proves nothing. */
const clientId = btoa('keyward-console:')
const renewBeforeMs = 60_000

const access = new Map<string, Promise<Access>>()
const listeners = new Set<() => void>()
let sessions: Sessions = read()

export const getSessions = (): Sessions => sessions

export function onSessions(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Adds an account to this tab and makes it the active one. Throws a Refusal where the key is not known. */
export async function signIn(apiKey: string): Promise<Session> {
  const grant = { grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: apiKey.trim() }
  const { session, access: first } = await askForTokens(grant)
  access.set(session.accountId, Promise.resolve(first))
  const others = sessions.all.filter((one) => one.accountId !== session.accountId)
  set({ all: [...others, session].sort(byName), active: session })
  return session
}

export function signOut(accountId: string): void {
  access.delete(accountId)
  const all = sessions.all.filter((one) => one.accountId !== accountId)
  set({ all, active: sessions.active?.accountId === accountId ? (all[0] ?? null) : sessions.active })
}

export function switchTo(accountId: string): void {
  const active = sessions.all.find((one) => one.accountId === accountId)
  if (active) set({ ...sessions, active })
}

/** A token that is good for a while. Requests that need one at the same time share it. */
export async function tokenOf(session: Session): Promise<string> {
  const asked = access.get(session.accountId)
  if (asked) {
    const known = await asked.catch(() => null)
    if (known && known.renewAtMs > systemClock.now()) return known.token
    // Somebody else may have begun to renew it meanwhile.
    if (access.get(session.accountId) !== asked) return await tokenOf(session)
  }
  const renewal = askForTokens({ grant_type: 'refresh_token', refresh_token: session.refreshToken }).then(
    (answer) => answer.access,
  )
  access.set(session.accountId, renewal)
  try {
    return (await renewal).token
  } catch (error) {
    // Its API key has gone, or it is too old: whoever it was signs in again. A server that is away, or busy, is no reason.
    if (error instanceof Refusal && (error.status === 400 || error.status === 401)) signOut(session.accountId)
    throw error
  }
}

async function askForTokens(grant: Record<string, string>): Promise<{ session: Session; access: Access }> {
  const response = await fetch('/identity/token', {
    method: 'POST',
    headers: { authorization: `Basic ${clientId}` },
    body: new URLSearchParams(grant),
    credentials: 'omit',
  }).catch((cause: unknown) => {
    throw new Refusal({ status: 0, code: 'unreachable', message: `The server cannot be reached: ${String(cause)}` })
  })
  const body: unknown = await response.json().catch(() => null)
  if (!response.ok) throw refusalOf(response.status, body, response.headers.get('transaction-id'))
  const { access_token: token, refresh_token: refreshToken, expires_in: seconds } = body as Record<string, unknown>
  if (typeof token !== 'string' || typeof refreshToken !== 'string') throw refusalOf(502, null, null)
  const { accountId, userName, iamId } = claimsOf(token)
  return {
    session: { accountId, userName, iamId, refreshToken },
    access: { token, renewAtMs: systemClock.now() + Number(seconds) * 1000 - renewBeforeMs },
  }
}

/** Of our own token: what it says is shown, never trusted. */
function claimsOf(token: string): { accountId: string; userName: string; iamId: string } {
  const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
  const bytes = Uint8Array.from(atob(payload), (c) => c.charCodeAt(0))
  const claims: Record<string, unknown> = JSON.parse(new TextDecoder().decode(bytes))
  const account = claims['account'] as Record<string, unknown> | undefined
  const iamId = String(claims['iam_id'] ?? '')
  return {
    accountId: String(account?.['bss'] ?? ''),
    iamId,
    userName: String(claims['name'] ?? claims['sub'] ?? iamId),
  }
}

const byName = (a: Session, b: Session): number => a.userName.localeCompare(b.userName)

function set(next: Sessions): void {
  sessions = next
  sessionStorage.setItem(storageName, JSON.stringify({ all: next.all, active: next.active?.accountId ?? null }))
  for (const listener of listeners) listener()
}

function read(): Sessions {
  try {
    const kept: { all: Session[]; active: string | null } = JSON.parse(sessionStorage.getItem(storageName) ?? 'null')
    return { all: kept.all, active: kept.all.find((one) => one.accountId === kept.active) ?? null }
  } catch {
    return { all: [], active: null }
  }
}

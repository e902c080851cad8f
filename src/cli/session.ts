// Somebody signed in at a server, and operations of the public API as that somebody. Everything here could be done with curl.

import { readFileSync } from 'node:fs'
import type { Answer, Given, Name, Service } from '#client/operations.ts'
import { placeOf } from '#client/request.ts'
import type { Request } from '#client/request.ts'
import { reach, send } from './http.ts'
import type { Answered } from './http.ts'
import { operationOf } from './described.ts'
import type { Identity } from './tokens.ts'

export interface Session extends Identity {
  readonly url: string
  /** Null where the key came by the environment. */
  readonly target: string | null
  /** Throws a Refusal. Answers without a body are undefined. */
  call<S extends Service, N extends Name<S>>(service: S, name: N, given: Given<S, N>): Promise<Answer<S, N>>
  /** A stream of server-sent events, until the signal. Throws a Refusal. */
  stream(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response>
}

export interface TokenSource {
  /** Of the cache where that has one; `fresh` never is. */
  token(wanted?: 'fresh'): Promise<{ readonly value: string; readonly isFresh: boolean }>
}

export function makeSession(
  parts: Identity & {
    readonly url: string
    readonly target: string | null
    readonly source: TokenSource
  },
): Session {
  const { source, url, ...who } = parts

  /** A cached token may have ended early: with its key, its account, a rotation. One that was just given has not. */
  async function withToken<T>(ask: (token: string) => Promise<T>, status: (answer: T) => number): Promise<T> {
    const first = await source.token()
    const answer = await ask(first.value)
    if (status(answer) !== 401 || first.isFresh) return answer
    return await ask((await source.token('fresh')).value)
  }

  return {
    url,
    ...who,
    async call(service, name, given) {
      const { method, path } = operationOf(service, name)
      const request: Request = given
      const { body, refusal } = await withToken<Answered>(
        (token) =>
          send(`${url}${placeOf(service, path, request)}`, {
            method,
            headers: {
              authorization: `Bearer ${token}`,
              'user-agent': agent(),
              ...(request.body !== undefined && { 'content-type': 'application/json' }),
              ...request.headers,
            },
            ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
          }),
        ({ status }) => status,
      )
      if (refusal) throw refusal
      // The server checks its answers against the same contract in every test.
      return body as Answer<typeof service, typeof name>
    },
    stream: (path, headers, signal) =>
      withToken(
        (token) => reach(`${url}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers }, signal }),
        ({ status }) => status,
      ),
  }
}

export const version = (): string => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}

const agent = (): string => `keyward/${version()}`

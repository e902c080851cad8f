// One request to one operation of the public APIs, as whoever is signed in. Everything here could be done with curl.

import { operations } from 'virtual:operations'
import type { Answer, Given, Name, Service } from '#client/operations.ts'
import { Refusal, refusalOf } from '#client/refusal.ts'
import { jsonOf, placeOf } from '#client/request.ts'
import type { Request } from '#client/request.ts'
import { tokenOf } from './sessions.ts'
import type { Session } from './sessions.ts'

/** Throws a Refusal. Answers without a body are undefined. */
export async function call<S extends Service, N extends Name<S>>(
  session: Session,
  service: S,
  name: N,
  given: Given<S, N>,
): Promise<Answer<S, N>> {
  const text = await callForText(session, service, name, given)
  // The server checks its answers against the same contract in every test.
  return (text === '' ? undefined : jsonOf(text)) as Answer<S, N>
}

/** The answer as it came, where each byte of it counts. */
export async function callForText<S extends Service, N extends Name<S>>(
  session: Session,
  service: S,
  name: N,
  given: Given<S, N>,
): Promise<string> {
  const request: Request = given
  const [method = 'GET', template = ''] = operations[service]?.[name] ?? []
  const response = await send(placeOf(service, template, request), {
    method,
    headers: {
      authorization: `Bearer ${await tokenOf(session)}`,
      ...(request.body !== undefined && { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
    credentials: 'omit',
    cache: 'no-store',
  })
  const text = await response.text()
  if (response.ok) return text
  const requestId = response.headers.get('x-correlation-id') ?? response.headers.get('transaction-id')
  throw refusalOf(response.status, text === '' ? undefined : jsonOf(text), requestId)
}

async function send(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request)
  } catch (cause) {
    throw new Refusal({ status: 0, code: 'unreachable', message: `The server cannot be reached: ${String(cause)}` })
  }
}

// One request to one operation of the public APIs, as whoever is signed in. Everything here could be done with curl.

import { operations } from 'virtual:operations'
import type { Answer, Given, Name, Service } from '#client/operations.ts'
import { Refusal, refusalOf } from '#client/refusal.ts'
import { tokenOf } from './sessions.ts'
import type { Session } from './sessions.ts'

/** VPC API, "Versioning": the date up to which this client knows the API. */
const vpcVersion = { version: '2026-03-24', generation: '2' } as const

interface Request {
  readonly path?: Readonly<Record<string, string>> | undefined
  readonly query?: unknown
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Throws a Refusal. Answers without a body are undefined. */
export async function call<S extends Service, N extends Name<S>>(
  session: Session,
  service: S,
  name: N,
  given: Given<S, N>,
): Promise<Answer<S, N>> {
  const request: Request = given
  const [method = 'GET', template = ''] = operations[service]?.[name] ?? []
  const path = template.replaceAll(/\{(\w+)\}/g, (_, part: string) => encodeURIComponent(request.path?.[part] ?? ''))
  const query = queryOf({ ...(service === 'vpc' && vpcVersion), ...(request.query as object | undefined) })
  const response = await send(`${path}${query}`, {
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
  const body = text === '' ? undefined : jsonOf(text)
  const requestId = response.headers.get('x-correlation-id') ?? response.headers.get('transaction-id')
  if (!response.ok) throw refusalOf(response.status, body, requestId)
  // The server checks its answers against the same contract in every test.
  return body as Answer<S, N>
}

async function send(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request)
  } catch (cause) {
    throw new Refusal({ status: 0, code: 'unreachable', message: `The server cannot be reached: ${String(cause)}` })
  }
}

function queryOf(values: object): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== '') query.append(name, String(one))
  }
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

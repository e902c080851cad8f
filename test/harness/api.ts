// Plain HTTP as one account: what curl would send, and the whole answer.

import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type { Account } from './server.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers are read by tests that know their shape; a wrong guess fails the test
export type Json = any

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Json
}

export interface Request {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Api {
  readonly account: Account
  token(): Promise<string>
  send(method: string, path: string, request?: Request): Promise<Answer>
  /** As `send`, and the status must be this one. */
  expect(status: number, method: string, path: string, request?: Request): Promise<Json>
  /** Key Protect, in the account's first instance or the given one. */
  kms(status: number, method: string, path: string, body?: unknown, instance?: string): Promise<Json>
  /** VPC, with version and generation. */
  vpc(status: number, method: string, path: string, body?: unknown): Promise<Json>
}

const version = 'version=2026-03-24&generation=2'

export function api(baseUrl: string, account: Account): Api {
  let cached: Promise<string> | null = null

  async function fetchToken(): Promise<string> {
    const body = new URLSearchParams({
      grant_type: 'urn:ibm:params:oauth:grant-type:apikey',
      apikey: account.apiKey,
    })
    const response = await fetch(`${baseUrl}/identity/token`, { method: 'POST', body })
    assert.equal(response.status, 200)
    const answer: Json = await response.json()
    return answer.access_token
  }
  const token = (): Promise<string> => (cached ??= fetchToken())

  async function send(method: string, path: string, request: Request = {}): Promise<Answer> {
    const headers = { authorization: `Bearer ${await token()}`, ...request.headers }
    const body = request.body === undefined ? {} : { body: JSON.stringify(request.body) }
    const type = request.body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await fetch(`${baseUrl}${path}`, { method, headers: { ...type, ...headers }, ...body })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) }
  }

  async function expect(status: number, method: string, path: string, request?: Request): Promise<Json> {
    const answer = await send(method, path, request)
    assert.equal(answer.status, status, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  return {
    account,
    token,
    send,
    expect,
    kms: (status, method, path, body, instance = account.kmsInstanceId) =>
      expect(status, method, `/api/v2${path}`, { headers: { 'bluemix-instance': instance }, body }),
    vpc: (status, method, path, body) =>
      expect(status, method, `/v1${path}${path.includes('?') ? '&' : '?'}${version}`, { body }),
  }
}

/** Asks again until the answer satisfies; the test runner's own limit ends a wait that never ends. */
export async function until<T>(ask: () => Promise<T>, satisfied: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (satisfied(answer)) return answer
    await setTimeout(20)
  }
}

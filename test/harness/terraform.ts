// The HTTP of IBM Cloud's Terraform provider: its headers, its assumptions about answers, its waits.

import assert from 'node:assert/strict'
import { until } from './api.ts'
import type { Answer, Api, Json } from './api.ts'

const query = 'version=2026-03-24&generation=2'
const headers = { 'x-original-user-agent': 'terraform-provider-ibm/2.5.0', accept: 'application/json' }

/** go-sdk-core: any 2xx is success, a body must be JSON of a JSON media type, errors[0] is read without a look. */
export function provider(user: Api) {
  async function call(
    method: string,
    path: string,
    body?: unknown,
    more: Record<string, string> = {},
  ): Promise<Answer> {
    const type = method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {}
    const separator = path.includes('?') ? '&' : '?'
    const request = { headers: { ...headers, ...type, ...more }, ...(body !== undefined && { body }) }
    const answer = await user.send(method, `/v1${path}${separator}${query}`, request)
    assert.ok(answer.status < 500 || answer.status === 501, `${method} ${path}: ${answer.status}`)
    if (answer.body !== null) assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
    if (answer.status >= 400) assert.ok(answer.body.errors[0].message, `${method} ${path}`)
    return answer
  }
  async function ok(method: string, path: string, body?: unknown, more?: Record<string, string>): Promise<Json> {
    const answer = await call(method, path, body, more)
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  return {
    call,
    ok,
    /** A state that is neither waited for nor expected ends the provider's wait with an error. */
    wait: (path: string, member: string, target: readonly string[], pending: readonly string[]): Promise<Json> =>
      until(
        () => ok('GET', path),
        (body) => {
          if (target.includes(body[member])) return true
          assert.ok(pending.includes(body[member]), `unexpected state ${body[member]} of ${path}`)
          return false
        },
      ),
    waitGone: (path: string) =>
      until(
        () => call('GET', path),
        ({ status }) => status === 404,
      ),
    etag: async (path: string) => (await call('GET', path)).headers.get('etag') ?? '',
  }
}

export type Provider = ReturnType<typeof provider>

const volumeStates = ['pending', 'updating']
export const waitVolume = (tf: Provider, id: string) => tf.wait(`/volumes/${id}`, 'status', ['available'], volumeStates)
export const waitInstance = (tf: Provider, id: string) =>
  tf.wait(`/instances/${id}`, 'status', ['running'], ['pending', 'starting', 'restarting', 'stopping', 'stopped'])

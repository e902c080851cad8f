// For tests of this folder: the key manager behind the real edge, every reply checked against the contract.

import assert from 'node:assert/strict'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import type { Caller } from '#iam/port.ts'
import { kmsContract, ownContract } from '../contract.ts'
import { kmsRoutes, ownRoutes } from '../routes.ts'
import { accountB, blockStorage, makeWorld, serviceActions } from './world.ts'
import type { World } from './world.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers are read by tests that know their shape
export type Json = any

export interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Json
}

export interface Sent {
  readonly body?: unknown
  readonly headers?: Record<string, string | undefined>
  readonly as?: string
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface Wire extends AsyncDisposable {
  readonly world: World
  send(method: Method, path: string, sent?: Sent): Promise<Answer>
  /** As `send`, and the status must be this one. */
  expect(status: number, method: Method, path: string, sent?: Sent): Promise<Json>
  makeKey(resource?: Record<string, unknown>): Promise<Json>
}

/** Block storage of account B as the bearer of a token of its own. */
export const blockStorageCaller: Caller = {
  iamId: `crn-crn:v1:bluemix:public:server-protect::a/${accountB}:::`,
  accountId: accountB,
  kind: 'service',
  name: 'server-protect',
}

export async function makeWire(): Promise<Wire> {
  const world = await makeWorld()
  const { iam, clock, kms } = world
  iam.know(blockStorageCaller)
  iam.permit(blockStorage, accountB, serviceActions)
  const server = makeServer({
    services: [
      makeService({ dialect: 'kms', contract: kmsContract, routes: kmsRoutes(kms), watch: kms.watch }),
      makeService({ dialect: 'kms', contract: ownContract, routes: ownRoutes(kms) }),
    ],
    iam,
    clock,
    log: makeLog('silent'),
    random: systemRandom,
    publicUrl: null,
    tls: null,
    checkReplies: true,
  })
  const wire: Wire = {
    world,
    async send(method, path, { body, headers = {}, as = 'IBMid-owner' } = {}) {
      const all = { authorization: `Bearer ${as}`, 'bluemix-instance': world.instanceId, ...headers }
      const payload = body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }
      const response = await server.inject({
        method,
        url: path.startsWith('/keyward') ? path : `/api/v2${path}`,
        headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
        ...payload,
      })
      const text = response.payload
      return {
        status: response.statusCode,
        headers: response.headers,
        body: text === '' ? undefined : isJson(response.headers) ? JSON.parse(text) : text,
      }
    },
    async expect(status, method, path, sent) {
      const answer = await wire.send(method, path, sent)
      assert.equal(answer.status, status, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body
    },
    async makeKey(resource = {}) {
      return (await wire.expect(201, 'POST', '/keys', { body: keyBody(resource) })).resources[0]
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      await world[Symbol.asyncDispose]()
    },
  }
  return wire
}

const isJson = (headers: Record<string, unknown>): boolean => !String(headers['content-type']).startsWith('text/plain')

/** Resources in the envelope of their kind. */
export const enveloped = (kind: string, ...resources: unknown[]) => ({
  metadata: { collectionType: `application/vnd.ibm.kms.${kind}+json`, collectionTotal: resources.length },
  resources,
})

export const keyBody = (resource: Record<string, unknown> = {}) =>
  enveloped('key', { type: 'application/vnd.ibm.kms.key+json', name: 'my key', extractable: false, ...resource })

/** Status, code and target of an error, after its envelope has been found to be the documented one. */
export function refusal({ status, body }: Answer): readonly unknown[] {
  assert.deepEqual(body.metadata, { collectionType: 'application/vnd.ibm.kms.error+json', collectionTotal: 1 })
  const [error] = body.resources
  assert.equal(typeof error.errorMsg, 'string')
  const [reason] = error.reasons ?? []
  if (reason) assert.equal(reason.status, status)
  return reason?.target ? [status, reason.code, reason.target.name] : [status, reason?.code]
}

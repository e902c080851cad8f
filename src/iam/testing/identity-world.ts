// For tests of identities: the identity services on a server, asked as a client would.

import { makeLog } from '#base/log.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import { identityContract } from '../contract-identity.ts'
import { operatorContract } from '../contract-operator.ts'
import { tokenContract } from '../contract-tokens.ts'
import { hashOperatorToken, makeOperatorAccess } from '../operator-access.ts'
import { makeOperator } from '../operator.ts'
import type { Context } from '../port.ts'
import { identityRoutes, tokenRoutes } from '../routes-identity.ts'
import { operatorRoutes } from '../routes-operator.ts'
import type { TokenRequest } from '../token-grants.ts'
import type { IssuedToken } from '../tokens.ts'
import { contextOf } from './world.ts'
import type { World } from './world.ts'

export const operatorToken = 'operator-token-of-this-test-and-no-other'

export const basic = (client: string): string => `Basic ${Buffer.from(client).toString('base64')}`

// oxlint-disable-next-line typescript/no-explicit-any -- answers are read by tests that know their shape
export type Json = any

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Json
}

export interface Asked {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly from?: string
}

export interface Asker {
  ask(url: string, asked?: Asked): Promise<Answer>
  listen(): Promise<string>
  close(): Promise<void>
}

export function serveIdentities(
  { iam, clock, random }: World,
  groups: string[] = [],
  trustedProxies: readonly string[] = [],
): Asker {
  const addDefaultGroup = async (accountId: string) => void groups.push(accountId)
  const operator = makeOperator({ ...iam, random, addDefaultGroup })
  const server = makeServer({
    services: [
      makeService({ dialect: 'identity', contract: tokenContract, routes: tokenRoutes(iam) }),
      makeService({ dialect: 'identity', contract: identityContract, routes: identityRoutes(iam) }),
      makeService({
        dialect: 'identity',
        contract: operatorContract,
        routes: operatorRoutes(operator),
        operator: makeOperatorAccess(hashOperatorToken(operatorToken), iam.operatorThrottle),
      }),
    ],
    iam: iam.port,
    log: makeLog('silent'),
    clock,
    random,
    publicUrl: null,
    trustedProxies,
    tls: null,
    checkReplies: true,
  })
  return {
    async ask(url, { method = 'GET', token, headers = {}, body, form, from = '127.0.0.1' } = {}) {
      const type = form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
      const payload = form ? new URLSearchParams(form).toString() : body === undefined ? '' : JSON.stringify(body)
      const answer = await server.inject({
        method: form ? 'POST' : method,
        url,
        headers: { host: 'iam.test', ...type, ...(token && { authorization: `Bearer ${token}` }), ...headers },
        remoteAddress: from,
        ...(payload !== '' && { payload }),
      })
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: answer.body === '' ? null : JSON.parse(answer.body),
      }
    },
    listen: () => server.listen({ host: '127.0.0.1', port: 0 }),
    close: () => server.close(),
  }
}

export const apiKeyGrant = 'urn:ibm:params:oauth:grant-type:apikey'

/** A token for an API key; more of the request where the test says so. */
export const tokenFor = (world: World, apiKey: string, more: Partial<TokenRequest> = {}): Promise<IssuedToken> =>
  world.iam.tokens.issue({ grantType: apiKeyGrant, apiKey, clientId: null, ...more })

export async function contextFor(world: World, apiKey: string): Promise<Context> {
  return contextOf(await world.iam.port.authenticate((await tokenFor(world, apiKey)).accessToken))
}

/** A service id of the account with one API key. */
export async function makeServiceId(world: World, accountId: string, name = 'robot') {
  const context = await world.owner(accountId)
  const wanted = { accountId, name, locked: false, apiKey: { name: 'first' } }
  const { row, apiKey } = await world.iam.serviceIds.create(context, wanted)
  if (!apiKey) throw new Error('a service id that was made with a key has it')
  return {
    context,
    id: row.iam_id.replace(/^iam-/, ''),
    iamId: row.iam_id,
    apiKey: apiKey.apiKey,
    keyId: apiKey.row.id,
  }
}

// HTTP, once, for every service: limits, who asks, one handler, one way to answer. Nothing here knows what a volume is.

import { fastify } from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '#base/clock.ts'
import { Reply } from '#base/contract.ts'
import type { Operation } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import {
  httpBodyBytesMax,
  httpHeadersTimeoutMs,
  httpPathParameterLengthMax,
  httpRequestTimeoutMs,
  httpTimeoutCheckMs,
} from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Anyone, Context, IamPort } from '#iam/port.ts'
import { authenticate, authenticateOperator } from './authenticate.ts'
import type { Dialect } from './error-bodies.ts'
import { refuseBrokenHttp, sendError, sendMalformed, sendUnknownRoute, statusOf } from './failures.ts'
import { readForm, readJson } from './read-body.ts'
import { requestId, requestIdHeaders } from './request-id.ts'
import type { Call, Mounted, RawInput, Service } from './service.ts'
import { mountFiles } from './static-files.ts'
import type { StaticFiles } from './static-files.ts'
import { makeValidator } from './validate.ts'

/** What every server of ours is made with, whatever it serves. */
export interface HttpParts {
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
  /** Under which clients reach us, when it is not what their Host header says: behind a proxy. */
  readonly publicUrl: string | null
  /** Addresses and networks of proxies whose word for the client's address is taken; none when absent. */
  readonly trustedProxies?: readonly string[]
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null
  /** Checks every reply against its contract and answers 500 where they differ: for tests. */
  readonly checkReplies: boolean
  /** Of a client that runs in browsers, if there is one. */
  readonly files?: StaticFiles
}

export interface EdgeParts extends HttpParts {
  readonly services: readonly Service[]
  readonly iam: IamPort
}

export function makeServer(parts: EdgeParts): FastifyInstance {
  const server = makeHttp(parts, {
    bodyLimit: httpBodyBytesMax,
    requestTimeout: httpRequestTimeoutMs,
    routerOptions: { maxParamLength: httpPathParameterLengthMax, ignoreTrailingSlash: true },
    frameworkErrors: (_error, request, response) => sendMalformed(parts, request, response),
  })

  // The operation says how its body is read; what the header says, or garbles, is no reason to refuse.
  server.addHook('onRequest', async (request) => {
    if (request.headers['content-type'] !== undefined) request.headers['content-type'] = 'application/octet-stream'
  })

  // Bodies stay bytes until the operation says how to read them.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes))

  for (const service of parts.services) {
    for (const mounted of service.operations) mount(server, parts, service, mounted)
  }
  if (parts.files) mountFiles(server, parts.files)
  server.setNotFoundHandler((request, response) => sendUnknownRoute(parts, request, response))
  return server
}

interface HttpOptions {
  readonly bodyLimit: number
  readonly requestTimeout: number
  /** After how long without a byte a connection ends; never, where it is not said. */
  readonly connectionTimeout?: number
  readonly routerOptions: { readonly maxParamLength: number; readonly ignoreTrailingSlash: boolean }
  readonly frameworkErrors: (error: unknown, request: FastifyRequest, response: FastifyReply) => void
}

export function makeHttp(parts: HttpParts, own: HttpOptions): FastifyInstance {
  const options = {
    ...own,
    logger: false,
    trustProxy: parts.trustedProxies?.length ? [...parts.trustedProxies] : false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    clientErrorHandler: refuseBrokenHttp,
  }
  // Node swaps the two times when the first is the larger, and looks at them only now and then.
  const http = { headersTimeout: httpHeadersTimeoutMs, connectionsCheckingInterval: httpTimeoutCheckMs }
  // The two kinds of server differ in a type parameter that nothing below uses.
  return (
    parts.tls ? fastify({ ...options, https: { ...parts.tls, ...http } }) : fastify({ ...options, http })
  ) as FastifyInstance
}

export const anyoneOf = (parts: HttpParts, dialect: Dialect, request: FastifyRequest): Anyone => ({
  requestId: requestId(request, dialect, parts.random),
  baseUrl: parts.publicUrl ?? ownUrl(request),
  remoteAddress: request.ip,
})

function mount(server: FastifyInstance, parts: EdgeParts, service: Service, mounted: Mounted): void {
  const { operation } = mounted
  const checkQuery = operation.query ? makeValidator(operation.query, 'query') : () => {}
  const checkBody = operation.body ? makeValidator(operation.body, 'body') : () => {}
  const checkReply = parts.checkReplies && operation.reply ? makeValidator(operation.reply, 'body') : () => {}
  const { dialect } = service

  const read = (request: FastifyRequest): RawInput => {
    const query = request.query as Record<string, unknown>
    service.checkQuery(query)
    refuseDryRun(operation, query)
    checkQuery(query)
    const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const sent = operation.body ? (operation.bodyType === 'form' ? readForm(bytes) : readJson(bytes)) : undefined
    // No body where one belongs is an empty one: what is missing in it is then refused by name.
    const body = sent === undefined && operation.body && !operation.bodyOptional ? {} : sent
    if (body !== undefined) checkBody(body)
    return { path: request.params as Record<string, string>, query, body, headers: flat(request) }
  }

  server.route({
    method: operation.method,
    url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    errorHandler: (error, request, response) => sendError(parts, dialect, error, request, response),
    handler: async (request, response) => {
      const anyone = anyoneOf(parts, dialect, request)
      response.headers(requestIdHeaders(dialect, anyone.requestId))
      const call = callOf(mounted, dialect, anyone, request)
      const answer = await service.watch(call, async () => {
        const asker = operation.action === null ? anyone : await whoAsks(parts, service, call, request)
        const result = await mounted.handle(asker, read(request))
        const answered = result instanceof Reply ? result : new Reply(result, {})
        if (answered.body !== undefined) checkReply(answered.body)
        return answered
      })
      parts.log.debug({ operation: mounted.name, requestId: anyone.requestId }, 'a request was answered')
      return send(response, answer, answer.status ?? operation.status)
    },
  })
}

/** Other unknown parameters are passed over; one that asks for nothing to be done is not. */
function refuseDryRun({ query: schema }: Operation, query: Readonly<Record<string, unknown>>): void {
  const isKnown = schema !== undefined && 'properties' in schema && Object.hasOwn(Object(schema.properties), 'dry_run')
  if (query['dry_run'] === undefined || isKnown) return
  throw new Fault('invalid', 'dry_run is not known to this operation, which would be done', {
    target: { type: 'parameter', name: 'dry_run' },
  })
}

/** What the client called us, if that can stand in a URL; else the address that it reached. */
function ownUrl(request: FastifyRequest): string {
  const { localAddress = 'localhost', localPort = 0 } = request.socket
  const address = localAddress.includes(':') ? `[${localAddress}]` : localAddress
  const host = /^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/.test(request.host ?? '')
    ? request.host
    : `${address}:${localPort}`
  return `${request.protocol}://${host}`
}

/** Tenants are known to IAM and have a caller; the operator is known to be the operator and nothing else. */
async function whoAsks(
  parts: EdgeParts,
  service: Service,
  call: Call,
  request: FastifyRequest,
): Promise<Anyone | Context> {
  const { anyone } = call
  const { authorization } = request.headers
  if (service.operator === null) {
    const caller = await authenticate(parts.iam, authorization, anyone.remoteAddress)
    call.caller = caller
    return { ...anyone, caller }
  }
  await authenticateOperator(service.operator, authorization, anyone.remoteAddress)
  return anyone
}

const callOf = ({ name, operation }: Mounted, dialect: Dialect, anyone: Anyone, request: FastifyRequest): Call => ({
  name,
  operation,
  anyone,
  url: request.url,
  path: request.params as Record<string, string>,
  headers: flat(request),
  caller: null,
  statusOf: (error) => statusOf(dialect, error),
})

function send(response: FastifyReply, answer: Reply<unknown>, status: number): FastifyReply {
  response.code(status).headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  response.headers(answer.headers)
  return answer.body === undefined ? response.send() : response.send(answer.body)
}

export function flat(request: FastifyRequest): Record<string, string | undefined> {
  const headers: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.at(-1) : value
  return headers
}

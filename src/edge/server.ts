// HTTP, once, for every service: limits, who asks, one handler, one way to answer. Nothing here knows what a volume is.

import { fastify } from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '#base/clock.ts'
import { Reply } from '#base/contract.ts'
import { httpBodyBytesMax, httpPathParameterLengthMax, httpRequestTimeoutMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Anyone, IamPort } from '#iam/port.ts'
import { authenticate } from './authenticate.ts'
import { sendError, sendUnknownRoute } from './failures.ts'
import { readForm, readJson } from './read-body.ts'
import { requestId, requestIdHeaders } from './request-id.ts'
import type { Mounted, RawInput, Service } from './service.ts'
import { makeValidator } from './validate.ts'

export interface EdgeParts {
  readonly services: readonly Service[]
  readonly iam: IamPort
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
  /** Under which clients reach us, when it is not what their Host header says: behind a proxy. */
  readonly publicUrl: string | null
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null
  /** Checks every reply against its contract and answers 500 where they differ: for tests. */
  readonly checkReplies: boolean
}

export function makeServer(parts: EdgeParts): FastifyInstance {
  const options = {
    logger: false,
    bodyLimit: httpBodyBytesMax,
    requestTimeout: httpRequestTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: httpPathParameterLengthMax, ignoreTrailingSlash: true },
  } as const
  // The two kinds of server differ in a type parameter that nothing below uses.
  const server = (parts.tls ? fastify({ ...options, https: { ...parts.tls } }) : fastify(options)) as FastifyInstance

  // Bodies stay bytes until the operation says how to read them.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes))

  for (const service of parts.services) {
    for (const mounted of service.operations) mount(server, parts, service, mounted)
  }
  server.setNotFoundHandler((request, response) => sendUnknownRoute(parts, request, response))
  return server
}

function mount(server: FastifyInstance, parts: EdgeParts, service: Service, mounted: Mounted): void {
  const { operation } = mounted
  const checkQuery = operation.query ? makeValidator(operation.query, 'query') : () => {}
  const checkBody = operation.body ? makeValidator(operation.body, 'body') : () => {}
  const checkReply = parts.checkReplies && operation.reply ? makeValidator(operation.reply, 'body') : () => {}
  const { dialect } = service

  const read = (request: FastifyRequest): RawInput => {
    const query = request.query as Record<string, unknown>
    service.checkQuery(query)
    checkQuery(query)
    const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const body = operation.body ? (operation.bodyType === 'form' ? readForm(bytes) : readJson(bytes)) : undefined
    if (operation.body && !(body === undefined && operation.bodyOptional)) checkBody(body === undefined ? {} : body)
    return { path: request.params as Record<string, string>, query, body, headers: flat(request) }
  }

  server.route({
    method: operation.method,
    url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    errorHandler: (error, request, response) => sendError(parts, dialect, error, request, response),
    handler: async (request, response) => {
      const anyone: Anyone = {
        requestId: requestId(request, dialect, parts.random),
        baseUrl: parts.publicUrl ?? `${request.protocol}://${request.host}`,
        remoteAddress: request.ip,
      }
      response.headers(requestIdHeaders(dialect, anyone.requestId))
      const known =
        operation.action === null
          ? anyone
          : { ...anyone, caller: await authenticate(parts.iam, request.headers.authorization) }
      const result = await mounted.handle(known, read(request))
      const answer = result instanceof Reply ? result : new Reply(result, {})
      if (answer.body !== undefined) checkReply(answer.body)
      return send(response, answer, answer.status ?? operation.status)
    },
  })
}

function send(response: FastifyReply, answer: Reply<unknown>, status: number): FastifyReply {
  response.code(status).headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  response.headers(answer.headers)
  return answer.body === undefined ? response.send() : response.send(answer.body)
}

function flat(request: FastifyRequest): Record<string, string | undefined> {
  const headers: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.at(-1) : value
  return headers
}

// HTTP for object storage: as server.ts, but a path is `/`, `/bucket` or `/bucket/any/name at all`, taken apart before
// anything is decoded, and a body goes through as it comes. It has a port of its own, since a bucket may be called like
// the first part of any other API's path (docs/decisions/0016-object-storage.md).

import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { StreamBody } from '#base/contract.ts'
import { Reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { objectIdleMs, objectPathLengthMax, xmlBodyBytesMax } from '#base/limits-cos.ts'
import { parseXml, printXml } from '#base/xml.ts'
import type { Context, IamPort } from '#iam/port.ts'
import { authenticate } from './authenticate.ts'
import { sendError, statusOf } from './failures.ts'
import { requestIdHeaders } from './request-id.ts'
import { anyoneOf, flat, makeHttp } from './server.ts'
import type { HttpParts } from './server.ts'
import type { Call, Mounted } from './service.ts'
import { operationFor } from './stream-service.ts'
import type { Arrived, Asked, StreamService } from './stream-service.ts'
import { makeValidator } from './validate.ts'

export function makeStreamServer(
  parts: HttpParts & { readonly service: StreamService; readonly iam: IamPort },
): FastifyInstance {
  const { service } = parts
  const { dialect } = service
  const fail = (error: unknown, request: FastifyRequest, response: FastifyReply): void => {
    // What has not been read of the body would stand before the next request on this connection.
    request.raw.resume()
    sendError(parts, dialect, error, request, response)
  }
  const server = makeHttp(parts, {
    // Each operation says how much it takes.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    requestTimeout: 0,
    connectionTimeout: objectIdleMs,
    routerOptions: { maxParamLength: objectPathLengthMax, ignoreTrailingSlash: false },
    frameworkErrors: (_error, request, response) => fail(badTarget(), request, response),
  })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined))
  const readers = new Map(service.operations.map((mounted) => [mounted, readerOf(mounted)]))
  const checkers = new Map(
    service.operations.map((mounted) => [mounted, parts.checkReplies ? checkerOf(mounted) : null]),
  )

  server.route({
    method: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
    url: '/*',
    errorHandler: fail,
    handler: async (request, response) => {
      const anyone = anyoneOf(parts, dialect, request)
      response.headers(requestIdHeaders(dialect, anyone.requestId))
      const arrived = arrivedOf(request)
      const path = segmentsOf(arrived.path)
      const callOf = ({ name, operation }: Mounted, path: Call['path']): Call => ({
        name,
        operation,
        anyone,
        url: request.raw.url ?? '',
        path,
        headers: arrived.headers,
        caller: null,
        statusOf: (error) => statusOf(dialect, error),
      })
      const bearer = () => authenticate(parts.iam, arrived.headers['authorization'], arrived.remoteAddress)
      const query: Readonly<Record<string, string>> = Object.fromEntries(new URLSearchParams(arrived.search))
      const asked: Asked = { path, query, headers: arrived.headers }
      const mounted = builtOperation(service, arrived.method, asked)
      if (!mounted) {
        await service.identify(arrived, bearer)
        service.refuse(asked)
        throw noSuchOperation(arrived)
      }
      const [bucket = '', key = ''] = path
      const call = callOf(mounted, { bucket, key })
      const answer = await service.watch(call, async () => {
        const { caller, headers, body } = await service.identify(arrived, bearer)
        Object.assign(call, { caller, headers })
        const context: Context = { ...anyone, caller }
        const input = { path: call.path, query, headers, body: await readers.get(mounted)?.(query, body) }
        const result = await mounted.handle(context, input)
        const answered = result instanceof Reply ? result : new Reply(result, {})
        if (answered.body !== undefined) checkers.get(mounted)?.(answered.body)
        return answered
      })
      parts.log.debug({ operation: mounted.name, requestId: anyone.requestId }, 'a request was answered')
      request.raw.resume()
      return send(response, answer, mounted)
    },
  })
  server.setNotFoundHandler((request, response) => fail(noSuchOperation({ method: request.method }), request, response))
  return server
}

const badTarget = (): Fault => new Fault('invalid', 'the request target is malformed', { reason: 'InvalidURI' })

const noSuchOperation = ({ method }: Pick<Arrived, 'method'>): Fault =>
  new Fault('not_implemented', `${method} is not an operation on this resource`, { reason: 'MethodNotAllowed' })

/** Null for what is no operation, and for what would be one if what is asked for were built. */
function builtOperation(service: StreamService, method: string, asked: Asked): Mounted | null {
  try {
    service.refuse(asked)
  } catch (error) {
    if (error instanceof Fault) return null
    throw error
  }
  return operationFor(service.operations, method, asked)
}

function arrivedOf(request: FastifyRequest): Arrived {
  const target = request.raw.url ?? ''
  if (!target.startsWith('/')) throw badTarget()
  const mark = target.indexOf('?')
  return {
    method: request.method,
    path: mark === -1 ? target : target.slice(0, mark),
    search: mark === -1 ? '' : target.slice(mark + 1),
    headers: flat(request),
    body: bytesOf(request),
    remoteAddress: request.ip,
  }
}

async function* bytesOf({ raw }: FastifyRequest): AsyncGenerator<Uint8Array> {
  try {
    // Reading that ends early must not end the connection: the client is still to be told why.
    yield* raw.iterator({ destroyOnReturn: false })
  } catch (cause) {
    throw new Fault('invalid', 'the connection ended before the body did', { reason: 'IncompleteBody', cause })
  }
}

/** No segments, a bucket, or a bucket and all the rest, whatever it looks like: names are not folders. */
function segmentsOf(path: string): readonly string[] {
  const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? []
  if (bucket === '' && key !== '') throw badTarget()
  try {
    return [bucket, key].filter((part) => part !== '').map((part) => decodeURIComponent(part))
  } catch {
    throw badTarget()
  }
}

function readerOf({ operation }: Mounted): (query: unknown, body: StreamBody) => Promise<unknown> {
  const checkQuery = operation.query ? makeValidator(operation.query, 'query') : () => {}
  const checkBody = operation.body ? makeValidator(operation.body, 'body') : () => {}
  const arrays = new Set(operation.body ? arraysOf(operation.body) : [])
  return async (query, body) => {
    checkQuery(query)
    if (operation.bodyType === 'stream') return body
    const text = await readText(body)
    if (!operation.body || (text === '' && operation.bodyOptional)) return undefined
    const document = parseXml(text, arrays)
    try {
      checkBody(document)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      throw new Fault('invalid', error.message, { reason: 'MalformedXML', cause: error })
    }
    return document
  }
}

/** The names of elements that the schema has as arrays. */
function arraysOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null || !('properties' in schema)) return []
  return Object.entries(schema.properties ?? {}).flatMap(([name, part]: [string, unknown]) => {
    const isArray = typeof part === 'object' && part !== null && 'items' in part
    return isArray ? [name, ...arraysOf(part.items)] : arraysOf(part)
  })
}

/** Also of operations without a body, so that a signature over one is checked, and nothing is left in the pipe. */
async function readText(body: StreamBody): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > xmlBodyBytesMax) throw new Fault('too_large', 'body is larger than this operation reads')
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw new Fault('invalid', 'body is not UTF-8', { reason: 'MalformedXML', cause })
  }
}

const checkerOf = ({ operation }: Mounted): ((body: unknown) => void) | null =>
  operation.reply && operation.replyType === 'xml' ? makeValidator(operation.reply, 'body') : null

function send(response: FastifyReply, answer: Reply<unknown>, { operation }: Mounted): FastifyReply {
  response.code(answer.status ?? operation.status).headers({ 'x-content-type-options': 'nosniff', ...answer.headers })
  if (answer.body === undefined) return response.send()
  if (answer.body instanceof Readable) return response.send(answer.body)
  return response.type('application/xml').send(printXml(answer.body as Record<string, unknown>))
}

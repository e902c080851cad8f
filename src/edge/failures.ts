// What a client reads when a request does not succeed, and what the operator reads: the whole chain of causes.

import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '#base/clock.ts'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import { brokenBody, errorBody } from './error-bodies.ts'
import type { Dialect } from './error-bodies.ts'
import { explanationHeader } from './explanation-header.ts'
import { requestId, requestIdHeaders } from './request-id.ts'

interface Parts {
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
}

export function sendError(
  parts: Parts,
  dialect: Dialect,
  error: unknown,
  request: FastifyRequest,
  response: FastifyReply,
): void {
  const fault = asFault(error)
  const id = requestId(request, dialect, parts.random)
  const hasNoToken = !request.headers.authorization
  const failed = { requestId: id, url: pathOf(request), at: rfc3339(parts.clock.now()), hasNoToken }
  const facts = { err: error, requestId: id, method: request.method, path: failed.url }
  if (fault === null) parts.log.error(facts, 'a request met a bug of ours')
  else if (fault.code === 'unavailable') parts.log.warn(facts, 'a request could not be served')
  else parts.log.debug(facts, 'a request was refused')

  const { status, body } = fault
    ? errorBody(dialect, fault, failed)
    : brokenBody(dialect, new Fault('unavailable', 'internal error: the request id finds it in the log'), failed)
  if (fault?.code === 'over_limit') response.header('retry-after', String(fault.retryAfterSeconds ?? 1))
  if (fault?.explanation) response.headers(explanationHeader(fault.explanation))
  if (typeof body === 'string') response.type('application/xml')
  response.code(status).headers(requestIdHeaders(dialect, id)).header('cache-control', 'no-store').send(body)
}

/** The status that `sendError` would answer with. */
export function statusOf(dialect: Dialect, error: unknown): number {
  const fault = asFault(error)
  return fault ? errorBody(dialect, fault, { requestId: '', url: '', at: '' }).status : 500
}

export function sendUnknownRoute(parts: Parts, request: FastifyRequest, response: FastifyReply): void {
  const path = pathOf(request)
  const dialect = dialectOf(path)
  const reason = dialect === 'vpc' ? { reason: 'invalid_route' } : {}
  sendError(
    parts,
    dialect,
    new Fault('not_found', `no operation ${request.method} ${path.slice(0, 100)}`, reason),
    request,
    response,
  )
}

/** A target that is no path of ours to begin with: broken percent encoding, an endless parameter. */
export function sendMalformed(parts: Parts, request: FastifyRequest, response: FastifyReply): void {
  const dialect = dialectOf(pathOf(request))
  sendError(parts, dialect, new Fault('invalid', 'the request target is malformed'), request, response)
}

/** What is not HTTP has no path and no dialect; the answer is the VPC API's, and the connection ends. */
export function refuseBrokenHttp(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const message = slow ? 'the request did not arrive in time' : 'the request is not HTTP as this server reads it'
  const body = JSON.stringify({ errors: [{ code: 'bad_request', message }] })
  const head = [
    slow ? 'HTTP/1.1 408 Request Timeout' : 'HTTP/1.1 400 Bad Request',
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Paths of unbuilt or misspelt operations belong to nobody; their beginnings tell whose dialect the client speaks. */
function dialectOf(path: string): Dialect {
  if (path.startsWith('/api/v2')) return 'kms'
  if (/^\/(identity|oidc|v1\/(accounts|apikeys|serviceids|profiles)|keyward\/v1\/operator)\b/.test(path))
    return 'identity'
  if (/^\/(v[12]\/(policies|roles|groups)|keyward\/v1\/explain)\b/.test(path)) return 'policy'
  if (/^\/(v2|v3|api\/v1)\b/.test(path)) return 'resources'
  return 'vpc'
}

/** Without its query, which may hold what does not belong in a log. */
const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? ''

/** The HTTP library's own refusals are faults of the client's; anything else unknown is ours, and null. */
function asFault(error: unknown): Fault | null {
  if (error instanceof Fault) return error
  if (!(error instanceof Error) || !('statusCode' in error)) return null
  if (error.statusCode === 413)
    return new Fault('too_large', 'body is larger than this service reads', { cause: error })
  if (typeof error.statusCode !== 'number' || error.statusCode < 400 || error.statusCode >= 500) return null
  return new Fault('invalid', 'the request is malformed', { cause: error })
}

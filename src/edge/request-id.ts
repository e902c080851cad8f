// One id per request, under the header name of the service that was asked. The client's own is echoed when it is sane.

import type { FastifyRequest } from 'fastify'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Dialect } from './error-bodies.ts'

const headerOf = {
  identity: 'transaction-id',
  policy: 'transaction-id',
  resources: 'transaction-id',
  kms: 'correlation-id',
  vpc: 'x-request-id',
  cos: 'x-amz-request-id',
} as const satisfies Record<Dialect, string>

const sane = /^[\w.:-]{1,128}$/

export function requestId(request: FastifyRequest, dialect: Dialect, random: Random): string {
  const sent = request.headers[headerOf[dialect]]
  return typeof sent === 'string' && sane.test(sent) ? sent : makeUuid(random)
}

export const requestIdHeaders = (dialect: Dialect, id: string): Record<string, string> => ({ [headerOf[dialect]]: id })

// The operations of a committed OpenAPI file, as suites walk through them: whoever adds one is asked by every such suite
// what becomes of it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openapiFolder } from '../../scripts/openapi.ts'
import type { Json } from './api.ts'

export interface Operation {
  readonly name: string
  readonly method: string
  readonly path: string
  /** Names of the query parameters, and their schemas. */
  readonly query: ReadonlyMap<string, Json>
  /** Null where it takes no body. */
  readonly body: Json | null
  readonly status: number
  /** Null where it answers none. */
  readonly reply: Json | null
}

export function operationsOf(file: string): readonly Operation[] {
  const { paths }: Json = JSON.parse(readFileSync(join(openapiFolder, file), 'utf8'))
  return Object.entries<Json>(paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]): Operation => {
      const status = Object.keys(operation.responses).find((code) => code.startsWith('2')) ?? ''
      const parameters: Json[] = operation.parameters ?? []
      const query = parameters.filter((parameter) => parameter.in === 'query')
      return {
        name: operation.operationId,
        method: method.toUpperCase(),
        path,
        query: new Map(query.map(({ name, schema }) => [name, schema])),
        body: operation.requestBody?.content['application/json'].schema ?? null,
        status: Number(status),
        reply: operation.responses[status]?.content?.['application/json'].schema ?? null,
      }
    }),
  )
}

/** The path with a value for every parameter. */
export const filled = (path: string, value: (name: string) => string): string =>
  path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(value(name)))

/** The member of a page under which its items lie; null for what is no page. */
export function pageKey({ method, reply }: Operation): string | null {
  if (method !== 'GET' || reply?.properties?.total_count === undefined) return null
  return Object.keys(reply.properties).find((key) => reply.properties[key].type === 'array') ?? null
}

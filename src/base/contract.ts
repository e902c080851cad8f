// The wire as data. Each service writes its operations down once, in its contract.ts; the router, the OpenAPI files, the
// CLI and the coverage tests read them from there. A route without a handler, or a handler without a route, does not compile.

import type { Readable } from 'node:stream'
import type { Static, TSchema } from 'typebox'

export interface Operation {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With parameters in braces: `/v1/volumes/{id}`. */
  readonly path: string
  readonly summary: string
  /** The IAM action that the noun asks for, or null where nobody has to be known (tokens, signing keys). */
  readonly action: string | null
  readonly query?: TSchema
  /**
   * What a request has beside method and path, where several operations share those: query parameters that are there,
   * and a header. The first operation of the contract that fits is meant.
   */
  readonly when?: { readonly query?: readonly string[]; readonly header?: string }
  /**
   * Schema of the body. `form` bodies are URL-encoded, `stream` ones are bytes as they arrive (and have no schema);
   * everything else is JSON whatever its content type says.
   */
  readonly body?: TSchema
  readonly bodyType?: 'json' | 'form' | 'xml' | 'stream'
  /** True when clients may leave the body out; it is then `undefined`. */
  readonly bodyOptional?: boolean
  /** Status of success, and the shape of its body; no shape means no body. */
  readonly status: number
  readonly reply?: TSchema
  /** The handler of `text` says in the header which kind it is. */
  readonly replyType?: 'json' | 'xml' | 'text' | 'stream' | 'event-stream'
}

/** A body as it arrives. Whoever reads it to the end knows that it is what the client meant: else reading throws. */
export interface StreamBody extends AsyncIterable<Uint8Array> {
  /** How many bytes the client has announced; null where it has not. */
  readonly announcedBytes: number | null
  /** The checksum that the client has proven it by; known when it has been read. */
  checksum(): { readonly algorithm: string; readonly value: string } | null
}

export type Contract = Readonly<Record<string, Operation>>

type PathParameters<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParameters<Rest>
  : never

type Shape<Schema> = Schema extends TSchema ? Static<Schema> : undefined

export interface Input<O extends Operation> {
  readonly path: { readonly [Name in PathParameters<O['path']>]: string }
  readonly query: Shape<O['query']>
  readonly body: O['bodyType'] extends 'stream'
    ? StreamBody
    : O['bodyOptional'] extends true
      ? Shape<O['body']> | undefined
      : Shape<O['body']>
  /** Lower-case names; the last value where a header was repeated. */
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** What a handler gives back: the body of the contract's success status, or `reply()` around it for headers. */
export class Reply<Body> {
  readonly body: Body
  readonly headers: Readonly<Record<string, string>>
  readonly status: number | undefined
  constructor(body: Body, headers: Readonly<Record<string, string>>, status?: number) {
    this.body = body
    this.headers = headers
    this.status = status
  }
}

export const reply = <Body>(body: Body, headers: Readonly<Record<string, string>>, status?: number): Reply<Body> =>
  new Reply(body, headers, status)

type Answer<O extends Operation> = O['replyType'] extends 'event-stream'
  ? Readable
  : O['replyType'] extends 'stream'
    ? AsyncIterable<Uint8Array> | undefined
    : O['reply'] extends TSchema
      ? Static<O['reply']>
      : void

/**
 * One handler per operation, one line each. Operations with an action receive `Known` (the caller is known), the others
 * `Anyone`; both are of iam/port.ts.
 */
export type Routes<C extends Contract, Known, Anyone> = {
  readonly [Name in keyof C]: (
    context: C[Name]['action'] extends null ? Anyone : Known,
    input: Input<C[Name]>,
  ) => Promise<Answer<C[Name]> | Reply<Answer<C[Name]>>>
}

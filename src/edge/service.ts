// What a service hands to the edge: its operations with their handlers, and the dialect of its error bodies.

import type { Contract, Operation, Reply, Routes } from '#base/contract.ts'
import type { Anyone, Caller, Context, OperatorPort } from '#iam/port.ts'
import type { Dialect } from './error-bodies.ts'

/** What the edge has read of a request: valid against the operation's schemas when the handler gets it. */
export interface RawInput {
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  readonly body: unknown
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** A call as whoever keeps records of calls sees it, from before it is known who asks. */
export interface Call {
  readonly name: string
  readonly operation: Operation
  readonly anyone: Anyone
  /** Path and query, as the client sent them. */
  readonly url: string
  readonly path: Readonly<Record<string, string>>
  /** Once it is known who asks, perhaps with what follows from the credential. */
  headers: Readonly<Record<string, string | undefined>>
  /** Null until the bearer is known, and for good where it is not. */
  caller: Caller | null
  /** The status that a failure will be answered with. */
  statusOf(error: unknown): number
}

/** Serves the call, and gives its answer on. */
export type Watch = (call: Call, serve: () => Promise<Reply<unknown>>) => Promise<Reply<unknown>>

export interface Mounted {
  readonly name: string
  readonly operation: Operation
  handle(context: Anyone, input: RawInput): Promise<unknown>
}

export interface Service {
  readonly dialect: Dialect
  /** A check of the query that every operation of the service shares, such as VPC's version and generation. */
  readonly checkQuery: (query: Readonly<Record<string, unknown>>) => void
  /** Who knows the operator, for services that are the operator's; null for those of tenants. */
  readonly operator: OperatorPort | null
  readonly operations: readonly Mounted[]
  readonly watch: Watch
}

export function makeService<C extends Contract>(parts: {
  readonly dialect: Dialect
  readonly contract: C
  readonly routes: Routes<C, Context, Anyone>
  readonly checkQuery?: (query: Readonly<Record<string, unknown>>) => void
  readonly operator?: OperatorPort
  readonly watch?: Watch
}): Service {
  const operations = Object.entries(parts.contract).map(([name, operation]): Mounted => {
    // The contract's types end here and its schemas take over: the edge validates before it calls, and gives a handler
    // a Context wherever the operation has an action.
    const handle = parts.routes[name] as unknown as Mounted['handle']
    return { name, operation, handle: (context, input) => handle(context, input) }
  })
  return {
    dialect: parts.dialect,
    operations,
    checkQuery: parts.checkQuery ?? (() => {}),
    operator: parts.operator ?? null,
    watch: parts.watch ?? unwatched,
  }
}

const unwatched: Watch = (_call, serve) => serve()

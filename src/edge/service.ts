// What a service hands to the edge: its operations with their handlers, and the dialect of its error bodies.

import type { Contract, Operation, Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import type { Dialect } from './error-bodies.ts'

/** What the edge has read of a request: valid against the operation's schemas when the handler gets it. */
export interface RawInput {
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  readonly body: unknown
  readonly headers: Readonly<Record<string, string | undefined>>
}

export interface Mounted {
  readonly name: string
  readonly operation: Operation
  handle(context: Anyone, input: RawInput): Promise<unknown>
}

export interface Service {
  readonly dialect: Dialect
  /** A check of the query that every operation of the service shares, such as VPC's version and generation. */
  readonly checkQuery: (query: Readonly<Record<string, unknown>>) => void
  readonly operations: readonly Mounted[]
}

export function makeService<C extends Contract>(parts: {
  readonly dialect: Dialect
  readonly contract: C
  readonly routes: Routes<C, Context, Anyone>
  readonly checkQuery?: (query: Readonly<Record<string, unknown>>) => void
}): Service {
  const operations = Object.entries(parts.contract).map(([name, operation]): Mounted => {
    // The contract's types end here and its schemas take over: the edge validates before it calls, and gives a handler
    // a Context wherever the operation has an action.
    const handle = parts.routes[name] as unknown as Mounted['handle']
    return { name, operation, handle: (context, input) => handle(context, input) }
  })
  return { dialect: parts.dialect, operations, checkQuery: parts.checkQuery ?? (() => {}) }
}

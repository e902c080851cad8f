// What a service hands to the edge whose bodies are streams: object storage. It knows callers by more than a bearer, and
// several of its operations share a method and a path.

import type { Contract, Routes, StreamBody } from '#base/contract.ts'
import type { Anyone, Caller, Context } from '#iam/port.ts'
import type { Dialect } from './error-bodies.ts'
import type { Mounted, RawInput, Watch } from './service.ts'

/** A request as it arrived: nothing decoded, nothing believed. */
export interface Arrived {
  readonly method: string
  /** Percent-encoded, as it was sent; what was signed is this. */
  readonly path: string
  /** Without its question mark. */
  readonly search: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: AsyncIterable<Uint8Array>
  readonly remoteAddress: string
}

/** A request of somebody who is known. */
export interface Identified {
  readonly caller: Caller
  /** The headers as handlers see them: perhaps with what follows from the credential. */
  readonly headers: Arrived['headers']
  readonly body: StreamBody
}

export interface StreamService {
  readonly dialect: Dialect
  readonly operations: readonly Mounted[]
  /** `bearer` knows the caller by the Authorization header, where the service finds nothing of its own there. */
  identify(arrived: Arrived, bearer: () => Promise<Caller>): Promise<Identified>
  /** Refuses what is not built, by name; after it is known who asks. */
  refuse(request: Asked): void
  /** Of what is built; the rest is no operation. */
  readonly watch: Watch
}

export type Asked = Pick<RawInput, 'query' | 'headers'> & { readonly path: readonly string[] }

export const makeStreamService = <C extends Contract>(parts: {
  readonly dialect: Dialect
  readonly contract: C
  readonly routes: Routes<C, Context, Anyone>
  readonly identify: StreamService['identify']
  readonly refuse: StreamService['refuse']
  readonly watch: Watch
}): StreamService => ({
  ...parts,
  operations: Object.entries(parts.contract).map(([name, operation]): Mounted => {
    // The contract's types end here and its schemas take over, as in service.ts.
    const handle = parts.routes[name] as unknown as Mounted['handle']
    return { name, operation, handle: (context, input) => handle(context, input) }
  }),
})

/** The operation that the request means, or null: the first that fits. */
export function operationFor(
  operations: readonly Mounted[],
  method: string,
  { path, query, headers }: Asked,
): Mounted | null {
  const fits = ({ operation }: Mounted): boolean =>
    operation.method === method &&
    operation.path.split('/').filter((part) => part !== '').length === path.length &&
    (operation.when?.query ?? []).every((name) => name in query) &&
    (operation.when?.header === undefined || headers[operation.when.header] !== undefined)
  return operations.find(fits) ?? null
}

// Every call to object storage, with its record; a copy has one for each of its two objects.

import type { Reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { failed } from '#events/audit-call.ts'
import type { Audit, Draft } from '#events/audit.ts'
import type { Database } from '#store/database.ts'
import type { Access } from './access.ts'
import { draftOf, responseDataOf } from './audit.ts'
import type { AuditedCall } from './audit.ts'
import type { ObjectAddress } from './object.ts'
import { sourceOf } from './requests.ts'

type Answer = Pick<Reply<unknown>, 'body' | 'status'>
export type StorageWatch = <A extends Answer>(call: AuditedCall, serve: () => Promise<A>) => Promise<A>

export function makeWatch(parts: {
  readonly audit: Audit
  readonly database: Database
  readonly instance: Access['instance']
}): StorageWatch {
  const { audit, database, instance } = parts

  async function watch<A extends Answer>(
    call: AuditedCall,
    serve: () => Promise<A>,
    source?: ObjectAddress,
  ): Promise<A> {
    const draft: Draft = await draftOf(database.reads, instance, call, source)
    return await audit.watch({
      draft: () => draft,
      serve,
      endOf: ({ body, status }) => ({
        status: status ?? draft.status,
        responseData: responseDataOf(call, draft, body),
      }),
      failureOf: (error) => failed(call.statusOf(error), error),
    })
  }

  return async (call, serve) => {
    const source = sourceNamed(call)
    return source ? await watch(call, () => watch(call, serve), source) : await watch(call, serve)
  }
}

/** Null where nothing is copied, and where the header cannot be read: then there is nothing to name. */
function sourceNamed({ name, headers }: AuditedCall): ObjectAddress | null {
  if (name !== 'copyObject' && name !== 'uploadPartCopy') return null
  try {
    return sourceOf(headers).address
  } catch (error) {
    if (error instanceof Fault) return null
    throw error
  }
}

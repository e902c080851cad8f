// Reading the audit trail of one account, for whoever that account's policies let read it.

import type { Static } from 'typebox'
import { auditPageDefault } from '#base/limits-audit.ts'
import type { Audit } from '#events/audit.ts'
import { selectAudit } from '#events/tables-audit.ts'
import type { AuditFilter, StoredRecord } from '#events/tables-audit.ts'
import type { Context, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import type { auditContract } from './contract.ts'

type Query = Static<(typeof auditContract)['listAuditRecords']['query']>
type Page = Static<(typeof auditContract)['listAuditRecords']['reply']>

export interface Trail {
  list(context: Context, query: Query): Promise<Page>
}

export function makeTrail(parts: { readonly database: Database; readonly iam: IamPort; readonly audit: Audit }): Trail {
  const { database, iam, audit } = parts
  return {
    async list(context, query) {
      const accountId = query.account_id
      await iam.authorize(context.caller, 'keyward.audit.read', { accountId, serviceName: 'keyward' })
      // Whoever has seen an answer finds its record here.
      await audit.flush()
      const limit = query.limit ?? auditPageDefault
      const rows = await selectAudit(database.reads, accountId, filterOf(query), {
        order: query.order === 'oldest' ? 'asc' : 'desc',
        after: query.start === undefined ? null : Number(query.start),
        limit: limit + 1,
      })
      const page = rows.slice(0, limit)
      const last = rows.length > limit ? page.at(-1) : undefined
      return { limit, ...(last && { next: nextPage(context, query, last) }), records: page.map(view) }
    },
  }
}

const view = ({ id, body }: StoredRecord): Page['records'][number] => ({
  id,
  ...body,
  requestData: { ...body.requestData },
  responseData: { ...body.responseData },
})

function nextPage({ baseUrl }: Context, query: Query, { seq }: StoredRecord): { start: string; href: string } {
  const parameters = Object.entries({ ...query, start: String(seq) }).map(([name, value]) => [name, String(value)])
  return { start: String(seq), href: `${baseUrl}/keyward/v1/audit?${new URLSearchParams(parameters).toString()}` }
}

const filterOf = (query: Query): AuditFilter => ({
  ...(query.action !== undefined && { action: query.action }),
  ...(query.outcome !== undefined && { outcome: query.outcome }),
  ...(query.severity !== undefined && { severity: query.severity }),
  ...(query.initiator_id !== undefined && { initiatorId: query.initiator_id }),
  ...(query.target_id !== undefined && { targetId: query.target_id }),
  ...(query.correlation_id !== undefined && { correlationId: query.correlation_id }),
  ...(query.from !== undefined && { from: Date.parse(query.from) }),
  ...(query.to !== undefined && { to: Date.parse(query.to) }),
})

import type { Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import type { auditContract } from './contract.ts'
import type { Trail } from './trail.ts'

export const auditRoutes = (trail: Trail): Routes<typeof auditContract, Context, Anyone> => ({
  listAuditRecords: (context, { query }) => trail.list(context, query),
})

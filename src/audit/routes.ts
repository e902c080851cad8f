import type { Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import type { auditLogContract } from './contract-log.ts'
import type { auditContract } from './contract.ts'
import type { Proofs } from './proofs.ts'
import type { Trail } from './trail.ts'

export const auditRoutes = (trail: Trail): Routes<typeof auditContract, Context, Anyone> => ({
  listAuditRecords: (context, { query }) => trail.list(context, query),
})

export const auditLogRoutes = (proofs: Proofs): Routes<typeof auditLogContract, Context, Anyone> => ({
  getAuditCheckpoint: (context, { path }) => proofs.checkpoint(context, path.account_id),
  getAuditRecordProof: (context, { path }) => proofs.record(context, path.account_id, path.id),
  getAuditConsistency: (context, { path, query }) =>
    proofs.consistency(context, path.account_id, Number(query.old_size)),
  listAuditEntries: (context, { path, query: { start, limit } }) =>
    proofs.entries(context, path.account_id, {
      ...(start !== undefined && { start: Number(start) }),
      ...(limit !== undefined && { limit }),
    }),
})

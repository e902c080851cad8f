// The tamper-evident audit log on the wire: Keyward's own.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { auditPageMax } from '#base/limits-audit.ts'

const action = 'keyward.audit.read'
const place = '/keyward/v1/accounts/{account_id}/audit_log'
const count = Type.String({ pattern: '^(0|[1-9][0-9]{0,14})$' })
const checkpoint = {
  size: Type.Integer(),
  /** A signed note: c2sp.org/tlog-checkpoint. */
  checkpoint: Type.String(),
  /** Name, id and key of whoever signs: c2sp.org/signed-note. */
  verifier: Type.String(),
}

export const auditLogContract = {
  getAuditCheckpoint: {
    method: 'GET',
    path: `${place}/checkpoint`,
    summary: "The signed head of an account's audit log",
    action,
    status: 200,
    reply: Type.Object(checkpoint),
  },
  getAuditRecordProof: {
    method: 'GET',
    path: `${place}/records/{id}`,
    summary: 'One audit record with the proof that the log holds it',
    action,
    status: 200,
    reply: Type.Object({
      type: Type.Literal('keyward-audit-proof'),
      /** The bytes that are hashed. */
      entry: Type.String(),
      /** c2sp.org/tlog-proof. */
      proof: Type.String(),
      verifier: Type.String(),
    }),
  },
  getAuditConsistency: {
    method: 'GET',
    path: `${place}/consistency`,
    summary: 'The proof that the log of now begins with that of then',
    action,
    query: Type.Object({ old_size: count }),
    status: 200,
    reply: Type.Object({ ...checkpoint, old_size: Type.Integer(), hashes: Type.Array(Type.String()) }),
  },
  listAuditEntries: {
    method: 'GET',
    path: `${place}/entries`,
    summary: 'The entries of the log, in its order, as they are hashed',
    action,
    query: Type.Object({
      start: Type.Optional(count),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: auditPageMax })),
    }),
    status: 200,
    reply: Type.Object({
      start: Type.Integer(),
      size: Type.Integer(),
      entries: Type.Array(Type.String()),
      next: Type.Optional(Type.Integer()),
    }),
  },
} as const satisfies Contract

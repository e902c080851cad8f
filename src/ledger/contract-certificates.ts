// Destroy certificates on the wire. Each answer is a file that `keyward verify` checks with no server.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { ofAccount } from './schemas.ts'

const action = 'keyward.destroy-certificates.read'

/** The record of it in the account's audit log: docs/formats.md, "Audit log". */
const record = { entry: Type.String(), proof: Type.String(), verifier: Type.String() } as const

export const certificateContract = {
  getDestroyCertificate: {
    method: 'GET',
    path: '/keyward/v1/keys/{id}/destroy_certificate',
    summary: "Read what is left of an account's purged key: a signed statement of what was destroyed",
    action,
    query: Type.Object(ofAccount),
    status: 200,
    reply: Type.Object({
      type: Type.Literal('keyward-destroy-certificate'),
      /** A signed note: docs/formats.md, "Destroy certificate". */
      statement: Type.String(),
      persons: Type.String(),
      ...record,
    }),
  },
  getDestroyedDataKeys: {
    method: 'GET',
    path: '/keyward/v1/destroyed_data_keys',
    summary: "Prove that the wrapped data keys of an account's resource died with a key that was purged",
    action,
    query: Type.Object({
      ...ofAccount,
      resource_crn: Type.String({ minLength: 1, maxLength: 1024 }),
      key_crn: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    }),
    status: 200,
    reply: Type.Object({
      type: Type.Literal('keyward-destroy-certificate-part'),
      statement: Type.String(),
      data_keys: Type.Array(
        Type.Object({ leaf: Type.String(), index: Type.Integer(), hashes: Type.Array(Type.String()) }),
      ),
      ...record,
    }),
  },
} as const satisfies Contract

// The wire of re-encryption, as data. Ours: IBM's volumes keep the key that they were made with.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { reencryptionMibPerSecondMax } from '#base/limits.ts'
import { closed, text, when } from './schemas.ts'

const limit = Type.Union([Type.Integer({ minimum: 1, maximum: reencryptionMibPerSecondMax }), Type.Null()])

export const reencryptionPrototype = Type.Object(
  {
    /** Absent: a new data key under the same root key. */
    encryption_key: Type.Optional(Type.Object({ crn: text }, closed)),
    /** Null or absent: as fast as it goes. */
    limit_mib_per_second: Type.Optional(limit),
  },
  closed,
)

export const reencryptionPatch = Type.Object({ limit_mib_per_second: limit }, closed)

const key = Type.Union([Type.Object({ crn: Type.String() }), Type.Null()])

const reencryptionReply = Type.Object({
  volume: Type.Object({ id: Type.String(), crn: Type.String() }),
  status: Type.Enum(['running', 'waiting', 'done']),
  /** Of volumes whose key is the provider's, null. */
  encryption_key: key,
  previous_encryption_key: key,
  limit_mib_per_second: Type.Union([Type.Integer(), Type.Null()]),
  /** Null where the disk does not say. */
  bytes_done: Type.Union([Type.Integer(), Type.Null()]),
  bytes_total: Type.Integer(),
  created_at: when,
  completed_at: Type.Optional(when),
})

const path = '/keyward/v1/volumes/{id}/reencryption'

export const reencryptionContract = {
  createReencryption: {
    method: 'POST',
    path: '/keyward/v1/volumes/{id}/reencrypt',
    summary: 'Encrypt a volume anew, under another data key, while it serves',
    action: 'is.volume.volume.update',
    body: reencryptionPrototype,
    status: 202,
    reply: reencryptionReply,
  },
  getReencryption: {
    method: 'GET',
    path,
    summary: 'Tell how far the re-encryption of a volume has come',
    action: 'is.volume.volume.read',
    status: 200,
    reply: reencryptionReply,
  },
  updateReencryption: {
    method: 'PATCH',
    path,
    summary: 'Limit the re-encryption of a volume, or let it go as fast as it can',
    action: 'is.volume.volume.update',
    body: reencryptionPatch,
    status: 200,
    reply: reencryptionReply,
  },
} as const satisfies Contract

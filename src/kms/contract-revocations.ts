// The service level of revocations on the wire: Keyward's own.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { revocationsMax } from '#base/limits-revocations.ts'

const orNull = <
  T extends ReturnType<typeof Type.Number> | ReturnType<typeof Type.String> | ReturnType<typeof Type.Integer>,
>(
  schema: T,
) => Type.Union([schema, Type.Null()])
const time = Type.String({ format: 'date-time' })
const cause = Type.Union([
  Type.Literal('key.disabled'),
  Type.Literal('key.deleted'),
  Type.Literal('key.expired'),
  Type.Literal('authorization.removed'),
  Type.Literal('authorization.expired'),
  Type.Literal('account.disabled'),
])
const state = Type.Union([
  Type.Literal('under-way'),
  Type.Literal('idle'),
  Type.Literal('acknowledged'),
  Type.Literal('lapsed'),
])
const seconds = orNull(Type.Number())

export const revocationContract = {
  listRevocations: {
    method: 'GET',
    path: '/keyward/v1/revocations',
    summary: "List how rights to an account's keys ended, and how long it took until nothing was served under them",
    action: 'keyward.revocations.read',
    query: Type.Object({
      account_id: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: revocationsMax })),
      start: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}-[0-9a-f-]{36}$' })),
    }),
    status: 200,
    reply: Type.Object({
      limit: Type.Integer(),
      next: Type.Optional(Type.Object({ start: Type.String(), href: Type.String() })),
      revocations: Type.Array(
        Type.Object({
          id: Type.String(),
          cause,
          key_crn: Type.String(),
          committed_at: time,
          state,
          /** Data keys that were called back; null where the process that did it has ended before it wrote it down. */
          volumes: orNull(Type.Integer()),
          duration_seconds: seconds,
          /** Of one that is under way: by then it has ended, whatever the holders do. */
          ends_by: orNull(time),
          unacknowledged: Type.Array(
            Type.Object({
              holder_id: Type.String(),
              leases: Type.Integer(),
              leases_end_at: time,
              /** Null while it is waited for. */
              ended: Type.Union([Type.Literal('process'), Type.Literal('lease'), Type.Null()]),
            }),
          ),
        }),
      ),
      service_level: Type.Array(
        Type.Object({
          cause,
          count: Type.Integer(),
          p50_seconds: seconds,
          p95_seconds: seconds,
          p99_seconds: seconds,
          max_seconds: seconds,
        }),
      ),
    }),
  },
} as const satisfies Contract

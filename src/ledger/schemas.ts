// The shapes of the ledger's answers.

import { Type } from 'typebox'
import type { TSchema } from 'typebox'
import { ledgerPageMax } from '#base/limits-ledger.ts'

export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const count = Type.Integer({ minimum: 0 })
export const time = Type.String({ format: 'date-time' })
export const accountId = Type.String({ pattern: '^[0-9a-f]{32}$' })

export const ofAccount = { account_id: Type.Optional(accountId) } as const

export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: ledgerPageMax })),
  start: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
} as const

export const pageLinks = {
  limit: Type.Integer(),
  next: Type.Optional(Type.Object({ start: Type.String(), href: Type.String() })),
} as const

export const noticeType = Type.Union([
  Type.Literal('key.disabled'),
  Type.Literal('key.enabled'),
  Type.Literal('key.deleted'),
  Type.Literal('key.restored'),
  Type.Literal('key.rotated'),
  Type.Literal('key.quarantined'),
  Type.Literal('key.quarantine-lifted'),
  Type.Literal('key.expiring'),
  Type.Literal('key.expired'),
  Type.Literal('authorization.removed'),
  Type.Literal('authorization.restored'),
  Type.Literal('authorization.expiring'),
  Type.Literal('authorization.expired'),
  Type.Literal('action.planned'),
  Type.Literal('action.withdrawn'),
  Type.Literal('action.overridden'),
])

const standing = Type.Union([
  Type.Literal('usable'),
  Type.Literal('disabled'),
  Type.Literal('expired'),
  Type.Literal('deleted'),
  Type.Literal('unauthorized'),
])
const keyName = Type.Object({ id: Type.String(), crn: Type.String(), account_id: accountId })

export const keyUses = Type.Object({
  ...pageLinks,
  key: keyName,
  at: Type.Optional(time),
  uses: Type.Array(
    Type.Object({
      resource_crn: Type.String(),
      kind: Type.String(),
      service: Type.String(),
      account_id: accountId,
      key_version_id: Type.String(),
      registered_at: time,
      size_gb: orNull(count),
      status: orNull(Type.String()),
      attached: orNull(Type.Boolean()),
      open: orNull(Type.Boolean()),
      last_unwrapped_at: orNull(time),
      last_written_at: Type.Null(),
    }),
  ),
})

/** As the policy API shows them. */
const bounds = Type.Object({}, { additionalProperties: true })
const used = Type.Object({ volumes: count, capacity_gb: count })
/** Requests that passed a bound, and the last of them. */
const tally = Type.Object({
  count,
  last: Type.Object({
    at: time,
    bound: Type.String(),
    action: Type.String(),
    account_id: Type.String(),
    service: Type.String(),
    key_id: Type.String(),
  }),
})

export const grants = Type.Object({
  ...pageLinks,
  grants: Type.Array(
    Type.Object({
      policy_id: Type.String(),
      service: orNull(Type.String()),
      account_id: accountId,
      bounds,
      enforced: Type.Boolean(),
      ended: Type.Boolean(),
      used,
      refused: orNull(tally),
      watched: orNull(tally),
    }),
  ),
})

export const foreignKeys = Type.Object({
  ...pageLinks,
  foreign_keys: Type.Array(
    Type.Object({
      key_crn: Type.String(),
      owner_account_id: accountId,
      state: standing,
      key_version_ids: Type.Array(Type.String()),
      newest_version_id: orNull(Type.String()),
      expires_at: orNull(time),
      resources: count,
      since: time,
      /** Of the account's own uses; null where the key is not in quarantine, or not the account's to know. */
      quarantine: orNull(Type.Object({ since: time, would_be_denied: count, last: orNull(Type.Object({ at: time })) })),
      authorizations: Type.Array(
        Type.Object({
          service: Type.String(),
          policy_id: orNull(Type.String()),
          since: orNull(time),
          ends_at: orNull(time),
          bounds: orNull(bounds),
          used: orNull(used),
          refused: orNull(tally),
          watched: orNull(tally),
        }),
      ),
    }),
  ),
})

export const proof = Type.Object({
  account_id: accountId,
  proven: Type.Boolean(),
  started_at: Type.Optional(time),
  finished_at: Type.Optional(time),
  equal: Type.Boolean(),
  counts: Type.Object({
    owned_uses: count,
    owned_registrations: count,
    uses: count,
    registrations: count,
    resources: count,
    images: count,
    elsewhere: count,
    released: count,
  }),
  differences: Type.Array(
    Type.Object({
      what: Type.String(),
      resource_crn: Type.String(),
      account_id: Type.String(),
      key_crn: Type.String(),
      found_at: time,
    }),
  ),
})

export const impactAction = Type.Union([
  Type.Literal('disable'),
  Type.Literal('delete'),
  Type.Literal('expire'),
  Type.Literal('rotate'),
  Type.Literal('remove-authorization'),
])

export const impactBody = Type.Object(
  { action: impactAction, policy_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })) },
  { additionalProperties: false },
)

export const impact = Type.Object({
  ...pageLinks,
  action: impactAction,
  key: keyName,
  state: Type.String(),
  state_after: Type.String(),
  refusals: Type.Array(Type.Object({ code: Type.String(), message: Type.String(), forceable: Type.Boolean() })),
  accounts: Type.Array(
    Type.Object({
      account_id: accountId,
      service: Type.String(),
      resources: count,
      open: count,
      key_before: standing,
      key_after: standing,
    }),
  ),
  resources: Type.Array(
    Type.Object({
      resource_crn: Type.String(),
      kind: Type.String(),
      account_id: accountId,
      size_gb: orNull(count),
      attached: orNull(Type.Boolean()),
      open: Type.Boolean(),
      status: orNull(Type.String()),
      status_after: orNull(Type.String()),
    }),
  ),
})

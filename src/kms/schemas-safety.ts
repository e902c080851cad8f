// The shapes of what is Keyward's own before a deletion: quarantine, and accounts that ask for it.

import { Type } from 'typebox'
import { quarantineHoursMax } from '#base/limits.ts'

const time = Type.String({ format: 'date-time' })
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const count = Type.Integer({ minimum: 0 })

export const ofAccount = Type.Object({ account_id: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })) })

export const quarantineReply = Type.Object({
  key: Type.Object({ id: Type.String(), crn: Type.String(), account_id: Type.String() }),
  quarantined: Type.Boolean(),
  since: orNull(time),
  /** The sum of what is counted below. */
  would_be_denied: count,
  users: Type.Array(
    Type.Object({
      account_id: Type.String(),
      /** A service's name, or an IAM id. */
      user: Type.String(),
      would_be_denied: count,
      /** Data keys that are open now, and that a disabled key would close. */
      open: count,
      last: orNull(Type.Object({ at: time, action: Type.String(), resource_crn: orNull(Type.String()) })),
    }),
  ),
})

const hours = Type.Integer({ minimum: 1, maximum: quarantineHoursMax })

export const safetyBody = Type.Union([
  Type.Object(
    { require_quarantine_before_delete: Type.Literal(true), quarantine_hours: Type.Optional(hours) },
    { additionalProperties: false },
  ),
  Type.Object({ require_quarantine_before_delete: Type.Literal(false) }, { additionalProperties: false }),
])

export const safetyReply = Type.Object({
  require_quarantine_before_delete: Type.Boolean(),
  quarantine_hours: count,
})

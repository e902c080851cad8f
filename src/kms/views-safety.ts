// Quarantine and what is asked before a deletion, from the wire and to it.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { crnOf } from './key.ts'
import type { KeySafety } from './key-safety.ts'
import type { QuarantineReport } from './quarantine.ts'
import type { quarantineReply, safetyBody, safetyReply } from './schemas-safety.ts'

/** Where nothing is said: long enough that whoever needs a key once a day has been seen. */
const quarantineHoursDefault = 24

export const quarantineView = ({ key, since, users }: QuarantineReport): Static<typeof quarantineReply> => ({
  key: { id: key.id, crn: crnOf(key), account_id: key.instance.accountId },
  quarantined: since !== null,
  since: since === null ? null : rfc3339(since),
  would_be_denied: users.reduce((sum, { count }) => sum + count, 0),
  users: users.map(({ accountId, user, count, openCount, lastAt, lastAction, lastResourceCrn }) => ({
    account_id: accountId,
    user,
    would_be_denied: count,
    open: openCount,
    last:
      lastAt === null || lastAction === null
        ? null
        : { at: rfc3339(lastAt), action: lastAction, resource_crn: lastResourceCrn },
  })),
})

export const safetyOf = (body: Static<typeof safetyBody>): KeySafety => ({
  quarantineHours: body.require_quarantine_before_delete ? (body.quarantine_hours ?? quarantineHoursDefault) : 0,
})

export const safetyView = ({ quarantineHours }: KeySafety): Static<typeof safetyReply> => ({
  require_quarantine_before_delete: quarantineHours > 0,
  quarantine_hours: quarantineHours,
})

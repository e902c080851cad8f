// What an account asks of every deletion of its root keys beside what Key Protect asks: that the key has been in quarantine,
// or disabled, for so long that whoever needs it has been seen. Keyward's own; without it deletions are Key Protect's.

import { rfc3339 } from '#base/clock.ts'
import type { Clock } from '#base/clock.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Context, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { selectQuarantineHours, setQuarantineHours } from './tables-safety.ts'

/** Hours that a key has to be in quarantine before it is deleted; 0 where nothing is asked. */
export interface KeySafety {
  readonly quarantineHours: number
}

export interface KeySafetyStore {
  get(context: Context, accountId: string | undefined): Promise<KeySafety>
  set(context: Context, accountId: string | undefined, safety: KeySafety): Promise<KeySafety>
}

export function makeKeySafety(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly iam: IamPort
}): KeySafetyStore {
  const { database, outbox, clock, iam } = parts
  const targetOf = (context: Context, accountId = context.caller.accountId) => ({ accountId, serviceName: 'keyward' })
  return {
    async get(context, accountId) {
      const { target } = await iam.authorize(context.caller, 'keyward.key-safety.read', targetOf(context, accountId))
      return { quarantineHours: await selectQuarantineHours(database.reads, target.accountId) }
    },
    async set({ caller, ...context }, accountId, { quarantineHours }) {
      const target = targetOf({ caller, ...context }, accountId)
      const grant = await iam.authorize(caller, 'keyward.key-safety.write', target)
      await database.transaction(async (tx) => {
        await setQuarantineHours(tx, grant, quarantineHours, clock.now())
        const facts = { accountId: target.accountId, initiatorId: caller.iamId, quarantineHours }
        await outbox.append(tx, { type: 'kms.key-safety.updated', ...facts })
      })
      return { quarantineHours }
    },
  }
}

/** From when on the account's setting permits the deletion: a time, or null where it has to be put into quarantine first. */
export function deletableFrom(
  key: {
    readonly state: string
    readonly stateChangedAt: number
    readonly quarantine: { readonly since: number } | null
  },
  { quarantineHours }: KeySafety,
): number | null {
  const since = [
    ...(key.quarantine ? [key.quarantine.since] : []),
    // Disabled is more than quarantine: whoever needed it has noticed.
    ...(key.state === 'suspended' ? [key.stateChangedAt] : []),
  ]
  return since.length === 0 ? null : Math.min(...since) + quarantineHours * 3_600_000
}

export const tooEarly = (keyId: string, hours: number, from: number | null): string =>
  from === null
    ? `key ${keyId} is deleted after ${hours} hours in quarantine, by a setting of its account: put it there first`
    : `key ${keyId} is in quarantine, and can be deleted from ${rfc3339(from)} on`

// Every wait and every end of time that Key Protect documents, as one table: from when, how long, and where it says so.
// All of them are judged on the Clock that was handed in, and nothing else in this folder adds durations to dates.
// Not here: the leases of the data plane (base/limits.ts), which are ours and run on the monotonic clock.

import { rfc3339Seconds } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

export const waits = {
  /** "Disabling root keys", "Restoring keys": a key is enabled or restored 30 seconds after it was disabled or deleted. */
  settleMs: 30 * second,
  /** "Syncing resources": one hour after the last change of the key or the last sync. */
  syncMs: hour,
  /** "Rotating keys": once an hour by hand. The first rotation of a key does not wait: IBM's own clients do it at once. */
  rotateMs: hour,
  /** "Purging keys": four hours after the deletion. */
  purgeMs: 4 * hour,
  /** "Restoring keys": for 30 days after the deletion. */
  restoreMs: 30 * day,
  /** "Deleting keys": what is known of a deleted key is kept for 90 days, then purged. */
  keepDeletedMs: 90 * day,
  /** "Dual authorization": the first person's word counts for seven days. */
  authorizationMs: 7 * day,
  /** "Setting a rotation policy": months of 30 days. */
  rotationMonthMs: 30 * day,
  /** "Syncing resources", "Activity tracking events": services acknowledge within four hours. */
  acknowledgeMs: 4 * hour,
} as const

/** "Creating import tokens": seconds, from five minutes to a day; ten minutes unless asked otherwise. */
export const importTokenSeconds = { min: 300, max: 86_400, otherwise: 600 } as const

/** "Setting a rotation policy". */
export const rotationMonths = { min: 1, max: 12 } as const

export const rotationDueAt = (since: number, months: number): number => since + months * waits.rotationMonthMs

/** Key Protect, "Error messages": the request came before its time, and the answer says when that will be. */
export function requireElapsed(wait: {
  readonly since: number
  readonly waitMs: number
  readonly now: number
  readonly what: string
  readonly reason?: string
}): void {
  const { since, waitMs, now, what, reason = 'REQ_TOO_EARLY_ERR' } = wait
  const earliest = since + waitMs
  if (now >= earliest) return
  // Whole seconds, rounded up: whoever waits until the time that is named has waited long enough.
  const named = rfc3339Seconds(Math.ceil(earliest / second) * second)
  throw new Fault('conflict', `${what} is possible from ${named} on`, { reason })
}

// What stands in the way of an action on a key, as lists of rules over facts. The action itself stops at the first rule
// that refuses; whoever only wants to know is told of all. Pure.
// Source: Key Protect, "Deleting keys", "Deleting keys using dual authorization", "Disabling root keys", "Rotating keys".

import { Fault } from '#base/fault.ts'
import { requireRootKey, requireState } from './key.ts'
import type { Key } from './key.ts'
import { isAllowed } from './key-state.ts'
import { deletableFrom, tooEarly } from './key-safety.ts'
import type { KeySafety } from './key-safety.ts'
import type { Refusal } from './port.ts'
import { requireElapsed, waits } from './waits.ts'

/** Throws a Fault where it refuses. */
export type Rule = () => void

/** Does nothing where no rule refuses, else throws the Fault of the first that does. */
export function obey(rules: readonly Rule[]): void {
  for (const rule of rules) rule()
}

/** Every rule that refuses. */
export const refusalsOf = (rules: readonly Rule[]): readonly Refusal[] =>
  rules.flatMap((rule) => {
    try {
      rule()
      return []
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      const code = error.reason ?? error.code
      return [{ code, message: error.message, isForceable: code === forceableReason }]
    }
  })

const forceableReason = 'PROTECTED_RESOURCE_ERR'

export const disablingRules = (key: Key): readonly Rule[] => [
  () => requireState(key, 'disable'),
  () => requireRootKey(key),
]

export interface Deletion {
  readonly key: Key
  /** Who would delete it, as dual authorization counts people. */
  readonly by: string
  readonly now: number
  /** Resources that the key protects, and those of them that are under retention. */
  readonly resources: { readonly all: number; readonly retained: number }
  readonly force: boolean
  /** What the account of the key asks of deletions. */
  readonly safety: KeySafety
}

export const deletionRules = ({ key, by, now, resources, force, safety }: Deletion): readonly Rule[] => [
  () => requireState(key, 'delete'),
  () => requireTwoPeople(key, by, now),
  () => requireQuarantined(key, now, safety),
  () => requireUnretained(key, resources.retained),
  () => requireUnprotected(key, resources.all, force),
]

/** Those that need nothing but the key: what a payload and the instance's policies say is asked beside them. */
export const rotationRules = (key: Key, now: number): readonly Rule[] => [
  () => requireState(key, 'rotate'),
  () => requireRootKey(key),
  () => requireTime(key, now),
]

/** Nobody asks for an expiry, and nobody may refuse it but the table of states. */
export const expiryRules = (key: Key): readonly Rule[] => [
  () => {
    if (isAllowed('expire', key.state)) return
    throw new Fault('conflict', `key ${key.id} does not expire while it is ${key.state}`, {
      reason: 'KEY_ACTION_INVALID_STATE_ERR',
    })
  },
]

/** The first word for the deletion, while it counts; null when there is none. */
export const deletionSetAt = (key: Key, now: number): Key['deletionSet'] =>
  key.deletionSet && now < key.deletionSet.until ? key.deletionSet : null

/** "Deleting keys using dual authorization": the second word is another person's, within seven days of the first. */
function requireTwoPeople(key: Key, by: string, now: number): void {
  if (!key.policies.dualAuthDelete?.enabled) return
  const first = deletionSetAt(key, now)
  if (first && first.by !== by) return
  const missing = first ? 'a second person has to delete it' : 'a first person has to set it for deletion'
  throw new Fault('conflict', `key ${key.id} is deleted by two people: ${missing}`, {
    reason: 'AUTHORIZATIONS_NOT_MET',
  })
}

/** A standard key has no uses that could be counted: its material is handed out. */
function requireQuarantined(key: Key, now: number, safety: KeySafety): void {
  if (safety.quarantineHours === 0 || key.extractable) return
  const from = deletableFrom(key, safety)
  if (from !== null && now >= from) return
  throw new Fault('conflict', tooEarly(key.id, safety.quarantineHours, from), { reason: 'QUARANTINE_REQUIRED_ERR' })
}

function requireUnretained(key: Key, count: number): void {
  if (count === 0) return
  throw new Fault('conflict', `key ${key.id} protects ${count} resources under retention, which force respects`, {
    reason: 'PREV_KEY_DEL_ERR',
  })
}

function requireUnprotected(key: Key, count: number, force: boolean): void {
  if (count === 0 || force) return
  const message = `key ${key.id} protects ${count} resources: their registrations name them, force removes those`
  throw new Fault('conflict', message, { reason: forceableReason })
}

/** The first rotation of a key does not wait. */
function requireTime(key: Key, now: number): void {
  if (key.rotatedAt === null) return
  const what = `rotating key ${key.id}`
  requireElapsed({ since: key.rotatedAt, waitMs: waits.rotateMs, now, what, reason: 'KEY_ROTATION_NOT_PERMITTED' })
}

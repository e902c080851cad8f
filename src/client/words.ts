// States and times in the words of people. Pure; what may be done in which state comes from the tables that the server itself
// goes by.

import type { KeyAction, KeyState } from '#kms/key-state.ts'
import { allowedStates, isAllowed, stateOf } from '#kms/key-state.ts'
import type { InstanceAction, ShownStatus } from '#vpc/instance-state.ts'
import { instanceAllowedIn, instanceMay } from '#vpc/instance-state.ts'
import { mayBeDone, snapshotAllowedIn } from '#vpc/snapshot-state.ts'
import type { SnapshotState } from '#vpc/snapshot-state.ts'
import type { VolumeAction, VolumeStatus } from '#vpc/volume-state.ts'
import { allowedIn, mayInStatus } from '#vpc/volume-state.ts'

export type Tone = 'good' | 'busy' | 'bad' | 'off'

export const volumeTones = {
  available: 'good',
  failed: 'bad',
  pending: 'busy',
  pending_deletion: 'busy',
  unusable: 'bad',
  updating: 'busy',
} as const satisfies Record<VolumeStatus, Tone>

/** The API names two more than a snapshot here is ever in. */
export const snapshotTones = {
  deleting: 'busy',
  failed: 'bad',
  pending: 'busy',
  stable: 'good',
  suspended: 'off',
  unusable: 'bad',
  updating: 'busy',
  waiting: 'busy',
} as const satisfies Record<string, Tone>

export const instanceTones = {
  pending: 'busy',
  starting: 'busy',
  running: 'good',
  stopping: 'busy',
  stopped: 'off',
  restarting: 'busy',
  deleting: 'busy',
  failed: 'bad',
} as const satisfies Record<string, Tone>

export const keyTones = {
  'pre-active': 'busy',
  active: 'good',
  suspended: 'bad',
  deactivated: 'off',
  destroyed: 'bad',
} as const satisfies Record<KeyState, Tone>

/** What people call the states of a key: the API has the words of NIST SP 800-57. */
export const keyStateNames = {
  'pre-active': 'not yet active',
  active: 'active',
  suspended: 'disabled',
  deactivated: 'expired',
  destroyed: 'deleted',
} as const satisfies Record<KeyState, string>

export const keyStateOf = (number: number | undefined): KeyState => stateOf(number ?? 0) ?? 'pre-active'

export const words = (name: string): string => name.replaceAll('_', ' ')

const list = (names: readonly string[]): string => new Intl.ListFormat('en', { type: 'disjunction' }).format(names)

export const volumeWhyNot = (action: VolumeAction, status: VolumeStatus): string | null =>
  mayInStatus(action, status)
    ? null
    : `The volume is ${words(status)}; it has to be ${list(allowedIn[action].map((one) => words(one)))}.`

export const keyWhyNot = (action: KeyAction, state: KeyState): string | null =>
  isAllowed(action, state)
    ? null
    : `The key is ${keyStateNames[state]}; it has to be ${list(allowedStates[action].map((one) => keyStateNames[one]))}.`

export const instanceWhyNot = (action: InstanceAction, status: ShownStatus): string | null =>
  instanceMay(action, status) ? null : `The instance is ${status}; it has to be ${list(instanceAllowedIn[action])}.`

export function snapshotWhyNot(
  action: keyof typeof snapshotAllowedIn,
  state: keyof typeof snapshotTones,
): string | null {
  const known = state === 'suspended' || state === 'waiting' ? null : (state satisfies SnapshotState)
  if (known !== null && mayBeDone(action, known)) return null
  return `The snapshot is ${words(state)}; it has to be ${list(snapshotAllowedIn[action])}.`
}

const dateTime = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' })

export const timeText = (rfc3339: string | undefined): string =>
  rfc3339 === undefined || rfc3339 === '' ? '–' : dateTime.format(new Date(rfc3339))

/** An id with its middle left out. */
export const shortId = (id: string): string => (id.length <= 20 ? id : `${id.slice(0, 8)}…${id.slice(-6)}`)

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

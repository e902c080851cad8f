// The states of a key and what may be done in each. Pure data and pure functions: the console and the CLI read this file.
// Source: Key Protect, "Monitoring the lifecycle of encryption keys" (key states and the operations they permit).

export type KeyState = 'pre-active' | 'active' | 'suspended' | 'deactivated' | 'destroyed'

/** The numbers of the API, which are those of NIST SP 800-57: 4 would be "compromised", which Key Protect does not have. */
export const stateNumbers = {
  'pre-active': 0,
  active: 1,
  suspended: 2,
  deactivated: 3,
  destroyed: 5,
} as const satisfies Record<KeyState, number>

export const keyStates = Object.keys(stateNumbers) as readonly KeyState[]

export type KeyAction =
  | 'wrap'
  | 'unwrap'
  | 'rewrap'
  | 'rotate'
  | 'disable'
  | 'enable'
  | 'delete'
  | 'expire'
  | 'restore'
  | 'purge'
  | 'setForDeletion'
  | 'sync'
  | 'change'
  | 'readPayload'
  | 'listVersions'
  | 'register'
  | 'lease'
  | 'quarantine'

export const allowedStates = {
  wrap: ['active'],
  // A deactivated key still opens what it once wrapped.
  unwrap: ['active', 'deactivated'],
  rewrap: ['active', 'deactivated'],
  rotate: ['active', 'deactivated'],
  disable: ['active'],
  enable: ['suspended'],
  delete: ['active', 'suspended', 'deactivated'],
  // A suspended key does not expire: it would become one that opens data again, by nothing but the passing of time.
  expire: ['active'],
  restore: ['destroyed'],
  purge: ['destroyed'],
  setForDeletion: ['active', 'suspended', 'deactivated'],
  // "Syncing resources" names no state; services hear of deletions too, and may have missed them.
  sync: ['active', 'suspended', 'deactivated', 'destroyed'],
  // Its ring, aliases and policies.
  change: ['active', 'suspended', 'deactivated'],
  // A standard key is retrieved as long as it is not destroyed; its material is all there is to it.
  readPayload: ['active', 'suspended', 'deactivated'],
  // Key Protect API, "List key versions": without `allKeyStates` the key has to be active.
  listVersions: ['active'],
  register: ['active'],
  // Holding a data key open is a long unwrap, and follows its rule: resources of an expired key go on, and no new ones
  // come. Leases are ended by this row alone, so `['active']` here would stop them at expiry.
  lease: ['active', 'deactivated'],
  // Keyward's own: what is not used any more has no uses to count.
  quarantine: ['active', 'deactivated'],
} as const satisfies Record<KeyAction, readonly KeyState[]>

/** Where an action leads. The others leave the state as it is. */
export const nextState = {
  disable: 'suspended',
  enable: 'active',
  delete: 'destroyed',
  restore: 'active',
  expire: 'deactivated',
} as const satisfies Partial<Record<KeyAction, KeyState>>

export function isAllowed(action: KeyAction, state: KeyState): boolean {
  const states: readonly KeyState[] = allowedStates[action]
  return states.includes(state)
}

/** The state a number stands for, or null. */
export const stateOf = (number: number): KeyState | null =>
  keyStates.find((state) => stateNumbers[state] === number) ?? null

/**
 * The state in which a key is now. The clock decides from the moment of expiry, whether or not the sweep has written it
 * down: Key Protect allows itself an hour, we do not.
 */
export const stateAt = (written: KeyState, expiresAt: number | null, now: number): KeyState =>
  expiresAt !== null && expiresAt <= now && isAllowed('expire', written) ? nextState.expire : written

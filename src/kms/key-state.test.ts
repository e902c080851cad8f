import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allowedStates, isAllowed, keyStates, nextState, stateAt, stateNumbers, stateOf } from './key-state.ts'
import type { KeyAction, KeyState } from './key-state.ts'

// Key Protect, "Key states", written down a second time and in the other direction: for each state what it permits.
// Quarantine is Keyward's own: of keys that may still be used for something.
const permitted: Record<KeyState, readonly KeyAction[]> = {
  'pre-active': [],
  active: [
    ...(['wrap', 'unwrap', 'rewrap', 'rotate', 'disable', 'delete', 'expire'] as const),
    ...(['setForDeletion', 'sync', 'change', 'readPayload', 'listVersions', 'register', 'lease'] as const),
    'quarantine',
  ],
  suspended: ['enable', 'delete', 'setForDeletion', 'sync', 'change', 'readPayload'],
  deactivated: [
    ...(['unwrap', 'rewrap', 'rotate', 'delete', 'setForDeletion', 'sync', 'change'] as const),
    ...(['readPayload', 'lease', 'quarantine'] as const),
  ],
  destroyed: ['restore', 'purge', 'sync'],
}

test('every action is allowed in exactly the documented states', () => {
  for (const action of Object.keys(allowedStates) as KeyAction[]) {
    for (const state of keyStates) {
      assert.equal(isAllowed(action, state), permitted[state].includes(action), `${action} in ${state}`)
    }
  }
})

test('states have the numbers of the API, and no number is another', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((number) => stateOf(number)),
    ['pre-active', 'active', 'suspended', 'deactivated', null, 'destroyed'],
  )
  for (const state of keyStates) assert.equal(stateOf(stateNumbers[state]), state)
})

test('what an action leads to is a state that does not permit it again', () => {
  for (const [action, state] of Object.entries(nextState)) {
    assert.equal(isAllowed(action as keyof typeof nextState, state), false, action)
  }
})

test('stateAt() lets an active key expire in the very millisecond, and no other key', () => {
  assert.equal(stateAt('active', null, 100), 'active')
  assert.equal(stateAt('active', 101, 100), 'active')
  assert.equal(stateAt('active', 100, 100), 'deactivated')
  for (const state of keyStates.filter((state) => state !== 'active')) assert.equal(stateAt(state, 1, 100), state)
})

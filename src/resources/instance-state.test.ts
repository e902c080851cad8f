import assert from 'node:assert/strict'
import { test } from 'node:test'
import { moves } from './instance-state.ts'

const all = Object.values(moves)

test('every state but the first is reached by a move, and every state but the last is left by one', () => {
  const reached = new Set<string>(all.map((move) => move.to))
  const left = new Set<string>(all.map((move) => move.from))
  assert.deepEqual(reached.difference(left), new Set(['removed']))
  assert.deepEqual(left.difference(reached), new Set(['provisioning']))
})

test('a removed instance stays removed', () => {
  assert.ok(all.every((move) => (move.from as string) !== 'removed'))
})

test('what waits for its second half has a move for it', () => {
  for (const state of ['provisioning', 'pending_removal']) {
    assert.ok(Object.entries(moves).some(([name, move]) => name.startsWith('finish') && move.from === state))
  }
})

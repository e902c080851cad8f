import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyReason, mayInStatus, servingStandings, statusOf } from './volume-state.ts'

const phases = ['requested', 'abandoned', 'keyed', 'formatted', 'updating', 'failed', 'deleting'] as const
const standings = ['usable', 'expired', 'disabled', 'deleted', 'unauthorized'] as const
const actions = ['attach', 'connect', 'delete', 'resize', 'update'] as const

test('phase and standing make the status, and the status what may be done', () => {
  const table = phases.flatMap((phase) =>
    standings.map((keyStanding) => {
      const status = statusOf({ phase, keyStanding })
      return `${phase} ${keyStanding}: ${status}, may ${actions.filter((action) => mayInStatus(action, status)).join(' ')}`
    }),
  )
  const same = (phase: string, what: string) => standings.map((standing) => `${phase} ${standing}: ${what}`)
  const unusable = (phase: string) =>
    ['disabled', 'deleted', 'unauthorized'].map((standing) => `${phase} ${standing}: unusable, may delete update`)
  assert.deepEqual(table, [
    ...same('requested', 'pending, may update'),
    ...same('abandoned', 'pending_deletion, may '),
    'keyed usable: pending, may update',
    'keyed expired: pending, may update',
    ...unusable('keyed'),
    'formatted usable: available, may attach connect delete resize update',
    'formatted expired: available, may attach connect delete resize update',
    ...unusable('formatted'),
    'updating usable: updating, may connect update',
    'updating expired: updating, may connect update',
    ...unusable('updating'),
    ...same('failed', 'failed, may delete update'),
    ...same('deleting', 'pending_deletion, may '),
  ])
})

test('a standing has a reason exactly where it keeps a volume from serving', () => {
  for (const standing of standings) {
    const serves = servingStandings.some((one) => one === standing)
    assert.equal(keyReason(standing) === null, serves, standing)
    assert.equal(statusOf({ phase: 'formatted', keyStanding: standing }) === 'available', serves, standing)
  }
})

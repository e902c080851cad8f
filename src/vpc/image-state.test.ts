import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imageStatusOf, mayBeDone } from './image-state.ts'
import type { ImageStatus, ImageTruth } from './image-state.ts'

const now = 1000

const table: readonly (readonly [Partial<ImageTruth>, ImageStatus])[] = [
  [{}, 'available'],
  [{ phase: 'keyed' }, 'pending'],
  [{ phase: 'keyed', keyStanding: 'disabled' }, 'unusable'],
  [{ phase: 'failed', keyStanding: 'disabled', deprecationAt: 1 }, 'failed'],
  [{ phase: 'deleting', keyStanding: 'deleted' }, 'deleting'],
  [{ keyStanding: 'expired' }, 'available'],
  [{ keyStanding: 'unauthorized' }, 'unusable'],
  [{ deprecationAt: now + 1 }, 'available'],
  [{ deprecationAt: now }, 'deprecated'],
  [{ deprecationAt: 1, obsolescenceAt: now + 1 }, 'deprecated'],
  [{ deprecationAt: 1, obsolescenceAt: now }, 'obsolete'],
  [{ obsolescenceAt: 1 }, 'obsolete'],
  [{ obsolescenceAt: 1, keyStanding: 'deleted' }, 'unusable'],
]

test('imageStatusOf() is what work, key and calendar say, in that order', () => {
  for (const [truth, status] of table) {
    const image = {
      phase: 'formatted',
      keyStanding: 'usable',
      deprecationAt: null,
      obsolescenceAt: null,
      ...truth,
    } as const
    assert.equal(imageStatusOf(image, now), status, JSON.stringify(truth))
  }
})

test('only what is there and not obsolete makes machines; everything may be deleted but what is on its way out', () => {
  const statuses = [...new Set(table.map(([, status]) => status))]
  assert.deepEqual(statuses.filter((status) => mayBeDone('boot', status)).sort(), ['available', 'deprecated'])
  assert.deepEqual(
    statuses.filter((status) => !mayBeDone('delete', status)),
    ['deleting'],
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { holderText, secondsText } from './revocation-words.ts'
import { timeText } from './words.ts'

test('secondsText() is short on both sides of a second', () => {
  assert.deepEqual([null, 0, 0.007, 0.1234, 1, 1.2549, 10].map(secondsText), [
    '–',
    '0 ms',
    '7 ms',
    '123 ms',
    '1 s',
    '1.25 s',
    '10 s',
  ])
})

test('holderText() says by when a silent holder can serve no more', () => {
  const at = '2026-03-24T10:00:10Z'
  const holder = { holder_id: 'disk', leases: 2, leases_end_at: at }
  const waiting = holderText({ ...holder, ended: null })
  assert.equal(waiting, `has not acknowledged yet; its 2 leases will have ended by ${timeText(at)}`)
  assert.match(holderText({ ...holder, leases: 1, ended: 'lease' }), /its 1 lease had ended by /)
  assert.match(holderText({ ...holder, ended: 'process' }), /its process has ended/)
})

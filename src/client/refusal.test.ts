import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import type { Explanation } from '#base/fault.ts'
import { errorBody } from '#edge/error-bodies.ts'
import type { Dialect } from '#edge/error-bodies.ts'
import { refusalOf } from './refusal.ts'

const failed = { requestId: 'r', url: '/x', at: '2026-01-01T00:00:00Z' }
const explanation: Explanation = { action: 'kms.secrets.wrap', subject: {}, resource: {}, account: 'a' }

// Written by the server's own writer, so that a body that changes is read as it then is.
const written = (dialect: Dialect, fault: Fault) => errorBody(dialect, fault, failed)

for (const dialect of ['identity', 'policy', 'kms', 'resources', 'vpc'] as const) {
  test(`refusalOf() reads what ${dialect} says, and its explanation`, () => {
    const { status, body } = written(dialect, new Fault('conflict', 'it is so', { explanation }))
    const refusal = refusalOf(status, JSON.parse(JSON.stringify(body)), 'r')
    assert.equal(refusal.message, 'It is so')
    assert.notEqual(refusal.code, String(status))
    assert.deepEqual(refusal.explanation, explanation)
    assert.equal(refusal.status, 409)
  })
}

test("refusalOf() reads Key Protect's bare 401, which has no reasons", () => {
  const { status, body } = written('kms', new Fault('forbidden', 'account a has no policy'))
  assert.equal(status, 401)
  assert.match(refusalOf(status, body, null).message, /account a has no policy/)
})

test('refusalOf() names the field', () => {
  const fault = new Fault('invalid', 'capacity is required', { target: { type: 'field', name: 'capacity' } })
  assert.equal(refusalOf(400, written('vpc', fault).body, null).field, 'capacity')
  assert.equal(refusalOf(400, written('kms', fault).body, null).field, 'capacity')
})

test('refusalOf() makes do with the status', () => {
  for (const body of [null, undefined, '', 'text', [], {}, { errors: 'no' }, { errors: [] }, { resources: [null] }]) {
    const refusal = refusalOf(502, body, null)
    assert.equal(refusal.message, 'The server answered 502')
    assert.equal(refusal.code, '502')
  }
})

import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { explanationHeaderLengthMax } from '#base/limits.ts'
import { explanationHeader } from './explanation-header.ts'

const base = { action: 'kms.secrets.wrap', subject: {}, resource: {}, account: 'a'.repeat(32) }
const header = (more: object): string => explanationHeader({ ...base, ...more })['keyward-explanation'] ?? ''

test('the header says what was refused, who has to act, and what is missing', () => {
  const role_id = 'crn:v1:bluemix:public:iam::::serviceRole:Reader'
  const nearestPolicy = {
    id: 'p1',
    differs: [{ in: 'resource', attribute: 'serviceInstance', policy: 'x', request: 'y' }],
  }
  equal(
    header({ missingPolicy: { type: 'authorization', roles: [{ role_id }] }, nearestPolicy }),
    `action="kms.secrets.wrap", account="${'a'.repeat(32)}", missing="authorization", role="${role_id}", ` +
      'nearest="p1", differs="serviceInstance"',
  )
  equal(
    header({ setting: 'external_account_identity_interaction' }).endsWith(
      'setting="external_account_identity_interaction"',
    ),
    true,
  )
})

test('nothing that a caller sent breaks out of its quotes or makes the header long', () => {
  deepEqual(explanationHeader({ ...base, action: 'a"b\\c\r\nx: yé', account: '' }), {
    'keyward-explanation': 'action="a\\"b\\\\c??x: y?"',
  })
  ok(
    header({ missingPolicy: { type: 't', roles: [{ role_id: 'x'.repeat(5000) }] } }).length <
      explanationHeaderLengthMax,
  )
  deepEqual(explanationHeader({ ...base, action: 'x'.repeat(5000), account: '' }), {})
})

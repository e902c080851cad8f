// One policy, two versions: what either shows means the same, decides the same, and may be sent back.

import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { PolicyId } from '#base/id.ts'
import { resourceAttributes, subjectAttributes } from './attributes.ts'
import { decide } from './decide.ts'
import { parsePolicyV2 } from './policy-parse-v2.ts'
import { parsePolicy } from './policy-parse.ts'
import { policyViewV2 } from './policy-view-v2.ts'
import { policyView } from './policy-view.ts'
import type { Policy, PolicyDraft } from './policy.ts'
import type { Anyone } from './port.ts'
import { roleActions } from './roles.ts'
import { reader } from './testing/policies.ts'

const accountA = 'a'.repeat(32)
const accountB = 'b'.repeat(32)
const anyone: Anyone = { requestId: 'r', baseUrl: 'http://iam.test', remoteAddress: '127.0.0.1' }

const policyOf = (draft: PolicyDraft): Policy => ({
  ...draft,
  id: '00000000-0000-4000-8000-000000000000' as PolicyId,
  state: 'active',
  revision: '1-0',
  createdAt: 0,
  createdById: 'x',
  lastModifiedAt: 0,
  lastModifiedById: 'x',
})

/** What a client would take from a policy to send it back. */
const backV1 = (policy: Policy): PolicyDraft => {
  const { type, subjects, roles, resources } = policyView(policy, anyone, new Map())
  return parsePolicy({ type, subjects, roles, resources })
}
const backV2 = (policy: Policy): PolicyDraft => {
  const { type, subject, resource, control, rule } = policyViewV2(policy, anyone, new Map())
  return parsePolicyV2({ type, subject, resource, control, ...(rule && { rule }) })
}

const value = fc.constantFrom('i1', 'k1', 'key', 'x*', '*', '{{*}}')
const name = fc.constantFrom('serviceInstance', 'resourceType', 'resource', 'keyRing', 'resourceGroupId')
const attribute = fc.oneof(
  fc.record({ key: name, operator: fc.constantFrom('stringEquals', 'stringMatch'), value }),
  fc.record({ key: name, operator: fc.constant('stringExists'), value: fc.boolean() }),
  fc.record({
    key: name,
    operator: fc.constantFrom('stringEqualsAnyOf', 'stringMatchAnyOf'),
    value: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
)
const target = fc
  .record({ serviceInstance: value, resourceType: value, resource: value, keyRing: value })
  .map((parts) => ({ accountId: accountA, serviceName: 'kms', ...parts }))

const draft = fc.uniqueArray(attribute, { selector: (one) => one.key, maxLength: 3 }).map((more) =>
  parsePolicyV2({
    type: 'authorization',
    subject: {
      attributes: [
        { key: 'accountId', operator: 'stringEquals', value: accountB },
        { key: 'serviceName', operator: 'stringExists', value: true },
      ],
    },
    resource: {
      attributes: [
        { key: 'accountId', operator: 'stringEquals', value: accountA },
        { key: 'serviceName', operator: 'stringEquals', value: 'kms' },
        // The generated attributes have forms of the contract, which their types do not tell.
        ...(more as { key: string; operator: 'stringEquals'; value: string }[]),
      ],
    },
    control: { grant: { roles: [{ role_id: reader }] } },
  }),
)

test('version 2 shows what it was sent, and takes back what it shows', () => {
  fc.assert(
    fc.property(draft, (one) => deepEqual(backV2(policyOf(one)).facts, one.facts)),
    { numRuns: 500 },
  )
})

test('version 1 shows a placeholder, or what decides the same when it is sent back', () => {
  const subject = subjectAttributes({ kind: 'service', serviceName: 'server-protect', accountId: accountB })
  fc.assert(
    fc.property(draft, target, (one, asked) => {
      const policy = policyOf(one)
      const [role] = policyView(policy, anyone, new Map()).roles
      if (role?.display_name === 'UnsupportedVersion') return
      const request = { subject, action: 'kms.secrets.wrap', resource: resourceAttributes(asked) }
      const may = ({ facts }: PolicyDraft) => decide([{ id: 'p', ...facts }], roleActions, request).permitted
      equal(may(backV1(policy)), may(one))
    }),
    { numRuns: 2000 },
  )
})

test('a policy of version 1 without operators has them in version 2, in the same order', () => {
  const written = parsePolicy({
    type: 'authorization',
    subjects: [
      {
        attributes: [
          { name: 'serviceName', value: 'is' },
          { name: 'accountId', value: accountB },
        ],
      },
    ],
    roles: [{ role_id: reader }],
    resources: [
      {
        attributes: [
          { name: 'serviceName', value: 'kms' },
          { name: 'accountId', value: accountA },
        ],
      },
    ],
  })
  const shown = policyViewV2(policyOf(written), anyone, null)
  const at = (key: string, value: string) => ({ key, operator: 'stringEquals', value })
  deepEqual(shown.subject.attributes, [at('serviceName', 'is'), at('accountId', accountB)])
  deepEqual(shown.resource.attributes, [at('serviceName', 'kms'), at('accountId', accountA)])
  deepEqual(shown.control, { grant: { roles: [{ role_id: reader }] } })
  deepEqual(policyView(policyOf(written), anyone, new Map()).subjects, [{ attributes: written.sent.subject }])
})

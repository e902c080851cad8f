import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Value } from 'typebox/value'
import { resourceAttributes, subjectAttributes } from './attributes.ts'
import { policyRequest } from './contract-policy.ts'
import { decide } from './decide.ts'
import { explain, refusal } from './explain.ts'
import { parsePolicy } from './policy-parse.ts'
import type { Subject, Target } from './port.ts'
import { roleActions, roles } from './roles.ts'

const accountA = 'a'.repeat(32)
const accountB = 'b'.repeat(32)
const storageOfB: Subject = { kind: 'service', serviceName: 'server-protect', accountId: accountB }
const key: Target = {
  accountId: accountA,
  serviceName: 'kms',
  serviceInstance: 'i1',
  resourceType: 'key',
  resource: 'k1',
}

test('explain() suggests the least policy for the use of a key', () => {
  const { fix, ...rest } = explain(storageOfB, 'kms.secrets.wrap', { ...key, keyRing: 'default', region: 'us-south' })
  match(fix?.curl ?? '', /^curl -X POST "\$IAM_ENDPOINT\/v1\/policies" .* -d '\{"type":"authorization".*\}'$/)
  match(fix?.terraform ?? '', /^resource "ibm_iam_authorization_policy" "missing" \{\n  roles = \["Reader"\]\n/)
  deepEqual(rest, {
    action: 'kms.secrets.wrap',
    subject: { serviceName: 'server-protect', accountId: accountB },
    resource: { ...key, keyRing: 'default', region: 'us-south' },
    account: accountA,
    missingPolicy: {
      type: 'authorization',
      subjects: [
        {
          attributes: [
            { name: 'serviceName', value: 'server-protect' },
            { name: 'accountId', value: accountB },
          ],
        },
      ],
      roles: [{ role_id: 'crn:v1:bluemix:public:iam::::serviceRole:Reader' }],
      resources: [
        {
          attributes: [
            { name: 'accountId', value: accountA },
            { name: 'serviceName', value: 'kms' },
            { name: 'serviceInstance', value: 'i1' },
            { name: 'resourceType', value: 'key' },
            { name: 'resource', value: 'k1' },
          ],
        },
      ],
    },
  })
})

test('refusal() says in one sentence who has to do what', () => {
  equal(
    refusal(storageOfB, 'kms.secrets.wrap', key),
    `account ${accountA} has no authorization that lets server-protect of account ${accountB} do kms.secrets.wrap ` +
      `on key k1: account ${accountA} must create one, role Reader`,
  )
})

test('what no policy can permit has no suggestion', () => {
  const person: Subject = { kind: 'user', iamId: 'IBMid-1', accountId: accountA, name: 'p@a.test' }
  equal(explain(person, 'kms.registrations.create', key).missingPolicy, undefined)
  equal(explain(person, 'kms.nothing', key).missingPolicy, undefined)
  match(refusal(person, 'kms.nothing', key), /has no policy that lets IBMid-1 do kms.nothing on key k1$/)
})

const serviceOf: Readonly<Record<string, string>> = { iam: 'iam-access-management' }
const text = fc.option(fc.stringMatching(/^[a-z0-9-]{1,12}$/), { nil: undefined })
const denial = fc
  .record({
    action: fc.constantFrom(...new Set(roles.flatMap((role) => role.actions))),
    bySubject: fc.constantFrom('service', 'is', 'user'),
    serviceInstance: text,
    region: text,
    resourceType: text,
    resource: text,
    resourceGroupId: text,
    keyRing: text,
  })
  .map(({ action, bySubject, ...rest }) => {
    const prefix = action.split('.', 1)[0] ?? ''
    const parts = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
    const target: Target = { accountId: accountA, serviceName: serviceOf[prefix] ?? prefix, ...parts }
    const subjects: Readonly<Record<string, Subject>> = {
      service: storageOfB,
      is: { kind: 'service', serviceName: 'is', accountId: accountB, resourceType: 'image', resource: 'r1' },
      user: { kind: 'user', iamId: 'IBMid-1', accountId: accountA, name: 'p@a.test' },
    }
    return { action, subject: subjects[bySubject] ?? storageOfB, target }
  })

test('the suggested policy is a valid body and turns the refusal into a permission', () => {
  fc.assert(
    fc.property(denial, ({ action, subject, target }) => {
      const request = { subject: subjectAttributes(subject), action, resource: resourceAttributes(target) }
      equal(decide([], roleActions, request).permitted, false)
      const body = explain(subject, action, target).missingPolicy
      if (body === undefined) return ok('iamId' in subject && /[.](registrations|delegationPolicy)[.]/.test(action))
      ok(Value.Check(policyRequest, body), 'the suggestion fits the contract')
      const { facts, accountId } = parsePolicy(body as Parameters<typeof parsePolicy>[0])
      equal(accountId, accountA)
      deepEqual(decide([{ id: 'new', ...facts }], roleActions, request), { permitted: true, policyId: 'new' })
    }),
    { numRuns: 2000 },
  )
})

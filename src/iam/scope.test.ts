import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { resourceAttributes, subjectAttributes } from './attributes.ts'
import type { Condition } from './conditions.ts'
import { decide } from './decide.ts'
import type { PolicyFacts } from './decide.ts'
import type { ScopePart, Subject, Target } from './port.ts'
import { roleActions } from './roles.ts'
import { scopeOf } from './scope.ts'

const accountId = 'b'.repeat(32)
const viewer = 'crn:v1:bluemix:public:iam::::role:Viewer'
const subject: Subject = { kind: 'user', iamId: 'IBMid-1', accountId, name: 'one@b.test' }
const action = 'is.volume.volume.list'
const collection: Target = { accountId, serviceName: 'is', resourceType: 'volume', region: 'us-south' }

const request = (target: Target) => ({
  subject: subjectAttributes(subject),
  action,
  resource: resourceAttributes(target),
  now: 0,
})

const policy = (conditions: readonly Condition[], over: Partial<PolicyFacts> = {}): PolicyFacts => ({
  id: 'p',
  subject: [{ name: 'iam_id', operator: 'stringEquals', value: 'IBMid-1' }],
  resource: [{ name: 'accountId', operator: 'stringEquals', value: accountId }, ...conditions],
  roles: [viewer],
  ...over,
})

const names = ['v1', 'v2', 'v3']
const groups = ['g1', 'g2']
const places = names.flatMap((resource) => groups.map((resourceGroupId) => ({ resource, resourceGroupId })))

const has = (parts: readonly ScopePart[], place: { readonly resource: string; readonly resourceGroupId: string }) =>
  parts.some(
    ({ resources, resourceGroupIds }) =>
      (!resources || resources.includes(place.resource)) &&
      (!resourceGroupIds || resourceGroupIds.includes(place.resourceGroupId)),
  )

const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({
    name: fc.constantFrom('resource', 'volumeId', 'resourceGroupId', 'instanceId', 'serviceName', 'region'),
    operator: fc.constant('stringEquals'),
    value: fc.constantFrom(...names, ...groups, 'is', 'us-south'),
  }),
  fc.record({
    name: fc.constantFrom('resource', 'volumeId', 'resourceGroupId'),
    operator: fc.constantFrom('stringEqualsAnyOf', 'stringMatchAnyOf', 'unknown'),
    value: fc.subarray([...names, ...groups]),
  }),
  fc.record({
    name: fc.constantFrom('resource', 'volumeId', 'resourceGroupId', 'instanceId'),
    operator: fc.constant('stringExists'),
    value: fc.boolean(),
  }),
  fc.record({
    name: fc.constantFrom('resource', 'resourceGroupId'),
    operator: fc.constant('stringMatch'),
    value: fc.constantFrom('*', 'v?', 'g1'),
  }),
)

const policies = fc.array(
  fc
    .record({ conditions: fc.array(condition, { maxLength: 3 }), rule: fc.option(condition) })
    .map((one) => policy(one.conditions, one.rule ? { rule: one.rule } : {})),
  { maxLength: 3 },
)

test('scopeOf() has exactly the resources that decide() permits, or says that it cannot tell', () => {
  let told = 0
  fc.assert(
    fc.property(policies, (all) => {
      const parts = scopeOf(all, roleActions, request(collection))
      if (parts === null) return
      told++
      for (const place of places) {
        const { permitted } = decide(all, roleActions, request({ ...collection, ...place }))
        equal(has(parts, place), permitted, JSON.stringify({ all, place, parts }))
      }
    }),
    { numRuns: 2000 },
  )
  equal(told > 200, true, `only ${told} scopes were told`)
})

const equals = (name: string, value: string): Condition => ({ name, operator: 'stringEquals', value })

test('scopeOf() tells what a page can be read by', () => {
  const of = (all: readonly PolicyFacts[]) => scopeOf(all, roleActions, request(collection))
  deepEqual(of([]), [])
  deepEqual(of([policy([])]), [{ policyId: 'p' }])
  deepEqual(of([policy([equals('volumeId', 'v1')])]), [{ policyId: 'p', resources: ['v1'] }])
  deepEqual(of([policy([equals('resourceGroupId', 'g1')])]), [{ policyId: 'p', resourceGroupIds: ['g1'] }])
  deepEqual(of([policy([equals('serviceName', 'kms')])]), [])
  deepEqual(of([policy([{ name: 'resource', operator: 'stringMatch', value: 'v*' }])]), null)
  deepEqual(of([policy([], { roles: [] })]), [])
  deepEqual(of([policy([], { rule: equals('resource', 'v1') })]), null)
})

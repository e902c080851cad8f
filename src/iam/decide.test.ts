import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { resourceAttributes, subjectAttributes } from './attributes.ts'
import { decide } from './decide.ts'
import type { Condition } from './conditions.ts'
import type { PolicyFacts } from './decide.ts'
import type { Subject, Target } from './port.ts'
import { administratorRole, delegatorRole, managerRole, roleActions, roles } from './roles.ts'

const accountA = 'a'.repeat(32)
const accountB = 'b'.repeat(32)
const readerRole = 'crn:v1:bluemix:public:iam::::serviceRole:Reader'
const editorRole = 'crn:v1:bluemix:public:iam::::role:Editor'

const equals = (attributes: Readonly<Record<string, string>>): Condition[] =>
  Object.entries(attributes).map(([name, value]) => ({ name, operator: 'stringEquals', value }))

const policy = (over: Partial<PolicyFacts>): PolicyFacts => ({
  id: 'p1',
  subject: equals({ serviceName: 'server-protect', accountId: accountB }),
  resource: equals({ accountId: accountA, serviceName: 'kms' }),
  roles: [readerRole],
  ...over,
})

const storageOfB: Subject = { kind: 'service', serviceName: 'server-protect', accountId: accountB }
const owner: Subject = { kind: 'user', iamId: 'IBMid-OWNER', accountId: accountA, name: 'owner@a.test' }
const keyOfA: Target = {
  accountId: accountA,
  serviceName: 'kms',
  serviceInstance: 'i1',
  resourceType: 'key',
  resource: 'k1',
}

const may = (
  policies: readonly PolicyFacts[],
  action: string,
  target: Target = keyOfA,
  subject: Subject = storageOfB,
) =>
  decide(policies, roleActions, { subject: subjectAttributes(subject), action, resource: resourceAttributes(target) })
    .permitted

const ownerPolicies = [
  policy({
    id: 'services',
    subject: equals({ iam_id: 'IBMid-OWNER' }),
    resource: equals({ accountId: accountA, serviceType: 'service' }),
    roles: [administratorRole, managerRole],
  }),
  policy({
    id: 'platform',
    subject: equals({ iam_id: 'IBMid-OWNER' }),
    resource: equals({ accountId: accountA, serviceType: 'platform_service' }),
    roles: [administratorRole],
  }),
]

describe('decide()', () => {
  test('permits nothing without a policy', () => equal(may([], 'kms.secrets.wrap'), false))

  test('names the policy that permits', () => {
    const request = {
      subject: subjectAttributes(storageOfB),
      action: 'kms.secrets.wrap',
      resource: resourceAttributes(keyOfA),
    }
    deepEqual(decide([policy({})], roleActions, request), { permitted: true, policyId: 'p1' })
  })

  const resource = (attributes: Readonly<Record<string, string>>) => [
    policy({ resource: equals({ accountId: accountA, serviceName: 'kms', ...attributes }) }),
  ]
  const matching = (value: string, operator = 'stringMatch') => [
    policy({
      resource: [...equals({ accountId: accountA, serviceName: 'kms' }), { name: 'resource', operator, value }],
    }),
  ]
  const cases: readonly (readonly [boolean, string, readonly PolicyFacts[], string, Target?, Subject?])[] = [
    [true, 'a policy on the service covers each key', resource({}), 'kms.secrets.wrap'],
    [true, 'a policy on the instance covers its keys', resource({ serviceInstance: 'i1' }), 'kms.secrets.wrap'],
    [false, 'a policy on another instance does not', resource({ serviceInstance: 'i2' }), 'kms.secrets.wrap'],
    [true, 'a policy on the key', resource({ resourceType: 'key', resource: 'k1' }), 'kms.secrets.wrap'],
    [false, 'a policy on another key', resource({ resourceType: 'key', resource: 'k2' }), 'kms.secrets.wrap'],
    [false, 'a policy on a ring, for a key whose ring is not told', resource({ keyRing: 'r' }), 'kms.secrets.wrap'],
    [true, 'a policy on a ring', resource({ keyRing: 'r' }), 'kms.secrets.wrap', { ...keyOfA, keyRing: 'r' }],
    [false, 'an attribute nobody knows', resource({ moonPhase: 'full' }), 'kms.secrets.wrap'],
    [true, 'stringMatch with a star', matching('k*'), 'kms.secrets.wrap'],
    [false, 'stringMatch that does not fit', matching('K*'), 'kms.secrets.wrap'],
    [false, 'an operator nobody knows', matching('k1', 'stringSounds'), 'kms.secrets.wrap'],
    [false, 'Reader does not delete', resource({}), 'kms.secrets.delete'],
    [true, 'Reader of a service registers', resource({}), 'kms.registrations.create'],
    [false, 'a person never registers', ownerPolicies, 'kms.registrations.create', keyOfA, owner],
    [false, 'the delegator role alone opens nothing', [policy({ roles: [delegatorRole] })], 'kms.secrets.wrap'],
    [false, 'a role nobody knows', [policy({ roles: ['crn:v1:x'] })], 'kms.secrets.wrap'],
    [false, 'a policy without a subject is nobody’s', [policy({ subject: [] })], 'kms.secrets.wrap'],
    [
      false,
      'a policy without an account covers nothing',
      [policy({ resource: equals({ serviceName: 'kms' }) })],
      'kms.secrets.wrap',
    ],
    [
      false,
      'a subject narrower than the one who asks',
      [policy({ subject: equals({ serviceName: 'server-protect', accountId: accountB, serviceInstance: 'x' }) })],
      'kms.secrets.wrap',
    ],
    [
      false,
      'the service of another account',
      [policy({})],
      'kms.secrets.wrap',
      keyOfA,
      { ...storageOfB, accountId: accountA },
    ],
    [false, 'a key of another account', [policy({})], 'kms.secrets.wrap', { ...keyOfA, accountId: accountB }],
    [
      true,
      'the owner creates volumes',
      ownerPolicies,
      'is.volume.volume.create',
      { accountId: accountA, serviceName: 'is' },
      owner,
    ],
    [
      true,
      'the owner makes policies',
      ownerPolicies,
      'iam.policy.create',
      { accountId: accountA, serviceName: 'iam-access-management' },
      owner,
    ],
    [
      true,
      'the owner makes instances',
      ownerPolicies,
      'resource-controller.instance.create',
      { accountId: accountA, serviceName: 'kms' },
      owner,
    ],
    [
      false,
      'serviceType=service does not cover policies',
      ownerPolicies.slice(0, 1),
      'iam.policy.create',
      { accountId: accountA, serviceName: 'iam-access-management' },
      owner,
    ],
    [
      false,
      'an action on another service’s resource',
      ownerPolicies,
      'kms.secrets.wrap',
      { accountId: accountA, serviceName: 'is' },
      owner,
    ],
    [false, 'an action of no service', ownerPolicies, 'toString.x', { accountId: accountA, serviceName: 'is' }, owner],
    [
      true,
      'hs-crypto has its own prefix',
      ownerPolicies,
      'hs-crypto.secrets.wrap',
      { ...keyOfA, serviceName: 'hs-crypto' },
      owner,
    ],
    [false, 'a Manager has no purge', ownerPolicies, 'kms.secrets.purge', keyOfA, owner],
    [
      true,
      'a volume by its own attribute',
      [
        policy({
          subject: equals({ iam_id: 'IBMid-OWNER' }),
          resource: equals({ accountId: accountA, serviceName: 'is', volumeId: 'v1' }),
          roles: [editorRole],
        }),
      ],
      'is.volume.volume.delete',
      { accountId: accountA, serviceName: 'is', resourceType: 'volume', resource: 'v1' },
      owner,
    ],
  ]
  for (const [expected, name, policies, action, target, subject] of cases) {
    test(name, () => equal(may(policies, action, target, subject), expected))
  }
})

// Few values, so that random policies and random requests meet.
const value = fc.constantFrom('x', 'y', accountA)
const condition = fc.record({
  name: fc.constantFrom('serviceName', 'accountId', 'resource', 'serviceInstance', 'keyRing'),
  operator: fc.constantFrom('stringEquals', 'stringMatch', 'other'),
  value: fc.constantFrom('x', 'y', '*', '?', 'kms', 'is', 'server-protect', accountA, accountB),
})
const policies = fc.array(
  fc.record({
    id: fc.uuid(),
    subject: fc.array(condition, { maxLength: 2 }),
    resource: fc
      .array(condition, { maxLength: 2 })
      .map((rest) => [{ name: 'accountId', operator: 'stringEquals', value: accountA }, ...rest]),
    roles: fc.subarray(
      roles.map((role) => role.crn),
      { minLength: 1 },
    ),
  }),
  { maxLength: 8 },
)
const request = fc
  .record({ action: fc.constantFrom('kms.secrets.wrap', 'is.volume.volume.read'), resource: value, instance: value })
  .map(({ action, resource, instance }) => {
    const serviceName = action.startsWith('kms') ? 'kms' : 'is'
    const target = { accountId: accountA, serviceName, serviceInstance: instance, resource }
    return { action, subject: subjectAttributes(storageOfB), resource: resourceAttributes(target) }
  })

test('adding a policy never removes a permission', () => {
  fc.assert(
    fc.property(policies, policies, request, (before, added, asked) => {
      if (!decide(before, roleActions, asked).permitted) return
      equal(decide([...added, ...before], roleActions, asked).permitted, true)
    }),
    { numRuns: 2000 },
  )
})

test('the order of policies does not change what is permitted', () => {
  const shuffled = policies.chain((list) =>
    fc.record({ list: fc.constant(list), other: fc.shuffledSubarray(list, { minLength: list.length }) }),
  )
  fc.assert(
    fc.property(shuffled, request, ({ list, other }, asked) => {
      equal(decide(list, roleActions, asked).permitted, decide(other, roleActions, asked).permitted)
    }),
    { numRuns: 2000 },
  )
})

test('another condition never widens a policy', () => {
  fc.assert(
    fc.property(policies, condition, request, (list, more, asked) => {
      const narrower = list.map((one) => ({ ...one, resource: [...one.resource, more] }))
      if (decide(narrower, roleActions, asked).permitted) equal(decide(list, roleActions, asked).permitted, true)
    }),
    { numRuns: 2000 },
  )
})

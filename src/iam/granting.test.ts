import { equal } from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { resourceAttributes } from './attributes.ts'
import { equals } from './conditions.ts'
import type { Condition } from './conditions.ts'
import { covers, partsOf } from './covers.ts'
import { decide } from './decide.ts'
import type { Expression, PolicyFacts } from './decide.ts'
import { heldBy, roleAbove } from './granting.ts'
import type { Target } from './port.ts'
import { administratorRole, delegatorRole, managerRole, roleActions } from './roles.ts'
import type { Rule } from './rules.ts'

const accountA = 'a'.repeat(32)
const platform = (name: string) => `crn:v1:bluemix:public:iam::::role:${name}`
const service = (name: string, of = 'iam') => `crn:v1:bluemix:public:${of}::::serviceRole:${name}`
const noon = Date.UTC(2026, 0, 1, 12)

const on = (resource: Readonly<Record<string, string>>): readonly Condition[] => [
  equals('accountId', accountA),
  ...Object.entries(resource).map(([name, value]) => equals(name, value)),
]
const held = (resource: Readonly<Record<string, string>>, roles: readonly string[], rule?: Rule): PolicyFacts => ({
  id: Object.values(resource).join(),
  subject: [equals('iam_id', 'IBMid-1')],
  resource: on(resource),
  roles,
  ...(rule && { rule }),
})
const mayGive = (
  policies: readonly PolicyFacts[],
  resource: Record<string, string>,
  roles: readonly string[],
  rule?: Rule,
) => {
  const holdings = { policies, roles: roleActions, now: noon }
  const facts = { subject: [], resource: on(resource), roles, ...(rule && { rule }) }
  return heldBy(holdings, 'iam.policy.create', facts) !== null && roleAbove(holdings, facts) === null
}

const owner = [
  held({ serviceType: 'service' }, [administratorRole, managerRole]),
  held({ serviceType: 'platform_service' }, [administratorRole]),
]
const ofInstance = [held({ serviceName: 'kms', serviceInstance: 'i1' }, [administratorRole, service('Writer')])]
const ofGroup = [held({ resourceGroupId: 'g1' }, [administratorRole])]
const morning: Rule = { name: 'environment.current_time', operator: 'timeLessThan', value: '11:00:00+00:00' }
const day: Rule = { name: 'environment.current_time', operator: 'timeGreaterThan', value: '08:00:00+00:00' }

describe('who may give what', () => {
  const cases: readonly (readonly [
    boolean,
    string,
    readonly PolicyFacts[],
    Record<string, string>,
    string[],
    Rule?,
  ])[] = [
    [true, 'the owner, any level of a service', owner, { serviceName: 'kms' }, [managerRole]],
    [true, 'the owner, roles beside the levels', owner, { serviceName: 'kms' }, [service('KeyPurge', 'kms')]],
    [true, 'the owner, all in a resource group', owner, { resourceGroupId: 'g' }, [administratorRole, managerRole]],
    [true, 'the owner, a group itself', owner, { resourceType: 'resource-group', resource: 'g' }, [platform('Viewer')]],
    [true, 'the owner, IAM as a group of services', owner, { service_group_id: 'IAM' }, [administratorRole]],
    [true, 'the owner, the delegator role', owner, { serviceName: 'kms' }, [delegatorRole, service('Reader')]],
    [true, 'the owner, roles of VPC', owner, { serviceName: 'is' }, [service('ShareBroker', 'is')]],
    [false, 'whoever has nothing', [], { serviceName: 'kms' }, [service('Reader')]],
    [
      true,
      'an instance administrator, the instance',
      ofInstance,
      { serviceName: 'kms', serviceInstance: 'i1' },
      [service('Writer')],
    ],
    [
      true,
      'an instance administrator, a key of it',
      ofInstance,
      { serviceName: 'kms', serviceInstance: 'i1', resourceType: 'key', resource: 'k' },
      [service('Reader')],
    ],
    [false, 'an instance administrator, the service', ofInstance, { serviceName: 'kms' }, [service('Reader')]],
    [
      false,
      'an instance administrator, another instance',
      ofInstance,
      { serviceName: 'kms', serviceInstance: 'i2' },
      [service('Reader')],
    ],
    [
      false,
      'an instance administrator, a higher level',
      ofInstance,
      { serviceName: 'kms', serviceInstance: 'i1' },
      [managerRole],
    ],
    [
      false,
      'an instance administrator, a role beside the levels',
      ofInstance,
      { serviceName: 'kms', serviceInstance: 'i1' },
      [service('KeyPurge', 'kms')],
    ],
    [
      true,
      'a group administrator, in the group',
      ofGroup,
      { resourceGroupId: 'g1', serviceName: 'is' },
      [platform('Editor')],
    ],
    [
      true,
      'a group administrator, the group itself',
      ofGroup,
      { resourceType: 'resource-group', resource: 'g1' },
      [platform('Viewer')],
    ],
    [
      false,
      'a group administrator, keys, having no level there',
      ofGroup,
      { resourceGroupId: 'g1', serviceName: 'kms' },
      [service('Reader')],
    ],
    [
      false,
      'a group administrator, an instance that may lie elsewhere',
      ofGroup,
      { serviceName: 'kms', serviceInstance: 'i1' },
      [platform('Viewer')],
    ],
    [
      false,
      'an Editor',
      [held({ serviceName: 'kms' }, [platform('Editor'), managerRole])],
      { serviceName: 'kms' },
      [platform('Viewer')],
    ],
    [
      false,
      'half by one policy and half by another does not make a whole',
      [
        held({ serviceName: 'kms', serviceInstance: 'i1' }, [administratorRole]),
        held({ serviceName: 'kms' }, [service('Reader')]),
      ],
      { serviceName: 'kms' },
      [service('Reader')],
    ],
    [
      true,
      'volumes by either of their names',
      [held({ serviceName: 'is', volumeId: 'v1' }, [administratorRole])],
      { serviceName: 'is', resourceType: 'volume', resource: 'v1' },
      [platform('Operator')],
    ],
    [
      true,
      'volumes by the other of their names',
      [held({ serviceName: 'is', resourceType: 'volume', resource: 'v1' }, [administratorRole])],
      { serviceName: 'is', volumeId: 'v1' },
      [platform('Operator')],
    ],
    [
      false,
      'for always, who may sometimes',
      [held({ serviceName: 'is' }, [administratorRole], day)],
      { serviceName: 'is' },
      [platform('Viewer')],
    ],
    [
      true,
      'for the same times, at such a time',
      [held({ serviceName: 'is' }, [administratorRole], day)],
      { serviceName: 'is' },
      [platform('Viewer')],
      day,
    ],
    [
      false,
      'for the same times, at another time',
      [held({ serviceName: 'is' }, [administratorRole], morning)],
      { serviceName: 'is' },
      [platform('Viewer')],
      morning,
    ],
  ]
  for (const [expected, name, policies, resource, given, rule] of cases) {
    test(`${name}: ${expected ? 'yes' : 'no'}`, () => equal(mayGive(policies, resource, given, rule), expected))
  }
})

// Few values, so that random expressions and random requests meet.
const value = fc.constantFrom('g1', 'i1', 'k1', 'key', 'volume')
const condition = fc.record({
  name: fc.constantFrom('serviceInstance', 'resourceGroupId', 'resourceType', 'resource', 'volumeId', 'serviceType'),
  operator: fc.constantFrom('stringEquals', 'stringMatch'),
  value: fc.constantFrom('g1', 'i1', 'k1', 'key', 'volume', '*', 'k*', 'service', 'platform_service'),
})
const expression: fc.Arbitrary<Expression> = fc
  .record({
    serviceName: fc.constantFrom('kms', 'is', 'resource-controller', null),
    more: fc.uniqueArray(condition, { selector: (one) => one.name, maxLength: 3 }),
  })
  .map(({ serviceName, more }) => ({
    resource: [equals('accountId', accountA), ...(serviceName ? [equals('serviceName', serviceName)] : []), ...more],
  }))
const target: fc.Arbitrary<Target> = fc
  .record({ serviceName: fc.constantFrom('kms', 'is'), instance: value, group: value, type: value, resource: value })
  .map(({ serviceName, instance, group, type, resource }) => ({
    accountId: accountA,
    serviceName,
    serviceInstance: instance,
    resourceGroupId: group,
    resourceType: type,
    resource,
  }))

test('whatever is in a part that is covered is in the whole', () => {
  fc.assert(
    fc.property(expression, expression, target, (whole, part, asked) => {
      if (!partsOf(part).every((one) => covers(whole, one, noon))) return
      const may = ({ resource }: Expression) =>
        decide([{ id: 'p', subject: [equals('iam_id', 'x')], resource, roles: [administratorRole] }], roleActions, {
          subject: new Map([['iam_id', 'x']]),
          action: 'resource-controller.instance.read',
          resource: resourceAttributes(asked),
        }).permitted
      if (may(part)) equal(may(whole), true)
    }),
    { numRuns: 20_000 },
  )
})

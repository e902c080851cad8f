// Decisions as tables with literal answers: testing/key-roles.txt and testing/scopes.txt. A row is one policy.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { resourceAttributes, subjectAttributes } from './attributes.ts'
import { equals } from './conditions.ts'
import type { Condition } from './conditions.ts'
import { decide } from './decide.ts'
import type { PolicyFacts } from './decide.ts'
import { resourceKeyOf, resourceKeys } from './policy-keys.ts'
import type { Subject, Target } from './port.ts'
import { administratorRole, managerRole, roleActions, roles } from './roles.ts'

const accountA = 'a'.repeat(32)
const accountB = 'b'.repeat(32)
const person: Subject = { kind: 'user', iamId: 'IBMid-1', accountId: accountA, name: 'p@a.test' }
const storage: Subject = { kind: 'service', serviceName: 'server-protect', accountId: accountB }

const rowsOf = (name: string): readonly string[] =>
  readFileSync(join(import.meta.dirname, 'testing', name), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

const may = (policy: PolicyFacts, subject: Subject, action: string, target: Target): boolean => {
  const request = { subject: subjectAttributes(subject), action, resource: resourceAttributes(target) }
  return decide([policy], roleActions, request).permitted
}

function subjectOf(subject: Subject): readonly Condition[] {
  if ('iamId' in subject) return [equals('iam_id', subject.iamId)]
  return [equals('serviceName', subject.serviceName), equals('accountId', subject.accountId)]
}

let count = 0

test('roles permit what the published matrix says, to people and to services, for both key managers', () => {
  const [head = '', ...rows] = rowsOf('key-roles.txt')
  const names = head.trim().split(/\s+/).slice(1)
  for (const serviceName of ['kms', 'hs-crypto']) {
    for (const row of rows) {
      const [action = '', ...answers] = row.trim().split(/\s+/)
      equal(answers.length, names.length, row)
      names.forEach((name, at) => {
        const role = roles.find(
          ({ crn, serviceName: of }) => crn.endsWith(`:${name}`) && (of === null || of === serviceName),
        )
        ok(role, name)
        for (const subject of [person, storage]) {
          const resource = [equals('accountId', accountA), equals('serviceName', serviceName)]
          const policy: PolicyFacts = { id: 'p', subject: subjectOf(subject), resource, roles: [role.crn] }
          const target: Target = {
            accountId: accountA,
            serviceName,
            serviceInstance: 'i',
            resourceType: 'key',
            resource: 'k',
          }
          const expected: boolean = answers[at] === 'y' || (answers[at] === 's' && subject === storage)
          equal(may(policy, subject, `${serviceName}.${action}`, target), expected, `${serviceName} ${name} ${action}`)
          count++
        }
      })
    }
  }
})

const key = (resource: string, serviceInstance: string, resourceGroupId: string, keyRing = 'default'): Target => ({
  accountId: accountA,
  serviceName: 'kms',
  serviceInstance,
  region: 'us-south',
  resourceGroupId,
  resourceType: 'key',
  keyRing,
  ...(resource !== '' && { resource }),
})

const asked: Readonly<Record<string, readonly [action: string, target: Target]>> = {
  k1: ['kms.secrets.wrap', key('k1', 'i1', 'g1')],
  k2: ['kms.secrets.wrap', key('k2', 'i1', 'g1')],
  k3: ['kms.secrets.wrap', key('k3', 'i2', 'g2', 'r1')],
  i1: ['kms.secrets.list', key('', 'i1', 'g1')],
  rc: [
    'resource-controller.instance.delete',
    { accountId: accountA, serviceName: 'kms', serviceInstance: 'i1', region: 'us-south', resourceGroupId: 'g1' },
  ],
  v1: [
    'is.volume.volume.delete',
    { accountId: accountA, serviceName: 'is', resourceType: 'volume', resource: 'v1', resourceGroupId: 'g1' },
  ],
  B: ['kms.secrets.wrap', { ...key('k1', 'i1', 'g1'), accountId: accountB }],
}

/** `name=value`, `name~pattern`, `name|value,value`, `name?pattern,pattern`, `name+` is there, `name!` is not. */
function conditionOf(text: string): Condition {
  const [, name = '', sign = '', value = ''] = /^(\w+)([=~|?+!])(.*)$/.exec(text) ?? []
  if (sign === '+' || sign === '!') return { name, operator: 'stringExists', value: sign === '+' }
  if (sign === '=') return equals(name, value)
  if (sign === '~') return { name, operator: 'stringMatch', value }
  return { name, operator: sign === '|' ? 'stringEqualsAnyOf' : 'stringMatchAnyOf', value: value.split(',') }
}

test('policies cover what their attributes say, and the key they are found by never hides one that permits', () => {
  const [head = '', ...rows] = rowsOf('scopes.txt')
  const names = head.trim().split(/\s+/).slice(1)
  for (const row of rows) {
    const words = row.trim().split(/\s+/)
    const conditions = words.slice(0, -names.length).map(conditionOf)
    const resource = [equals('accountId', accountA), ...conditions]
    const policy: PolicyFacts = {
      id: 'p',
      subject: subjectOf(person),
      resource,
      roles: [administratorRole, managerRole],
    }
    const answers = names.map((name) => {
      const [action, target] = asked[name] ?? []
      ok(action && target, name)
      count++
      const permitted = may(policy, person, action, target)
      if (permitted) ok(resourceKeys(target).includes(resourceKeyOf(resource)), `${row}: found for ${name}`)
      return permitted ? 'y' : '-'
    })
    deepEqual(answers, words.slice(-names.length), row)
  }
})

test('the tables are large', () => ok(count >= 300, `${count} decisions`))

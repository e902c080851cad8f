import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { crnAskedFor, matches, parseQuery } from './search-query.ts'

const crn = 'crn:v1:bluemix:public:kms:us-south:a/0000::'
const resource: Record<string, readonly string[]> = {
  crn: [crn],
  name: ['Payroll keys'],
  service_name: ['kms'],
  family: ['resource_controller'],
  tags: ['env:prod', 'team*a'],
  'doc.state': ['active'],
}
const values = (field: string | null): readonly string[] =>
  field === null || field === '*' ? Object.values(resource).flat() : (resource[field] ?? [])

const holds = (query: string): boolean => matches(parseQuery(query), values)

const yes = [
  '',
  '*',
  '*:*',
  `crn:"${crn}"`,
  `crn:${crn.replaceAll(':', '\\:')}`,
  'service_name:kms',
  'SERVICE_NAME:KMS',
  'service_name:kms AND family:resource_controller',
  'service_name:is OR service_name:kms',
  'service_name:(is OR kms)',
  'service_name:k*',
  'service_name:?ms',
  'name:"payroll KEYS"',
  'name:payroll*',
  'kms',
  'pay*',
  'tags:"env:prod"',
  'tags:env\\:prod',
  'tags:team\\*a',
  'NOT service_name:is',
  '-service_name:is',
  'service_name:kms -name:other',
  '+service_name:kms && (name:pay* || name:other)',
  'doc.state:active',
]
for (const query of yes) test(`${JSON.stringify(query)} finds it`, () => assert.ok(holds(query)))

const no = [
  'service_name:is',
  'service_name:kms AND family:is',
  'name:payroll',
  'NOT service_name:kms',
  'crn:"crn:v1:other"',
  'tags:teamxa\\*',
  'no_such_field:*',
  'service_name:(is AND kms)',
]
for (const query of no) test(`${JSON.stringify(query)} does not`, () => assert.ok(!holds(query)))

const refused = ['(', ')', 'a:(b', 'name:', 'a AND', 'AND', 'x:[1 TO 2]', '"open', 'a:b:c', '-', '('.repeat(100), '\\']
for (const query of refused) {
  test(`${JSON.stringify(query.slice(0, 20))} is refused`, () => {
    assert.throws(
      () => parseQuery(query),
      (error) => error instanceof Fault && error.code === 'invalid',
    )
  })
}

test('crnAskedFor() finds the one CRN that a query is about', () => {
  assert.equal(crnAskedFor(parseQuery(`crn:"${crn}"`)), crn)
  assert.equal(crnAskedFor(parseQuery(`crn:"${crn}" AND family:ims`)), crn)
  assert.equal(crnAskedFor(parseQuery(`crn:"${crn}" OR name:x`)), null)
  assert.equal(crnAskedFor(parseQuery('crn:crn*')), null)
})

test('matches() takes no longer for a pattern of many stars', () => {
  const query = parseQuery(`name:${'*a'.repeat(500)}b`)
  const started = process.hrtime.bigint()
  assert.ok(!matches(query, () => ['a'.repeat(2000)]))
  assert.ok(process.hrtime.bigint() - started < 1_000_000_000n)
})

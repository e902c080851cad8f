// Who may read, make, change and delete which policy, from outside.

import { deepEqual, equal, match, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from '#base/fault.ts'
import { parsePolicyQuery } from './policy-list.ts'
import { parsePolicyV2 } from './policy-parse-v2.ts'
import { parsePolicy } from './policy-parse.ts'
import {
  administrator,
  body,
  bodyV2,
  make,
  makeV2,
  platformRole,
  reader,
  serviceRole,
  user,
} from './testing/policies.ts'
import { accountA, accountB, makeWorld } from './testing/world.ts'

const keys = { accountId: accountA, serviceName: 'kms' }
const instance = { ...keys, serviceInstance: 'i1' }
const scoped = user('IBMid-SCOPED', accountA)
const other = { iam_id: 'IBMid-OTHER' }
const manager = serviceRole('Manager')

test('a scoped administrator gives what is equal or narrower, at most the own level, and nothing to themselves', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  await make(world, a, { iam_id: 'IBMid-SCOPED' }, instance, [administrator, reader])
  await make(world, scoped, other, instance, [reader])
  await make(world, scoped, other, { ...instance, resourceType: 'key', resource: 'k1' }, [reader])
  await make(world, scoped, { serviceName: 'server-protect', accountId: accountB }, instance, [reader])
  const refusals: readonly (readonly [Record<string, string>, Record<string, string>, readonly string[], RegExp])[] = [
    [other, keys, [reader], /is not Administrator of all that this policy covers/],
    [other, { accountId: accountA, serviceType: 'service' }, [platformRole('Viewer')], /is not Administrator/],
    [other, { ...keys, serviceInstance: 'i2' }, [reader], /is not Administrator/],
    [other, instance, [manager], /does not hold all of role .*Manager/],
    [{ iam_id: 'IBMid-SCOPED' }, instance, [manager], /does not hold all of role .*Manager/],
    [
      { iam_id: 'IBMid-SCOPED' },
      { accountId: accountA, serviceType: 'service' },
      [administrator],
      /is not Administrator/,
    ],
    [{ serviceName: 'server-protect', accountId: accountB }, keys, [reader], /is not Administrator/],
  ]
  for (const [subject, resource, roles, sentence] of refusals) {
    await rejects(make(world, scoped, subject, resource, roles), (fault: Fault) => {
      match(fault.message, sentence)
      return (
        fault.code === 'forbidden' && fault.explanation?.account === accountA && fault.explanation.fix !== undefined
      )
    })
  }
  // What is suggested makes it so, once somebody else has given it.
  const missing = await make(world, scoped, other, instance, [manager]).then(
    () => null,
    (fault: Fault) => fault.explanation?.missingPolicy,
  )
  await world.iam.policies.create(a, parsePolicy(missing as Parameters<typeof parsePolicy>[0]))
  await make(world, scoped, other, instance, [manager])
})

test('whoever may make a policy by widening one there is may not, and may not touch those above', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const own = await make(world, a, { iam_id: 'IBMid-SCOPED' }, instance, [administrator, reader])
  const above = await make(world, a, other, keys, [manager])
  const given = await make(world, scoped, other, instance, [reader])
  const replace = (id: string, draft: ReturnType<typeof parsePolicy>) =>
    world.iam.policies.replace(scoped, id, { ifMatch: '*', draft: () => draft })
  await rejects(replace(own.id, parsePolicy(body({ iam_id: 'IBMid-SCOPED' }, instance, [administrator, manager]))), {
    code: 'forbidden',
  })
  await rejects(replace(given.id, parsePolicy(body(other, keys, [reader]))), { code: 'forbidden' })
  await rejects(replace(given.id, parsePolicy(body(other, instance, [manager]))), { code: 'forbidden' })
  await rejects(world.iam.policies.delete(scoped, above.id), { code: 'not_found' })
  // Elsewhere is elsewhere: a policy stays of its account and type.
  await rejects(replace(given.id, parsePolicy(body(other, { ...instance, accountId: accountB }, [reader]))), {
    code: 'invalid',
  })
  const authorization = body({ serviceName: 'is', accountId: accountA }, instance, [reader])
  await rejects(replace(given.id, parsePolicy(authorization)), { code: 'invalid' })
  await world.iam.policies.delete(scoped, given.id)
  // Deleted, it comes back only with leave to give it.
  await world.iam.policies.delete(a, own.id)
  const gone = await world.iam.policies.get(a, given.id)
  await rejects(world.iam.policies.restore(scoped, given.id, gone.revision), { code: 'not_found' })
  equal((await world.iam.policies.restore(a, given.id, gone.revision)).state, 'active')
})

test('lists hold what the caller may see, on as many pages as that takes', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  await make(world, a, { iam_id: 'IBMid-SCOPED' }, instance, [platformRole('Viewer')])
  for (const at of [1, 2, 3, 4, 5, 6, 7]) {
    await make(world, a, other, { ...keys, serviceInstance: at % 2 ? 'i1' : 'i2', resource: `k${at}` }, [reader])
  }
  const seen: unknown[] = []
  let start: { value: string | number; id: string } | null = null
  do {
    const page = parsePolicyQuery({ account_id: accountA, limit: 2, sort: '-id' })
    const listing = await world.iam.policies.list(scoped, accountA, { ...page, ...(start && { after: start }) })
    equal(listing.policies.length <= 2, true)
    seen.push(...listing.policies.map((policy) => policy.facts.resource.find(({ name }) => name === 'resource')?.value))
    start = listing.next
  } while (start)
  deepEqual(seen.sort(), ['k1', 'k3', 'k5', 'k7', undefined].sort())
  const nobody = await world.iam.policies.list(
    user('IBMid-NOBODY', accountA),
    accountA,
    parsePolicyQuery({ account_id: accountA }),
  )
  deepEqual(nobody.policies, [])
  const viewer = user('IBMid-VIEWER', accountA)
  await make(world, a, { iam_id: 'IBMid-VIEWER' }, { accountId: accountA, serviceName: 'iam-access-management' }, [
    platformRole('Viewer'),
  ])
  const all = await world.iam.policies.list(viewer, accountA, parsePolicyQuery({ account_id: accountA }))
  equal(all.policies.length, 11)
})

test('a policy is replaced as it was read, and a twin of another is a conflict', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const first = await make(world, a, other, keys, [reader])
  const second = await make(world, a, other, instance, [reader])
  const draft = parsePolicyV2(bodyV2(other, keys, [serviceRole('Writer')], { description: 'more' }))
  const replace = (id: string, ifMatch: string | undefined, of = draft) =>
    world.iam.policies.replace(a, id, { ifMatch, draft: () => of })
  await rejects(replace(first.id, undefined), { code: 'invalid' })
  await rejects(replace(first.id, second.revision), (fault: Fault) => {
    deepEqual(fault.extra, { conflicts_with: { policy: first.id, etag: first.revision } })
    return fault.code === 'conflict' && fault.reason === 'policy_conflict_error'
  })
  const replaced = await replace(first.id, first.revision)
  match(replaced.revision, /^2-/)
  deepEqual(
    [replaced.createdAt, replaced.sent.description, replaced.facts.roles],
    [first.createdAt, 'more', [serviceRole('Writer')]],
  )
  await rejects(replace(second.id, second.revision), (fault: Fault) => {
    deepEqual(fault.extra, { conflicts_with: { policy: first.id, etag: replaced.revision } })
    return fault.code === 'conflict'
  })
  // Equal to itself it is no twin.
  await replace(first.id, replaced.revision)
  await world.iam.policies.delete(a, first.id)
  await rejects(replace(first.id, '*'), { code: 'not_found' })
  await make(world, a, other, keys, [serviceRole('Writer')])
  const gone = await world.iam.policies.get(a, first.id)
  await rejects(world.iam.policies.restore(a, first.id, gone.revision), { code: 'conflict' })
})

test('conditions on time, tags and several values are kept, decided and never widen', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const may = async (accessTags?: readonly string[]) =>
    (
      await world.iam.port.decide(user('IBMid-OTHER', accountA).caller, 'kms.secrets.wrap', {
        ...instance,
        resource: 'k1',
        ...(accessTags && { accessTags }),
      })
    ).permitted
  const timed = await makeV2(
    world,
    a,
    bodyV2(other, keys, [reader], {
      rule: { key: '{{environment.attributes.current_time}}', operator: 'timeLessThan', value: '06:00:00+00:00' },
    }),
  )
  equal(await may(), true)
  world.clock.advance(7 * 3_600_000)
  equal(await may(), false)
  await world.iam.policies.delete(a, timed.id)
  const policy = bodyV2(other, keys, [reader])
  await makeV2(world, a, {
    ...policy,
    resource: { ...policy.resource, tags: [{ key: 'project', operator: 'stringMatch', value: 'proto*' }] },
  })
  deepEqual([await may(), await may(['project:x']), await may(['project:prototype'])], [false, false, true])
})

test('what is wrong with rules is said by its wire name', () => {
  const rule = (value: unknown) => () =>
    parsePolicyV2(
      bodyV2(other, keys, [reader], { rule: value as NonNullable<Parameters<typeof parsePolicyV2>[0]['rule']> }),
    )
  const condition = (key: string, operator: string, value: unknown) => ({ key, operator, value })
  const time = '{{environment.attributes.current_time}}'
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [condition('current_time', 'timeLessThan', '01:00:00Z'), /^rule.key: is \{\{resource.attributes.NAME\}\}/],
    [condition(time, 'timeLessThan', 'noon'), /^rule: timeLessThan has a value that is no such time/],
    [condition(time, 'stringEquals', '01:00:00Z'), /^rule: stringEquals has no meaning/],
    [condition(time, 'dayOfWeekEquals', '1'), /day_of_week/],
    [condition('{{resource.attributes.moon}}', 'stringEquals', 'x'), /unknown attribute moon/],
    [condition('{{resource.attributes.path}}', 'stringExists', 'x'), /is not a value for stringExists/],
    [condition('{{resource.attributes.path}}', 'timeLessThan', 'x'), /no meaning for a resource attribute/],
    [{ operator: 'and', conditions: [condition(time, 'timeLessThan', 'x')] }, /^rule.conditions.0: /],
  ]
  for (const [value, sentence] of wrong) {
    try {
      rule(value)()
    } catch (fault) {
      match((fault as Error).message, sentence)
      continue
    }
    throw new Error(`accepted: ${JSON.stringify(value)}`)
  }
  const eleven = {
    operator: 'or',
    conditions: Array.from({ length: 10 }, () => ({
      operator: 'and',
      conditions: [condition(time, 'timeLessThan', '01:00:00Z'), condition(time, 'timeLessThan', '02:00:00Z')],
    })),
  }
  try {
    rule(eleven)()
  } catch (fault) {
    return match((fault as Error).message, /at most 10 conditions/)
  }
  throw new Error('it was accepted')
})

test('both versions of one policy decide alike, and what one shows the other takes back', async () => {
  await using world = await makeWorld()
  const a = await world.owner(accountA)
  const first = parsePolicy(body(other, instance, [reader]))
  const second = parsePolicyV2(bodyV2(other, instance, [reader]))
  deepEqual(first.facts, second.facts)
  await world.iam.policies.create(a, first)
  await rejects(world.iam.policies.create(a, second), { code: 'conflict' })
})

test('names of the documentation page beside the real ones are refused, with what to write', () => {
  const mixed = (
    resource: Record<string, string>,
    subject: Record<string, string> = { serviceName: 'server-protect', accountId: accountB },
  ) => {
    try {
      parsePolicy(body(subject, resource, [reader]))
    } catch (fault) {
      return (fault as Error).message
    }
    return 'accepted'
  }
  match(mixed({ 'Account-A': accountA, serviceName: 'kms' }), /mixed with real ones: write accountId for "Account-A"/)
  match(mixed({ accountId: accountA, 'Account-A': accountB, serviceName: 'kms' }), /accountId is given twice/)
  match(mixed({ accountId: accountA, 'Account-A-CRK': accountA, 'Key-Protect': 'kms' }), /accountId is given twice/)
  match(mixed(keys, { 'Key-Protect': 'server-protect', accountId: accountB }), /write serviceName for "Key-Protect"/)
  equal(mixed({ 'Account-A': accountA, 'Key-Protect': 'kms', serviceInstance: 'i1' }), 'accepted')
})

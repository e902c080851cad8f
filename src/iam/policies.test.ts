import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { embeddedOnly } from '#store/testing/open.ts'
import { CompiledQuery } from 'kysely'
import type { Fault } from '#base/fault.ts'
import { deletedPolicyMs, policiesPerAccountMax } from '#base/limits.ts'
import type { PolicyQuery } from './policy-list.ts'
import { parsePolicyQuery } from './policy-list.ts'
import { parsePolicy } from './policy-parse.ts'
import type { ServiceSubject, Target } from './port.ts'
import { candidates } from './tables-decisions.ts'
import { accountA, accountB, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'
import { policyListView } from './policy-view.ts'

const reader = 'crn:v1:bluemix:public:iam::::serviceRole:Reader'
const delegator = 'crn:v1:bluemix:public:iam::::role:AuthorizationDelegator'
const storageOfB: ServiceSubject = { kind: 'service', serviceName: 'server-protect', accountId: accountB }
const keyOfA: Target = {
  accountId: accountA,
  serviceName: 'kms',
  serviceInstance: 'i',
  resourceType: 'key',
  resource: 'k',
}

type Body = Parameters<typeof parsePolicy>[0]
type Sources = Body['subjects'][number]['attributes']
type Targets = Body['resources'][number]['attributes']

const body = (over: { subject?: Sources; resource?: Targets; roles?: string[]; type?: Body['type'] } = {}): Body => ({
  type: over.type ?? 'authorization',
  subjects: [
    {
      attributes: over.subject ?? [
        { name: 'serviceName', value: 'server-protect' },
        { name: 'accountId', value: accountB },
      ],
    },
  ],
  roles: (over.roles ?? [reader]).map((role_id) => ({ role_id })),
  resources: [
    {
      attributes: over.resource ?? [
        { name: 'accountId', value: accountA, operator: 'stringEquals' },
        { name: 'serviceName', value: 'kms', operator: 'stringEquals' },
      ],
    },
  ],
})

const create = async (world: World, by: string, policy: Body) =>
  world.iam.policies.create(await world.owner(by), parsePolicy(policy))
const mayWrap = async (world: World) => (await world.iam.port.decide(storageOfB, 'kms.secrets.wrap', keyOfA)).permitted

test('an authorization holds from its creation to its deletion', async () => {
  await using world = await makeWorld()
  await rejects(world.iam.port.authorize(storageOfB, 'kms.secrets.wrap', keyOfA), (fault: Fault) => {
    match(fault.message, /^account a+ has no authorization that lets server-protect of account b+ do kms.secrets.wrap/)
    return fault.code === 'forbidden' && fault.explanation?.account === accountA
  })
  const policy = await create(world, accountA, body({ roles: [delegator, reader] }))
  const grant = await world.iam.port.authorize(storageOfB, 'kms.secrets.wrap', keyOfA)
  deepEqual([grant.action, grant.policyId], ['kms.secrets.wrap', policy.id])
  const owner = await world.owner(accountA)
  await world.iam.policies.delete(owner, policy.id)
  equal(await mayWrap(world), false)
  equal((await world.iam.policies.get(owner, policy.id)).state, 'deleted')
  await rejects(world.iam.policies.delete(owner, policy.id), { code: 'not_found', reason: 'policy_not_found' })
})

test('the names that the documentation prints mean what they stand for', async () => {
  await using world = await makeWorld()
  const garbled = body({
    subject: [
      { name: 'Key-Protect', value: 'server-protect' },
      { name: 'Account-B', value: `a/${accountB}` },
    ],
    resource: [
      { name: 'Account-A', operator: 'stringEquals', value: accountA },
      { name: 'Key-Protect', operator: 'stringEquals', value: 'kms' },
    ],
  })
  const policy = await create(world, accountA, garbled)
  deepEqual(policy.sent.subject, garbled.subjects[0]?.attributes)
  deepEqual(policy.sent.resource, garbled.resources[0]?.attributes)
  equal(await mayWrap(world), true)
  // The same in right words is the same policy.
  await rejects(create(world, accountA, body()), { code: 'conflict' })
})

test('the newer names of the documentation are known too', () => {
  const { facts } = parsePolicy(
    body({
      subject: [
        { name: 'Cloud Block Storage', value: 'server-protect' },
        { name: 'Account-B', value: accountB },
      ],
      resource: [
        { name: 'Account-A-CRK', value: `a/${accountA}` },
        { name: 'Hyper-Protect-Crypto-Services', value: 'hs-crypto' },
      ],
    }),
  )
  deepEqual(
    facts,
    parsePolicy(
      body({
        resource: [
          { name: 'accountId', value: accountA },
          { name: 'serviceName', value: 'hs-crypto' },
        ],
      }),
    ).facts,
  )
})

test('only the account of the key may authorize: others are told which, with the body to send', async () => {
  await using world = await makeWorld()
  await rejects(create(world, accountB, body()), (fault: Fault) => {
    match(fault.message, /^account a+ owns the resource of this policy: account a+ must create it/)
    equal(fault.explanation?.account, accountA)
    const [subject, resource] = [
      [
        { name: 'serviceName', value: 'server-protect' },
        { name: 'accountId', value: accountB },
      ],
      [
        { name: 'accountId', value: accountA },
        { name: 'serviceName', value: 'kms' },
      ],
    ]
    deepEqual(fault.explanation?.missingPolicy, {
      type: 'authorization',
      subjects: [{ attributes: subject }],
      roles: [{ role_id: reader }],
      resources: [{ attributes: resource }],
    })
    return fault.code === 'forbidden'
  })
  // An account that does not exist answers the same.
  const nowhere = [
    { name: 'accountId', value: 'c'.repeat(32) },
    { name: 'serviceName', value: 'kms' },
  ]
  await rejects(create(world, accountA, body({ resource: nowhere })), { code: 'forbidden' })
  equal(await mayWrap(world), false)
})

test('an equal policy is a conflict that names the one there is, until that is deleted', async () => {
  await using world = await makeWorld()
  const first = await create(world, accountA, body({ roles: [reader, delegator] }))
  const reordered = body({ roles: [delegator, reader], subject: body().subjects[0]?.attributes.toReversed() ?? [] })
  await rejects(create(world, accountA, reordered), (fault: Fault) => {
    deepEqual(fault.extra, { conflicts_with: { policy: first.id, etag: first.revision } })
    return fault.code === 'conflict' && fault.reason === 'policy_conflict_error'
  })
  await create(world, accountA, body())
  await world.iam.policies.delete(await world.owner(accountA), first.id)
  await create(world, accountA, reordered)
})

test('of two equal policies at once one is made', async () => {
  await using world = await makeWorld()
  const results = await Promise.allSettled([create(world, accountA, body()), create(world, accountA, body())])
  deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('every policy made or deleted has its event, and what was refused has none', async () => {
  await using world = await makeWorld()
  const newest = () =>
    world.database.reads.selectFrom('event_outbox').selectAll().orderBy('seq', 'desc').limit(3).execute()
  const [last] = await newest()
  const owner = await world.owner(accountA)
  const { id } = await create(world, accountA, body())
  await rejects(create(world, accountA, body()))
  await rejects(create(world, accountB, body()))
  await world.iam.policies.delete(owner, id)
  const [deleted, created, before] = await newest()
  equal(before?.seq, last?.seq)
  const facts = { initiatorId: owner.caller.iamId, policyId: id, policyType: 'authorization' }
  for (const [event, type] of [
    [created, 'iam.policy.created'],
    [deleted, 'iam.policy.deleted'],
  ] as const) {
    deepEqual([event?.type, event?.account_id, JSON.parse(event?.body ?? '')], [type, accountA, facts])
  }
})

test('the quota of policies holds', async () => {
  await using world = await makeWorld()
  const [row] = await world.database.reads
    .selectFrom('iam_policy')
    .selectAll()
    .where('account_id', '=', accountA)
    .execute()
  ok(row)
  await world.database.transaction(async (tx) => {
    for (let at = 2; at < policiesPerAccountMax; at++) {
      const copy = { ...row, id: `p${at}`, fingerprint: `p${at}`, subject_key: `iam_id/${at}` }
      await tx.insertInto('iam_policy').values(copy).execute()
    }
  })
  await rejects(create(world, accountA, body()), { code: 'unprocessable' })
})

test('another account learns nothing of a policy', async () => {
  await using world = await makeWorld()
  const { id } = await create(world, accountA, body())
  const stranger = await world.owner(accountB)
  const messages = new Set<string>()
  for (const asked of [id, 'none']) {
    for (const call of [world.iam.policies.get, world.iam.policies.delete]) {
      await rejects(call(stranger, asked), (fault: Fault) => {
        messages.add(fault.message.replace(asked, 'ID'))
        return fault.code === 'not_found'
      })
    }
  }
  deepEqual([...messages], ['policy ID not found'])
  const page = parsePolicyQuery({ account_id: accountA })
  deepEqual(await world.iam.policies.list(stranger, accountA, page), { page, policies: [], next: null })
  equal(await mayWrap(world), true)
})

test('list() pages through everything once, in either direction, by any order', async () => {
  await using world = await makeWorld()
  for (const at of [1, 2, 3, 4, 5]) {
    world.clock.advance(at % 2)
    await create(
      world,
      accountA,
      body({ resource: [...(body().resources[0]?.attributes ?? []), { name: 'resource', value: `k${at}` }] }),
    )
  }
  const anyone = await world.owner(accountA)
  for (const sort of ['created_at', '-created_at', 'id', '-href', 'type', 'last_modified_by_id']) {
    const seen: string[] = []
    let query: PolicyQuery = { account_id: accountA, sort, limit: 2 }
    for (;;) {
      const view = policyListView(
        await world.iam.policies.list(anyone, accountA, parsePolicyQuery(query)),
        query,
        anyone,
        new Map(),
      )
      seen.push(...view.policies.map((policy) => policy.id))
      match(view.first.href, /^http:\/\/iam.test\/v1\/policies\?account_id=a+&sort=-?\w+&limit=2$/)
      if (!view.next) break
      ok(view.next.href.endsWith(`&start=${view.next.start}`))
      query = { ...query, start: view.next.start }
    }
    equal(new Set(seen).size, 7, sort)
    equal(seen.length, 7, sort)
  }
})

test('list() filters', async () => {
  await using world = await makeWorld()
  const anyone = await world.owner(accountA)
  const deleted = await create(world, accountA, body())
  await world.iam.policies.delete(anyone, deleted.id)
  await create(world, accountA, body({ roles: [reader, delegator] }))
  const count = async (query: Omit<PolicyQuery, 'account_id'>) =>
    (await world.iam.policies.list(anyone, accountA, parsePolicyQuery({ account_id: accountA, ...query }))).policies
      .length
  equal(await count({}), 3)
  equal(await count({ type: 'authorization' }), 1)
  equal(await count({ state: 'deleted' }), 1)
  equal(await count({ iam_id: anyone.caller.iamId }), 2)
  equal(await count({ service_type: 'platform_service' }), 1)
  equal(await count({ service_type: 'service' }), 2)
  equal(await count({ service_name: 'kms' }), 1)
  equal(await count({ service_group_id: 'IAM' }), 0)
  equal(await count({ access_group_id: 'AccessGroupId-1' }), 0)
  const tagged = body({ subject: [{ name: 'iam_id', value: 'IBMid-1' }], type: 'access' })
  const [resource] = tagged.resources
  ok(resource)
  const tags = [{ name: 'project', value: 'prototype' }]
  await create(world, accountA, { ...tagged, resources: [{ ...resource, tags }] })
  equal(await count({ tag_name: 'project' }), 1)
  equal(await count({ tag_name: 'project', tag_value: 'other' }), 0)
  equal(await count({ tag_value: 'prototype' }), 1)
  for (const wrong of [
    { sort: 'moon' },
    { sort: 'last_permit_at' },
    { iam_id: 'x', access_group_id: 'y' },
    { start: 'x' },
    { start: Buffer.from('["id",1,2]').toString('base64url'), sort: 'id' },
  ]) {
    await rejects(count(wrong), { code: 'invalid' })
  }
})

const invalid: readonly (readonly [string, RegExp, Body])[] = [
  [
    'accountId is missing on the resource',
    /resources.*accountId is required/,
    body({ resource: [{ name: 'serviceName', value: 'kms' }] }),
  ],
  [
    'accountId is missing on the subject',
    /subjects.*accountId is required/,
    body({ subject: [{ name: 'serviceName', value: 'server-protect' }] }),
  ],
  ['no source is named', /serviceName or resourceGroupId/, body({ subject: [{ name: 'accountId', value: accountB }] })],
  ['no target is named', /one of serviceName/, body({ resource: [{ name: 'accountId', value: accountA }] })],
  [
    'an account id is none',
    /32 hexadecimal digits/,
    body({
      subject: [
        { name: 'accountId', value: '*' },
        { name: 'serviceName', value: 'is' },
      ],
    }),
  ],
  [
    'an attribute is unknown',
    /unknown attribute "Account-Z".*accountId, serviceType, serviceName/,
    body({ resource: [{ name: 'Account-Z', value: accountA }] }),
  ],
  [
    'an attribute is given twice',
    /accountId is given twice/,
    body({
      resource: [
        { name: 'accountId', value: accountA },
        { name: 'Account-A', value: accountB },
      ],
    }),
  ],
  ['a role is unknown', /does not exist/, body({ roles: ['crn:v1:bluemix:public:iam::::role:Reader'] })],
  ['a role is given twice', /a role is given twice/, body({ roles: [reader, reader] })],
  [
    'a role belongs to another service',
    /needs a resource with serviceName kms/,
    body({
      roles: ['crn:v1:bluemix:public:kms::::serviceRole:KeyPurge'],
      resource: [
        { name: 'accountId', value: accountA },
        { name: 'serviceName', value: 'is' },
      ],
    }),
  ],
  [
    'a person delegates',
    /has no use in type access/,
    body({ type: 'access', subject: [{ name: 'iam_id', value: 'IBMid-1' }], roles: [delegator] }),
  ],
  ['an access policy has no person', /unknown attribute "serviceName"/, body({ type: 'access' })],
]
for (const [name, message, policy] of invalid) {
  test(`parsePolicy() refuses when ${name}`, () => {
    try {
      parsePolicy(policy)
    } catch (fault) {
      ok(fault instanceof Error && 'code' in fault && fault.code === 'invalid')
      return match(fault.message, message)
    }
    throw new Error('it was accepted')
  })
}

test('decisions look up policies by subject, not through the whole account', embeddedOnly, async () => {
  await using world = await makeWorld()
  const wanted = { accountId: accountA, subjects: ['iam_id/x'], iamId: 'x', resources: ['', 'resource/k'] }
  const query = candidates(world.database.reads, wanted).compile()
  const explained = CompiledQuery.raw(`explain query plan ${query.sql}`, [...query.parameters])
  const { rows } = await world.database.reads.executeQuery<{ detail: string }>(explained)
  const plan = rows.map((row) => row.detail).join('; ')
  match(plan, /USING INDEX iam_policy_decision \(account_id=\? AND subject_key=\? AND resource_key=\? AND state=\?\)/)
})

test('deleted policies are forgotten when their time to come back is over', async () => {
  await using world = await makeWorld()
  const owner = await world.owner(accountA)
  const old = await create(world, accountA, body())
  await world.iam.policies.delete(owner, old.id)
  world.clock.advance(deletedPolicyMs + 1)
  const young = await create(world, accountA, body({ roles: [reader, delegator] }))
  await world.iam.policies.delete(owner, young.id)
  await rejects(world.iam.policies.get(owner, old.id), { code: 'not_found' })
  equal((await world.iam.policies.get(owner, young.id)).state, 'deleted')
})

test('a locked service id is given nothing', async () => {
  await using world = await makeWorld()
  const iamId = 'iam-ServiceId-1'
  const [row] = await world.database.reads.selectFrom('iam_identity').selectAll().limit(1).execute()
  ok(row)
  const locked = { ...row, iam_id: iamId, account_id: accountA, kind: 'serviceId' as const, locked: 1 as const }
  await world.database.transaction(async (tx) => void (await tx.insertInto('iam_identity').values(locked).execute()))
  const policy = body({ type: 'access', subject: [{ name: 'iam_id', value: iamId }] })
  await rejects(create(world, accountA, policy), { code: 'conflict' })
  // Of another account's nobody learns that it is locked: it is as good as one that is not there.
  const resource = [
    { name: 'accountId', value: accountB },
    { name: 'serviceName', value: 'kms' },
  ]
  await create(world, accountB, body({ type: 'access', subject: [{ name: 'iam_id', value: iamId }], resource }))
})

// Roles, access groups, settings and questions over HTTP, and everything about access asked for in odd ways.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { makeLog } from '#base/log.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import { explainContract } from './contract-access.ts'
import { policyContract } from './contract.ts'
import { explainRoutes, policyRoutes } from './routes.ts'
import { body, platformRole, reader } from './testing/policies.ts'
import { accountA, accountB, apiKeyOf, login, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

async function serve(world: World) {
  const { iam, clock, random } = world
  const services = [
    makeService({ dialect: 'policy', contract: policyContract, routes: policyRoutes(iam) }),
    makeService({ dialect: 'policy', contract: explainContract, routes: explainRoutes(iam) }),
  ]
  const log = makeLog('silent')
  const parts = { services, iam: iam.port, log, clock, random, publicUrl: null, tls: null, checkReplies: true }
  const server = makeServer(parts)
  const tokens = {
    a: await login(iam, apiKeyOf(accountA)),
    b: await login(iam, apiKeyOf(accountB)),
  }
  return async (by: 'a' | 'b', method: Method, url: string, sent?: unknown, headers: Record<string, string> = {}) => {
    const payload = sent === undefined ? {} : { payload: typeof sent === 'string' ? sent : JSON.stringify(sent) }
    const answer = await server.inject({
      method,
      url,
      headers: { authorization: `Bearer ${tokens[by]}`, host: 'iam.test', ...headers },
      ...payload,
    })
    return { status: answer.statusCode, headers: answer.headers, body: answer.body === '' ? null : answer.json() }
  }
}

const role = {
  name: 'KeyLister',
  display_name: 'Key lister',
  account_id: accountA,
  service_name: 'kms',
  actions: ['kms.secrets.list', 'kms.secrets.wrap'],
}

test('a custom role is named by policies of its account and service, widened only by who holds it, and kept while named', async () => {
  await using world = await makeWorld()
  const ask = await serve(world)
  const made = await ask('a', 'POST', '/v2/roles', role)
  equal(made.status, 201, JSON.stringify(made.body))
  const { id, crn } = made.body
  equal(crn, `crn:v1:bluemix:public:iam-access-management::a/${accountA}::customRole:KeyLister`)
  const of = (serviceName: string) => body({ iam_id: 'IBMid-1' }, { accountId: accountA, serviceName }, [crn])
  const policy = await ask('a', 'POST', '/v1/policies', of('kms'))
  equal(policy.status, 201, JSON.stringify(policy.body))
  deepEqual(policy.body.roles, [{ role_id: crn, display_name: 'Key lister', description: '' }])
  equal((await ask('a', 'POST', '/v1/policies', of('is'))).status, 400)
  const person = { kind: 'user', iamId: 'IBMid-1', accountId: accountA, name: 'x' } as const
  const may = async (action: string) =>
    (await world.iam.port.decide(person, action, { accountId: accountA, serviceName: 'kms' })).permitted
  deepEqual([await may('kms.secrets.wrap'), await may('kms.secrets.rotate')], [true, false])

  const change = { display_name: 'Key lister', actions: ['kms.secrets.list', 'kms.secrets.rotate'] }
  equal((await ask('a', 'PUT', `/v2/roles/${id}`, change)).status, 400)
  equal(
    (await ask('a', 'PUT', `/v2/roles/${id}`, change, { 'if-match': '1-0' })).body.errors[0].code,
    'role_conflict_error',
  )
  const etag = String(made.headers['etag'])
  equal((await ask('a', 'PUT', `/v2/roles/${id}`, change, { 'if-match': etag })).status, 200)
  deepEqual([await may('kms.secrets.wrap'), await may('kms.secrets.rotate')], [false, true])

  const refused = await ask('a', 'DELETE', `/v2/roles/${id}`)
  deepEqual([refused.status, refused.body.errors[0].details.conflicts_with.policy], [409, policy.body.id])
  equal((await ask('a', 'DELETE', `/v2/policies/${policy.body.id}`)).status, 204)
  equal((await ask('a', 'DELETE', `/v2/roles/${id}`)).status, 204)
  equal((await ask('a', 'POST', '/v1/policies', of('kms'))).status, 400)
})

test('custom roles have names, actions and a number that are checked', async () => {
  await using world = await makeWorld()
  const ask = await serve(world)
  const status = async (over: object) => (await ask('a', 'POST', '/v2/roles', { ...role, ...over })).status
  equal(await status({ name: 'lower' }), 400)
  equal(await status({ actions: [] }), 400)
  equal(await status({ actions: ['kms.secrets.dream'] }), 400)
  equal(await status({ actions: ['is.volume.volume.read'] }), 400)
  equal(await status({ actions: ['kms.secrets.list', 'kms.secrets.list'] }), 400)
  // Purging is beside the levels: whoever has the highest may give it.
  equal(await status({ name: 'Purger', actions: ['kms.secrets.purge'] }), 201)
  equal(await status({}), 201)
  equal(await status({}), 409)
  equal(await status({ name: 'Twin', actions: role.actions.toReversed() }), 409)
  for (let at = 1; at < 39; at++) {
    const actions = [
      'kms.secrets.list',
      'kms.secrets.wrap',
      'kms.secrets.unwrap',
      'kms.secrets.rewrap',
      'kms.secrets.rotate',
      'kms.secrets.sync',
    ]
    equal(
      await status({ name: `R${at}`, actions: ['kms.secrets.create', ...actions.filter((_, bit) => (at >> bit) & 1)] }),
      201,
    )
  }
  equal(await status({ name: 'TooMany', actions: ['kms.secrets.delete'] }), 422)
})

test('a group gives its members what it has, and only who could give that adds any', async () => {
  await using world = await makeWorld()
  const ask = await serve(world)
  const url = `/v2/groups?account_id=${accountA}`
  const group = await ask('a', 'POST', url, { name: 'keys' })
  equal(group.status, 201)
  equal((await ask('a', 'POST', url, { name: 'keys' })).status, 409)
  const { id } = group.body
  const policy = body({ access_group_id: id }, { accountId: accountA, serviceName: 'kms' }, [reader])
  equal((await ask('a', 'POST', '/v1/policies', policy)).status, 201)
  equal((await ask('b', 'POST', '/v1/policies', policy)).status, 403)
  const nowhere = body({ access_group_id: 'AccessGroupId-none' }, { accountId: accountA, serviceName: 'kms' }, [reader])
  equal((await ask('a', 'POST', '/v1/policies', nowhere)).status, 400)

  const members = `/v2/groups/${id}/members`
  const added = await ask('a', 'PUT', members, {
    members: [
      { iam_id: 'IBMid-1', type: 'user' },
      { iam_id: 'iam-ServiceId-1', type: 'service' },
      { iam_id: 'IBMid-2', type: 'service' },
    ],
  })
  deepEqual(
    [added.status, added.body.members.map((one: { status_code: number }) => one.status_code)],
    [207, [200, 200, 400]],
  )
  const may = async (iamId: string) => {
    const person = { kind: 'user', iamId, accountId: accountA, name: 'x' } as const
    return (await world.iam.port.decide(person, 'kms.secrets.wrap', { accountId: accountA, serviceName: 'kms' }))
      .permitted
  }
  deepEqual([await may('IBMid-1'), await may('iam-ServiceId-1'), await may('IBMid-2')], [true, true, false])

  // An editor of groups is in nobody's keys, and gets nobody into them: not even themselves.
  const editor = { kind: 'user', iamId: 'IBMid-EDITOR', accountId: accountA, name: 'x' } as const
  const groupsOnly = body({ iam_id: editor.iamId }, { accountId: accountA, serviceName: 'iam-groups' }, [
    platformRole('Editor'),
  ])
  equal((await ask('a', 'POST', '/v1/policies', groupsOnly)).status, 201)
  const context = { ...(await world.owner(accountA)), caller: editor }
  const self = world.iam.groupMembers.add(context, id, [{ iamId: editor.iamId, type: 'user' }])
  await self.then(
    () => ok(false, 'it was accepted'),
    (fault: Error) => match(fault.message, /may not give what policy .* gives to members/),
  )
  const empty = await world.iam.accessGroups.create(context, { accountId: accountA, name: 'empty', description: '' })
  await world.iam.groupMembers.add(context, empty.id, [{ iamId: editor.iamId, type: 'user' }])

  equal((await ask('a', 'HEAD', `${members}/IBMid-1`)).status, 204)
  equal((await ask('a', 'HEAD', `${members}/IBMid-9`)).status, 404)
  const listed = await ask('a', 'GET', `${members}?limit=1&offset=1&verbose=true`)
  deepEqual([listed.body.total_count, listed.body.members.length, listed.body.next], [2, 1, undefined])
  equal((await ask('a', 'DELETE', `/v2/groups/_allgroups/members/IBMid-1?account_id=${accountA}`)).status, 207)
  equal(await may('IBMid-1'), false)
  equal((await ask('a', 'DELETE', `/v2/groups/${id}`)).status, 409)
  equal((await ask('a', 'DELETE', `/v2/groups/${id}?force=true`)).status, 204)
  equal(await may('iam-ServiceId-1'), false)
  deepEqual((await ask('a', 'GET', `/v1/policies?account_id=${accountA}&access_group_id=${id}`)).body.policies, [])
})

test('another account’s roles, groups and policies read like those that are not there', async () => {
  await using world = await makeWorld()
  const ask = await serve(world)
  const roleId = (await ask('a', 'POST', '/v2/roles', role)).body.id
  const groupId = (await ask('a', 'POST', `/v2/groups?account_id=${accountA}`, { name: 'g' })).body.id
  const policyId = (
    await ask(
      'a',
      'POST',
      '/v1/policies',
      body({ iam_id: 'IBMid-1' }, { accountId: accountA, serviceName: 'kms' }, [reader]),
    )
  ).body.id
  const v1 = body({ iam_id: 'IBMid-1' }, { accountId: accountA, serviceName: 'kms' }, [reader])
  const asked: readonly (readonly [Method, (id: string) => string, string, unknown?])[] = [
    ['GET', (id) => `/v1/policies/${id}`, policyId],
    ['GET', (id) => `/v2/policies/${id}`, policyId],
    ['PUT', (id) => `/v1/policies/${id}`, policyId, v1],
    ['PATCH', (id) => `/v1/policies/${id}`, policyId, { state: 'active' }],
    ['DELETE', (id) => `/v1/policies/${id}`, policyId],
    ['DELETE', (id) => `/v2/policies/${id}`, policyId],
    ['GET', (id) => `/v2/roles/${id}`, roleId],
    ['PUT', (id) => `/v2/roles/${id}`, roleId, { display_name: 'x', actions: ['kms.secrets.list'] }],
    ['DELETE', (id) => `/v2/roles/${id}`, roleId],
    ['GET', (id) => `/v2/groups/${id}`, groupId],
    ['PATCH', (id) => `/v2/groups/${id}`, groupId, { name: 'x' }],
    ['DELETE', (id) => `/v2/groups/${id}`, groupId],
    ['GET', (id) => `/v2/groups/${id}/members`, groupId],
    ['PUT', (id) => `/v2/groups/${id}/members`, groupId, { members: [{ iam_id: 'IBMid-1', type: 'user' }] }],
    ['DELETE', (id) => `/v2/groups/${id}/members/IBMid-1`, groupId],
  ]
  for (const [method, url, id, sent] of asked) {
    const headers = { 'if-match': '1-0', 'transaction-id': 't' }
    const [foreign, absent] = [
      await ask('b', method, url(id), sent, headers),
      await ask('b', method, url('none'), sent, headers),
    ]
    equal(foreign.status, 404, `${method} ${url(id)}`)
    deepEqual(JSON.parse(JSON.stringify(foreign.body).replaceAll(id, 'none')), absent.body)
  }
  deepEqual((await ask('b', 'GET', `/v2/groups?account_id=${accountA}`)).body.groups, [])
  deepEqual((await ask('b', 'GET', `/v2/policies?account_id=${accountA}`)).body.policies, [])
  deepEqual((await ask('b', 'GET', `/v2/roles?account_id=${accountA}`)).body.custom_roles, [])
})

test('a question is answered as the request would be, about one’s own account or one’s own things', async () => {
  await using world = await makeWorld()
  const ask = await serve(world)
  const resource = { account_id: accountA, service_name: 'kms', resource_type: 'key', resource: 'k1' }
  const storage = { service_name: 'server-protect', account_id: accountB }
  const question = { action: 'kms.secrets.wrap', subject: storage, resource }
  for (const by of ['a', 'b'] as const) {
    const { status, body: answer } = await ask(by, 'POST', '/keyward/v1/explain', question)
    deepEqual([status, answer.decision, answer.explanation.account], [200, 'Deny', accountA])
    match(answer.explanation.fix.terraform, /ibm_iam_authorization_policy/)
  }
  const { explanation } = (await ask('b', 'POST', '/keyward/v1/explain', question)).body
  const made = await ask('a', 'POST', '/v1/policies', explanation.missingPolicy)
  equal(made.status, 201)
  deepEqual((await ask('a', 'POST', '/keyward/v1/explain', question)).body, {
    decision: 'Permit',
    policy_id: made.body.id,
  })
  // Whose policy permits is A's to know.
  deepEqual((await ask('b', 'POST', '/keyward/v1/explain', question)).body, { decision: 'Permit' })
  // A question is no use of the policy.
  equal((await world.iam.policies.get(await world.owner(accountA), made.body.id, true)).lastPermit, null)

  const own = await ask('b', 'POST', '/keyward/v1/explain', { action: 'kms.secrets.wrap', resource })
  equal(own.body.decision, 'Deny')
  for (const subject of [{ iam_id: 'IBMid-SOMEBODY' }, { service_name: 'is', account_id: accountA }]) {
    const foreign = await ask('b', 'POST', '/keyward/v1/explain', { action: 'kms.secrets.wrap', subject, resource })
    equal(foreign.status, 403)
  }
})

test('settings of an account that can be none are not found', async () => {
  await using world = await makeWorld()
  const ask = await serve(world)
  for (const id of ['', 'x', accountA.toUpperCase()]) {
    const url = `/v1/accounts/${id}/settings/access_management`
    equal((await ask('a', 'GET', url)).status, 404, id)
    equal((await ask('a', 'PATCH', url, {}, { 'if-match': '*' })).status, 404, id)
  }
})

test('denials carry a short explanation in a header', async () => {
  await using world = await makeWorld()
  const ask = await serve(world)
  const policy = body({ serviceName: 'is', accountId: accountB }, { accountId: accountA, serviceName: 'kms' }, [reader])
  const { headers } = await ask('b', 'POST', '/v1/policies', policy)
  equal(
    headers['keyward-explanation'],
    `action="iam.policy.create", account="${accountA}", missing="authorization", role="${reader}"`,
  )
})

test('no operation on access answers odd paths, headers, queries and bodies with a 500', async () => {
  await using world = await makeWorld()
  const ask = await serve(world)
  const odd = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom('', '*', '..', '%', 'null', "'", '"', '{}', '\u0000', 'é', accountA, 'a'.repeat(1100)),
  )
  const value = fc.oneof(odd, fc.integer(), fc.boolean(), fc.constant(null), fc.jsonValue({ maxDepth: 2 }))
  const names = ['type', 'subjects', 'subject', 'resources', 'resource', 'roles', 'control', 'rule', 'members', 'name']
  const sent = fc.oneof(
    fc.dictionary(fc.constantFrom(...names, 'actions', 'state', 'action', 'groups'), value, { maxKeys: 5 }),
    odd,
    fc.constant({ ...body({ iam_id: 'x' }, { accountId: accountA, serviceName: 'kms' }, [reader]), rule: [] }),
  )
  const operations = Object.values({ ...policyContract, ...explainContract })
  const asked = fc.record({
    operation: fc.constantFrom(...operations),
    id: odd,
    query: fc.dictionary(
      fc.constantFrom('account_id', 'sort', 'limit', 'start', 'format', 'search', 'iam_id', 'offset'),
      odd,
    ),
    sent,
    etag: odd,
  })
  await fc.assert(
    fc.asyncProperty(asked, async ({ operation, id, query, sent, etag }) => {
      const path = operation.path.replaceAll(/\{\w+\}/g, encodeURIComponent(id) || 'x')
      const headers = { 'if-match': etag.replaceAll(/[^\x20-\x7e]/g, '') }
      const answer = await ask('a', operation.method, `${path}?${new URLSearchParams(query)}`, sent, headers)
      ok(answer.status < 500, `${operation.method} ${path}: ${answer.status}`)
    }),
    { numRuns: 1500 },
  )
})

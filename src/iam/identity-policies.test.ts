// What policies let whom do with identities, and whom policies know a service's token as.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicy } from './policy-parse.ts'
import { profileIdOf } from './profiles.ts'
import { makeServiceId, serveIdentities, tokenFor } from './testing/identity-world.ts'
import type { Asked } from './testing/identity-world.ts'
import { administrator, make as give, reader } from './testing/policies.ts'
import { accountA, accountB, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

interface Attribute {
  name: string
  value: string
}

const attributes = (values: Record<string, string>): Attribute[] =>
  Object.entries(values).map(([name, value]) => ({ name, value }))

const access = async (world: World, iamId: string, role: string, resource: Record<string, string> = {}) =>
  await world.iam.policies.create(
    await world.owner(accountA),
    parsePolicy({
      type: 'access',
      subjects: [{ attributes: attributes({ iam_id: iamId }) }],
      roles: [{ role_id: `crn:v1:bluemix:public:iam::::role:${role}` }],
      resources: [{ attributes: attributes({ accountId: accountA, serviceName: 'iam-identity', ...resource }) }],
    }),
  )

async function twoRobots(world: World) {
  const [asker, other] = [await makeServiceId(world, accountA, 'asker'), await makeServiceId(world, accountA, 'other')]
  const { accessToken: token } = await tokenFor(world, asker.apiKey)
  const server = serveIdentities(world)
  const status = async (url: string, asked: Asked = {}) => (await server.ask(url, { token, ...asked })).status
  return { asker, other, server, token, status }
}

const star = { 'if-match': '*' }

test('without a policy a service id sees no identity of its account, not even its own key', async () => {
  await using world = await makeWorld()
  const { asker, other, server, token, status } = await twoRobots(world)
  equal(await status(`/v1/serviceids/${other.id}`), 404)
  equal(await status(`/v1/apikeys/${asker.keyId}`), 404)
  equal(await status(`/v1/accounts/${accountA}/settings/identity`), 403)
  deepEqual((await server.ask(`/v1/serviceids/?account_id=${accountA}`, { token })).body.serviceids, [])
})

test('a Viewer sees and does not change; a refusal says which action is missing', async () => {
  await using world = await makeWorld()
  const { asker, other, server, token, status } = await twoRobots(world)
  await access(world, asker.iamId, 'Viewer')
  equal((await server.ask(`/v1/serviceids/?account_id=${accountA}`, { token })).body.serviceids.length, 2)
  equal(await status(`/v1/apikeys/${other.keyId}`), 200)
  equal(await status(`/v1/accounts/${accountA}/settings/identity`), 200)
  const refusals: [string, string, Asked][] = [
    [`/v1/apikeys/${other.keyId}`, 'apikey.delete', { method: 'DELETE' }],
    [`/v1/apikeys/${other.keyId}/disable`, 'apikey.disable', { method: 'POST' }],
    ['/v1/apikeys', 'apikey.create', { method: 'POST', body: { name: 'k', iam_id: other.iamId } }],
    [`/v1/serviceids/${other.id}`, 'serviceid.update', { method: 'PUT', headers: star, body: { name: 'x' } }],
    [`/v1/serviceids/${other.id}/lock`, 'serviceid.lock', { method: 'POST' }],
    ['/v1/serviceids', 'serviceid.create', { method: 'POST', body: { account_id: accountA, name: 'x' } }],
    ['/v1/profiles', 'profile.create', { method: 'POST', body: { account_id: accountA, name: 'x' } }],
    [`/v1/accounts/${accountA}/settings/identity`, 'account.update', { method: 'PUT', headers: star, body: {} }],
  ]
  for (const [url, action, asked] of refusals) {
    const answer = await server.ask(url, { token, ...asked })
    deepEqual([answer.status, answer.body.explanation?.action], [403, `iam-identity.${action}`], url)
  }
})

test('an Operator keeps keys, an Editor service ids and profiles, an Administrator the settings', async () => {
  await using world = await makeWorld()
  const { asker, other, status } = await twoRobots(world)
  const settings = `/v1/accounts/${accountA}/settings/identity`
  const trials = async () => [
    await status('/v1/apikeys', { method: 'POST', body: { name: 'k', iam_id: other.iamId } }),
    await status(`/v1/serviceids/${other.id}`, { method: 'PUT', headers: star, body: { description: 'x' } }),
    await status(settings, { method: 'PUT', headers: star, body: { mfa: 'NONE' } }),
  ]
  for (const [role, statuses] of [
    ['Operator', [201, 403, 403]],
    ['Editor', [201, 200, 403]],
    ['Administrator', [201, 200, 200]],
  ] as const) {
    await access(world, asker.iamId, role)
    deepEqual(await trials(), statuses, role)
  }
})

const kms = { serviceName: 'kms' }

test('keys of a service id are made by whoever holds what it holds, by itself, and by nobody below', async () => {
  await using world = await makeWorld()
  const { asker, other, status } = await twoRobots(world)
  await access(world, asker.iamId, 'Operator')
  const make = (iamId: string) => status('/v1/apikeys', { method: 'POST', body: { name: 'k', iam_id: iamId } })
  equal(await make(other.iamId), 201)
  await access(world, other.iamId, 'Viewer', kms)
  equal(await make(other.iamId), 403)
  await access(world, asker.iamId, 'Viewer', kms)
  equal(await make(other.iamId), 201)
  // Neither by a group nor by a profile that lets it in.
  const owner = await world.owner(accountA)
  const group = await world.iam.accessGroups.create(owner, { accountId: accountA, name: 'g', description: '' })
  await world.iam.groupMembers.add(owner, group.id, [{ iamId: other.iamId, type: 'service' }])
  equal(await make(other.iamId), 201)
  await give(world, owner, { access_group_id: group.id }, { accountId: accountA, ...kms }, [administrator])
  equal(await make(other.iamId), 403)
  await world.iam.groupMembers.remove(owner, group.id, [other.iamId])
  equal(await make(other.iamId), 201)
  const profile = await world.iam.profiles.create(owner, { accountId: accountA, name: 'p' })
  await access(world, profile.iam_id, 'Administrator', kms)
  const letIn = { type: 'serviceid', identifier: other.id } as const
  await world.iam.profileIdentities.put(owner, profileIdOf(profile), 'serviceid', letIn)
  equal(await make(other.iamId), 403)
  await world.iam.profileIdentities.delete(owner, profileIdOf(profile), 'serviceid', other.id)
  // What another account lets it do counts too.
  equal(await make(other.iamId), 201)
  const b = await world.owner(accountB)
  await give(world, b, { iam_id: other.iamId }, { accountId: accountB, ...kms }, [reader])
  equal(await make(other.iamId), 403)
  equal(await make(asker.iamId), 201)
})

test('a profile is opened to others by whoever could give them what it holds', async () => {
  await using world = await makeWorld()
  const { asker, other, status } = await twoRobots(world)
  await access(world, asker.iamId, 'Editor')
  const profile = await world.iam.profiles.create(await world.owner(accountA), { accountId: accountA, name: 'p' })
  const url = `/v1/profiles/${profileIdOf(profile)}/identities`
  const letIn = ({ id }: { readonly id: string }) => ({ identifier: id, type: 'serviceid' })
  const put = (who: { readonly id: string }) => status(`${url}/serviceid`, { method: 'POST', body: letIn(who) })
  const set = (...who: readonly { readonly id: string }[]) =>
    status(url, { method: 'PUT', headers: star, body: { identities: who.map(letIn) } })
  equal(await put(other), 200)
  await access(world, profile.iam_id, 'Viewer', kms)
  await access(world, asker.iamId, 'Viewer', kms)
  deepEqual([await put(asker), await set(asker, other)], [403, 403])
  // Whoever is in stays in, and taking out asks for less.
  deepEqual([await put(other), await set(other), await set()], [200, 200, 200])
  equal(await put(other), 403)
  await access(world, asker.iamId, 'Administrator', kms)
  deepEqual([await put(asker), await set(asker, other)], [200, 200])
})

test('a policy on one service id holds for it and its keys, and for no other', async () => {
  await using world = await makeWorld()
  const { asker, other, status } = await twoRobots(world)
  await access(world, asker.iamId, 'Editor', { resourceType: 'serviceid', resource: other.id })
  equal(await status(`/v1/serviceids/${other.id}`), 200)
  equal(await status(`/v1/apikeys/${other.keyId}/disable`, { method: 'POST' }), 204)
  equal(await status(`/v1/serviceids/${asker.id}`), 404)
  equal(await status(`/v1/apikeys/${asker.keyId}`), 404)
})

test('a policy of A on a service id of B lets it see A and no more than that', async () => {
  await using world = await makeWorld()
  const [guest, own] = [await makeServiceId(world, accountB, 'guest'), await makeServiceId(world, accountA)]
  await access(world, guest.iamId, 'Viewer')
  const { accessToken: token } = await tokenFor(world, guest.apiKey)
  const { ask } = serveIdentities(world)
  equal((await ask(`/v1/serviceids/${own.id}`, { token })).status, 200)
  equal((await ask(`/v1/accounts/${accountA}/settings/identity`, { token })).status, 200)
  equal((await ask(`/v1/serviceids/${own.id}`, { token, method: 'DELETE' })).status, 403)
})

test('policies know a service’s token as the service: what an authorization permits, it may', async () => {
  await using world = await makeWorld()
  const service = `crn:v1:bluemix:public:server-protect:us-south:a/${accountB}:::`
  const { accessToken } = await world.iam.tokens.issueToService(service)
  const caller = await world.iam.port.authenticate(accessToken)
  const key = { accountId: accountA, serviceName: 'kms', serviceInstance: 'i', resourceType: 'key', resource: 'k' }
  const mayWrap = async () => (await world.iam.port.decide(caller, 'kms.secrets.wrap', key)).permitted
  equal(await mayWrap(), false)
  await world.iam.policies.create(
    await world.owner(accountA),
    parsePolicy({
      type: 'authorization',
      subjects: [{ attributes: attributes({ serviceName: 'server-protect', accountId: accountB }) }],
      roles: [{ role_id: 'crn:v1:bluemix:public:iam::::serviceRole:Reader' }],
      resources: [{ attributes: attributes({ accountId: accountA, serviceName: 'kms' }) }],
    }),
  )
  equal(await mayWrap(), true)
  ok(!(await world.iam.port.decide(caller, 'kms.secrets.delete', key)).permitted)
})

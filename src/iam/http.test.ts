import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { makeLog } from '#base/log.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import { tokenContract } from './contract-tokens.ts'
import { policyContract } from './contract.ts'
import { tokenRoutes } from './routes-identity.ts'
import { policyRoutes } from './routes.ts'
import { accountA, accountB, apiKeyOf, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

function serve({ iam, clock, random }: World) {
  const services = [
    makeService({ dialect: 'identity', contract: tokenContract, routes: tokenRoutes(iam) }),
    makeService({ dialect: 'policy', contract: policyContract, routes: policyRoutes(iam) }),
  ]
  const log = makeLog('silent')
  return makeServer({ services, iam: iam.port, log, clock, random, publicUrl: null, tls: null, checkReplies: true })
}

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const grant = (apiKey: string) => `grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=${apiKey}`

async function bearer(server: ReturnType<typeof serve>, accountId: string): Promise<string> {
  const answer = await server.inject({
    method: 'POST',
    url: '/identity/token',
    headers: form,
    payload: grant(apiKeyOf(accountId)),
  })
  return `Bearer ${answer.json().access_token}`
}

for (const url of ['/identity/token', '/oidc/token']) {
  test(`POST ${url} gives what clients read`, async () => {
    await using world = await makeWorld()
    const headers = { ...form, authorization: `Basic ${Buffer.from('bx:bx').toString('base64')}` }
    const payload = `${grant(apiKeyOf(accountA))}&response_type=cloud_iam`
    const answer = await serve(world).inject({ method: 'POST', url, headers, payload })
    equal(answer.statusCode, 200)
    const { access_token: token, refresh_token: refreshToken, ...rest } = answer.json()
    equal(Buffer.from(refreshToken, 'base64url').length, 32)
    equal(JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).client_id, 'bx')
    deepEqual(rest, {
      token_type: 'Bearer',
      expires_in: 3600,
      expiration: world.clock.now() / 1000 + 3600,
      scope: 'ibm openid',
    })
  })
}

test('token errors speak the identity dialect', async () => {
  await using world = await makeWorld()
  const server = serve(world)
  const ask = async (payload: string) => {
    const answer = await server.inject({ method: 'POST', url: '/identity/token', headers: form, payload })
    ok(answer.json().errorMessage)
    return [answer.statusCode, answer.json().errorCode]
  }
  deepEqual(await ask(grant('wrong')), [400, 'BXNIM0415E'])
  deepEqual(await ask('grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey'), [400, 'BXNIM0102E'])
  deepEqual(await ask('grant_type=password&username=x'), [400, 'BXNIM0109E'])
  deepEqual(await ask(''), [400, 'BXNIM0109E'])
})

test('the keys that verify tokens are public', async () => {
  await using world = await makeWorld()
  const server = serve(world)
  const [keys, old] = [await server.inject('/identity/keys'), await server.inject('/oidc/jwks')]
  deepEqual(keys.json(), old.json())
  deepEqual(Object.keys(keys.json().keys[0]).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
  const configuration = (await server.inject('/identity/.well-known/openid-configuration')).json()
  match(configuration.jwks_uri, /\/identity\/keys$/)
})

const documented = {
  roles: [
    { role_id: 'crn:v1:bluemix:public:iam::::role:AuthorizationDelegator' },
    { role_id: 'crn:v1:bluemix:public:iam::::serviceRole:Reader' },
  ],
  resources: [
    {
      attributes: [
        { name: 'Account-A', operator: 'stringEquals', value: accountA },
        { name: 'Key-Protect', operator: 'stringEquals', value: 'kms' },
      ],
    },
  ],
  type: 'authorization',
  description: 'Reader and Delegator role for KeyProtect Service instance',
  subjects: [
    {
      attributes: [
        { name: 'Key-Protect', value: 'server-protect' },
        { name: 'Account-B', value: accountB },
      ],
    },
  ],
}

test('the documented policy is created, read, listed and deleted', async () => {
  await using world = await makeWorld()
  const server = serve(world)
  const headers = { authorization: await bearer(server, accountA), host: 'iam.test' }
  const url = '/v1/policies'
  const created = await server.inject({ method: 'POST', url, headers, payload: JSON.stringify(documented) })
  equal(created.statusCode, 201, created.body)
  match(String(created.headers['etag']), /^1-[0-9a-f]{32}$/)
  const policy = created.json()
  deepEqual(
    [policy.subjects, policy.resources, policy.type, policy.description],
    [documented.subjects, documented.resources, documented.type, documented.description],
  )
  deepEqual(
    policy.roles.map((role: { display_name: string }) => role.display_name),
    ['Authorization Delegator', 'Reader'],
  )
  deepEqual([policy.href, policy.state], [`http://iam.test/v1/policies/${policy.id}`, 'active'])
  const listed = await server.inject({ url: `${url}?account_id=${accountA}&type=authorization`, headers })
  deepEqual(listed.json().policies, [policy])
  const again = await server.inject({ method: 'POST', url, headers, payload: JSON.stringify(documented) })
  deepEqual([again.statusCode, again.json().errors[0].details.conflicts_with.policy], [409, policy.id])
  equal((await server.inject({ method: 'DELETE', url: `${url}/${policy.id}`, headers })).statusCode, 204)
  const gone = await server.inject({ method: 'DELETE', url: `${url}/${policy.id}`, headers })
  deepEqual([gone.statusCode, gone.json().errors[0].code], [404, 'policy_not_found'])
  const read = await server.inject({ url: `${url}/${policy.id}`, headers })
  deepEqual([read.statusCode, read.json().state, String(read.headers['etag']).slice(0, 2)], [200, 'deleted', '2-'])
})

test('policy errors speak the policy dialect', async () => {
  await using world = await makeWorld()
  const server = serve(world)
  const headers = { authorization: await bearer(server, accountB) }
  const url = '/v1/policies'
  const foreign = await server.inject({ method: 'POST', url, headers, payload: JSON.stringify(documented) })
  equal(foreign.statusCode, 403)
  equal(foreign.json().errors[0].code, 'insufficent_permissions')
  equal(foreign.json().explanation.account, accountA)
  const unfiltered = await server.inject({ url, headers })
  deepEqual([unfiltered.statusCode, unfiltered.json().errors[0].code], [400, 'missing_required_query_parameter'])
  equal((await server.inject({ url: `${url}?account_id=${accountB}` })).statusCode, 401)
  equal((await server.inject({ url: `${url}?account_id=${accountB}&limit=0`, headers })).statusCode, 400)
  deepEqual((await server.inject({ url: `${url}?account_id=${accountA}`, headers })).json().policies, [])
  const tagged = { ...documented, resources: [{ ...documented.resources[0], tags: [{ name: 't' }] }] }
  const refused = await server.inject({ method: 'POST', url, headers, payload: JSON.stringify(tagged) })
  deepEqual([refused.statusCode, refused.json().errors[0].code], [400, 'invalid_body'])
})

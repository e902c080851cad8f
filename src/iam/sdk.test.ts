// IBM's own Node SDK, unchanged, against this service on a socket.

import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import policyManagement from '@ibm-cloud/platform-services/iam-policy-management/v1.js'
import { IamAuthenticator } from 'ibm-cloud-sdk-core'
import { makeLog } from '#base/log.ts'
import { makeServer } from '#edge/server.ts'
import { makeService } from '#edge/service.ts'
import { tokenContract } from './contract-tokens.ts'
import { policyContract } from './contract.ts'
import { tokenRoutes } from './routes-identity.ts'
import { policyRoutes } from './routes.ts'
import { accountA, accountB, apiKeyOf, makeWorld } from './testing/world.ts'

test('the platform SDK logs in and creates, reads, lists and deletes an authorization', async () => {
  await using world = await makeWorld()
  const { iam, clock, random } = world
  const services = [
    makeService({ dialect: 'identity', contract: tokenContract, routes: tokenRoutes(iam) }),
    makeService({ dialect: 'policy', contract: policyContract, routes: policyRoutes(iam) }),
  ]
  const log = makeLog('silent')
  const server = makeServer({
    services,
    iam: iam.port,
    log,
    clock,
    random,
    publicUrl: null,
    tls: null,
    checkReplies: true,
  })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  try {
    // The SDK compares expiry with the wall clock, so ours goes to now.
    clock.advance(Date.now() - clock.now())
    const authenticator = new IamAuthenticator({ apikey: apiKeyOf(accountA), url })
    const client = new policyManagement({ authenticator, serviceUrl: url })
    const subjects = [
      {
        attributes: [
          { name: 'serviceName', value: 'server-protect' },
          { name: 'accountId', value: accountB },
        ],
      },
    ]
    const resources = [
      {
        attributes: [
          { name: 'accountId', value: accountA, operator: 'stringEquals' },
          { name: 'serviceName', value: 'kms', operator: 'stringEquals' },
        ],
      },
    ]
    const roles = [{ role_id: 'crn:v1:bluemix:public:iam::::serviceRole:Reader' }]
    const { result: made, status } = await client.createPolicy({ type: 'authorization', subjects, roles, resources })
    equal(status, 201)
    deepEqual([made.subjects, made.resources, made.state], [subjects, resources, 'active'])
    const policyId = made.id ?? ''
    const { result: listed } = await client.listPolicies({ accountId: accountA, type: 'authorization', limit: 10 })
    deepEqual(
      listed.policies.map((policy) => policy.id),
      [policyId],
    )
    await rejects(client.createPolicy({ type: 'authorization', subjects, roles, resources }), { status: 409 })
    equal((await client.deletePolicy({ policyId })).status, 204)
    equal((await client.getPolicy({ policyId })).result.state, 'deleted')
    await rejects(client.deletePolicy({ policyId }), { status: 404 })
  } finally {
    await server.close()
  }
})

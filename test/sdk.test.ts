// The official SDKs of npm, unchanged but for their URLs.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import PolicyManagement from '@ibm-cloud/platform-services/iam-policy-management/v1.js'
import ResourceController from '@ibm-cloud/platform-services/resource-controller/v2.js'
import ResourceManager from '@ibm-cloud/platform-services/resource-manager/v2.js'
import { IamAuthenticator } from 'ibm-cloud-sdk-core'
import type { Json } from './harness/api.ts'
import { projectFolder, startServer, tempFolder } from './harness/server.ts'
import { authorization, keyEnvelope } from './harness/story.ts'

// Of another core than the others, in a folder of its own; its types are not on this project's path.
const keyProtectRequire = createRequire(join(projectFolder, 'test/clients/key-protect/package.json'))
const KeyProtectV2: Json = keyProtectRequire('@ibm-cloud/ibm-key-protect/ibm-key-protect-api/v2')
const keyProtectAuth: Json = keyProtectRequire('@ibm-cloud/ibm-key-protect/auth')

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

test('platform-services: policies are created, listed, read and deleted', async (t) => {
  const { a, b, bootstrap } = await startServer(t, tempFolder(t))
  const authenticator = new IamAuthenticator({ apikey: a.account.apiKey, url: bootstrap.endpoints.iam })
  const service = new PolicyManagement({ authenticator, serviceUrl: bootstrap.endpoints.iam })
  const wanted = authorization(a, b)

  const created = await service.createPolicy(wanted)
  assert.equal(created.status, 201)
  const { id } = created.result
  assert.ok(id)
  assert.deepEqual(created.result.subjects, wanted.subjects)
  assert.deepEqual(created.result.resources, wanted.resources)
  assert.ok((created.headers as Record<string, string>)['etag'])

  const listed = await service.listPolicies({ accountId: a.account.id, type: 'authorization' })
  assert.deepEqual(
    listed.result.policies?.map((policy) => policy.id),
    [id],
  )
  const read = await service.getPolicy({ policyId: id })
  assert.equal(read.result.state, 'active')
  assert.equal(read.result.roles?.[0]?.display_name, 'Reader')

  await assert.rejects(service.createPolicy(wanted), { status: 409 })
  assert.equal((await service.deletePolicy({ policyId: id })).status, 204)
  assert.equal((await service.getPolicy({ policyId: id })).result.state, 'deleted')
})

test('platform-services: a wrong API key is refused before anything is asked', async (t) => {
  const { a, bootstrap } = await startServer(t, tempFolder(t))
  const authenticator = new IamAuthenticator({ apikey: 'not-a-key', url: bootstrap.endpoints.iam })
  const service = new PolicyManagement({ authenticator, serviceUrl: bootstrap.endpoints.iam })
  await assert.rejects(service.listPolicies({ accountId: a.account.id }), { status: 400 })
})

test('platform-services: a key manager instance is provisioned, found and removed', async (t) => {
  const { a, bootstrap } = await startServer(t, tempFolder(t))
  const url = bootstrap.endpoints.resourceController
  const authenticator = new IamAuthenticator({ apikey: a.account.apiKey, url: bootstrap.endpoints.iam })
  const manager = new ResourceManager({ authenticator, serviceUrl: url })
  const controller = new ResourceController({ authenticator, serviceUrl: url })

  const groups = await manager.listResourceGroups({ accountId: a.account.id, _default: true })
  const [group] = groups.result.resources ?? []
  assert.ok(group?.id)
  assert.equal(group.id, a.account.resourceGroupId)

  const created = await controller.createResourceInstance({
    name: 'keys',
    target: 'us-south',
    resourceGroup: group.id,
    resourcePlanId: 'eedd3585-90c6-4c8f-be3d-062069e99fc3',
  })
  assert.equal(created.status, 201)
  const instance = created.result
  assert.equal(instance.state, 'active')
  assert.equal(instance.id, instance.crn)
  assert.deepEqual(
    [instance.last_operation?.type, instance.last_operation?.state, instance.last_operation?.async],
    ['create', 'succeeded', false],
  )
  assert.ok(instance.guid && instance.id)

  const byCrn = await controller.getResourceInstance({ id: instance.id })
  assert.equal(byCrn.result.guid, instance.guid)
  const listed = await controller.listResourceInstances({ name: 'keys' })
  assert.deepEqual(
    listed.result.resources?.map((row) => row.guid),
    [instance.guid],
  )

  const inside = { bluemixInstance: instance.guid }
  const keys = keyProtect(bootstrap.endpoints, a.account.apiKey)
  const made = await keys.createKey({ ...inside, body: bytes(keyEnvelope({ name: 'k1', extractable: false })) })
  await assert.rejects(controller.deleteResourceInstance({ id: instance.guid }), { status: 409 })
  await keys.deleteKey({ ...inside, id: made.result.resources[0].id })
  assert.equal((await controller.deleteResourceInstance({ id: instance.guid })).status, 204)
  assert.equal((await controller.getResourceInstance({ id: instance.guid })).result.state, 'removed')
})

function keyProtect(endpoints: { iam: string; kms: string }, apikey: string): Json {
  const authenticator = new keyProtectAuth.IamAuthenticator({ apikey, url: endpoints.iam })
  return new KeyProtectV2({ authenticator, serviceUrl: endpoints.kms })
}

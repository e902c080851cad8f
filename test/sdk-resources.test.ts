// The account layer through IBM's own Node SDK, unchanged but for its URLs: the flows of the SDK's integration suites for
// the resource controller, the resource manager, the global catalog, global search and global tagging. And what
// Terraform's `ibm_resource_instance` sends, call by call.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import GlobalCatalog from '@ibm-cloud/platform-services/global-catalog/v1.js'
import GlobalSearch from '@ibm-cloud/platform-services/global-search/v2.js'
import GlobalTagging from '@ibm-cloud/platform-services/global-tagging/v1.js'
import ResourceController from '@ibm-cloud/platform-services/resource-controller/v2.js'
import ResourceManager from '@ibm-cloud/platform-services/resource-manager/v2.js'
import { getQueryParam, IamAuthenticator, NoAuthAuthenticator } from 'ibm-cloud-sdk-core'
import type { Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'

const cosLite = '2fdf0c08-2d32-4f46-84b5-32e0c92fffd8'
const cosStandard = '744bfc56-d12c-4866-88d5-dac9139e0e5d'

async function start(t: TestContext) {
  const server = await startServer(t, tempFolder(t))
  const { a, b, bootstrap } = server
  const url = bootstrap.endpoints.resourceController
  const options = (apikey: string) => ({
    authenticator: new IamAuthenticator({ apikey, url: bootstrap.endpoints.iam }),
    serviceUrl: url,
  })
  const ofA = options(a.account.apiKey)
  return {
    ...server,
    controller: new ResourceController(ofA),
    controllerOfB: new ResourceController(options(b.account.apiKey)),
    manager: new ResourceManager(ofA),
    catalog: new GlobalCatalog({ authenticator: new NoAuthAuthenticator(), serviceUrl: `${url}/api/v1` }),
    search: new GlobalSearch(ofA),
    tagging: new GlobalTagging(ofA),
  }
}

type Started = Awaited<ReturnType<typeof start>>

/** What the suites look at in an instance after each of its operations. */
function operationOf(instance: ResourceController.ResourceInstance): Json {
  const { type, sub_type, async, state } = instance.last_operation ?? {}
  return [instance.state, type, sub_type, async, state]
}

async function listAll({ controller }: Started): Promise<ResourceController.ResourceInstance[]> {
  const found: ResourceController.ResourceInstance[] = []
  let token: string | null = null
  do {
    const { result }: { result: ResourceController.ResourceInstancesList } = await controller.listResourceInstances({
      limit: 200,
      ...(token !== null && { start: token }),
    })
    assert.equal(result.rows_count, result.resources.length)
    found.push(...result.resources)
    token = getQueryParam(result.next_url, 'start') ?? null
  } while (token !== null)
  return found
}

test('resource-controller: the life of an instance', async (t) => {
  const started = await start(t)
  const { controller, controllerOfB, a } = started
  const headers = { 'Transaction-Id': 'rc-sdk-node-test00' }
  const created = await controller.createResourceInstance({
    name: 'RcSdkInstance1Node',
    target: 'global',
    resourceGroup: a.account.resourceGroupId,
    resourcePlanId: cosLite,
    headers,
  })
  assert.equal(created.status, 201)
  assert.equal((created.headers as Record<string, string>)['transaction-id'], 'rc-sdk-node-test00')
  const { guid, id } = created.result
  assert.ok(guid && id)
  assert.equal(id, created.result.crn)
  assert.equal(created.result.account_id, a.account.id)
  assert.equal(created.result.resource_group_id, a.account.resourceGroupId)
  assert.equal(created.result.resource_plan_id, cosLite)
  assert.equal(created.result.locked, false)
  assert.deepEqual(operationOf(created.result), ['active', 'create', undefined, false, 'succeeded'])
  assert.equal((await controller.getResourceInstance({ id: guid })).result.id, id)
  assert.equal((await controller.getResourceInstance({ id })).result.guid, guid)
  await assert.rejects(controllerOfB.getResourceInstance({ id }), { status: 404 })

  const updated = await controller.updateResourceInstance({
    id: guid,
    name: 'RcSdkInstanceUpdate1Node',
    parameters: { hello: 'bye' },
  })
  assert.equal(updated.result.name, 'RcSdkInstanceUpdate1Node')
  assert.deepEqual(operationOf(updated.result), ['active', 'update', 'config', false, 'succeeded'])

  assert.ok((await listAll(started)).some((instance) => instance.guid === guid))
  const byGuid = await controller.listResourceInstances({ guid })
  assert.deepEqual([byGuid.result.rows_count, byGuid.result.resources[0]?.id], [1, id])
  assert.equal((await controller.listResourceInstances({ name: 'RcSdkInstanceUpdate1Node' })).result.rows_count, 1)

  const locked = await controller.lockResourceInstance({ id: guid })
  assert.equal(locked.result.locked, true)
  assert.deepEqual(operationOf(locked.result), ['active', 'lock', undefined, false, 'succeeded'])
  await assert.rejects(controller.updateResourceInstance({ id: guid, name: 'Locked' }), { status: 400 })
  await assert.rejects(controller.deleteResourceInstance({ id: guid }), { status: 400 })
  const unlocked = await controller.unlockResourceInstance({ id: guid })
  assert.equal(unlocked.result.locked, false)

  assert.equal((await controller.deleteResourceInstance({ id: guid, recursive: false })).status, 204)
  const removed = await controller.getResourceInstance({ id: guid })
  assert.deepEqual(operationOf(removed.result), ['removed', 'delete', undefined, false, 'succeeded'])
  await assert.rejects(controller.deleteResourceInstance({ id: guid }), { status: 410 })
  await assert.rejects(controller.cancelLastopResourceInstance({ id: guid }), { status: 422 })
})

test('resource-controller: an instance born locked, and pages of instances', async (t) => {
  const started = await start(t)
  const { controller, a } = started
  const more = { target: 'global', resourceGroup: a.account.resourceGroupId, resourcePlanId: cosLite }
  const born = await controller.createResourceInstance({ name: 'born locked', ...more, entityLock: true, tags: ['t1'] })
  assert.equal(born.result.locked, true)
  for (let i = 0; i < 4; i++) await controller.createResourceInstance({ name: `instance ${i}`, ...more })
  const all = (await listAll(started)).map((instance) => instance.guid)

  const pager: (string | undefined)[] = []
  let token: string | undefined
  do {
    const page: ResourceController.ResourceInstancesList = (
      await controller.listResourceInstances({ limit: 2, ...(token !== undefined && { start: token }) })
    ).result
    pager.push(...page.resources.map((instance) => instance.guid))
    token = page.next_url ? (getQueryParam(page.next_url, 'start') ?? undefined) : undefined
  } while (token !== undefined)
  assert.deepEqual(pager, all)
  assert.equal(all.length, 6)
})

test('resource-controller: reclamations', async (t) => {
  const { controller, a } = await start(t)
  const created = await controller.createResourceInstance({
    name: 'RcSdkReclaimInstance1',
    target: 'global',
    resourceGroup: a.account.resourceGroupId,
    resourcePlanId: cosStandard,
  })
  const { guid } = created.result
  assert.ok(guid)
  const only = async (): Promise<ResourceController.Reclamation> => {
    const { result } = await controller.listReclamations({ accountId: a.account.id, resourceInstanceId: guid })
    assert.equal(result.resources?.length, 1)
    const [reclamation] = result.resources
    assert.ok(reclamation)
    assert.equal(reclamation.resource_instance_id, guid)
    assert.equal(reclamation.account_id, a.account.id)
    assert.equal(reclamation.resource_group_id, a.account.resourceGroupId)
    assert.equal(reclamation.state, 'SCHEDULED')
    return reclamation
  }
  const run = async (actionName: string): Promise<string | undefined> => {
    const { id = '' } = await only()
    const { result, status } = await controller.runReclamationAction({ id, actionName })
    assert.deepEqual([status, result.id, result.resource_instance_id], [200, id, guid])
    return result.state
  }
  const now = async () => operationOf((await controller.getResourceInstance({ id: guid })).result)

  assert.equal((await controller.deleteResourceInstance({ id: guid })).status, 204)
  assert.deepEqual(await now(), ['pending_reclamation', 'reclamation', 'pending', false, 'succeeded'])
  assert.equal(await run('restore'), 'RESTORING')
  assert.deepEqual(await now(), ['active', 'reclamation', 'restore', false, 'succeeded'])
  await controller.deleteResourceInstance({ id: guid })
  assert.equal(await run('reclaim'), 'RECLAIMING')
  assert.deepEqual(await now(), ['removed', 'reclamation', 'delete', false, 'succeeded'])
})

test('resource-manager: quota definitions, and the life of a group', async (t) => {
  const { manager, a, b } = await start(t)
  const quotas = await manager.listQuotaDefinitions()
  assert.equal(quotas.status, 200)
  const [quota] = quotas.result.resources
  assert.equal((await manager.getQuotaDefinition({ id: quota?.id ?? '' })).result.name, quota?.name)
  assert.equal((await manager.listResourceGroups({ accountId: a.account.id })).result.resources.length, 1)

  const created = await manager.createResourceGroup({ accountId: a.account.id, name: 'TestGroup' })
  assert.equal(created.status, 201)
  const { id = '' } = created.result
  assert.ok(created.result.crn)
  assert.equal((await manager.getResourceGroup({ id })).result.name, 'TestGroup')
  const updated = await manager.updateResourceGroup({ id, name: 'TestGroup2', state: 'ACTIVE' })
  assert.deepEqual([updated.status, updated.result.name], [200, 'TestGroup2'])
  await assert.rejects(manager.createResourceGroup({ accountId: a.account.id, name: 'TestGroup2' }), { status: 400 })
  assert.equal((await manager.deleteResourceGroup({ id })).status, 204)
  await assert.rejects(manager.getResourceGroup({ id }), { status: 404 })
  await assert.rejects(manager.deleteResourceGroup({ id: a.account.resourceGroupId }), { status: 400 })
  await assert.rejects(manager.getResourceGroup({ id: b.account.resourceGroupId }), { status: 404 })
})

test('global-catalog: entries, children, and what is not there, for nobody in particular', async (t) => {
  const { catalog } = await start(t)
  const listed = await catalog.listCatalogEntries()
  assert.equal(listed.status, 200)
  assert.ok((listed.result.resources?.length ?? 0) > 0)
  const [kms] = (await catalog.listCatalogEntries({ q: 'kms', include: '*' })).result.resources ?? []
  // The SDK's types leave the field out that Terraform looks at.
  const metadata: Json = kms?.metadata
  assert.equal(metadata.service.rc_provisionable, true)
  const entry = await catalog.getCatalogEntry({ id: kms?.id ?? '', complete: true })
  assert.deepEqual([entry.result.name, entry.result.kind, entry.result.disabled], ['kms', 'service', false])

  const plans = await catalog.getChildObjects({ id: kms?.id ?? '', kind: 'plan' })
  assert.deepEqual([plans.result.offset, plans.result.count, plans.result.resource_count], [0, 2, 2])
  await assert.rejects(catalog.getCatalogEntry({ id: 'bogus' }), { status: 404 })
  await assert.rejects(catalog.getChildObjects({ id: 'bogus', kind: 'bogus' }), { status: 404 })
  await assert.rejects(catalog.getPricing({ id: kms?.id ?? '' }), { status: 404 })
  await assert.rejects(catalog.getVisibility({ id: 'bogus' }), { status: 404 })
})

test('global-search: everything there is, one at a time', async (t) => {
  const { controller, search, a } = await start(t)
  const more = { target: 'global', resourceGroup: a.account.resourceGroupId, resourcePlanId: cosLite }
  for (const n of [1, 2, 3]) await controller.createResourceInstance({ name: `GST-sdk-${n}`, ...more })
  const found: string[] = []
  let searchCursor: string | undefined
  for (;;) {
    const { result } = await search.search({
      query: 'GST-sdk-*',
      fields: ['*'],
      limit: 1,
      ...(searchCursor !== undefined && { searchCursor }),
    })
    assert.ok(result.items.length <= 1)
    if (result.items.length === 0) break
    found.push(...result.items.map((item) => item['name']))
    searchCursor = result.search_cursor
  }
  assert.deepEqual(found.toSorted(), ['GST-sdk-1', 'GST-sdk-2', 'GST-sdk-3'])
})

test('global-tagging: user and access tags, by resource and by query', async (t) => {
  const { controller, tagging, a } = await start(t)
  const created = await controller.createResourceInstance({
    name: 'tagged',
    target: 'us-south',
    resourceGroup: a.account.resourceGroupId,
    resourcePlanId: 'eedd3585-90c6-4c8f-be3d-062069e99fc3',
  })
  const crn = created.result.crn ?? ''
  const resources = [{ resource_id: crn }]
  const query = { query_string: `crn:"${crn}"` }
  const attached = async (tagType: string): Promise<string[]> => {
    const { result } = await tagging.listTags({ offset: 0, limit: 1000, attachedTo: crn, tagType })
    return result.items?.map((tag) => tag.name) ?? []
  }
  const fine = (results: { is_error?: boolean }[] | undefined): void =>
    assert.ok(results && results.length > 0 && results.every((result) => result.is_error === false))

  const accessTags = ['env:node-sdk-public', 'region:node-sdk-us-south', 'env:node-sdk-public-1', 'region:node-sdk-1']
  const userTags = ['node-sdk-user-test1', 'node-sdk-user-test2', 'node-sdk-user-test3', 'node-sdk-user-test4']
  fine((await tagging.createTag({ tagNames: accessTags, tagType: 'access' })).result.results)
  for (const [tagType, names] of [
    ['user', userTags],
    ['access', accessTags],
  ] as const) {
    fine((await tagging.attachTag({ resources, tagNames: names.slice(0, 2), tagType })).result.results)
    fine((await tagging.attachTag({ query, tagNames: names.slice(2), tagType })).result.results)
    assert.deepEqual(new Set(await attached(tagType)), new Set(names))

    const listed: string[] = []
    for (;;) {
      const { result } = await tagging.listTags({ offset: listed.length, limit: 3, tagType })
      if (!result.items || result.items.length === 0) break
      listed.push(...result.items.map((tag) => tag.name))
    }
    assert.deepEqual(new Set(listed), new Set(names))

    fine((await tagging.detachTag({ resources, tagNames: names.slice(0, 2), tagType })).result.results)
    fine((await tagging.detachTag({ query, tagNames: names.slice(2), tagType })).result.results)
    assert.deepEqual(await attached(tagType), [])
    fine((await tagging.deleteTag({ tagName: names[0] ?? '', tagType })).result.results)
    const rest = await tagging.deleteTagAll({ tagType })
    assert.equal(rest.result.total_count, 3)
    fine(rest.result.items)
  }
  const service = { resources, tagNames: ['service:tag'], tagType: 'service' }
  fine((await tagging.attachTag({ ...service, accountId: a.account.id, replace: true })).result.results)
  await assert.rejects(tagging.attachTag(service), { status: 400 })
})

test('terraform: ibm_resource_instance is planned, made, read, changed and destroyed', async (t) => {
  const { a } = await start(t)
  const get = (path: string): Promise<Json> => a.expect(200, 'GET', path)
  const tagsOf = async (crn: string): Promise<string[]> => {
    const body = { query: `crn:"${crn}"`, fields: ['access_tags', 'tags', 'service_tags'] }
    const { items } = await a.expect(200, 'POST', '/v3/resources/search', { body })
    // The provider panics where one of the three is no list.
    for (const item of items) for (const name of body.fields) assert.ok(Array.isArray(item[name]), name)
    return items[0]?.tags ?? []
  }

  // Create: catalog, default group, instance, until it is active.
  const services = (await get('/api/v1/?q=kms&include=*')).resources
  const service = services.find((entry: Json) => entry.name === 'kms')
  assert.ok(service.metadata.service.rc_provisionable)
  const plans = (await get(`/api/v1/${service.id}/plan`)).resources
  const plan = plans.find((entry: Json) => entry.name === 'tiered-pricing')
  const deployments = (await get(`/api/v1/${plan.id}/deployment?include=*`)).resources
  const deployment = deployments.find(
    (entry: Json) => entry.metadata.rc_compatible && entry.metadata.deployment.location === 'us-south',
  )
  const [group] = (await get(`/v2/resource_groups?account_id=${a.account.id}&default=true`)).resources
  const body = {
    name: 'terraform keys',
    target: deployment.catalog_crn,
    resource_group: group.id,
    resource_plan_id: plan.id,
    parameters: { 'service-endpoints': 'public-and-private' },
  }
  const { id, crn } = await a.expect(201, 'POST', '/v2/resource_instances', { body })
  const path = `/v2/resource_instances/${encodeURIComponent(id)}`
  assert.equal((await get(path)).state, 'active')
  const tagging = { resources: [{ resource_id: crn }] }
  const attached = await a.expect(200, 'POST', '/v3/tags/attach', { body: { ...tagging, tag_names: ['env:tf'] } })
  assert.deepEqual(attached, { results: [{ resource_id: crn, is_error: false }] })

  // Read: the instance, its tags, and the names behind its catalog ids.
  const read = await get(path)
  assert.deepEqual(await tagsOf(crn), ['env:tf'])
  const named = await get(`/api/v1/${read.resource_id}`)
  assert.deepEqual([named.kind, named.name], ['service', 'kms'])
  const planned = await get(`/api/v1/${read.resource_plan_id}`)
  assert.deepEqual([planned.kind, planned.name], ['plan', 'tiered-pricing'])
  assert.equal(typeof read.extensions.endpoints.public, 'string')
  assert.equal(typeof read.extensions.endpoints.private, 'string')
  assert.equal(read.parameters['service-endpoints'], 'public-and-private')
  for (const name of ['dashboard_url', 'resource_keys_url', 'created_by', 'updated_by', 'sub_type', 'target_crn']) {
    assert.equal(typeof read[name], 'string', name)
  }

  // Data source: by name and service, then the group by id.
  const query = new URLSearchParams({ name: 'terraform keys', resource_id: service.id, resource_group_id: group.id })
  const found = await get(`/v2/resource_instances?${query}`)
  assert.deepEqual([found.rows_count, found.resources[0].id, found.next_url], [1, id, null])
  assert.equal((await get(`/v2/resource_groups/${group.id}`)).name, 'Default')

  // Update: tags are detached and deleted, then the instance is patched, even with nothing.
  await get(path)
  await a.expect(200, 'POST', '/v3/tags/detach', { body: { ...tagging, tag_names: ['env:tf'] } })
  const deleted = await a.expect(200, 'DELETE', '/v3/tags/env:tf')
  assert.deepEqual(deleted.results, [{ provider: 'ghost', is_error: false }])
  assert.equal((await a.expect(200, 'PATCH', path, { body: {} })).state, 'active')
  const renamed = await a.expect(200, 'PATCH', path, { body: { name: 'renamed' } })
  assert.deepEqual([renamed.name, (await get(path)).state], ['renamed', 'active'])
  assert.deepEqual(await tagsOf(crn), [])

  // Destroy: deleted with all that hangs on it, until it is removed; once more is no mistake.
  await a.expect(204, 'DELETE', `${path}?recursive=true`)
  assert.equal((await get(path)).state, 'removed')
  await a.expect(410, 'DELETE', `${path}?recursive=true`)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeWorld } from './testing/world.ts'

const nobody = { as: null }

test('Terraform finds a service by name, its plan, and a deployment where it wants one', async () => {
  await using world = await makeWorld()
  const services = await world.call('GET', '/api/v1/?q=kms&include=*', nobody)
  const kms = services.body.resources.find((entry: { name: string }) => entry.name === 'kms')
  assert.equal(kms.kind, 'service')
  assert.ok(kms.active && kms.metadata.service.rc_provisionable && kms.metadata.service.iam_compatible)
  assert.equal(services.body.next, undefined)

  const plans = await world.call('GET', `/api/v1/${kms.id}/plan`, nobody)
  assert.deepEqual(
    plans.body.resources.map((entry: { name: string }) => entry.name),
    ['cross-region-resiliency', 'tiered-pricing'],
  )
  const plan = plans.body.resources[1]
  const deployments = await world.call('GET', `/api/v1/${plan.id}/deployment?include=*`, nobody)
  const here = deployments.body.resources.find(
    (entry: { metadata: { deployment: { location: string } } }) => entry.metadata.deployment.location === 'us-south',
  )
  assert.ok(here.metadata.rc_compatible)
  assert.equal(here.metadata.deployment.target_crn.split(':').length, 10)

  const made = await world.instance({ target: here.catalog_crn })
  assert.equal(made.region_id, 'us-south')
  assert.equal(made.target_crn, here.catalog_crn)
  assert.equal((await world.call('GET', `/api/v1/${made.resource_id}`, nobody)).body.name, 'kms')
  assert.equal((await world.call('GET', `/api/v1/${made.resource_plan_id}`, nobody)).body.kind, 'plan')
})

test('the catalog agrees with itself: every child knows its parent, and every entry is found by its id', async () => {
  await using world = await makeWorld()
  const { body } = await world.call('GET', '/api/v1', nobody)
  let seen = 0
  const walk = async (entries: readonly { id: string; kind: string; catalog_crn: string }[], parent: string | null) => {
    for (const entry of entries) {
      seen++
      const found = await world.call('GET', `/api/v1/${encodeURIComponent(entry.id)}?complete=true`, nobody)
      assert.equal(found.status, 200)
      assert.equal(found.body.parent_id ?? null, parent)
      assert.ok(found.body.metadata.rc_compatible)
      assert.equal(entry.catalog_crn.split(':').length, 10)
      const below = await world.call('GET', `/api/v1/${encodeURIComponent(entry.id)}/*?_limit=200`, nobody)
      assert.equal(below.body.count, below.body.resources.length)
      await walk(below.body.resources, entry.id)
    }
  }
  await walk(body.resources, null)
  assert.equal(seen, 3 + 5 + 2 * 13 + 9 + 2)
})

test('the catalog pages, filters and sorts', async () => {
  await using world = await makeWorld()
  const names = async (query: string): Promise<string[]> =>
    (await world.call('GET', `/api/v1?${query}`, nobody)).body.resources.map((entry: { name: string }) => entry.name)
  assert.deepEqual(await names('descending=true'), ['kms', 'hs-crypto', 'cloud-object-storage'])
  assert.deepEqual(await names('_offset=1&_limit=1'), ['hs-crypto'])
  assert.deepEqual(await names('q=kind:service%20tag:security%20price:paid%20rc:true'), ['hs-crypto', 'kms'])
  assert.deepEqual(await names('q=geo:global'), ['cloud-object-storage'])
  assert.deepEqual(await names('q=nothing-like-it'), [])
  const page = (await world.call('GET', '/api/v1?_limit=2', nobody)).body
  assert.equal(page.next, 'http://keyward.test/api/v1?_offset=2&_limit=2')
  const tree = await world.call('GET', '/api/v1/kms?depth=*', nobody)
  assert.equal(tree.body.children[0].children.length, 13)
})

test('what is not in the catalog is not found', async () => {
  await using world = await makeWorld()
  for (const path of ['/api/v1/bogus', '/api/v1/bogus/plan', '/api/v1/kms/pricing', '/api/v1/kms/bogus']) {
    assert.equal((await world.call('GET', path, nobody)).status, 404, path)
  }
})

// Lists of volumes, instances and SSH keys as callers see them whom policies let see only some: page by page, and
// whatever comes and goes between two pages.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { api } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'

const viewer = 'crn:v1:bluemix:public:iam::::role:Viewer'

/** A service id of the account with one policy for each set of attributes beyond the account and the service. */
async function restricted(owner: Api, baseUrl: string, name: string, policies: readonly Json[][]): Promise<Api> {
  const body = { name, account_id: owner.account.id, apikey: { name } }
  const made = await owner.expect(201, 'POST', '/v1/serviceids', { body })
  for (const attributes of policies) {
    await owner.expect(201, 'POST', '/v1/policies', {
      body: {
        type: 'access',
        subjects: [{ attributes: [{ name: 'iam_id', value: made.iam_id }] }],
        roles: [{ role_id: viewer }],
        resources: [
          {
            attributes: [
              { name: 'accountId', value: owner.account.id },
              { name: 'serviceName', value: 'is' },
              ...attributes,
            ],
          },
        ],
      },
    })
  }
  return api(baseUrl, { ...owner.account, apiKey: made.apikey.apikey })
}

/** All pages, by following the links as a client does. */
async function walk(caller: Api, collection: string, query = '', between: () => Promise<void> = async () => {}) {
  const names: string[] = []
  let totalCount = 0
  let path: string | null = `/v1/${collection}?limit=2&version=2026-03-24&generation=2${query}`
  while (path !== null) {
    const page: Json = await caller.expect(200, 'GET', path)
    assert.ok(page[collection].length <= 2)
    names.push(...page[collection].map((one: Json) => one.name))
    totalCount = page.total_count
    const next: string | undefined = page.next?.href
    path =
      next === undefined ? null : `${new URL(next).pathname}${new URL(next).search}&version=2026-03-24&generation=2`
    await between()
  }
  return { names, totalCount }
}

const groupOf = async (owner: Api, name: string): Promise<string> =>
  (await owner.expect(201, 'POST', '/v2/resource_groups', { body: { name, account_id: owner.account.id } })).id

async function fill(b: Api) {
  const [red, blue] = [await groupOf(b, 'red'), await groupOf(b, 'blue')]
  const made: Record<string, Json> = {}
  for (const [i, group] of [red, blue, red, blue, red].entries()) {
    const resource_group = { id: group }
    const zone = { name: `us-south-${(i % 3) + 1}` }
    const volume = { name: `v${i}`, zone, resource_group, capacity: 10, profile: { name: 'general-purpose' } }
    made[`v${i}`] = await b.vpc(201, 'POST', '/volumes', volume)
    made[`i${i}`] = await b.vpc(201, 'POST', '/instances', { name: `i${i}`, zone, resource_group })
  }
  for (const [i, group] of [red, blue, red].entries()) {
    made[`n${i}`] = await b.vpc(201, 'POST', '/vpcs', { name: `n${i}`, resource_group: { id: group } })
  }
  return { red, blue, made }
}

test('every caller sees the pages of what its policies let it see, and their true number', async (t) => {
  const { b, baseUrl } = await startServer(t, tempFolder(t))
  const { red, blue, made } = await fill(b)
  const id = (name: string): string => made[name]?.id
  const equal = (name: string, value: string) => ({ name, value, operator: 'stringEquals' })
  const like = (name: string, value: string) => ({ name, value, operator: 'stringMatch' })
  const see = async (
    name: string,
    policies: readonly Json[][],
    volumes: readonly string[],
    networks: readonly string[],
  ) => {
    const caller = await restricted(b, baseUrl, name, policies)
    const sorted = async (collection: string, query = '') => {
      const { names, totalCount } = await walk(caller, collection, query)
      assert.equal(totalCount, names.length, `${name}: ${collection}`)
      return names.toSorted()
    }
    assert.deepEqual(await sorted('volumes'), volumes, name)
    assert.deepEqual(await sorted('vpcs'), networks, name)
    assert.deepEqual(
      await sorted('volumes', '&zone.name=us-south-1'),
      volumes.filter((one) => one === 'v0' || one === 'v3'),
      `${name}, of one zone`,
    )
  }
  const all = ['v0', 'v1', 'v2', 'v3', 'v4']
  await see('everything', [[]], all, ['n0', 'n1', 'n2'])
  await see('one-group', [[equal('resourceGroupId', red)]], ['v0', 'v2', 'v4'], ['n0', 'n2'])
  await see('two-groups', [[equal('resourceGroupId', red)], [equal('resourceGroupId', blue)]], all, ['n0', 'n1', 'n2'])
  await see(
    'named',
    [
      [equal('volumeId', id('v1'))],
      [equal('resourceType', 'volume'), equal('resource', id('v4'))],
      [equal('resource', id('n1'))],
    ],
    ['v1', 'v4'],
    ['n1'],
  )
  await see('of-a-kind', [[equal('resourceType', 'volume')], [equal('resource', id('n2'))]], all, ['n2'])
  await see('pattern', [[like('resource', `${id('v3').slice(0, -2)}*`)], [equal('resource', id('n0'))]], ['v3'], ['n0'])
})

test('a caller to whom nothing is given is refused, and one to whom something else is given sees nothing', async (t) => {
  const { a, b, baseUrl } = await startServer(t, tempFolder(t))
  await fill(b)
  const nobody = await restricted(b, baseUrl, 'nobody', [])
  for (const collection of ['volumes', 'instances', 'vpcs', 'keys', 'subnets', 'security_groups']) {
    await nobody.vpc(403, 'GET', `/${collection}`)
  }
  const elsewhere = await restricted(b, baseUrl, 'elsewhere', [
    [{ name: 'resourceGroupId', value: b.account.resourceGroupId }],
  ])
  assert.deepEqual(await walk(elsewhere, 'volumes'), { names: [], totalCount: 0 })
  assert.deepEqual(await walk(a, 'volumes'), { names: [], totalCount: 0 })
})

test('what comes and goes between two pages neither repeats nor hides what stays', async (t) => {
  const { b, baseUrl } = await startServer(t, tempFolder(t))
  const { red, made } = await fill(b)
  const reader = await restricted(b, baseUrl, 'reader', [[{ name: 'resourceGroupId', value: red }]])
  for (const caller of [b, reader]) {
    let coming = 0
    const { names } = await walk(caller, 'instances', '', async () => {
      await b.vpc(201, 'POST', '/instances', {
        name: `new-${caller === b ? 'b' : 'r'}-${coming++}`,
        zone: { name: 'us-south-1' },
        resource_group: { id: red },
      })
      if (coming === 1) await b.vpc(204, 'DELETE', `/instances/${made[caller === b ? 'i4' : 'i2']?.id}`)
    })
    const old = names.filter((name) => name.startsWith('i'))
    assert.deepEqual(old, [...new Set(old)], 'nothing twice')
    for (const name of caller === b ? ['i0', 'i1', 'i2', 'i3'] : ['i0'])
      assert.ok(old.includes(name), `${name} in ${old}`)
  }
  const { total_count, instances } = await b.vpc(200, 'GET', '/instances?limit=100')
  assert.equal(total_count, instances.length)
})

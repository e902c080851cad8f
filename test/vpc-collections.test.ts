// What the collections of VPC and the things in them have in common: pages, links, names, groups, tags, ETags. The lists and
// bodies come from the committed OpenAPI, so that a new one cannot be forgotten. Source: VPC API, "Common conventions".

import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Json } from './harness/api.ts'
import { makeCollections, sshKey } from './harness/collections.ts'
import type { Collections } from './harness/collections.ts'
import { imageBody } from './harness/images.ts'
import { filled, operationsOf, pageKey } from './harness/operations.ts'
import { assertRefused } from './harness/refused.ts'
import { startServer, tempFolder } from './harness/server.ts'

const operations = operationsOf('vpc.json')
const versioned = 'version=2026-03-24&generation=2'

/** A new thing for each operation that names what it makes. */
const examples: Readonly<Record<string, (made: Collections['all']) => Json>> = {
  createVolume: () => volume,
  createInstance: () => ({ zone: { name: 'us-south-2' } }),
  createImage: () => imageBody('disk.raw'),
  createVpc: () => ({}),
  createSubnet: ({ vpcs }) => ({
    vpc: { id: vpcs?.[0].id },
    zone: { name: 'us-south-3' },
    total_ipv4_address_count: 8,
  }),
  createSecurityGroup: ({ vpcs }) => ({ vpc: { id: vpcs?.[0].id } }),
  createVirtualNetworkInterface: ({ subnets }) => ({ subnet: { id: subnets?.[0].id } }),
  createKey: () => ({ public_key: sshKey('c') }),
  createSnapshot: ({ volumes }) => ({ source_volume: { id: volumes?.[2].id } }),
  createSnapshotConsistencyGroup: ({ volumes }) => ({ snapshots: [{ source_volume: { id: volumes?.[0].id } }] }),
  createVolumeAttachment: () => ({ volume: { profile: volume.profile, capacity: 10 } }),
  createVpcAddressPrefix: () => ({ cidr: '10.9.0.0/24', zone: { name: 'us-south-1' } }),
  createSubnetReservedIp: () => ({}),
  createSecurityGroupRule: () => ({ direction: 'inbound', protocol: 'tcp', port_min: 7, port_max: 7 }),
}
const volume = { profile: { name: 'general-purpose' }, zone: { name: 'us-south-1' }, capacity: 10 }

const wrongNames = ['Upper', 'has space', '1digit', '-', 'ends-', 'under_score', '', 'é', `x${'y'.repeat(64)}`]

/** VPC API: what takes If-Match. */
const tagged = new Set([
  'volumes',
  'instances',
  'vpcs',
  'virtual_network_interfaces',
  'snapshots',
  'snapshot_consistency_groups',
])

const hrefsIn = (value: Json): string[] =>
  value === null || typeof value !== 'object'
    ? []
    : Object.entries<Json>(value).flatMap(([name, one]) => (name === 'href' ? [one] : hrefsIn(one)))

/** As fetch() cannot: with a Host of its own. */
const getAs = (baseUrl: string, host: string, path: string, token: string): Promise<Json> =>
  new Promise((resolve, reject) => {
    const headers = { host, authorization: `Bearer ${token}` }
    const sent = httpRequest(`${baseUrl}${path}`, { headers }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.once('end', () => resolve(JSON.parse(text)))
    })
    sent.once('error', reject).end()
  })

/** The path of a collection, of the first thing there is where it lies in another. */
const pathIn = ({ all }: Collections, path: string): string =>
  filled(path, (parameter) => {
    const before = path.split('/').at(path.split('/').indexOf(`{${parameter}}`) - 1) ?? ''
    return all[before]?.[0].id ?? 'general-purpose'
  })

test('conventions of what is there', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b, baseUrl } = server
  const made = await makeCollections(server)
  const pages = operations.flatMap((operation) => {
    const key = pageKey(operation)
    return key === null ? [] : [{ ...operation, key }]
  })

  // From this day on instance profiles are paged, too.
  const paged = (path: string): Promise<Json> => b.expect(200, 'GET', `/v1${path}&version=2026-04-07&generation=2`)

  await t.test('pages', async () => {
    for (const { name, path, key } of pages) {
      const at = pathIn(made, path).slice(3)
      const whole = await paged(`${at}?limit=100`)
      assert.equal((await paged(`${at}?`)).limit, 50, name)
      assert.equal(whole.total_count, whole[key].length)
      assert.ok(whole[key].length >= 2, `${name} has items to page through`)
      assert.equal(whole.next, undefined)
      const found: Json[] = []
      let query = 'limit=1'
      for (;;) {
        const page = await paged(`${at}?${query}`)
        assert.equal(page.limit, 1)
        assert.equal(page.total_count, whole.total_count)
        assert.equal(page.first.href, `${baseUrl}/v1${at}?limit=1`)
        found.push(...page[key])
        if (page.next === undefined) break
        const next = new URL(page.next.href)
        assert.ok(page.next.href.startsWith(`${baseUrl}/v1${at}?`), page.next.href)
        assert.ok(next.searchParams.has('start'))
        query = next.searchParams.toString()
      }
      assert.deepEqual(found, whole[key], `${name}: one by one, in the same order`)
      for (const limit of ['0', '101', '-1', '1.5', 'x']) {
        const refused = await b.send('GET', `/v1${at}?${versioned}&limit=${limit}`)
        assert.equal(refused.status, 400, `${name} limit=${limit}`)
        assert.partialDeepStrictEqual(refused.body.errors[0].target, { type: 'parameter', name: 'limit' })
      }
      const refused = await b.send('GET', `/v1${at}?${versioned}&start=no-token`)
      assertRefused(refused, [400, 'invalid_id_format'], { type: 'parameter', name: 'start' })
    }
  })

  await t.test('hrefs follow the Host, name what they lead to, and another account finds nothing there', async () => {
    for (const { name, path, key } of pages) {
      const page = await getAs(baseUrl, 'vpc.example.com:8443', `${pathIn(made, path)}?${versioned}`, await b.token())
      const hrefs = hrefsIn(page)
      assert.ok(hrefs.length > 0)
      for (const href of hrefs) assert.match(href, /^http:\/\/vpc\.example\.com:8443\/v[12]\//, name)
      const [item] = page[key]
      const read = `${new URL(item.href).pathname}?${versioned}`
      assert.equal((await b.send('GET', read)).status, 200, `${name}: ${item.href}`)
      if (item.crn !== undefined) assertRefused(await a.send('GET', read), [404, /not_found$/])
    }
  })
})

/** What needs a bucket has its story in image-exports.test.ts. */
const inStorage: ReadonlySet<string> = new Set(['createImageExportJob'])

test('conventions of what is made, changed and removed', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { b } = server
  const made = await makeCollections(server)
  const collectionOf = (path: string): string => path.split('/')[2] ?? ''
  const send = (method: string, path: string, body?: Json, headers: Record<string, string> = {}) =>
    b.send(method, `${path}?${versioned}`, { ...(body !== undefined && { body }), headers })

  await t.test('names: the rule, one for each, and words where none is given', async () => {
    for (const { name, method, path, body: schema } of operations) {
      if (method !== 'POST' || schema?.properties?.name === undefined || inStorage.has(name)) continue
      const example = examples[name]?.(made.all)
      assert.ok(example, `${name} needs an example`)
      const at = pathIn(made, path)
      for (const wrong of wrongNames) {
        const answer = await send('POST', at, { ...example, name: wrong })
        assertRefused(answer, [400, 'validation_invalid_name'], { type: 'field', name: 'name' })
      }
      const known: Json = path.includes('{') ? undefined : made.all[collectionOf(path)]?.[0]
      if (known !== undefined) {
        const taken = await send('POST', at, {
          ...example,
          public_key: example.public_key && sshKey('d'),
          name: known.name,
        })
        assertRefused(taken, [400, /duplicate|exists|unique/], { type: 'field', name: 'name' })
      }
      const unnamed = await send('POST', at, example)
      assert.equal(unnamed.status, 201, `${name}: ${JSON.stringify(unnamed.body)}`)
      assert.match(unnamed.body.name, /^[a-z]+(-[a-z]+){3}$/)
      // Where the first still holds what a second would need, that is the refusal.
      const again = await send('POST', at, { ...example, name: unnamed.body.name })
      assertRefused(again, [again.status, /duplicate|exists|unique|busy|bad_field|over_quota/])
    }
  })

  await t.test('changes: merge patch, names that are taken, ETags and If-Match', async () => {
    for (const { name, method, path, body: schema } of operations) {
      const collection = collectionOf(path)
      if (method !== 'PATCH' || !path.endsWith(`/${collection}/{id}`) || !schema.properties.name) continue
      const [first, second] = made.all[collection] ?? []
      const at = `/v1/${collection}/${second.id}`
      const before = await send('GET', at)
      const etag = before.headers.get('etag')
      assert.equal(etag !== null, tagged.has(collection), `${name}: ${etag}`)
      const merge = { 'content-type': 'application/merge-patch+json' }
      const unchanged = await send('PATCH', at, {}, merge)
      assert.deepEqual([unchanged.status, unchanged.headers.get('etag')], [200, etag])
      assert.equal((await send('PATCH', at, { name: second.name }, merge)).status, 200, 'its own name')
      const removed = await send('PATCH', at, { name: null }, merge)
      assertRefused(removed, [400, 'validation_invalid_field_type'], { type: 'field', name: 'name' })
      const taken = await send('PATCH', at, { name: first.name }, merge)
      // Names of what lies in a VPC are its own, and these lie in two.
      if (['subnets', 'security_groups'].includes(collection)) assert.equal(taken.status, 200)
      else assertRefused(taken, [400, /duplicate|exists|unique/], { type: 'field', name: 'name' })

      const current = (await send('GET', at)).headers.get('etag') ?? 'any'
      const renamed = await send('PATCH', at, { name: `${second.name}-new` }, { 'if-match': current })
      assert.equal(renamed.status, 200, JSON.stringify(renamed.body))
      assert.equal(renamed.body.name, `${second.name}-new`)
      const after = renamed.headers.get('etag')
      assert.equal((await send('GET', at)).headers.get('etag'), after)
      if (!tagged.has(collection)) continue
      assert.notEqual(after, current)
      for (const [verb, body] of [
        ['PATCH', { name: 'other' }],
        ['DELETE', undefined],
      ] as const) {
        const stale = await send(verb, at, body, { 'if-match': current })
        assertRefused(stale, [412, 'etag_mismatch'], { type: 'header', name: 'If-Match' })
      }
      assert.equal((await send('PATCH', at, { name: second.name }, { 'if-match': '*' })).status, 200)
    }
  })

  await t.test('an ETag outlives what is not its user’s doing', async () => {
    const etagOf = async (path: string) => (await send('GET', path)).headers.get('etag')
    const instance = `/v1/instances/${made.all['instances']?.[1].id}`
    const [before, disk] = [await etagOf(instance), `/v1/volumes/${made.all['volumes']?.[1].id}`]
    const ofDisk = await etagOf(disk)
    await b.vpc(201, 'POST', `${instance.slice(3)}/volume_attachments`, { volume: { id: made.all['volumes']?.[1].id } })
    await until(
      () => b.vpc(200, 'GET', disk.slice(3)),
      ({ active }) => active === true,
    )
    await until(
      () => b.vpc(200, 'GET', instance.slice(3)),
      ({ status }) => status === 'running',
    )
    await b.vpc(200, 'PATCH', disk.slice(3), { capacity: 20 })
    await until(
      () => b.vpc(200, 'GET', disk.slice(3)),
      ({ status }) => status === 'available',
    )
    await b.vpc(201, 'POST', `${instance.slice(3)}/actions`, { type: 'stop' })
    await until(
      () => b.vpc(200, 'GET', instance.slice(3)),
      ({ status }) => status === 'stopped',
    )
    assert.deepEqual([await etagOf(instance), await etagOf(disk)], [before, ofDisk])
  })

  await t.test('tags: replaced whole, by ETag only, in lower case, by the rule', async () => {
    for (const { method, path, body: schema } of operations) {
      const collection = collectionOf(path)
      if (method !== 'PATCH' || !schema.properties.user_tags) continue
      const at = `/v1/${collection}/${made.all[collection]?.[0].id}`
      assertRefused(await send('PATCH', at, { user_tags: [] }), [400, 'bad_header'], {
        type: 'header',
        name: 'If-Match',
      })
      const replace = async (user_tags: Json) =>
        await send('PATCH', at, { user_tags }, { 'if-match': (await send('GET', at)).headers.get('etag') ?? '' })
      assert.deepEqual((await replace(['B:2', 'a b', 'b:2'])).body.user_tags, ['a b', 'b:2'])
      assert.deepEqual((await replace([])).body.user_tags, [])
      for (const wrong of [[''], ['x'.repeat(129)], ['a,b'], ['é']]) {
        assertRefused(await replace(wrong), [400, 'bad_field'], { type: 'field', name: 'user_tags' })
      }
    }
  })

  await t.test(
    'resource groups: the one that is named, or the default one; ids, CRNs and times in their forms',
    async () => {
      const owner = b.account.id
      for (const { name, method, path, body: schema } of operations) {
        if (method !== 'POST' || !schema?.properties?.resource_group) continue
        const example = { ...examples[name]?.(made.all), resource_group: { id: '0'.repeat(32) } }
        assertRefused(await send('POST', path, example), [400, /bad_field|group_not_found/], {
          type: 'field',
          name: 'resource_group.id',
        })
        const [first, second] = made.all[collectionOf(path)] ?? []
        assert.partialDeepStrictEqual(first.resource_group, { id: made.red, name: 'red' })
        assert.partialDeepStrictEqual(second.resource_group, { id: b.account.resourceGroupId, name: 'Default' })
        assert.match(first.id, /^[0-9a-z]{4}[-_][0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
        assert.match(
          first.crn,
          new RegExp(`^crn:v1:bluemix:public:is:us-south(-[123])?:a/${owner}::[a-z-]+:${first.id}$`),
        )
        assert.match(first.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
      }
      const { id } = await b.vpc(201, 'POST', '/instances', {
        ...examples['createInstance']?.(made.all),
        resource_group: { id: made.red },
        volume_attachments: [{ volume: { profile: volume.profile, capacity: 10 } }],
      })
      const { volume_attachments } = await b.vpc(200, 'GET', `/instances/${id}`)
      const [{ volume: disk }] = volume_attachments
      const { resource_group } = await b.vpc(200, 'GET', `/volumes/${disk.id}`)
      assert.equal(resource_group.id, made.red, 'a volume of a new instance lies in the group of the instance')
    },
  )
})

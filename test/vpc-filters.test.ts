// Every filter of every VPC collection, as its documented description says: the table below has a row for each query
// parameter of the committed OpenAPI, and a parameter without one fails.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from './harness/api.ts'
import { makeCollections } from './harness/collections.ts'
import type { Collections } from './harness/collections.ts'
import { operationsOf, pageKey } from './harness/operations.ts'
import { startServer, tempFolder } from './harness/server.ts'

/** A value, and the names of what it finds among those that collections.ts has made. */
type Finding = readonly [value: string, names: string]
type Row = (made: Collections) => readonly Finding[]

const one = ({ all }: Collections, collection: string, i: number): Json => all[collection]?.[i]
const nothingIs =
  (all: string): Row =>
  () => [
    ['some', ''],
    ['null', all],
  ]
const inGroup =
  (found: string): Row =>
  ({ red }) => [
    [red, found],
    ['0'.repeat(32), ''],
  ]
const named =
  (found: string): Row =>
  () => [
    [found, found],
    ['nobody', ''],
  ]
/** Of what lies in the first VPC. */
const inVpc = (found: string): Readonly<Record<string, Row>> => ({
  'vpc.id': (made) => [
    [one(made, 'vpcs', 0).id, found],
    [`${one(made, 'vpcs', 0).id}x`, ''],
  ],
  'vpc.crn': (made) => [
    [one(made, 'vpcs', 0).crn, found],
    [`crn:v1:bluemix:public:is:us-south:a/other::vpc:${one(made, 'vpcs', 0).id}`, ''],
  ],
  'vpc.name': () => [
    ['n0', found],
    ['n2', ''],
  ],
})
const ofTable =
  (field: 'id' | 'name' | 'crn'): Row =>
  (made) => {
    const network = one(made, 'vpcs', 0)
    const { id, name } = network.default_routing_table
    const crn = `${network.crn.split(':').slice(0, 8).join(':')}:routing-table:${id}`
    return [
      [{ id, name, crn }[field], 's0'],
      ['other', ''],
    ]
  }

const machines = 'i0 i1'
const shots = 'm0 m1 p0 p2'
const stock =
  'ibm-ubuntu-24-04-6-minimal-amd64-1 ibm-ubuntu-22-04-5-minimal-amd64-1 ibm-debian-12-11-minimal-amd64-1 ibm-redhat-9-6-minimal-amd64-1'
const placed = ['cluster_network', 'dedicated_host', 'placement_group', 'reservation'].flatMap((of) =>
  ['id', 'crn', 'name'].map((field) => `${of}.${field}`),
)
const absentFromSnapshots = [
  'backup_policy_plan.id',
  'copies[].id',
  'copies[].name',
  'copies[].crn',
  'copies[].remote.region.name',
  'source_snapshot.id',
  'source_snapshot.remote.region.name',
  'source_volume.remote.region.name',
  'source_image.remote.region.name',
]

const table: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  listVolumes: {
    name: named('v1'),
    'zone.name': () => [
      ['us-south-1', 'v0'],
      ['us-south-9', ''],
    ],
    attachment_state: () => [
      ['attached', 'v0'],
      ['unattached', 'v1 v2'],
      ['unusable', ''],
    ],
    encryption: () => [
      ['user_managed', 'v1'],
      ['provider_managed', 'v0 v2'],
    ],
    'operating_system.family': nothingIs('v0 v1 v2'),
    'operating_system.architecture': nothingIs('v0 v1 v2'),
    storage_generation: () => [
      ['1', 'v0 v1'],
      ['2', 'v2'],
    ],
    tag: () => [
      ['env:test', 'v0'],
      ['Env:Test', 'v0'],
      ['env', ''],
    ],
  },
  listInstances: {
    name: named('i1'),
    'resource_group.id': inGroup('i0'),
    ...inVpc('i0'),
    'availability.class': () => [
      ['standard', machines],
      ['spot', ''],
    ],
    'reservation_affinity.policy': () => [
      ['disabled', machines],
      ['automatic', ''],
    ],
    ...Object.fromEntries(placed.map((name) => [name, nothingIs(machines)])),
  },
  listImages: {
    name: named('o1'),
    'resource_group.id': inGroup('o0'),
    status: () => [
      ['deprecated', 'o1'],
      ['available,deprecated', `o0 o1 ${stock}`],
      ['failed', ''],
    ],
    visibility: () => [
      ['private', 'o0 o1'],
      ['public', stock],
    ],
    owner_type: () => [
      ['user', 'o0 o1'],
      ['provider', stock],
    ],
    user_data_format: () => [
      ['cloud_init', `o0 o1 ${stock}`],
      ['ipxe', ''],
    ],
    'remote.account.id': () => [
      ['null', 'o0 o1'],
      ['not:null', stock],
    ],
  },
  listVpcs: {
    name: named('n1'),
    'resource_group.id': inGroup('n0'),
    classic_access: () => [
      ['true', ''],
      ['false', 'n0 n1'],
    ],
  },
  listSubnets: {
    name: named('s1'),
    'resource_group.id': inGroup('s0'),
    ...inVpc('s0'),
    'zone.name': () => [['us-south-2', 's1']],
    'routing_table.id': ofTable('id'),
    'routing_table.crn': ofTable('crn'),
    'routing_table.name': ofTable('name'),
  },
  listSecurityGroups: {
    // The default group of n0 lies in the group of n0.
    'resource_group.id': ({ red, all }) => [[red, `g0 ${all['vpcs']?.[0].default_security_group.name}`]],
    ...Object.fromEntries(
      Object.entries(inVpc('g0')).map(([name, row]): [string, Row] => [
        name,
        (made) =>
          row(made).map(([value, found]): Finding => {
            const also = one(made, 'vpcs', 0).default_security_group.name
            return [value, found === '' ? '' : `${found} ${also}`]
          }),
      ]),
    ),
  },
  listVirtualNetworkInterfaces: { 'resource_group.id': inGroup('x0') },
  listSnapshots: {
    name: named('p0'),
    tag: () => [['old', 'p0']],
    'resource_group.id': inGroup('m0 p0'),
    'source_volume.id': (made) => [[one(made, 'volumes', 2).id, 'p2']],
    'source_volume.crn': (made) => [[one(made, 'volumes', 2).crn, 'p2']],
    'source_image.id': (made) => [[one(made, 'images', 0).id, '']],
    'source_image.crn': (made) => [[one(made, 'images', 0).crn, '']],
    sort: () => [
      ['name', shots],
      ['-created_at', shots],
    ],
    'clones[].zone.name': () => [
      ['us-south-1', 'p0'],
      ['us-south-2', ''],
    ],
    'snapshot_consistency_group.id': (made) => [[one(made, 'snapshot_consistency_groups', 1).id, 'm1']],
    'snapshot_consistency_group.crn': (made) => [[one(made, 'snapshot_consistency_groups', 1).crn, 'm1']],
    ...Object.fromEntries(absentFromSnapshots.map((name) => [name, nothingIs(shots)])),
  },
  listSnapshotConsistencyGroups: {
    name: named('c1'),
    'resource_group.id': inGroup('c0'),
    sort: () => [['-name', 'c0 c1']],
    'backup_policy_plan.id': nothingIs('c0 c1'),
  },
}

const general = new Set(['version', 'generation', 'start', 'limit'])

test('every filter finds what it describes, alone and with the others, and stays in the links', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const made = await makeCollections(server)
  const { b } = server
  for (const operation of operationsOf('vpc.json')) {
    const key = pageKey(operation)
    if (key === null) continue
    const rows = table[operation.name] ?? {}
    const filters = [...operation.query.keys()].filter((name) => !general.has(name))
    assert.deepEqual(Object.keys(rows).sort(), filters.sort(), `${operation.name}: a row for every filter`)
    const ask = (query: URLSearchParams): Promise<Json> => b.vpc(200, 'GET', `${operation.path.slice(3)}?${query}`)
    for (const [name, row] of Object.entries(rows)) {
      await t.test(`${operation.name} by ${name}`, async () => {
        for (const [value, names] of row(made)) {
          const page = await ask(new URLSearchParams({ [name]: value, limit: '100' }))
          const found: string[] = page[key].map((item: Json) => item.name).sort()
          assert.deepEqual(found, names.split(' ').filter(Boolean).sort(), value)
          assert.equal(page.total_count, found.length)
          const begin = new URL(page.first.href)
          assert.equal(begin.searchParams.get(name), value, 'the link asks for the same')
          // With one more that nothing satisfies, nothing is left.
          if (filters.includes('name') && name !== 'name') {
            assert.equal((await ask(new URLSearchParams({ [name]: value, name: 'nobody' }))).total_count, 0)
          }
        }
      })
    }
  }
})

// Every operation of the contract with input that nobody sane sends, generated: whatever comes, the answer is the
// documented error body, it names what was wrong, and it is never a fault of ours. A failure prints its seed; KEYWARD_SEED
// runs it again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Operation } from '#base/contract.ts'
import { vpcContract, vpcOwnContract } from './contract.ts'
import { reencryptionContract } from './contract-reencryption.ts'
import { accountB, accountC } from './testing/fakes.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'
import type { World } from './testing/world.ts'

const operations: Readonly<Record<string, Operation>> = {
  ...vpcContract,
  ...vpcOwnContract,
  ...reencryptionContract,
}
const runsPerOperation = 25
const seed = Number(process.env['KEYWARD_SEED'] ?? 20_261_124)

const nastyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom(
    '',
    '\u0000',
    '\ud800',
    '../../etc/passwd',
    '..%2f..%2f',
    "' or 1=1 --",
    '__proto__',
    'constructor',
    '💥'.repeat(40),
    'a'.repeat(5000),
    'null',
    '-1',
    'crn:v1:bluemix:public:kms:us-south:a/\u0000::key:x',
    `crn:v1:${':'.repeat(500)}`,
    'https://[::1]/v1/volumes/../../x',
  ),
)

const nastyNumber = fc.constantFrom(-1, 0, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e300, -0, 255, 65_536)

const nastyValue: fc.Arbitrary<unknown> = fc.oneof(
  { depthSize: 'small' },
  nastyText,
  nastyNumber,
  fc.constantFrom(null, true, false, [], {}),
  fc.array(nastyText, { maxLength: 3 }),
  fc.constantFrom(1, 30, 100).map(nested),
  fc.dictionary(fc.constantFrom('id', 'crn', 'href', 'name', 'address'), nastyText, { maxKeys: 3 }),
)

function nested(depth: number): unknown {
  let value: unknown = 'deep'
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { name: value }
  return value
}

/** Things of the account and of another: a hostile request points at both. */
async function furnish(world: World) {
  const make = async (as: string) => {
    const post = async (path: string, body: unknown) => (await world.call('POST', path, { as, body })).body
    const volume = await post('/v1/volumes', volumeBody())
    const vpc = await post('/v1/vpcs', {})
    const zone = { name: 'us-south-3' }
    const subnet = await post('/v1/subnets', { vpc: { id: vpc.id }, zone, total_ipv4_address_count: 256 })
    const attachable = await post('/v1/volumes', volumeBody())
    await world.pass()
    const instance = await post('/v1/instances', {
      zone,
      primary_network_interface: { subnet: { id: subnet.id } },
      volume_attachments: [{ volume: { id: attachable.id } }],
    })
    await world.pass()
    await world.pass()
    const snapshot = await post('/v1/snapshots', { source_volume: { id: attachable.id } })
    await world.pass()
    const consistency = await post('/v1/snapshot_consistency_groups', {
      snapshots: [{ source_volume: { id: attachable.id } }],
    })
    await world.pass()
    return { volume, vpc, subnet, instance, group: vpc.default_security_group, snapshot, consistency, attachable }
  }
  return { own: await make(accountB), others: await make(accountC) }
}

type Things = Awaited<ReturnType<typeof furnish>>

/** The id of the account's own thing of a collection, so that not every path ends before the body is read. */
const owned = ({ own }: Things, collection: string): string | undefined =>
  new Map([
    ['volumes', own.volume.id],
    ['instances', own.instance.id],
    ['vpcs', own.vpc.id],
    ['subnets', own.subnet.id],
    ['security_groups', own.group.id],
    ['snapshots', own.snapshot.id],
    ['snapshot_consistency_groups', own.consistency.id],
  ]).get(collection)

/** Bodies that would be taken as they are, to be spoilt in one or two places. */
function soundBody(name: string, { own, others }: Things): Record<string, unknown> {
  const zone = { name: 'us-south-3' }
  const volume = { profile: { name: 'general-purpose' }, capacity: 10 }
  const bodies: Readonly<Record<string, Record<string, unknown>>> = {
    createVolume: volumeBody({ user_tags: ['a'], iops: 100 }),
    updateVolume: { capacity: 30, user_tags: ['b'], profile: { name: '5iops-tier' } },
    createInstance: {
      zone,
      vpc: { id: own.vpc.id },
      primary_network_interface: { subnet: { id: own.subnet.id }, security_groups: [{ id: own.group.id }] },
      boot_volume_attachment: { volume: { id: others.volume.id } },
      volume_attachments: [{ volume: { ...volume, encryption_key: { crn: keyOfA } } }],
      keys: [{ id: others.vpc.id }],
    },
    updateInstance: { name: 'x', metadata_service: { enabled: true }, total_volume_bandwidth: 1000 },
    createInstanceAction: { type: 'reboot', force: false },
    createVolumeAttachment: { volume: { id: others.volume.id } },
    createSnapshot: {
      source_volume: { id: own.attachable.id },
      user_tags: ['a'],
      clones: [{ zone: { name: 'us-south-1' } }],
      allowed_use: {},
    },
    updateSnapshot: { name: 'n', user_tags: ['b'], allowed_use: { instance: 'true' } },
    createSnapshotConsistencyGroup: {
      snapshots: [{ source_volume: { id: own.attachable.id }, name: 'm' }, { source_volume: { id: others.volume.id } }],
      delete_snapshots_on_delete: false,
    },
    updateSnapshotConsistencyGroup: { delete_snapshots_on_delete: true },
    createVpc: { name: 'n', address_prefix_management: 'auto' },
    createVpcAddressPrefix: { cidr: '10.1.0.0/16', zone },
    createSubnet: { vpc: { id: own.vpc.id }, zone, total_ipv4_address_count: 8 },
    createSubnetReservedIp: { address: '10.240.128.20' },
    createSecurityGroup: { vpc: { id: others.vpc.id }, rules: [{ direction: 'inbound' }] },
    createSecurityGroupRule: {
      direction: 'inbound',
      protocol: 'tcp',
      port_min: 1,
      port_max: 2,
      remote: { id: others.group.id },
    },
    createVirtualNetworkInterface: { subnet: { id: others.subnet.id } },
    createKey: { public_key: 'ssh-rsa AAAA' },
  }
  return bodies[name] ?? { name: 'renamed' }
}

/** Replaces the value at a place of the body, or adds one, or takes one away. */
function spoil(body: unknown, places: readonly number[], value: unknown): unknown {
  if (typeof body !== 'object' || body === null || places.length === 0) return value
  const [place = 0, ...rest] = places
  const names = [...Object.keys(body), 'surprise']
  const name = names[place % names.length] ?? 'surprise'
  if (Array.isArray(body)) return body.map((item, i) => (i === 0 ? spoil(item, rest, value) : item))
  return { ...body, [name]: spoil(Reflect.get(body, name), rest, value) }
}

const quotas = /quota|backend_service_unavailable/

for (const [name, operation] of Object.entries(operations)) {
  test(`${operation.method} ${operation.path} answers hostile input as documented`, async () => {
    await using world = await makeWorld()
    const things = await furnish(world)
    const ids = [things.own, things.others].flatMap((owner) => Object.values(owner).map(({ id }) => String(id)))
    const idText = fc.oneof(fc.constantFrom(...ids), nastyText)
    const request = fc.record({
      ids: fc.array(idText, { minLength: 3, maxLength: 3 }),
      query: fc.oneof(
        fc.constant(''),
        fc.tuple(
          fc.constantFrom(
            'limit',
            'start',
            'name',
            'zone.name',
            'sort',
            'tag',
            'source_volume.id',
            'clones[].zone.name',
          ),
          nastyText,
        ),
      ),
      places: fc.array(fc.nat(12), { maxLength: 4 }),
      value: nastyValue,
      ifMatch: fc.constantFrom(undefined, '*', 'W/"1"', 'x'.repeat(2000)),
      isWhole: fc.oneof({ weight: 1, arbitrary: fc.constant(true) }, { weight: 4, arbitrary: fc.constant(false) }),
      isOwn: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(
        request,
        async ({ ids: [first = '', second = '', third = ''], query, places, value, ifMatch, isWhole, isOwn }) => {
          const values = [first, second, third].values()
          const path = operation.path.replaceAll(/(\w+)\/\{\w+\}/g, (_, collection: string) => {
            const id = values.next().value ?? ''
            return `${collection}/${encodeURIComponent(wellFormed(isOwn ? (owned(things, collection) ?? id) : id))}`
          })
          const asked = query === '' ? '' : `?${query[0]}=${encodeURIComponent(wellFormed(query[1] ?? ''))}`
          const body = isWhole ? value : spoil(soundBody(name, things), places, value)
          const { method } = operation
          if (method === 'HEAD') throw new Error(`${method} is not in this contract`)
          const answer = await world.call(method, `${path}${asked}`, {
            ...(operation.body && { body }),
            headers: ifMatch === undefined ? {} : { 'if-match': ifMatch },
          })
          const about = `${answer.status} ${JSON.stringify(answer.body)?.slice(0, 300)}`
          assert.ok(answer.status < 500 || answer.status === 501, about)
          if (answer.status < 400) return
          const [error] = answer.body.errors
          assert.ok(error.code.length > 0 && error.message.length > 0 && typeof answer.body.trace === 'string', about)
          const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
          if (
            answer.status === 400 &&
            isObject &&
            !quotas.test(error.code) &&
            !/nested deeper|not JSON|malformed/.test(error.message)
          ) {
            assert.ok(error.target?.name, `the field is named: ${about}`)
          }
        },
      ),
      { seed, numRuns: runsPerOperation, endOnFailure: true },
    )
  })
}

/** encodeURIComponent refuses lone surrogates: they cannot be sent in a path. */
const wellFormed = (text: string): string => text.toWellFormed()

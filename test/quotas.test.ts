// Quotas of VPC, as the operator sets them: with every one of them at two, a crowd of requests at once gets what is left of
// two and not one more, in each account for itself. The table of quotas is the server's own: a new one needs its row here.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quotas } from '#vpc/quotas.ts'
import type { QuotaName } from '#vpc/quotas.ts'
import { until } from './harness/api.ts'
import type { Answer, Api, Json } from './harness/api.ts'
import { sshKey } from './harness/collections.ts'
import { imageAuthorization, imageBody, makeBucket, putFile } from './harness/images.ts'
import { assertRefused } from './harness/refused.ts'
import { runToEnd, startServer, tempFolder } from './harness/server.ts'
import { attachedTo, takeSnapshot, volumeIs } from './harness/story.ts'

const max = 2
const crowd = 6
const zone = { zone: { name: 'us-south-1' } }
const volume = { profile: { name: 'general-purpose' }, ...zone, capacity: 10 }
const ports = (i: number) => ({ direction: 'inbound', protocol: 'tcp', port_min: 10 + i, port_max: 10 + i })

interface Case {
  /** Where and what the i-th request makes. */
  ask(i: number): { readonly path: string; readonly body: Json }
  /** How many there are when the crowd comes. */
  readonly present: number
}

/** For each quota; what other cases need is there before, within their quotas. */
async function cases(b: Api): Promise<Readonly<Record<QuotaName, Case>>> {
  const network: Json = await b.vpc(201, 'POST', '/vpcs', { address_prefix_management: 'manual' })
  const vpc = { vpc: { id: network.id } }
  const prefix = (i: number) => ({ cidr: `10.${i}.0.0/16`, ...zone })
  await b.vpc(201, 'POST', `/vpcs/${network.id}/address_prefixes`, prefix(99))
  const own: Json = await b.vpc(201, 'POST', '/security_groups', vpc)
  const disk: Json = await b.vpc(201, 'POST', '/volumes', volume)
  const fast: Json = await b.vpc(201, 'POST', '/volumes', { ...volume, profile: { name: 'sdp' } })
  for (const { id } of [disk, fast]) await volumeIs(b, id, 'available')
  const machine: Json = await b.vpc(201, 'POST', '/instances', {
    ...zone,
    volume_attachments: [{ volume: { id: disk.id } }],
  })
  await attachedTo(b, machine.id)
  const shot = ({ id }: Json) => ({ path: '/snapshots', body: { source_volume: { id } } })
  for (const source of [disk, fast]) await takeSnapshot(b, source.id)
  return {
    volumes: { ask: () => ({ path: '/volumes', body: volume }), present: 2 },
    instances: { ask: () => ({ path: '/instances', body: zone }), present: 1 },
    images: { ask: () => ({ path: '/images', body: imageBody('disk.raw') }), present: 0 },
    keys: { ask: (i) => ({ path: '/keys', body: { public_key: sshKey(String(i)) } }), present: 0 },
    vpcs: { ask: () => ({ path: '/vpcs', body: { address_prefix_management: 'manual' } }), present: 1 },
    subnets_per_vpc: {
      ask: () => ({ path: '/subnets', body: { ...vpc, ...zone, total_ipv4_address_count: 8 } }),
      present: 0,
    },
    security_groups_per_vpc: { ask: () => ({ path: '/security_groups', body: vpc }), present: 2 },
    address_prefixes_per_vpc: {
      ask: (i) => ({ path: `/vpcs/${network.id}/address_prefixes`, body: prefix(i) }),
      present: 1,
    },
    rules_per_security_group: {
      ask: (i) => ({ path: `/security_groups/${own.id}/rules`, body: ports(i) }),
      present: own.rules.length,
    },
    data_volumes_per_instance: {
      ask: () => ({ path: `/instances/${machine.id}/volume_attachments`, body: { volume: { id: fast.id } } }),
      present: 1,
    },
    // Only one is taken at a time: the others of the crowd hear that.
    snapshots_per_volume: { ask: () => shot(disk), present: 1 },
    snapshots_per_sdp_volume: { ask: () => shot(fast), present: 1 },
  }
}

test('no crowd of requests gets more than the quotas that are set, and every account has its own', async (t) => {
  const setting = Object.keys(quotas).map((name) => `${name}=${max}`)
  const server = await startServer(t, tempFolder(t), ['--quotas', setting.join(',')])
  const { a, b } = server
  await putFile(await makeBucket(server, a), 'disk.raw', Buffer.alloc(1024 * 1024))
  await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })
  const post = (user: Api, { path, body }: ReturnType<Case['ask']>) =>
    user.send('POST', `/v1${path}?version=2026-03-24&generation=2`, { body })
  for (const [name, one] of Object.entries(await cases(b))) {
    await t.test(name, async () => {
      const answers = await Promise.all(Array.from({ length: crowd }, (_, i) => post(b, one.ask(i))))
      assert.equal(answers.filter(({ status }) => status === 201).length, max - one.present)
      // What is locked for a moment by the one that was let through is not refused for the quota.
      const full = (answer: Answer): void => {
        assertRefused(answer, [400, /over_quota|quota_reached/])
        assert.match(answer.body.errors[0].message, new RegExp(`its quota is ${max} \\(${name}\\)`))
      }
      answers.filter(({ status }) => status !== 201 && status !== 409).forEach(full)
      full(
        await until(
          () => post(b, one.ask(crowd)),
          ({ status }) => status !== 409,
        ),
      )
    })
  }
  assert.equal((await post(a, { path: '/volumes', body: volume })).status, 201, 'another account has its own')
})

test('a quota that cannot be set is refused at the start, by name', async () => {
  const { code, stderr } = await runToEnd(['--quotas', 'volumes=many'])
  assert.notEqual(code, 0)
  assert.match(stderr, /--quotas \(KEYWARD_QUOTAS\): volumes must be a whole number/)
})

// Some of everything that VPC collections hold, for suites that walk through them: in two resource groups, two VPCs and two
// zones, so that every filter has something to find and something to leave out.

import type { Json } from './api.ts'
import { imageAuthorization, makeBucket, makeImage, putFile } from './images.ts'
import type { Server } from './server.ts'
import { attachedTo, authorization, makeRootKey, snapshotIs, volumeIs } from './story.ts'

export type Collections = Awaited<ReturnType<typeof makeCollections>>

export const sshKey = (last: string): string => {
  const field = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
  const blob = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(Buffer.alloc(32, last))])
  return `ssh-ed25519 ${blob.toString('base64')}`
}

/** Their names say what they are of: v volumes, i instances, o images, p snapshots, c groups of m, and so on. */
export async function makeCollections(server: Server) {
  const { a, b } = server
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const group = { name: 'red', account_id: b.account.id }
  const red: string = (await b.expect(201, 'POST', '/v2/resource_groups', { body: group })).id
  const make = (collection: string, body: Json): Promise<Json> => b.vpc(201, 'POST', `/${collection}`, body)
  const inRed = { resource_group: { id: red } }
  const zone = (last: number) => ({ zone: { name: `us-south-${last}` } })

  const vpcs = [await make('vpcs', { name: 'n0', ...inRed }), await make('vpcs', { name: 'n1' })]
  const inVpc = (i: number) => ({ vpc: { id: vpcs[i]?.id } })
  const space = { total_ipv4_address_count: 64 }
  const subnets = [
    await make('subnets', { name: 's0', ...inVpc(0), ...zone(1), ...space, ...inRed }),
    await make('subnets', { name: 's1', ...inVpc(1), ...zone(2), ...space }),
  ]
  const security_groups = [
    await make('security_groups', { name: 'g0', ...inVpc(0), ...inRed }),
    await make('security_groups', { name: 'g1', ...inVpc(1) }),
  ]
  const on = (i: number) => ({ subnet: { id: subnets[i]?.id } })
  const virtual_network_interfaces = [
    await make('virtual_network_interfaces', { name: 'x0', ...on(0), ...inRed }),
    await make('virtual_network_interfaces', { name: 'x1', ...on(1) }),
  ]
  const keys = [
    await make('keys', { name: 'k0', public_key: sshKey('a'), type: 'ed25519', ...inRed }),
    await make('keys', { name: 'k1', public_key: sshKey('b'), type: 'ed25519' }),
  ]

  const small = { profile: { name: 'general-purpose' }, capacity: 10 }
  const volumes = [
    await make('volumes', { ...small, ...zone(1), name: 'v0', user_tags: ['Env:Test'], ...inRed }),
    await make('volumes', { ...small, ...zone(2), name: 'v1', encryption_key: { crn: key.crn } }),
    await make('volumes', { ...small, ...zone(3), name: 'v2', profile: { name: 'sdp' } }),
  ]
  for (const { id } of volumes) await volumeIs(b, id, 'available')
  const instances = [
    await make('instances', {
      name: 'i0',
      ...zone(1),
      ...inRed,
      primary_network_interface: on(0),
      volume_attachments: [{ name: 'd0', volume: { id: volumes[0]?.id } }],
    }),
    await make('instances', { name: 'i1', ...zone(2), primary_network_interface: on(1) }),
  ]

  await attachedTo(b, instances[0]?.id)

  const of = (i: number) => ({ source_volume: { id: volumes[i]?.id } })
  const shot = async (body: Json): Promise<Json> => snapshotIs(b, (await make('snapshots', body)).id, 'stable')
  const snapshots = [
    await shot({ name: 'p0', ...of(0), ...inRed, user_tags: ['Old'] }),
    await shot({ name: 'p2', ...of(2) }),
  ]
  const grouped = async (name: string, member: string, more: Json = {}): Promise<Json> => {
    const snapshots = [{ name: member, ...of(0) }]
    const made = await make('snapshot_consistency_groups', { name, snapshots, ...more })
    await snapshotIs(b, made.snapshots[0].id, 'stable')
    return made
  }
  const snapshot_consistency_groups = [await grouped('c0', 'm0', inRed), await grouped('c1', 'm1')]
  await b.vpc(200, 'PUT', `/snapshots/${snapshots[0]?.id}/clones/us-south-1`)

  const storage = await makeBucket(server, a)
  await putFile(storage, 'disk.raw', Buffer.alloc(1024 * 1024))
  await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })
  const images = [
    await makeImage(b, 'disk.raw', { name: 'o0', ...inRed }),
    await makeImage(b, 'disk.raw', { name: 'o1' }),
  ]
  await b.vpc(204, 'POST', `/images/${images[1]?.id}/deprecate`)

  return {
    red,
    keyCrn: key.crn,
    all: {
      vpcs,
      subnets,
      security_groups,
      virtual_network_interfaces,
      keys,
      volumes,
      instances,
      snapshots,
      snapshot_consistency_groups,
      images,
    } as Readonly<Record<string, readonly Json[]>>,
  }
}

// Instances with everything around them: networks, keys, boot volumes, actions, and what a lost key does to a machine.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountC } from './testing/fakes.ts'
import { keyOfA, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

const zone = { name: 'us-south-3' }
const imageId = 'r006-00000000-0000-4000-8000-000000000001'
const sshKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJwpxMcKg3iVkT3B7aVWahjzk5fBf+63VYU3ba5O0XGI'

const expect = async (world: World, status: number, ...call: Parameters<World['call']>) => {
  const answer = await world.call(...call)
  assert.equal(answer.status, status, `${call[0]} ${call[1]}: ${JSON.stringify(answer.body)}`)
  return answer.body
}

const networkIn = async (world: World) => {
  const vpc = await expect(world, 201, 'POST', '/v1/vpcs', { body: { name: 'net' } })
  const body = { name: 'sub', vpc: { id: vpc.id }, zone, total_ipv4_address_count: 16 }
  return { vpc, subnet: await expect(world, 201, 'POST', '/v1/subnets', { body }) }
}

const refusal = async (world: World, ...call: Parameters<World['call']>) => {
  const { status, body } = await world.call(...call)
  return [status, body.errors?.[0].code, body.errors?.[0].target?.name]
}

test('the documented instance: image, key, network, encrypted boot and data volumes in one request', async () => {
  await using world = await makeWorld()
  const { vpc, subnet } = await networkIn(world)
  const key = await expect(world, 201, 'POST', '/v1/keys', {
    body: { public_key: `${sshKey} me@here`, type: 'ed25519' },
  })
  assert.equal(key.fingerprint, 'SHA256:fv2cWPhRElfWwh0Xdi+iebWfCNxrvjUP51gu0v1k9L0', 'as ssh-keygen -l prints it')
  assert.deepEqual([key.length, key.public_key], [256, sshKey])
  const made = await expect(world, 201, 'POST', '/v1/instances', {
    body: {
      name: 'machine',
      zone,
      vpc: { id: vpc.id },
      profile: { name: 'bx2-2x8' },
      image: { id: imageId },
      keys: [{ id: key.id }],
      primary_network_interface: { name: 'eth0', subnet: { id: subnet.id } },
      boot_volume_attachment: {
        name: 'boot',
        volume: { name: 'boot', profile: { name: 'general-purpose' }, encryption_key: { crn: keyOfA } },
      },
      volume_attachments: [{ volume: { name: 'data', capacity: 10, profile: { name: '10iops-tier' } } }],
      user_data: '#cloud-config',
    },
  })
  assert.deepEqual([made.status, made.lifecycle_state, made.memory, made.vcpu.count], ['starting', 'pending', 8, 2])
  await world.pass()
  await world.pass()
  const instance = await expect(world, 200, 'GET', made.href.replace('http://keyward.test', ''))
  assert.equal(instance.status, 'running')
  assert.equal(instance.image.name, 'ibm-ubuntu-24-04-6-minimal-amd64-1')
  assert.equal(instance.vpc.id, vpc.id)
  assert.equal(instance.volume_attachments.length, 2)
  const boot = await expect(world, 200, 'GET', `/v1/volumes/${instance.boot_volume_attachment.volume.id}`)
  assert.deepEqual([boot.capacity, boot.encryption, boot.active], [100, 'user_managed', true])
  assert.deepEqual(
    [boot.operating_system, boot.source_image],
    [undefined, undefined],
    'it is blank and says nothing else',
  )
  assert.equal(boot.volume_attachments[0].type, 'boot')

  const nic = instance.primary_network_interface
  assert.equal(instance.network_interfaces[0].id, nic.id)
  const path = `/v1/instances/${instance.id}`
  const shown = await expect(world, 200, 'GET', `${path}/network_interfaces/${nic.id}`)
  assert.deepEqual([shown.subnet.id, shown.type], [subnet.id, 'primary'])
  assert.equal(shown.security_groups[0].id, vpc.default_security_group.id)
  const address = await expect(world, 200, 'GET', `/v1/subnets/${subnet.id}/reserved_ips/${nic.primary_ip.id}`)
  assert.equal(address.address, '10.240.128.4')
  assert.equal((await expect(world, 200, 'GET', `/v1/subnets/${subnet.id}`)).available_ipv4_address_count, 10)
  const initialization = await expect(world, 200, 'GET', `${path}/initialization`)
  assert.equal(initialization.keys[0].id, key.id)

  const bootAttachment = `${path}/volume_attachments/${instance.boot_volume_attachment.id}`
  assert.deepEqual(await refusal(world, 'DELETE', bootAttachment), [
    409,
    'volume_attachment_delete_invalid_request',
    undefined,
  ])
  assert.equal((await refusal(world, 'PATCH', bootAttachment, { body: { name: 'x' } }))[0], 409)
  assert.equal((await refusal(world, 'DELETE', `/v1/subnets/${subnet.id}`))[1], 'subnet_not_empty')
  assert.equal((await refusal(world, 'DELETE', `/v1/vpcs/${vpc.id}`))[1], 'vpc_not_empty')
  await expect(world, 204, 'DELETE', path)
  await world.settle()
  assert.equal((await world.call('GET', `/v1/volumes/${boot.id}`)).status, 404, 'the boot volume goes along')
  assert.equal((await expect(world, 200, 'GET', '/v1/volumes')).total_count, 1, 'the data volume stays')
  await expect(world, 204, 'DELETE', `/v1/subnets/${subnet.id}`)
  await expect(world, 204, 'DELETE', `/v1/vpcs/${vpc.id}`)
  await expect(world, 204, 'DELETE', `/v1/keys/${key.id}`)
  assert.equal((await world.database.reads.selectFrom('vpc_record').select('id').execute()).length, 0)
})

test('network attachments and virtual interfaces, made before and together', async () => {
  await using world = await makeWorld()
  const { subnet } = await networkIn(world)
  const vni = await expect(world, 201, 'POST', '/v1/virtual_network_interfaces', {
    body: { name: 'v', subnet: { id: subnet.id } },
  })
  const attached = { name: 'att', virtual_network_interface: { id: vni.id } }
  const fresh = { virtual_network_interface: { subnet: { id: subnet.id }, primary_ip: { address: '10.240.128.9' } } }
  const body = { zone, primary_network_attachment: attached, network_attachments: [fresh] }
  const instance = await expect(world, 201, 'POST', '/v1/instances', { body })
  assert.equal(instance.primary_network_attachment.virtual_network_interface.id, vni.id)
  assert.equal(instance.primary_network_interface.id, instance.primary_network_attachment.id)
  assert.equal(instance.network_attachments[1].primary_ip.address, '10.240.128.9')
  const again = await refusal(world, 'POST', '/v1/instances', { body: { zone, primary_network_attachment: attached } })
  assert.deepEqual(again, [400, 'bad_field', 'primary_network_attachment.virtual_network_interface'])
  assert.equal((await refusal(world, 'DELETE', `/v1/virtual_network_interfaces/${vni.id}`))[0], 409)
  const path = `/v1/instances/${instance.id}/network_attachments`
  assert.equal((await expect(world, 200, 'GET', path)).network_attachments.length, 2)
  await expect(world, 204, 'DELETE', `/v1/instances/${instance.id}`)
  const left = await expect(world, 200, 'GET', '/v1/virtual_network_interfaces')
  assert.deepEqual([left.total_count, left.virtual_network_interfaces[0].target], [1, undefined])
  await expect(world, 202, 'DELETE', `/v1/virtual_network_interfaces/${vni.id}`)
  assert.equal((await expect(world, 200, 'GET', `/v1/subnets/${subnet.id}/reserved_ips`)).total_count, 0)
})

test('start, stop and reboot: who is off has no exports, and stopping twice is no conflict', async () => {
  await using world = await makeWorld()
  const body = { zone, volume_attachments: [{ volume: { profile: { name: 'general-purpose' }, capacity: 10 } }] }
  const { id } = await expect(world, 201, 'POST', '/v1/instances', { body })
  await world.settle()
  const path = `/v1/instances/${id}`
  const act = (type: string) => world.call('POST', `${path}/actions`, { body: { type } })
  const status = async () => (await expect(world, 200, 'GET', path)).status
  assert.equal(await status(), 'running')
  assert.equal((await act('start')).status, 409)
  const stopped = await act('stop')
  assert.deepEqual([stopped.status, stopped.body.type, stopped.body.status], [201, 'stop', 'completed'])
  assert.deepEqual([await status(), world.disk.exports.size], ['stopped', 0])
  assert.equal((await act('stop')).status, 201)
  assert.equal((await act('reboot')).status, 409)
  const [volume] = (await expect(world, 200, 'GET', '/v1/volumes')).volumes
  assert.deepEqual([volume.attachment_state, volume.active], ['attached', false])
  const [attachment] = (await expect(world, 200, 'GET', path)).volume_attachments
  assert.equal((await world.call('POST', `/keyward${path}/volume_attachments/${attachment.id}/connection`)).status, 409)
  assert.equal((await act('start')).status, 201)
  assert.deepEqual([await status(), world.disk.exports.size], ['running', 1])
  assert.equal((await act('reboot')).status, 201)
  assert.deepEqual([await status(), world.disk.exports.size], ['running', 1])
})

test('a deleted key stops the machine and says why; a disabled one only keeps it from starting', async () => {
  await using world = await makeWorld()
  const volume = { profile: { name: 'general-purpose' }, capacity: 10, encryption_key: { crn: keyOfA } }
  const { id } = await expect(world, 201, 'POST', '/v1/instances', { body: { zone, volume_attachments: [{ volume }] } })
  await world.settle()
  const path = `/v1/instances/${id}`
  const seen = async () => {
    const { status, startable, status_reasons: reasons } = await expect(world, 200, 'GET', path)
    return [status, startable, reasons.map(({ code }: { code: string }) => code).join()]
  }
  world.kms.put(keyOfA, 'disabled')
  await world.settle()
  assert.deepEqual(await seen(), ['running', false, ''])
  await expect(world, 201, 'POST', `${path}/actions`, { body: { type: 'stop' } })
  assert.deepEqual(await seen(), ['stopped', false, 'cannot_start_storage'])
  assert.equal((await world.call('POST', `${path}/actions`, { body: { type: 'start' } })).status, 409)
  world.kms.put(keyOfA, 'usable')
  await world.settle()
  await expect(world, 201, 'POST', `${path}/actions`, { body: { type: 'start' } })
  assert.deepEqual(await seen(), ['running', true, ''])
  world.kms.put(keyOfA, 'deleted')
  await world.settle()
  assert.deepEqual(await seen(), ['stopped', false, 'encryption_key_deleted'])
  assert.equal(world.disk.exports.size, 0)
  const attachments = await expect(world, 200, 'GET', `${path}/volume_attachments`)
  assert.equal(attachments.volume_attachments[0].status, 'attached', 'the volume stays attached')
  const started = await world.call('POST', `${path}/actions`, { body: { type: 'start' } })
  assert.match(started.body.errors[0].message, /encryption_key_deleted/)
})

test('an instance takes a new name and settings at any time, and a new profile when it is stopped', async () => {
  await using world = await makeWorld()
  const made = await world.call('POST', '/v1/instances', { body: { zone, name: 'one' } })
  const path = `/v1/instances/${made.body.id}`
  const etag = String(made.headers['etag'])
  const settings = { metadata_service: { enabled: true }, availability_policy: { host_failure: 'stop' }, name: 'two' }
  const changed = await world.call('PATCH', path, { body: settings, headers: { 'if-match': etag } })
  assert.equal(changed.status, 200, JSON.stringify(changed.body))
  assert.deepEqual(changed.body.metadata_service, { enabled: true, protocol: 'http', response_hop_limit: 1 })
  assert.deepEqual([changed.body.name, changed.body.availability_policy.host_failure], ['two', 'stop'])
  assert.equal((await world.call('PATCH', path, { body: settings, headers: { 'if-match': etag } })).status, 412)
  const profile = { profile: { name: 'bx2-4x16' } }
  assert.equal((await world.call('PATCH', path, { body: profile })).status, 409)
  await expect(world, 201, 'POST', `${path}/actions`, { body: { type: 'stop' } })
  assert.equal((await expect(world, 200, 'PATCH', path, { body: profile })).memory, 16)
  assert.deepEqual(await refusal(world, 'PATCH', path, { body: { total_volume_bandwidth: 499 } }), [
    400,
    'bad_field',
    'total_volume_bandwidth',
  ])
})

test('an attachment changes its name and its flag, and takes a volume that is made with it', async () => {
  await using world = await makeWorld()
  const instance = await expect(world, 201, 'POST', '/v1/instances', { body: { zone } })
  const path = `/v1/instances/${instance.id}/volume_attachments`
  const volume = { name: 'fresh', capacity: 10, profile: { name: 'general-purpose' }, encryption_key: { crn: keyOfA } }
  const made = await expect(world, 201, 'POST', path, { body: { name: 'a', volume } })
  assert.deepEqual([made.status, made.type, made.volume.name], ['attaching', 'data', 'fresh'])
  await world.settle()
  const one = `${path}/${made.id}`
  assert.equal((await expect(world, 200, 'GET', one)).status, 'attached')
  const changed = await expect(world, 200, 'PATCH', one, {
    body: { name: 'b', delete_volume_on_instance_delete: true },
  })
  assert.deepEqual([changed.name, changed.delete_volume_on_instance_delete], ['b', true])
  const taken = await refusal(world, 'POST', path, { body: { volume } })
  assert.deepEqual(taken, [400, 'volume_name_duplicate', 'volume.name'])
  const nameless = await refusal(world, 'POST', path, { body: { name: 'b', volume: { ...volume, name: 'other' } } })
  assert.deepEqual(nameless, [400, 'validation_unique_failed', 'name'])
  await world.settle()
  assert.equal((await expect(world, 200, 'GET', '/v1/volumes')).total_count, 1, 'what was made for it went again')
})

test('networks: prefixes, room, addresses, groups and their rules', async () => {
  await using world = await makeWorld()
  const { vpc, subnet } = await networkIn(world)
  const at = `/v1/vpcs/${vpc.id}`
  const { address_prefixes: prefixes } = await expect(world, 200, 'GET', `${at}/address_prefixes`)
  assert.deepEqual(prefixes.map(({ has_subnets }: { has_subnets: boolean }) => has_subnets).filter(Boolean), [true])
  const create = (body: unknown) =>
    refusal(world, 'POST', '/v1/subnets', { body: { vpc: { id: vpc.id }, ...(body as object) } })
  assert.equal((await create({ ipv4_cidr_block: subnet.ipv4_cidr_block }))[1], 'subnet_conflict')
  assert.deepEqual(await create({ ipv4_cidr_block: '192.168.0.0/24' }), [400, 'bad_field', 'ipv4_cidr_block'])
  assert.deepEqual(await create({ total_ipv4_address_count: 12, zone }), [400, 'bad_field', 'total_ipv4_address_count'])
  assert.deepEqual(await create({ total_ipv4_address_count: 16 }), [400, 'validation_required_field', 'zone'])
  assert.equal((await create({ ipv4_cidr_block: '10.240.0.0/24' }))[0], 201)
  const ips = `/v1/subnets/${subnet.id}/reserved_ips`
  const ip = await expect(world, 201, 'POST', ips, { body: { address: '10.240.128.8', name: 'eight' } })
  assert.deepEqual(await refusal(world, 'POST', ips, { body: { address: '10.240.128.8' } }), [
    400,
    'bad_field',
    'address',
  ])
  assert.equal(
    (await expect(world, 200, 'PATCH', `${ips}/${ip.id}`, { body: { auto_delete: true } })).auto_delete,
    true,
  )
  await expect(world, 204, 'DELETE', `${ips}/${ip.id}`)

  const group = await expect(world, 200, 'GET', `${at}/default_security_group`)
  assert.deepEqual(
    group.rules.map(({ name, direction }: { name: string; direction: string }) => `${direction} ${name}`).sort(),
    ['inbound inbound-icmp-tcp-udp-from-this-security-group', 'outbound outbound-icmp-tcp-udp'],
  )
  assert.equal((await refusal(world, 'DELETE', `/v1/security_groups/${group.id}`))[0], 409)
  const rules = [
    { direction: 'inbound', protocol: 'tcp', port_min: 22, port_max: 22, remote: { cidr_block: '0.0.0.0/0' } },
  ]
  const own = await expect(world, 201, 'POST', '/v1/security_groups', {
    body: { vpc: { id: vpc.id }, name: 'ssh', rules },
  })
  assert.equal(own.rules[0].port_min, 22)
  const path = `/v1/security_groups/${own.id}/rules`
  const wrong = await refusal(world, 'POST', path, {
    body: { direction: 'inbound', protocol: 'icmp', port_min: 1, port_max: 2 },
  })
  assert.deepEqual(wrong, [400, 'bad_field', 'port_min'])
  const rule = await expect(world, 201, 'POST', path, { body: { direction: 'outbound', remote: { id: own.id } } })
  assert.equal(rule.remote.id, own.id)
  assert.equal(
    (await expect(world, 200, 'PATCH', `${path}/${rule.id}`, { body: { direction: 'inbound' } })).direction,
    'inbound',
  )
  await expect(world, 204, 'DELETE', `${path}/${rule.id}`)
  await expect(world, 204, 'DELETE', `/v1/security_groups/${own.id}`)
  for (const part of ['default_network_acl', 'default_routing_table']) await expect(world, 200, 'GET', `${at}/${part}`)
  const list = await expect(world, 200, 'GET', '/v1/vpcs', { as: accountC })
  assert.equal(list.total_count, 0)
  for (const one of [at, `/v1/subnets/${subnet.id}`, `/v1/security_groups/${group.id}`]) {
    assert.equal((await world.call('GET', one, { as: accountC })).status, 404)
  }
})

test('SSH keys: what they are is read from them, once per region', async () => {
  await using world = await makeWorld()
  const post = (body: unknown) => refusal(world, 'POST', '/v1/keys', { body })
  assert.equal((await post({ public_key: sshKey, name: 'one' }))[0], 201)
  assert.deepEqual(await post({ public_key: `${sshKey} again` }), [400, 'key_content_exists', 'public_key'])
  assert.deepEqual(await post({ public_key: sshKey, type: 'rsa' }), [400, 'key_invalid_type', 'type'])
  const cut = sshKey.slice(0, -8)
  for (const public_key of ['', 'ssh-rsa', cut, sshKey.replace('ssh-ed25519 ', 'ssh-rsa ')]) {
    assert.deepEqual(await post({ public_key }), [400, 'key_parse_failure', 'public_key'], public_key)
  }
})

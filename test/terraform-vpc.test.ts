// The calls of IBM Cloud's Terraform provider, in its order and with its assumptions, for the resources of a machine with
// encrypted volumes: what it creates, polls, reads, changes and destroys. It stands for the provider where that cannot be
// run. Source: terraform-provider-ibm, `ibm/service/vpc/resource_ibm_is_*.go`.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { authorization, makeRootKey } from './harness/story.ts'
import { provider, waitInstance, waitVolume } from './harness/terraform.ts'
import type { Provider } from './harness/terraform.ts'

/** What the provider dereferences without a look: a missing one is a crash of Terraform. */
function assertVolumeState(volume: Json): void {
  for (const value of [
    volume.profile.name,
    volume.zone.name,
    volume.resource_group.id,
    volume.crn,
    volume.encryption,
  ]) {
    assert.equal(typeof value, 'string')
  }
  assert.ok(Number.isInteger(volume.capacity) && Number.isInteger(volume.iops))
}

async function readInstance(tf: Provider, id: string): Promise<Json> {
  const instance = await tf.ok('GET', `/instances/${id}`)
  await tf.ok('GET', `/instances/${id}/initialization`)
  const nic = instance.primary_network_interface
  assert.ok(nic.id && nic.name && nic.primary_ip.id && nic.subnet.id)
  await tf.ok('GET', `/subnets/${nic.subnet.id}/reserved_ips/${nic.primary_ip.id}`)
  const shown = await tf.ok('GET', `/instances/${id}/network_interfaces/${nic.id}`)
  assert.equal(typeof shown.allow_ip_spoofing, 'boolean')
  assert.ok(shown.subnet.id)
  const boot = instance.boot_volume_attachment
  const attachment = await tf.ok('GET', `/instances/${id}/volume_attachments/${boot.id}`)
  assert.equal(typeof attachment.delete_volume_on_instance_delete, 'boolean')
  assertVolumeState(await tf.ok('GET', `/volumes/${boot.volume.id}`))
  for (const one of instance.volume_attachments) {
    if (one.volume.id === boot.volume.id) continue
    assertVolumeState(await tf.ok('GET', `/volumes/${one.volume.id}`))
    await tf.ok('GET', `/instances/${id}/volume_attachments/${one.id}`)
  }
  assert.ok(instance.availability_policy && instance.metadata_service)
  return instance
}

async function destroyInstance(tf: Provider, id: string): Promise<void> {
  const { boot_volume_attachment: boot } = await tf.ok('GET', `/instances/${id}`)
  await tf.ok('POST', `/instances/${id}/actions`, { type: 'stop' })
  await tf.wait(`/instances/${id}`, 'status', ['stopped', 'failed'], ['running', 'pending', 'stopping'])
  const { volume_attachments: attachments } = await tf.ok('GET', `/instances/${id}/volume_attachments`)
  for (const one of attachments) {
    if (one.type !== 'data' || !one.delete_volume_on_instance_delete) continue
    await tf.ok('DELETE', `/instances/${id}/volume_attachments/${one.id}`)
    await tf.waitGone(`/instances/${id}/volume_attachments/${one.id}`)
  }
  await tf.ok('DELETE', `/instances/${id}`)
  await tf.waitGone(`/instances/${id}`)
  await tf.waitGone(`/volumes/${boot.volume.id}`)
}

const sshPublicKey = (): string => {
  const point = Buffer.from(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  const field = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
  return `ssh-ed25519 ${Buffer.concat([field(Buffer.from('ssh-ed25519')), field(point)]).toString('base64')} terraform`
}

test("a configuration of the provider's resources is applied, changed and destroyed", async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  const rootKey = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const tf = provider(b)
  const zone = { name: 'us-south-1' }
  const made: Record<string, Json> = {}

  await t.test('ibm_is_ssh_key', async () => {
    made['key'] = await tf.ok('POST', '/keys', { name: 'key', public_key: sshPublicKey(), type: 'ed25519' })
    const read = await tf.ok('GET', `/keys/${made['key'].id}`)
    assert.ok(read.fingerprint && read.length === 256 && read.resource_group.id)
    assert.equal((await tf.ok('PATCH', `/keys/${read.id}`, { name: 'key-two' })).name, 'key-two')
  })

  await t.test('ibm_is_vpc', async () => {
    const vpc = await tf.ok('POST', '/vpcs', { name: 'vpc', address_prefix_management: 'auto', classic_access: false })
    await tf.wait(`/vpcs/${vpc.id}`, 'status', ['available', 'failed'], ['pending'])
    const prefixes = await tf.ok('GET', `/vpcs/${vpc.id}/address_prefixes`)
    assert.equal(prefixes.address_prefixes.length, 3)
    assert.deepEqual((await tf.ok('GET', '/subnets')).subnets, [])
    const groups = await tf.ok('GET', `/security_groups?vpc.id=${vpc.id}`)
    assert.equal(groups.security_groups[0].id, vpc.default_security_group.id)
    made['vpc'] = vpc
  })

  await t.test('ibm_is_subnet', async () => {
    const body = { name: 'subnet', vpc: { id: made['vpc'].id }, zone, total_ipv4_address_count: 256 }
    const subnet = await tf.ok('POST', '/subnets', body)
    await tf.wait(`/subnets/${subnet.id}`, 'status', ['available', 'failed'], ['pending'])
    made['subnet'] = subnet
  })

  await t.test('ibm_is_volume', async () => {
    const volume = await tf.ok('POST', '/volumes', {
      name: 'volume',
      capacity: 100,
      profile: { name: 'general-purpose' },
      zone,
      encryption_key: { crn: rootKey.crn },
      user_tags: ['env:dev'],
      allowed_use: {},
    })
    assertVolumeState(await waitVolume(tf, volume.id))
    assert.equal(volume.encryption_key.crn, rootKey.crn)
    const path = `/volumes/${volume.id}`
    const etag = await tf.etag(path)
    const renamed = await tf.call('PATCH', path, { name: 'volume-two' }, { 'if-match': etag })
    assert.equal(renamed.body.name, 'volume-two')
    await waitVolume(tf, volume.id)
    const tags = await tf.ok(
      'PATCH',
      path,
      { user_tags: ['env:prod'] },
      { 'if-match': renamed.headers.get('etag') ?? '' },
    )
    assert.deepEqual(tags.user_tags, ['env:prod'])
    made['volume'] = volume
  })

  await t.test('ibm_is_instance', async () => {
    const images = await tf.ok('GET', '/images?name=ibm-ubuntu-24-04-6-minimal-amd64-1&visibility=public')
    const key = { crn: rootKey.crn }
    const instance = await tf.ok('POST', '/instances', {
      name: 'instance',
      image: { id: images.images[0].id },
      profile: { name: 'bx2-2x8' },
      zone,
      vpc: { id: made['vpc'].id },
      keys: [{ id: made['key'].id }],
      primary_network_interface: { name: 'eth0', subnet: { id: made['subnet'].id }, allow_ip_spoofing: false },
      boot_volume_attachment: {
        delete_volume_on_instance_delete: true,
        name: 'boot',
        volume: {
          name: 'boot',
          capacity: 100,
          profile: { name: 'general-purpose' },
          encryption_key: key,
          user_tags: ['x:y'],
        },
      },
      volume_attachments: [
        {
          name: 'prototype',
          delete_volume_on_instance_delete: true,
          volume: { name: 'prototype', capacity: 10, profile: { name: 'custom' }, iops: 200, encryption_key: key },
        },
      ],
      metadata_service: { enabled: true, protocol: 'https', response_hop_limit: 5 },
      availability_policy: { host_failure: 'restart' },
    })
    await waitInstance(tf, instance.id)
    const read = await readInstance(tf, instance.id)
    assert.equal(read.metadata_service.protocol, 'https')
    assert.equal((await tf.ok('PATCH', `/instances/${instance.id}`, { name: 'instance-two' })).name, 'instance-two')
    made['instance'] = instance
  })

  await t.test('ibm_is_instance_volume_attachment', async () => {
    const path = `/instances/${made['instance'].id}/volume_attachments`
    const body = { name: 'data', volume: { id: made['volume'].id }, delete_volume_on_instance_delete: false }
    const attachment = await tf.ok('POST', path, body)
    await tf.wait(`${path}/${attachment.id}`, 'status', ['attached'], ['attaching'])
    assert.equal((await tf.ok('PATCH', `${path}/${attachment.id}`, { name: 'data-two' })).name, 'data-two')
    made['attachment'] = attachment

    const fresh = { capacity: 10, profile: { name: 'general-purpose' }, encryption_key: { crn: rootKey.crn } }
    const other = await tf.ok('POST', path, { name: 'fresh', volume: fresh })
    await tf.wait(`${path}/${other.id}`, 'status', ['attached'], ['attaching'])
    await tf.ok('DELETE', `${path}/${other.id}`)
    await tf.waitGone(`${path}/${other.id}`)
    await tf.ok('DELETE', `/volumes/${other.volume.id}`)
    await tf.waitGone(`/volumes/${other.volume.id}`)
  })

  await t.test('ibm_is_volume, changed: capacity and tags in one apply', async () => {
    const path = `/volumes/${made['volume'].id}`
    const etag = await tf.etag(path)
    const { volume_attachments: attachments } = await tf.ok('GET', path)
    assert.equal((await tf.ok('GET', `/instances/${attachments[0].instance.id}`)).status, 'running')
    await tf.ok('PATCH', path, { profile: { name: '5iops-tier' } }, { 'if-match': await tf.etag(path) })
    await waitVolume(tf, made['volume'].id)
    await tf.ok('PATCH', path, { capacity: 200 }, { 'if-match': await tf.etag(path) })
    assert.equal((await waitVolume(tf, made['volume'].id)).capacity, 200)
    const tagged = await tf.ok('PATCH', path, { user_tags: ['env:test'] }, { 'if-match': etag })
    assert.deepEqual(tagged.user_tags, ['env:test'])
  })

  await t.test('ibm_is_instance_action', async () => {
    const path = `/instances/${made['instance'].id}`
    await tf.ok('POST', `${path}/actions`, { type: 'reboot' })
    await waitInstance(tf, made['instance'].id)
  })

  await t.test('destroy, in the order of dependencies', async () => {
    const at = `/instances/${made['instance'].id}`
    await tf.ok('DELETE', `${at}/volume_attachments/${made['attachment'].id}`)
    await tf.waitGone(`${at}/volume_attachments/${made['attachment'].id}`)
    await destroyInstance(tf, made['instance'].id)
    await tf.ok('DELETE', `/volumes/${made['volume'].id}`)
    await tf.waitGone(`/volumes/${made['volume'].id}`)
    for (const [plural, name] of [
      ['subnets', 'subnet'],
      ['vpcs', 'vpc'],
      ['keys', 'key'],
    ] as const) {
      await tf.ok('DELETE', `/${plural}/${made[name].id}`)
      await tf.waitGone(`/${plural}/${made[name].id}`)
    }
    assert.equal((await tf.call('DELETE', `/volumes/${made['volume'].id}`)).status, 404)
    // The provider detaches a flagged volume before it deletes the instance, and a detached volume stays.
    const { volumes } = await tf.ok('GET', '/volumes')
    assert.deepEqual(
      volumes.map(({ name }: { name: string }) => name),
      ['prototype'],
    )
  })
})

test('a machine whose key is deleted is stopped, and can be destroyed', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  const rootKey = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const tf = provider(b)
  const images = await tf.ok('GET', '/images')
  const boot = { volume: { profile: { name: 'general-purpose' }, encryption_key: { crn: rootKey.crn } } }
  const body = { zone: { name: 'us-south-1' }, image: { id: images.images[0].id }, boot_volume_attachment: boot }
  const { id } = await tf.ok('POST', '/instances', body)
  await waitInstance(tf, id)
  await a.kms(409, 'DELETE', `/keys/${rootKey.id}`)
  await a.kms(204, 'DELETE', `/keys/${rootKey.id}?force=true`)
  const stopped = await until(
    () => tf.ok('GET', `/instances/${id}`),
    ({ status }) => status === 'stopped',
  )
  assert.equal(stopped.status_reasons[0].code, 'encryption_key_deleted')
  await destroyInstance(tf, id)
})

test('volumes without a key of their own are encrypted and registered where no tenant can see it', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  const tf = provider(b)
  const { id } = await tf.ok('POST', '/volumes', {
    capacity: 10,
    profile: { name: 'sdp' },
    zone: { name: 'us-south-1' },
  })
  const volume = await waitVolume(tf, id)
  assert.equal(volume.encryption, 'provider_managed')
  assert.equal('encryption_key' in volume, false)
  const uuid = b.account.id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  for (const tenant of [a, b]) {
    await tenant.kms(401, 'GET', '/keys', undefined, uuid)
    await tenant.kms(401, 'GET', `/keys/${uuid}`, undefined, uuid)
    await tenant.kms(401, 'DELETE', `/keys/${uuid}`, undefined, uuid)
    await tenant.kms(401, 'POST', `/keys/${uuid}/actions/disable`, undefined, uuid)
  }
  assert.equal((await waitVolume(tf, id)).status, 'available')
})

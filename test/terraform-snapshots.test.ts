// The calls of IBM Cloud's Terraform provider for snapshots, their clones, consistency groups and the volumes restored from
// them, in its order and with its assumptions. Source: terraform-provider-ibm, `resource_ibm_is_snapshot.go`,
// `resource_ibm_is_volume.go`, `resource_ibm_is_snapshot_consistency_group.go`.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { authorization, makeRootKey } from './harness/story.ts'
import { provider, waitInstance, waitVolume } from './harness/terraform.ts'
import type { Provider } from './harness/terraform.ts'

const zone = { name: 'us-south-1' }

const waitStable = (tf: Provider, path: string) => tf.wait(path, 'lifecycle_state', ['stable'], ['pending', 'updating'])

/** Each poll before the 404 must say `deleting`: anything else is an unexpected state. */
const waitDeleted = (tf: Provider, path: string) =>
  until(
    () => tf.call('GET', path),
    ({ status, body }) => {
      if (status === 404) return true
      assert.equal(body.lifecycle_state, 'deleting')
      return false
    },
  )

async function machineWith(tf: Provider, keyCrn: string, count: number): Promise<readonly string[]> {
  const volume = () => ({ capacity: 10, profile: { name: 'general-purpose' }, encryption_key: { crn: keyCrn } })
  const volumes = Array.from({ length: count }, () => ({ volume: volume() }))
  const { id } = await tf.ok('POST', '/instances', { zone, volume_attachments: volumes })
  const instance = await waitInstance(tf, id)
  return instance.volume_attachments.map((attachment: Json) => attachment.volume.id)
}

test('ibm_is_snapshot, and ibm_is_volume from it', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  const rootKey = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const tf = provider(b)
  const [source = ''] = await machineWith(tf, rootKey.crn, 1)
  const body = { name: 'snap', source_volume: { id: source }, user_tags: ['one'] }
  const { id } = await tf.ok('POST', '/snapshots', body)
  const path = `/snapshots/${id}`
  const snapshot = await waitStable(tf, path)
  for (const member of ['bootable', 'deletable']) assert.equal(typeof snapshot[member], 'boolean')
  for (const member of ['minimum_capacity', 'size', 'progress']) assert.ok(Number.isInteger(snapshot[member]))
  assert.ok(snapshot.source_volume.id && snapshot.resource_group.id && snapshot.crn && snapshot.captured_at)

  // clones = [...]: PUT for each zone, then polls until it is available.
  const clone = `${path}/clones/us-south-2`
  await tf.ok('PUT', clone)
  await until(
    () => tf.ok('GET', clone),
    ({ available }) => available,
  )
  assert.equal((await tf.ok('GET', `${path}/clones`)).clones[0].zone.name, 'us-south-2')
  await tf.ok('DELETE', clone)

  const etag = await tf.etag(path)
  const patched = await tf.ok('PATCH', path, { name: 'snap-two', user_tags: ['one', 'two'] }, { 'if-match': etag })
  assert.deepEqual([patched.name, patched.user_tags], ['snap-two', ['one', 'two']])
  await waitStable(tf, path)
  const listed = await tf.ok('GET', `/snapshots?name=snap-two&source_volume.id=${source}&sort=-created_at&limit=1`)
  assert.equal(listed.snapshots[0].id, id)
  assert.ok((await tf.ok('GET', `${path}/instance_profiles?limit=1`)).profiles.length > 0)

  const prototype = { name: 'restored', profile: { name: 'general-purpose' }, zone, source_snapshot: { id } }
  const made = await tf.ok('POST', '/volumes', prototype)
  const volume = await waitVolume(tf, made.id)
  assert.deepEqual([volume.source_snapshot.id, volume.source_snapshot.crn], [id, snapshot.crn])
  assert.deepEqual([volume.capacity, volume.encryption_key.crn], [10, rootKey.crn])
  const byCrn = { ...prototype, name: 'by-crn', source_snapshot: { crn: snapshot.crn } }
  await waitVolume(tf, (await tf.ok('POST', '/volumes', byCrn)).id)

  await tf.ok('DELETE', path)
  await waitDeleted(tf, path)
  // delete_all_snapshots of ibm_is_volume, also where there are none left.
  await tf.ok('POST', '/snapshots', { source_volume: { id: source } })
  await tf.ok('DELETE', `/snapshots?source_volume.id=${source}`)
  await tf.ok('DELETE', `/snapshots?source_volume.id=${source}`)
  await until(
    () => tf.ok('GET', '/snapshots'),
    ({ total_count: count }) => count === 0,
  )
  await tf.ok('DELETE', `/volumes/${volume.id}`)
  await tf.waitGone(`/volumes/${volume.id}`)
})

test('ibm_is_snapshot_consistency_group', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  const rootKey = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const tf = provider(b)
  const sources = await machineWith(tf, rootKey.crn, 2)
  const snapshots = sources.map((id, i) => ({ name: `member-${i}`, source_volume: { id }, user_tags: [] }))
  const { id } = await tf.ok('POST', '/snapshot_consistency_groups', { name: 'group', snapshots })
  const path = `/snapshot_consistency_groups/${id}`
  const group = await waitStable(tf, path)
  assert.deepEqual([group.delete_snapshots_on_delete, group.snapshots.length], [true, 2])
  const members = await tf.ok('GET', `/snapshots?snapshot_consistency_group.id=${id}`)
  assert.ok(members.snapshots.every((one: Json) => one.snapshot_consistency_group.name === 'group'))
  await waitStable(tf, `/snapshots/${group.snapshots[0].id}`)
  const change = { name: 'renamed', delete_snapshots_on_delete: true }
  assert.equal((await tf.ok('PATCH', path, change, { 'if-match': await tf.etag(path) })).name, 'renamed')
  assert.equal((await tf.ok('GET', '/snapshot_consistency_groups?name=renamed')).total_count, 1)
  assert.equal((await tf.ok('DELETE', path)).lifecycle_state, 'deleting')
  await waitDeleted(tf, path)
  assert.equal((await tf.ok('GET', '/snapshots')).total_count, 0)
})

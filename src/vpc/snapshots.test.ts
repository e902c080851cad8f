// Snapshots, their clones and what is restored from them, as requests see them; their workflows are in
// snapshot-workflows.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { accountB, accountC } from './testing/fakes.ts'
import { attachedVolume, post, restored, stableSnapshot, zone } from './testing/snapshots.ts'
import { assertWhole } from './testing/struck.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'

test('snapshots follow their key, one by one with its standings, and wait for it before they are taken', async () => {
  await using world = await makeWorld()
  const source = await attachedVolume(world)
  const { body: early } = await post(world, '/v1/snapshots', { source_volume: { id: source } })
  world.kms.put(keyOfA, 'disabled')
  world.disk.refusal = new Fault('conflict', 'the key is not active')
  await world.pass()
  const state = async () => (await world.call('GET', `/v1/snapshots/${early.id}`)).body.lifecycle_state
  assert.equal(await state(), 'unusable')
  assert.equal((await world.call('GET', `/v1/volumes/${source}`)).body.busy, false, 'it holds nobody up')
  world.advance(60 * 60_000)
  await world.pass()
  assert.equal(await state(), 'unusable', 'time under the key does not count')
  world.kms.put(keyOfA, 'usable')
  world.disk.refusal = null
  await world.settle()
  assert.equal(await state(), 'stable')
  for (const [standing, seen] of [
    ['disabled', 'unusable'],
    ['usable', 'stable'],
    ['deleted', 'unusable'],
    ['usable', 'stable'],
    ['unauthorized', 'unusable'],
    ['expired', 'stable'],
  ] as const) {
    world.kms.put(keyOfA, standing)
    await world.pass()
    assert.equal(await state(), seen, standing)
  }
  world.kms.put(keyOfA)
  world.kms.version = 'newer'
  await world.pass()
  const rows = await world.database.reads.selectFrom('vpc_snapshot').select('key_version_id').execute()
  assert.deepEqual(
    rows.map((row) => row.key_version_id),
    ['newer'],
  )
  assert.ok((await world.events()).includes('vpc.snapshot.data-key-rewrapped'))
})

test('a snapshot that a volume is being made of stays, and one whose volume waits for its key may go', async () => {
  await using world = await makeWorld()
  const id = await stableSnapshot(world)
  const { body: volume } = await post(world, '/v1/volumes', restored(id))
  const refused = await world.call('DELETE', `/v1/snapshots/${id}`)
  assert.deepEqual([refused.status, refused.body.errors[0].code], [409, 'invalid_state'])
  world.kms.put(keyOfA, 'disabled')
  for (const consumer of world.vpc.consumers.filter(({ name }) => name === 'vpc.keys')) await consumer.reconcile()
  assert.equal((await world.call('DELETE', `/v1/snapshots/${id}`)).status, 202)
  await world.pass()
  world.kms.put(keyOfA)
  await world.settle()
  const { body } = await world.call('GET', `/v1/volumes/${volume.id}`)
  assert.deepEqual([body.status, body.status_reasons[0].code], ['failed', 'source_snapshot_deleted'])
})

test('lists are filtered, sorted and paged, and a page token stands what comes and goes', async () => {
  await using world = await makeWorld()
  const one = await attachedVolume(world)
  const other = await attachedVolume(world, { encryption_key: undefined })
  for (const [i, source] of [one, one, other, one, other].entries()) {
    const body = {
      name: `snap-${'caebd'[i]}`,
      user_tags: i === 0 ? ['a_b'] : ['axb'],
      clones: i === 1 ? [{ zone }] : [],
    }
    await stableSnapshot(world, body, source)
  }
  const names = async (query: string) => {
    const { status, body } = await world.call('GET', `/v1/snapshots?${query}`)
    assert.equal(status, 200, JSON.stringify(body))
    return body.snapshots.map(({ name }: { name: string }) => name.at(-1)).join('')
  }
  assert.equal(await names('limit=10'), 'dbeac')
  assert.equal(await names('sort=created_at'), 'caebd')
  assert.equal(await names('sort=name'), 'abcde')
  assert.equal(await names('sort=-name'), 'edcba')
  assert.equal(await names(`source_volume.id=${other}`), 'de')
  assert.equal(await names('tag=A_B'), 'c')
  assert.equal(await names('clones[].zone.name=us-south-3'), 'a')
  assert.equal(await names('copies[].id=null'), 'dbeac')
  assert.equal(await names('copies[].id=r006-x'), '')
  assert.equal((await world.call('GET', '/v1/snapshots?sort=size')).status, 400)

  // The last of a page goes, and others come before it: the page that follows is what it was.
  for (const [sort, first, added, rest] of [
    ['name', 'ab', 'aa', 'cde'],
    ['-created_at', 'ad', 'z', 'eac'],
  ] as const) {
    const page = (await world.call('GET', `/v1/snapshots?limit=2&sort=${sort}`)).body
    assert.equal(page.total_count, 5)
    assert.equal(page.snapshots.map(({ name }: { name: string }) => name.at(-1)).join(''), first)
    await world.call('DELETE', `/v1/snapshots/${page.snapshots[1].id}`)
    await stableSnapshot(world, { name: `snap-${added}` }, one)
    const start = new URL(page.next.href).searchParams.get('start')
    assert.equal(await names(`sort=${sort}&start=${start}`), rest)
    const wrong = await world.call('GET', `/v1/snapshots?sort=-name&start=${start}`)
    assert.deepEqual([wrong.status, wrong.body.errors[0].target.name], [400, 'start'])
  }
})

test('names, tags and allowed use are changed under If-Match; clones are put once and taken away', async () => {
  await using world = await makeWorld()
  const id = await stableSnapshot(world)
  const path = `/v1/snapshots/${id}`
  const { etag } = (await world.call('GET', path)).headers
  const patch = (body: unknown, ifMatch?: string) =>
    world.call('PATCH', path, { body, headers: ifMatch === undefined ? {} : { 'if-match': ifMatch } })
  assert.equal((await patch({ user_tags: ['x'] })).body.errors[0].code, 'bad_header')
  assert.equal((await patch({ user_tags: ['x'] }, 'W/"0-x"')).status, 412)
  assert.equal((await patch({ allowed_use: { instance: 'true' } })).status, 400)
  const changed = await patch({ name: 'new-name', user_tags: ['X'] }, String(etag))
  assert.deepEqual([changed.status, changed.body.user_tags, changed.body.name], [200, ['x'], 'new-name'])
  assert.notEqual(changed.headers.etag, etag)

  for (let i = 0; i < 2; i++) {
    const clone = await world.call('PUT', `${path}/clones/us-south-1`)
    assert.deepEqual([clone.status, clone.body.available], [200, true])
  }
  assert.equal((await world.call('GET', `${path}/clones`)).body.clones.length, 1)
  assert.equal((await world.call('PUT', `${path}/clones/eu-de-1`)).status, 404)
  assert.equal((await world.call('DELETE', `${path}/clones/us-south-1`)).status, 202)
  assert.equal((await world.call('GET', `${path}/clones/us-south-1`)).status, 404)
  assert.ok((await world.call('GET', `${path}/instance_profiles`)).body.profiles.length > 0)
})

test('mass deletion takes all of a volume’s snapshots, also after the volume has gone, or none', async () => {
  await using world = await makeWorld()
  const id = await attachedVolume(world)
  const [kept] = [await stableSnapshot(world, {}, id), await stableSnapshot(world, {}, id)]
  await post(world, '/v1/volumes', restored(kept ?? ''))
  const path = `/v1/snapshots?source_volume.id=${id}`
  assert.equal((await world.call('DELETE', '/v1/snapshots')).status, 400)
  assert.equal((await world.call('DELETE', path, { as: accountC })).status, 204)
  assert.equal((await world.call('DELETE', path)).status, 409)
  await world.settle()
  assert.equal((await world.call('GET', '/v1/snapshots')).body.total_count, 2)
  assert.equal((await world.call('DELETE', path)).status, 204)
  await world.settle()
  assert.equal((await world.call('GET', '/v1/snapshots')).body.total_count, 0)
  await assertWhole(world, 'all gone')
})

test('what is asked for wrongly is said by code and field', async () => {
  await using world = await makeWorld()
  const snapshot = await stableSnapshot(world)
  const plain = await stableSnapshot(world, {}, await attachedVolume(world, { encryption_key: undefined }))
  const sdp = { profile: { name: 'sdp' }, encryption_key: undefined }
  const { body: gen2 } = await post(world, '/v1/volumes', volumeBody(sdp))
  await world.settle()
  const second = await stableSnapshot(world, {}, gen2.id)
  const source = { source_volume: { id: gen2.id } }
  for (const [path, body, code, field] of [
    ['/v1/snapshots', {}, 'validation_required_field', 'source_volume'],
    ['/v1/snapshots', { source_snapshot: { crn: 'x' } }, 'not_implemented', 'source_snapshot'],
    ['/v1/snapshots', { source_volume: { id: 'x' } }, 'snapshots_source_volume_not_found', 'source_volume'],
    ['/v1/snapshots', { ...source, encryption_key: { crn: keyOfA } }, 'bad_field', 'encryption_key'],
    ['/v1/snapshots', { ...source, allowed_use: { instance: 'true' } }, 'bad_field', 'allowed_use'],
    ['/v1/snapshots', { ...source, clones: [{ zone: { name: 'x' } }] }, 'invalid_zone', 'clones.0.zone.name'],
    ['/v1/snapshots', { ...source, name: 'No' }, 'validation_invalid_name', 'name'],
    ['/v1/volumes', restored(snapshot, { capacity: 10 }), 'volume_profile_capacity_iops_invalid', 'capacity'],
    ['/v1/volumes', restored(snapshot, { profile: { name: 'sdp' } }), 'volume_profile_invalid', 'profile.name'],
    ['/v1/volumes', restored('x'), 'snapshots_not_found', 'source_snapshot'],
    ['/v1/volumes', restored(snapshot, { source_snapshot: {} }), 'validation_only_one', 'source_snapshot'],
    [
      '/v1/volumes',
      restored(second, { profile: { name: 'sdp' }, encryption_key: { crn: keyOfA } }),
      'bad_field',
      'encryption_key',
    ],
    [
      '/v1/snapshot_consistency_groups',
      { snapshots: [{ source_volume: { id: gen2.id } }] },
      'bad_field',
      'snapshots.0.source_volume',
    ],
    ['/v1/snapshot_consistency_groups', { snapshots: [] }, 'bad_request', 'snapshots'],
  ] as const) {
    const { status, body: answer } = await post(world, path, body)
    const [error] = answer.errors
    assert.ok(status === 400 || status === 501, JSON.stringify(answer))
    assert.deepEqual([error.code, error.target.name], [code, field], JSON.stringify(body))
  }
  const added = await post(world, '/v1/volumes', restored(plain, { encryption_key: { crn: keyOfA } }))
  assert.equal(added.body.encryption, 'user_managed')
  assert.equal((await post(world, '/v1/volumes', restored(plain))).body.encryption, 'provider_managed')
  assert.equal((await post(world, '/v1/volumes', restored(snapshot))).body.encryption_key.crn, keyOfA)
})

test('an attachment and an instance take a volume of a snapshot, whole or not at all', async () => {
  await using world = await makeWorld()
  const snapshot = await stableSnapshot(world)
  const { zone: _zone, ...volume } = restored(snapshot)
  const { body: instance } = await post(world, '/v1/instances', { zone, volume_attachments: [{ volume }] })
  await world.settle()
  const attached = await post(world, `/v1/instances/${instance.id}/volume_attachments`, { volume })
  assert.equal(attached.status, 201)
  await world.settle()
  assert.equal((await world.call('GET', `/v1/instances/${instance.id}`)).body.volume_attachments.length, 2)
  const boot = { boot_volume_attachment: { volume } }
  const refused = await post(world, '/v1/instances', { zone, ...boot })
  assert.equal(refused.body.errors[0].target.name, 'boot_volume_attachment.volume.source_snapshot')
  await assertWhole(world, 'attached')
})

test('another account’s snapshot is restored by its CRN only, and by leave of both accounts', async () => {
  await using world = await makeWorld()
  const id = await stableSnapshot(world)
  const { crn } = (await world.call('GET', `/v1/snapshots/${id}`)).body
  const restore = (source: unknown) =>
    world.call('POST', '/v1/volumes', { as: accountC, body: { ...restored(id), source_snapshot: source } })
  assert.equal((await restore({ id })).status, 400)
  assert.equal((await restore({ crn })).status, 403)
  world.iam.shares = (subject, action) =>
    subject.accountId === accountC && action === 'is.snapshot.snapshot.remote-restore'
  world.iam.denies = (_subject, action) => action === 'is.volume.volume.remote-restore'
  assert.equal((await restore({ crn })).status, 403)
  world.iam.denies = () => false
  assert.equal((await restore({ crn: crn.replace('us-south', 'eu-de') })).status, 400)
  assert.equal((await restore({ crn: `${crn}x` })).status, 400)
  const made = await restore({ crn })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  assert.equal(made.body.source_snapshot.remote.account.id, accountB)
  await world.settle()
  assert.equal((await world.call('GET', `/v1/volumes/${made.body.id}`, { as: accountC })).body.status, 'available')
  assert.ok((await world.events()).includes('vpc.snapshot.restored-remotely'))
})

// Volumes, snapshots, consistency groups and images in Global Search and Global Tagging: found by name, kind and tag by who may see them,
// tagged by their CRNs, and gone when they are.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { bootFrom, imageAuthorization, imageIs, makeBucket, makeImage, putFile } from './harness/images.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { volumeIs } from './harness/story.ts'

const find = async (user: Api, query: string): Promise<Json[]> =>
  (await user.expect(200, 'POST', '/v3/resources/search?limit=100', { body: { query, fields: ['*'] } })).items

test('VPC resources are found, tagged and gone', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  const zone = { name: 'us-south-1' }
  const volume = await b.vpc(201, 'POST', '/volumes', {
    name: 'data',
    capacity: 10,
    zone,
    profile: { name: 'general-purpose' },
    user_tags: ['env:test'],
  })
  await volumeIs(b, volume.id, 'available')
  const storage = await makeBucket(server, a)
  await putFile(storage, 'disk.raw', new Uint8Array(1024 * 1024))
  await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })
  const image = await makeImage(b, 'disk.raw', { name: 'system' })
  const { volume: boot } = await bootFrom(b, image.id)
  const group = await b.vpc(201, 'POST', '/snapshot_consistency_groups', {
    snapshots: [{ name: 'moment', source_volume: { id: boot.id }, user_tags: ['nightly'] }],
    name: 'together',
  })
  const [{ crn: snapshotCrn }] = group.snapshots

  await t.test('each is found by its kind, with the tags that it has itself', async () => {
    for (const [query, crn, tags] of [
      ['type:volume AND name:data', volume.crn, ['env:test']],
      ['family:is AND type:snapshot', snapshotCrn, ['nightly']],
      ['type:snapshot-consistency-group', group.crn, []],
      ['type:image AND region:us-south', image.crn, []],
      ['tags:"env:test"', volume.crn, ['env:test']],
      [`crn:"${image.crn}"`, image.crn, []],
    ] as const) {
      const items = await find(b, query)
      assert.deepEqual(
        items.map((item) => [item.crn, item.tags]),
        [[crn, tags]],
        query,
      )
    }
    const [found] = await find(b, `crn:"${volume.crn}"`)
    assert.deepEqual([found?.doc.id, found?.doc.capacity], [volume.id, 10])
  })

  await t.test('each is tagged by its CRN, and found by that', async () => {
    const resources = [image.crn, snapshotCrn, group.crn].map((crn) => ({ resource_id: crn }))
    const attached = await b.expect(200, 'POST', '/v3/tags/attach', { body: { resources, tag_name: 'Kept:2026' } })
    assert.ok(attached.results.every(({ is_error: isError }: Json) => isError === false))
    const found = (await find(b, 'tags:"kept:2026"')).map(({ crn }) => crn)
    assert.deepEqual(found.sort(), [image.crn, snapshotCrn, group.crn].sort())
  })

  await t.test('nobody finds or tags what is another account’s, or what is not there', async () => {
    assert.deepEqual(await find(a, 'family:is'), [])
    const absent = image.crn.replace(/.{4}$/, '0000')
    for (const [user, crn] of [
      [a, image.crn],
      [b, absent],
    ] as const) {
      assert.deepEqual(await find(user, `crn:"${crn}"`), [])
      const body = { resources: [{ resource_id: crn }], tag_name: 'mine' }
      const { results } = await user.expect(200, 'POST', '/v3/tags/attach', { body })
      assert.equal(results[0].is_error, true)
    }
  })

  await t.test('what is deleted is found no more', async () => {
    await imageIs(b, image.id, 'available')
    await b.vpc(204, 'DELETE', `/images/${image.id}`)
    await until(
      () => find(b, 'type:image'),
      (items) => items.length === 0,
    )
    assert.equal((await find(b, 'tags:"kept:2026"')).length, 2)
  })
})

// Who uses which key, from both sides: A owns it, B and C use it.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { nbdsh, tlsUri } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import {
  attach,
  authorization,
  keyPath,
  makeAccount,
  makeRootKey,
  makeVolume,
  takeSnapshot,
  volumeIs,
} from './harness/story.ts'

const usesOf = async (owner: Api, key: { crn: string }, query = ''): Promise<Json[]> =>
  (await owner.expect(200, 'GET', keyPath(key, `uses${query}`))).uses

const foreignKeys = async (user: Api): Promise<Json[]> =>
  (await user.expect(200, 'GET', '/keyward/v1/foreign_keys')).foreign_keys

const now = (): string => new Date().toISOString()

const unbounded = { bounds: null, used: null, refused: null, watched: null }

test('the owner of a key sees every resource under it, and each user the keys it depends on', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b } = server
  const key = await makeRootKey(a)
  assert.deepEqual(await usesOf(a, key), [])
  const policy = await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const before = now()
  await setTimeout(5)
  const volume = await makeVolume(b, key.crn, { name: 'a-name-of-b', user_tags: ['tag-of-b'] })
  const unattached = now()
  await setTimeout(5)

  await t.test('two accounts: the owner sees kind, size, state and version, and no name', async () => {
    const [use, ...others] = await usesOf(a, key)
    assert.deepEqual(others, [])
    const { registered_at: registered, ...rest } = use
    assert.ok(Date.parse(registered) <= Date.now())
    assert.deepEqual(rest, {
      resource_crn: volume.crn,
      kind: 'volume',
      service: 'server-protect',
      account_id: b.account.id,
      key_version_id: key.id,
      size_gb: 10,
      status: 'available',
      attached: false,
      open: false,
      last_unwrapped_at: use.last_unwrapped_at,
      last_written_at: null,
    })
    assert.doesNotMatch(JSON.stringify(use), /name-of-b|tag-of-b/)
  })

  const { connection } = await attach(b, volume.id)
  const uri = tlsUri(connection, folder)
  nbdsh(uri, 'h.pwrite(b"x" * 512, 0)')

  await t.test('attached and unwrapped', async () => {
    const [use] = await usesOf(a, key)
    assert.equal(use.attached, true)
    assert.ok(Date.parse(use.last_unwrapped_at) >= Date.parse(before))
  })

  const c = await makeAccount(server, 'C')
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, c) })
  const volumeOfC = await makeVolume(c, key.crn)

  await t.test('three accounts: in pages, and by the id of the key in its instance', async () => {
    const uses = await usesOf(a, key)
    assert.deepEqual(uses.map((use) => use.account_id).toSorted(), [b.account.id, c.account.id].toSorted())
    const first = await a.expect(200, 'GET', keyPath(key, 'uses?limit=1'))
    assert.equal(first.uses.length, 1)
    const second = await a.expect(200, 'GET', new URL(first.next.href).pathname + new URL(first.next.href).search)
    assert.deepEqual([...first.uses, ...second.uses], uses)
    assert.equal(second.next, undefined)
    const headers = { 'bluemix-instance': a.account.kmsInstanceId }
    const byId = await a.expect(200, 'GET', `/keyward/v1/keys/${key.id}/uses`, { headers })
    assert.deepEqual(byId.uses, uses)
  })

  await t.test('at a past time it is what was so then', async () => {
    assert.deepEqual(await usesOf(a, key, `?at=${before}`), [])
    const [then, ...others] = await usesOf(a, key, `?at=${unattached}`)
    assert.deepEqual(others, [])
    assert.deepEqual(
      [then.resource_crn, then.size_gb, then.status, then.attached, then.open, then.last_unwrapped_at],
      [volume.crn, 10, 'available', false, null, null],
    )
    await c.vpc(204, 'DELETE', `/volumes/${volumeOfC.id}`)
    const both = now()
    await until(
      () => usesOf(a, key),
      (uses) => uses.length === 1,
    )
    assert.equal((await usesOf(a, key, `?at=${both}`)).length, 2)
    await a.expect(400, 'GET', keyPath(key, 'uses?at=2100-01-01T00:00:00Z'))
    await a.expect(400, 'GET', keyPath(key, 'uses?at=yesterday'))
    await a.expect(400, 'GET', keyPath(key, 'uses?start=%F0%9F'))
  })

  await t.test(
    'the user sees whose key it is, its state and version, and the authorization that allows it',
    async () => {
      const [foreign, ...others] = await foreignKeys(b)
      assert.deepEqual(others, [])
      assert.equal(foreign.key_crn, key.crn)
      assert.equal(foreign.owner_account_id, a.account.id)
      assert.deepEqual([foreign.state, foreign.resources, foreign.newest_version_id], ['usable', 1, key.id])
      assert.deepEqual(foreign.key_version_ids, [key.id])
      assert.deepEqual(foreign.authorizations, [
        { service: 'server-protect', policy_id: policy.id, since: policy.created_at, ends_at: null, ...unbounded },
      ])
      assert.deepEqual(await foreignKeys(a), [])
      assert.deepEqual(await foreignKeys(c), [])
    },
  )

  await t.test('nobody sees what is another account’s', async () => {
    const strange = await b.send('GET', keyPath(key, 'uses'))
    const nowhere = await b.send('GET', keyPath({ crn: key.crn.replace(key.id, volume.id.slice(5)) }, 'uses'))
    assert.equal(strange.status, 403)
    assert.deepEqual(strange.body.errors, nowhere.body.errors)
    await b.expect(403, 'GET', `/keyward/v1/foreign_keys?account_id=${a.account.id}`)
    await b.expect(403, 'GET', `/keyward/v1/proofs/latest?account_id=${a.account.id}`)
    await a.expect(404, 'GET', keyPath({ crn: key.crn.replace(key.id, volume.id.slice(5)) }, 'uses'))
  })

  await t.test('without the authorization the user learns that alone', async () => {
    await a.expect(204, 'DELETE', `/v1/policies/${policy.id}`)
    const [foreign] = await foreignKeys(b)
    assert.deepEqual([foreign.state, foreign.newest_version_id, foreign.expires_at], ['unauthorized', null, null])
    assert.deepEqual(foreign.authorizations, [
      { service: 'server-protect', policy_id: null, since: null, ends_at: null, ...unbounded },
    ])
    await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
    await volumeIs(b, volume.id, 'available')
  })

  await t.test('a key that was deleted by force is still one that the user depends on', async () => {
    await a.kms(204, 'DELETE', `/keys/${key.id}?force=true`)
    assert.deepEqual(await usesOf(a, key), [])
    const [foreign] = await foreignKeys(b)
    assert.deepEqual([foreign.key_crn, foreign.state, foreign.resources], [key.crn, 'deleted', 1])
    const proof = await b.expect(201, 'POST', '/keyward/v1/proofs')
    assert.deepEqual([proof.equal, proof.counts.released, proof.counts.registrations], [true, 1, 0])
  })
})

test('a proof finds that ledger, registrations, resources and images are one, or what differs', async (t) => {
  const folder = tempFolder(t)
  const { a, b } = await startServer(t, folder)
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volumes = [await makeVolume(b, key.crn), await makeVolume(b, key.crn)]
  const own = await makeVolume(a, key.crn).catch(() => null)
  assert.equal(own, null, 'nobody has authorized block storage of A')

  const proof = await b.expect(201, 'POST', '/keyward/v1/proofs')
  assert.deepEqual(proof.differences, [])
  assert.equal(proof.equal, true)
  const { uses, registrations, resources, images } = proof.counts
  assert.deepEqual([uses, registrations, resources, images], [2, 2, 2, 2])
  const ofOwner = await a.expect(200, 'GET', '/keyward/v1/proofs/latest')
  assert.deepEqual([ofOwner.counts.owned_uses, ofOwner.counts.owned_registrations, ofOwner.counts.uses], [2, 2, 0])
  assert.ok(Date.parse(ofOwner.finished_at) >= Date.parse(ofOwner.started_at))

  rmSync(join(folder, 'volumes', volumes[0].id), { recursive: true })
  const broken = await a.expect(201, 'POST', '/keyward/v1/proofs')
  assert.equal(broken.equal, false)
  assert.deepEqual(
    broken.differences.map((one: Json) => [one.what, one.resource_crn, one.account_id, one.key_crn]),
    [['image_missing', volumes[0].crn, b.account.id, key.crn]],
  )
  assert.deepEqual((await b.expect(200, 'GET', '/keyward/v1/proofs/latest')).differences, broken.differences)

  await b.vpc(204, 'DELETE', `/volumes/${volumes[0].id}`)
  await until(
    () => b.expect(201, 'POST', '/keyward/v1/proofs'),
    (again) => again.equal && again.counts.resources === 1,
  )
})

test('snapshots lie under keys as volumes do', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, key.crn)
  await attach(b, volume.id)
  const snapshot = await takeSnapshot(b, volume.id)
  const uses = await usesOf(a, key)
  assert.deepEqual(uses.map((use) => [use.kind, use.status]).toSorted(), [
    ['snapshot', 'stable'],
    ['volume', 'available'],
  ])
  const [foreign] = await foreignKeys(b)
  assert.equal(foreign.resources, 2)
  const proof = await b.expect(201, 'POST', '/keyward/v1/proofs')
  const { registrations, resources, images } = proof.counts
  assert.deepEqual([proof.differences, registrations, resources, images], [[], 2, 2, 2])
  const impact = await a.expect(200, 'POST', keyPath(key, 'impact'), { body: { action: 'disable' } })
  const after = impact.resources.find((one: Json) => one.resource_crn === snapshot.crn)
  assert.deepEqual([after.status, after.status_after], ['stable', 'unusable'])
})

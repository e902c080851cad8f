import assert from 'node:assert/strict'
import { test } from 'node:test'
import { followedAtOnceMax } from '#base/limits.ts'
import type { KeyStanding } from '#kms/port.ts'
import { followKeys } from './follow-keys.ts'
import { accountB, accountC } from './testing/fakes.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'
import type { World } from './testing/world.ts'

const seen = async (world: World, path: string, as = accountB) => {
  const { body } = await world.call('GET', path, { as })
  return [body.status, body.status_reasons.map(({ code }: { code: string }) => code).join()]
}

const volumeIn = async (world: World, as = accountB) => {
  const { body } = await world.call('POST', '/v1/volumes', { as, body: volumeBody() })
  await world.pass()
  return `/v1/volumes/${body.id}`
}

const shown: Readonly<Record<KeyStanding, readonly [string, string]>> = {
  usable: ['available', ''],
  expired: ['available', ''],
  disabled: ['unusable', 'encryption_key_disabled'],
  deleted: ['unusable', 'encryption_key_deleted'],
  unauthorized: ['unusable', 'encryption_key_not_authorized'],
}

test('a volume shows what its key is, from whatever it was before, however often it is asked', async () => {
  await using world = await makeWorld()
  const path = await volumeIn(world)
  const standings = Object.keys(shown) as KeyStanding[]
  for (const from of standings) {
    for (const to of standings) {
      for (const standing of [from, to]) {
        world.kms.put(keyOfA, standing)
        await world.pass()
        assert.deepEqual(await seen(world, path), shown[standing], `${from} to ${to}`)
      }
      const events = await world.events()
      await world.pass()
      assert.deepEqual(await world.events(), events, 'nothing new, no event')
    }
  }
})

test('each change of what readers see has its event, and nothing else has', async () => {
  await using world = await makeWorld()
  await volumeIn(world)
  const before = (await world.events()).length
  const steps: readonly KeyStanding[] = [
    'disabled',
    'deleted',
    'usable',
    'expired',
    'usable',
    'unauthorized',
    'expired',
  ]
  for (const standing of steps) {
    world.kms.put(keyOfA, standing)
    await world.pass()
  }
  assert.deepEqual((await world.events()).slice(before), [
    'vpc.volume.became-unusable',
    'vpc.volume.became-unusable',
    'vpc.volume.became-available',
    'vpc.volume.became-unusable',
    'vpc.volume.became-available',
  ])
})

test('an authorization is withdrawn from one account, and only its volumes stop', async () => {
  await using world = await makeWorld()
  const ofB = await volumeIn(world)
  const ofC = await volumeIn(world, accountC)
  world.kms.unauthorized.add(accountC)
  await world.pass()
  assert.deepEqual(await seen(world, ofB), shown.usable)
  assert.deepEqual(await seen(world, ofC, accountC), shown.unauthorized)
})

test('an unusable volume is neither attached nor connected to, but may be deleted', async () => {
  await using world = await makeWorld()
  const path = await volumeIn(world)
  const { body: instance } = await world.call('POST', '/v1/instances', { body: { zone: { name: 'us-south-3' } } })
  const attachments = `/v1/instances/${instance.id}/volume_attachments`
  const body = { volume: { id: path.split('/').at(-1) } }
  world.kms.put(keyOfA, 'disabled')
  await world.pass()
  assert.equal((await world.call('GET', path)).body.attachment_state, 'unusable')
  const refused = await world.call('POST', attachments, { body })
  assert.equal(refused.status, 409)
  assert.match(refused.body.errors[0].message, /unusable.*encryption_key_disabled/)

  world.kms.put(keyOfA, 'usable')
  await world.pass()
  const { body: attachment } = await world.call('POST', attachments, { body })
  world.kms.put(keyOfA, 'deleted')
  await world.pass()
  const connection = await world.call('POST', `/keyward${attachments}/${attachment.id}/connection`)
  assert.equal(connection.status, 409)
  assert.match(connection.body.errors[0].message, /encryption_key_deleted/)
  assert.equal((await world.call('GET', path)).body.attachment_state, 'attached', 'it stays attached')

  assert.equal((await world.call('DELETE', `${attachments}/${attachment.id}`)).status, 204)
  assert.equal((await world.call('DELETE', path)).status, 204)
  await world.pass()
  assert.equal((await world.call('GET', path)).status, 404)
})

test('many keys are followed, page by page', async () => {
  await using world = await makeWorld()
  const paths: string[] = []
  const accounts = Array.from({ length: 260 }, (_, i) => i.toString(16).padStart(32, '0'))
  for (const as of accounts) {
    const { body } = await world.call('POST', '/v1/volumes', { as, body: volumeBody() })
    paths.push(`/v1/volumes/${body.id}`)
  }
  world.kms.put(keyOfA, 'disabled')
  await world.pass()
  for (const [i, path] of paths.entries()) assert.deepEqual(await seen(world, path, accounts[i]), shown.disabled)
})

test('many volumes follow some at a time, and a key that changes its mind in between has the last word', async () => {
  await using world = await makeWorld()
  const count = 2 * followedAtOnceMax + 1
  for (let i = 0; i < count; i++) await world.call('POST', '/v1/volumes', { body: volumeBody() })
  await world.pass()
  const statuses = async () => {
    const rows = await world.database.reads.selectFrom('vpc_volume').select('key_standing').execute()
    return Map.groupBy(rows, (row) => row.key_standing)
  }
  world.kms.put(keyOfA, 'disabled')
  await followKeys(world.parts)
  assert.equal((await statuses()).get('disabled')?.length, count)
  const told = (await world.events()).filter((type) => type === 'vpc.volume.became-unusable')
  assert.equal(told.length, count, 'one event for each')

  let asked = 0
  const seenBetween: number[] = []
  const kms = {
    ...world.parts.kms,
    standings: async (requests: Parameters<World['parts']['kms']['standings']>[0]) => {
      seenBetween.push((await statuses()).get('deleted')?.length ?? 0)
      // Deleted as the pass begins, and restored before it has come to its end.
      world.kms.put(keyOfA, asked++ === 0 ? 'deleted' : 'usable')
      return await world.parts.kms.standings(requests)
    },
  }
  await followKeys({ ...world.parts, kms })
  assert.equal(seenBetween[1], followedAtOnceMax, 'no more than these in one transaction')
  assert.equal((await statuses()).get('usable')?.length, count)
})

// What the owner of a key plans is announced, answered, and done by a person when the time has come, or by breaking the
// glass on record.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { authorization, keyPath, makeAccount, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

const weekSeconds = 7 * 24 * 3600

interface Story extends Server {
  readonly c: Api
  readonly key: { readonly id: string; readonly crn: string }
  readonly volume: Json
  announce(action: string, inSeconds?: number): Promise<Json>
}

/** A's key, under which B and C have a volume each. */
async function begin(t: Parameters<typeof startServer>[0]): Promise<Story> {
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  const c = await makeAccount(server, 'C')
  const key = await makeRootKey(a)
  for (const user of [b, c]) await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, user) })
  const volume = await makeVolume(b, key.crn)
  await makeVolume(c, key.crn)
  const announce = (action: string, inSeconds = weekSeconds): Promise<Json> => {
    const plannedAt = new Date(Date.now() + inSeconds * 1000).toISOString()
    return a.expect(201, 'POST', keyPath(key, 'plans'), {
      body: { action, planned_at: plannedAt, reason: 'end of life' },
    })
  }
  return { ...server, c, key, volume, announce }
}

const notice = async (reader: Api, type: string): Promise<Json> =>
  (
    await until(
      () => reader.expect(200, 'GET', `/keyward/v1/notices?type=${type}`),
      (answer) => answer.notices.length > 0,
    )
  ).notices[0]

const answer = async (reader: Api, status: number, body: Record<string, unknown> = {}): Promise<Json> =>
  await reader.expect(
    status,
    'POST',
    `/keyward/v1/notices/${(await notice(reader, 'action.planned')).id}/acknowledge`,
    {
      body,
    },
  )

const answersOf = (plan: Json): Record<string, unknown> =>
  Object.fromEntries(plan.accounts.map((one: Json) => [one.account_id, one.answer]))

test('a planned deletion: announced, objected to, agreed, and done when its time has come', async (t) => {
  const { a, b, c, key, volume, announce, advance } = await begin(t)
  const plan = await announce('delete')
  const path = `/keyward/v1/plans/${plan.id}`
  assert.equal(plan.state, 'announced')
  assert.deepEqual(answersOf(plan), { [b.account.id]: null, [c.account.id]: null })

  await t.test('every user is told what is planned, for when and why', async () => {
    for (const user of [b, c]) {
      const { event } = await notice(user, 'action.planned')
      assert.deepEqual(event.data.plan, {
        id: plan.id,
        action: 'delete',
        planned_at: plan.planned_at,
        reason: 'end of life',
      })
    }
  })

  await t.test('users answer, and may change their mind; the owner sees who has not', async () => {
    await answer(b, 400, { answer: 'objected' })
    await answer(b, 400, { answer: 'perhaps' })
    await answer(b, 200, { answer: 'objected', reason: 'the audit is not over' })
    const seen = await a.expect(200, 'GET', path)
    assert.deepEqual(answersOf(seen), { [b.account.id]: 'objected', [c.account.id]: null })
    assert.equal(seen.accounts.find((one: Json) => one.account_id === b.account.id).reason, 'the audit is not over')
    assert.equal(seen.stands_against.length, 3)
    await answer(b, 200)
    await answer(c, 200, { answer: 'acknowledged' })
    const agreed = await a.expect(200, 'GET', path)
    assert.deepEqual(answersOf(agreed), { [b.account.id]: 'acknowledged', [c.account.id]: 'acknowledged' })
    const { plans } = await a.expect(200, 'GET', keyPath(key, 'plans'))
    assert.deepEqual(plans, [agreed])
  })

  await t.test('a plan is its owner’s, and nobody answers for another', async () => {
    for (const rest of ['', '/withdraw', '/proceed']) {
      const method = rest === '' ? 'GET' : 'POST'
      await b.expect(404, method, `${path}${rest}`, rest === '/proceed' ? { body: {} } : {})
    }
    await b.expect(403, 'GET', keyPath(key, 'plans'))
    const body = { action: 'delete', planned_at: plan.planned_at, reason: 'not mine' }
    await b.expect(403, 'POST', keyPath(key, 'plans'), { body })
    const { id } = await notice(b, 'action.planned')
    await c.expect(404, 'POST', `/keyward/v1/notices/${id}/acknowledge`)
    await a.expect(404, 'POST', `/keyward/v1/notices/${id}/acknowledge`)
  })

  await t.test('times in the past, too far, or none are refused by name', async () => {
    for (const planned of ['2001-01-01T00:00:00Z', '2100-01-01T00:00:00Z', 'tomorrow']) {
      const body = { action: 'delete', planned_at: planned, reason: 'x' }
      const wrong = await a.expect(400, 'POST', keyPath(key, 'plans'), { body })
      assert.equal(wrong.errors[0].target.name, 'planned_at')
    }
    await a.expect(400, 'POST', keyPath(key, 'plans'), {
      body: { action: 'purge', planned_at: plan.planned_at, reason: 'x' },
    })
  })

  await t.test('not before its time; then by the rules of the key manager; and then it is over', async () => {
    const early = await a.expect(409, 'POST', `${path}/proceed`, { body: {} })
    assert.match(early.errors[0].message, /planned for/)
    await advance(weekSeconds)
    await volumeIs(b, volume.id, 'available')
    const refused = await a.expect(409, 'POST', `${path}/proceed`, { body: {} })
    assert.equal(refused.errors[0].code, 'PROTECTED_RESOURCE_ERR')
    assert.equal((await a.expect(200, 'GET', path)).state, 'announced')
    const done = await a.expect(200, 'POST', `${path}/proceed`, { body: { force: true } })
    assert.equal(done.state, 'done')
    await volumeIs(b, volume.id, 'unusable')
    await notice(c, 'key.deleted')
    await a.expect(409, 'POST', `${path}/proceed`, { body: {} })
    await a.expect(409, 'POST', `${path}/withdraw`)
    await answer(b, 409, { answer: 'objected', reason: 'too late' })
    const { records } = await a.expect(
      200,
      'GET',
      `/keyward/v1/audit?account_id=${a.account.id}&action=kms.secrets.delete`,
    )
    // What was refused is written a moment later than what was done.
    const outcomes = records.map((one: Json) => [one.outcome, one.reason.reasonCode])
    assert.deepEqual(outcomes.toSorted(), [
      ['failure', 409],
      ['success', 200],
    ])
    assert.ok(records.every((one: Json) => one.initiator.id !== '' && one.target.id === key.crn))
  })
})

test('breaking the glass is on record in every account that it concerns', async (t) => {
  const { a, b, c, key, announce } = await begin(t)
  const plan = await announce('disable')
  await notice(b, 'action.planned')
  const path = `/keyward/v1/plans/${plan.id}/proceed`
  await a.expect(400, 'POST', path, { body: { break_glass: '' } })
  const done = await a.expect(200, 'POST', path, { body: { break_glass: 'the key has leaked' } })
  assert.equal(done.state, 'done')
  for (const user of [b, c]) {
    const { event } = await notice(user, 'action.overridden')
    assert.equal(event.data.plan.reason, 'the key has leaked')
    await notice(user, 'key.disabled')
  }
  for (const reader of [a, b, c]) {
    const query = `account_id=${reader.account.id}&action=keyward.plan.override`
    const { records } = await reader.expect(200, 'GET', `/keyward/v1/audit?${query}`)
    assert.equal(records.length, reader === a ? 2 : 1)
    assert.deepEqual([records[0].target.id, records[0].responseData.reason], [key.crn, 'the key has leaked'])
    assert.notEqual(records[0].initiator.id, '')
  }
})

test('a plan is withdrawn, told to who comes later, and over when it was done beside it', async (t) => {
  const server = await begin(t)
  const { a, b, key, announce } = server
  const withdrawn = await announce('delete')
  await notice(b, 'action.planned')
  assert.equal((await a.expect(200, 'POST', `/keyward/v1/plans/${withdrawn.id}/withdraw`)).state, 'withdrawn')
  assert.equal((await notice(b, 'action.withdrawn')).event.data.plan.id, withdrawn.id)
  await answer(b, 409)

  const rotation = await announce('rotate')
  const d = await makeAccount(server, 'D')
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, d) })
  await makeVolume(d, key.crn)
  assert.equal((await notice(d, 'action.planned')).event.data.plan.id, rotation.id)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate`)
  await until(
    () => a.expect(200, 'GET', `/keyward/v1/plans/${rotation.id}`),
    (plan) => plan.state === 'done',
  )
  for (let n = 0; n < 10; n += 1) await announce('disable')
  const body = { action: 'disable', planned_at: rotation.planned_at, reason: 'one too many' }
  await a.expect(409, 'POST', keyPath(key, 'plans'), { body })
})

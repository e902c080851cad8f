// A key in quarantine: nothing is refused, and everybody who would miss it is seen, by its owner and by themselves.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { nbdsh, startNbdsh, tlsUri } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, keyEnvelope, keyPath, makeAccount, makeRootKey, makeVolume } from './harness/story.ts'
import { volumeIs } from './harness/story.ts'

const hour = 3600

test('quarantine refuses nothing, counts what a disabled key would refuse, and shows it to both sides', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b } = server
  const c = await makeAccount(server, 'C')
  const key = await makeRootKey(a)
  for (const user of [b, c]) await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, user) })
  const running = await makeVolume(b, key.crn, { name: 'name-of-b' })
  await makeVolume(c, key.crn)
  const { connection } = await attach(b, running.id)
  const reading = 'import time\nprint("reading", flush=True)\nwhile True:\n    h.pread(512, 0); time.sleep(0.01)'
  const io = startNbdsh(tlsUri(connection, folder), reading)
  await io.started
  const path = keyPath(key, 'quarantine')
  const report = (): Promise<Json> => a.expect(200, 'GET', path)
  const userIn = (answer: Json, user: Api): Json => answer.users.find((one: Json) => one.account_id === user.account.id)
  const ownOf = async (user: Api): Promise<Json> =>
    (await user.expect(200, 'GET', '/keyward/v1/foreign_keys')).foreign_keys[0].quarantine

  assert.deepEqual([(await report()).quarantined, (await report()).users], [false, []])
  const begun = await a.expect(200, 'POST', path)
  assert.deepEqual([begun.quarantined, begun.would_be_denied], [true, 0])
  // Who only goes on is a user too.
  assert.deepEqual([userIn(begun, b).open, userIn(begun, b).would_be_denied, userIn(begun, b).last], [1, 0, null])

  await t.test('everything goes on, and is counted', async () => {
    const made = await makeVolume(c, key.crn)
    const seen = userIn(await report(), c)
    assert.ok(seen.would_be_denied >= 2, 'a data key was made, and opened to format the volume')
    assert.deepEqual([seen.user, seen.last.resource_crn], ['server-protect', made.crn])
    const attached = await attach(c, made.id)
    nbdsh(tlsUri(attached.connection, folder), 'h.pread(512, 0)')
    await until(report, (answer) => userIn(answer, c).would_be_denied > seen.would_be_denied)
    await a.kms(200, 'POST', `/keys/${key.id}/actions/wrap`, {})
    const own = userIn(await report(), a)
    assert.deepEqual([own.would_be_denied, own.last.action, own.last.resource_crn], [1, 'kms.secrets.wrap', null])
    await volumeIs(b, running.id, 'available')
    const { resources } = await a.kms(200, 'GET', `/keys/${key.id}/metadata`)
    assert.equal(resources[0].state, 1)
    const total = await report()
    assert.equal(
      total.would_be_denied,
      total.users.reduce((sum: number, one: Json) => sum + one.would_be_denied, 0),
    )
  })

  await t.test('to begin again keeps what was counted', async () => {
    const before = await report()
    assert.deepEqual(await a.expect(200, 'POST', path), before)
  })

  await t.test('each user is told, and sees what is its own', async () => {
    for (const user of [b, c]) {
      const { notices } = await until(
        () => user.expect(200, 'GET', '/keyward/v1/notices?type=key.quarantined'),
        (answer) => answer.notices.length > 0,
      )
      assert.equal(notices.length, 1)
      assert.equal(notices[0].event.subject, key.crn)
    }
    const seen = userIn(await report(), c)
    const own = await ownOf(c)
    assert.deepEqual([own.would_be_denied, own.last.at], [seen.would_be_denied, seen.last.at])
    assert.equal((await ownOf(b)).would_be_denied, 0)
  })

  await t.test('nobody learns of others: names stay at home, and so do accounts', async () => {
    for (const user of [b, c]) {
      const refusal = await user.send('GET', path)
      assert.equal(refusal.status, 401)
      for (const method of ['POST', 'DELETE']) assert.equal((await user.send(method, path)).status, 401)
    }
    const other = JSON.stringify([
      await c.expect(200, 'GET', '/keyward/v1/foreign_keys'),
      await c.expect(200, 'GET', '/keyward/v1/notices'),
    ])
    for (const secret of [b.account.id, running.id, 'name-of-b']) assert.ok(!other.includes(secret), secret)
    assert.ok(!JSON.stringify(await report()).includes('name-of-b'))
  })

  await t.test('lifted, it counts no more; the trail says who did what', async () => {
    await a.expect(204, 'DELETE', path)
    await makeVolume(c, key.crn)
    const after = await report()
    assert.deepEqual([after.quarantined, after.since, after.would_be_denied, after.users], [false, null, 0, []])
    assert.equal(await ownOf(c), null)
    await a.expect(404, 'DELETE', path)
    const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?account_id=${a.account.id}&order=oldest`)
    const mine = records.filter((one: Json) => /quarantine/.test(one.action))
    assert.deepEqual(
      mine.map((one: Json) => [one.action, one.initiator.id === '']),
      [
        ['kms.secrets.quarantine', false],
        ['kms.secrets.lift-quarantine', false],
      ],
    )
  })

  await t.test('what cannot be in quarantine says why', async () => {
    const standard = await a.kms(201, 'POST', '/keys', keyEnvelope({ name: 'standard', extractable: true }))
    await a.expect(400, 'POST', keyPath(standard.resources[0], 'quarantine'))
    const crn = key.crn.replace(key.id, '00000000-0000-4000-8000-000000000000')
    await a.expect(404, 'POST', keyPath({ crn }, 'quarantine'))
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    await a.expect(409, 'POST', path)
    assert.notEqual((await io.ended).status, 0)
  })
})

test('an account may ask that keys are in quarantine before they are deleted', async (t) => {
  const { a, b, advance } = await startServer(t, tempFolder(t))
  const key = await makeRootKey(a)
  const other = await makeRootKey(a, 'other')
  const setting = '/keyward/v1/key_safety'
  assert.deepEqual(await a.expect(200, 'GET', setting), {
    require_quarantine_before_delete: false,
    quarantine_hours: 0,
  })
  for (const body of [
    {},
    { require_quarantine_before_delete: 'yes' },
    { require_quarantine_before_delete: true, quarantine_hours: 0 },
    { require_quarantine_before_delete: true, quarantine_hours: 721 },
    { require_quarantine_before_delete: true, quarantine_hours: 1.5 },
    { require_quarantine_before_delete: false, quarantine_hours: 3 },
    { require_quarantine_before_delete: true, hours: 3 },
  ]) {
    await a.expect(400, 'PUT', setting, { body })
  }
  const body = { require_quarantine_before_delete: true, quarantine_hours: 48 }
  await b.expect(401, 'PUT', `${setting}?account_id=${a.account.id}`, { body })
  await b.expect(401, 'GET', `${setting}?account_id=${a.account.id}`)
  assert.deepEqual(await a.expect(200, 'PUT', setting, { body }), body)

  const refused = async (path: string): Promise<string> => {
    const answer = await a.kms(409, 'DELETE', path)
    assert.equal(answer.resources[0].reasons[0].code, 'QUARANTINE_REQUIRED_ERR')
    return answer.resources[0].errorMsg
  }
  assert.match(await refused(`/keys/${key.id}?force=true`), /put it there first/)
  await refused(`/keys/${key.id}?dry_run=true`)
  const { refusals } = await a.expect(200, 'POST', keyPath(key, 'impact'), { body: { action: 'delete' } })
  assert.deepEqual(
    refusals.map((one: Json) => [one.code, one.forceable]),
    [['QUARANTINE_REQUIRED_ERR', false]],
  )
  await a.expect(200, 'POST', keyPath(key, 'quarantine'))
  await a.kms(204, 'POST', `/keys/${other.id}/actions/disable`)
  await advance(47 * hour)
  assert.match(await refused(`/keys/${key.id}?force=true`), /can be deleted from/)
  await advance(hour)
  await a.kms(204, 'DELETE', `/keys/${key.id}`)
  await a.kms(204, 'DELETE', `/keys/${other.id}`)

  const standard = await a.kms(201, 'POST', '/keys', keyEnvelope({ name: 'standard', extractable: true }))
  await a.kms(204, 'DELETE', `/keys/${standard.resources[0].id}`)
  assert.equal(
    (await a.expect(200, 'PUT', setting, { body: { require_quarantine_before_delete: false } })).quarantine_hours,
    0,
  )
  await a.kms(204, 'DELETE', `/keys/${(await makeRootKey(a, 'free')).id}`)
})

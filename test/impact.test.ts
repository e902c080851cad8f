// What an action on a key would do, foreseen by the rules that it obeys: nothing is changed, and what is foreseen comes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { startNbdsh, tlsUri } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, keyPath, makeAccount, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

const reader = [
  'import time',
  'print("reading", flush=True)',
  'while True:',
  '    h.pread(512, 0); time.sleep(0.01)',
].join('\n')

const codes = (answer: Json): string[] => answer.refusals.map((one: Json) => one.code)

test('the impact of each action on two users of a key, and the action as a dry run', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b } = server
  const c = await makeAccount(server, 'C')
  const key = await makeRootKey(a)
  const policyOfB = await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, c) })
  const running = await makeVolume(b, key.crn)
  const resting = await makeVolume(b, key.crn)
  const volumeOfC = await makeVolume(c, key.crn)
  const { connection } = await attach(b, running.id)
  const io = startNbdsh(tlsUri(connection, folder), reader)
  await io.started

  const impact = (action: string, more: Record<string, unknown> = {}, as: Api = a): Promise<Json> =>
    as.expect(200, 'POST', keyPath(key, 'impact'), { body: { action, ...more } })
  const before = await a.expect(200, 'GET', keyPath(key, 'uses'))

  await t.test('disable and delete stop the resources of both, running I/O included', async () => {
    const found = await impact('disable')
    assert.deepEqual([found.state, found.state_after, found.refusals], ['active', 'suspended', []])
    assert.deepEqual(
      found.accounts.toSorted((x: Json, y: Json) => y.resources - x.resources),
      [
        { account_id: b.account.id, resources: 2, open: 1 },
        { account_id: c.account.id, resources: 1, open: 0 },
      ].map((one) => ({ ...one, service: 'server-protect', key_before: 'usable', key_after: 'disabled' })),
    )
    const resources = new Map(found.resources.map((one: Json) => [one.resource_crn, one]))
    const brief = ({ open, attached, status, status_after: after }: Json) => [open, attached, status, after]
    assert.deepEqual(brief(resources.get(running.crn)), [true, true, 'available', 'unusable'])
    assert.deepEqual(brief(resources.get(resting.crn)), [false, false, 'available', 'unusable'])
    assert.deepEqual(brief(resources.get(volumeOfC.crn)), [false, false, 'available', 'unusable'])

    const deletion = await impact('delete')
    assert.deepEqual(
      deletion.refusals.map((one: Json) => [one.code, one.forceable]),
      [['PROTECTED_RESOURCE_ERR', true]],
    )
    assert.ok(deletion.accounts.every((one: Json) => one.key_after === 'deleted'))
  })

  await t.test('expiry and rotation stop nothing', async () => {
    for (const [action, after] of [
      ['expire', 'expired'],
      ['rotate', 'usable'],
    ] as const) {
      const found = await impact(action)
      assert.ok(
        found.accounts.every((one: Json) => one.key_after === after),
        action,
      )
      assert.ok(
        found.resources.every((one: Json) => one.status_after === 'available'),
        action,
      )
    }
  })

  await t.test('an authorization that goes concerns its own account, unless another remains', async () => {
    const found = await impact('remove-authorization', { policy_id: policyOfB.id })
    const after = new Map(found.accounts.map((one: Json) => [one.account_id, one.key_after]))
    assert.deepEqual([after.get(b.account.id), after.get(c.account.id)], ['unauthorized', 'usable'])
    const second = await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b, key.id) })
    const unharmed = await impact('remove-authorization', { policy_id: policyOfB.id })
    assert.ok(unharmed.accounts.every((one: Json) => one.key_after === 'usable'))
    await a.expect(204, 'DELETE', `/v1/policies/${second.id}`)
    await a.expect(400, 'POST', keyPath(key, 'impact'), { body: { action: 'remove-authorization' } })
    const body = { action: 'remove-authorization', policy_id: 'of-nobody' }
    await a.expect(404, 'POST', keyPath(key, 'impact'), { body })
  })

  await t.test('wrong questions are refused by name, strangers without a word about the key', async () => {
    const wrong = await a.expect(400, 'POST', keyPath(key, 'impact'), { body: { action: 'explode' } })
    assert.equal(wrong.errors[0].target.name, 'action')
    await a.expect(400, 'POST', keyPath(key, 'impact'), { body: { action: 'disable', force: true } })
    await b.expect(403, 'POST', keyPath(key, 'impact'), { body: { action: 'disable' } })
  })

  await t.test('a dry run asks every rule and does nothing', async () => {
    const headers = { 'bluemix-instance': a.account.kmsInstanceId }
    const tried = await a.send('POST', `/api/v2/keys/${key.id}/actions/disable?dry_run=true`, { headers })
    assert.deepEqual([tried.status, tried.headers.get('keyward-dry-run')], [204, 'true'])
    await a.kms(204, 'POST', `/keys/${key.id}/actions/rotate?dry_run=true`)
    await a.kms(400, 'POST', `/keys/${key.id}/actions/rotate?dry_run=true`, { payload: 'AAAA' })
    await a.kms(409, 'DELETE', `/keys/${key.id}?dry_run=true`)
    await a.kms(204, 'DELETE', `/keys/${key.id}?dry_run=true&force=true`)
    const unknown = await a.kms(400, 'POST', `/keys/${key.id}?action=disable&dry_run=true`)
    assert.equal(unknown.resources[0].reasons[0].target.name, 'dry_run')
    await a.kms(400, 'POST', `/keys/${key.id}/actions/enable?dry_run=true`)
    await a.expect(401, 'POST', `/api/v2/keys/${key.id}/actions/disable?dry_run=true`, {
      headers: { ...headers, authorization: `Bearer ${await b.token()}` },
    })
    const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?account_id=${a.account.id}&order=oldest`)
    const actions = new Set(records.map((one: Json) => one.action))
    assert.ok(actions.has('kms.secrets.disable.dry-run') && !actions.has('kms.secrets.disable'))
  })

  await t.test('nothing has changed by any of it', async () => {
    const after = await a.expect(200, 'GET', keyPath(key, 'uses'))
    assert.deepEqual(after, before)
    const { resources } = await a.kms(200, 'GET', `/keys/${key.id}/metadata`)
    assert.deepEqual([resources[0].state, resources[0].keyVersion.id], [1, key.id])
    await volumeIs(b, running.id, 'available')
  })

  await t.test('what was foreseen comes', async () => {
    await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
    assert.notEqual((await io.ended).status, 0)
    for (const [user, volume] of [
      [b, running],
      [b, resting],
      [c, volumeOfC],
    ] as const) {
      await volumeIs(user, volume.id, 'unusable')
    }
    assert.deepEqual(codes(await impact('disable')), ['KEY_ACTION_INVALID_STATE_ERR'])
    assert.deepEqual(codes(await impact('expire')), ['KEY_ACTION_INVALID_STATE_ERR'])
    assert.ok((await impact('rotate')).accounts.every((one: Json) => one.key_after === 'disabled' && one.open === 0))
  })
})

test('dual authorization and a missing right are among what refuses a deletion', async (t) => {
  const { a } = await startServer(t, tempFolder(t))
  const key = await makeRootKey(a)
  const policy = { type: 'application/vnd.ibm.kms.policy+json', dualAuthDelete: { enabled: true } }
  await a.kms(200, 'PUT', `/keys/${key.id}/policies?policy=dualAuthDelete`, {
    metadata: { collectionType: 'application/vnd.ibm.kms.policy+json', collectionTotal: 1 },
    resources: [policy],
  })
  const impact = (): Promise<Json> => a.expect(200, 'POST', keyPath(key, 'impact'), { body: { action: 'delete' } })
  assert.deepEqual(codes(await impact()), ['AUTHORIZATIONS_NOT_MET'])
  await a.kms(409, 'DELETE', `/keys/${key.id}?dry_run=true`)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/setKeyForDeletion`)
  const [refusal] = (await until(impact, (answer) => answer.refusals.length > 0)).refusals
  assert.match(refusal.message, /second person/)
})

test('where volumes in use run on until they are stopped, that is what is foreseen', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t), ['--revocation', 'until-stop'])
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const used = await makeVolume(b, key.crn)
  const unused = await makeVolume(b, key.crn)
  await attach(b, used.id)
  const statusAfter = async (action: string, crn: string): Promise<string> => {
    const { resources } = await a.expect(200, 'POST', keyPath(key, 'impact'), { body: { action } })
    return resources.find((one: Json) => one.resource_crn === crn).status_after
  }
  assert.equal(await statusAfter('disable', used.crn), 'available')
  assert.equal(await statusAfter('disable', unused.crn), 'unusable')
  assert.equal(await statusAfter('delete', used.crn), 'unusable')
  await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
  await volumeIs(b, unused.id, 'unusable')
  await volumeIs(b, used.id, 'available')
  const { uses } = await a.expect(200, 'GET', keyPath(key, 'uses'))
  const seen = new Map(uses.map((use: Json) => [use.resource_crn, use.status]))
  assert.deepEqual([seen.get(used.crn), seen.get(unused.crn)], ['available', 'unusable'])
})

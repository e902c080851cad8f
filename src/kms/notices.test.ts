// Services over the wire: what they register, what they are told, what they acknowledge; and rotations that converge.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockStorageCaller, enveloped, makeWire, refusal } from './testing/wire.ts'
import type { Json, Wire } from './testing/wire.ts'
import { accountA, accountB, blockStorage, fails, rewrapOne, volumeCrn } from './testing/world.ts'
import { waits } from './waits.ts'

const as = blockStorageCaller.iamId
const registrationPath = (id: string, crn = volumeCrn()) => `/keys/${id}/registrations/${encodeURIComponent(crn)}`
const input = (fields: Record<string, unknown>) => ({ body: enveloped('registration_input', fields), as })

const eventsOf = async (wire: Wire, type: string) =>
  (await wire.world.events()).filter((event) => event['type'] === type)

test('registrations are written by services alone, each for its own resources', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey()
  const path = registrationPath(id)
  assert.deepEqual(refusal(await wire.send('POST', path)), [403, 'SERVICE_ONLY_ERR'])
  for (const crn of [volumeCrn('r006-1', accountA), 'crn:v1:bluemix:public:databases::a/' + accountB + ':i::']) {
    assert.deepEqual(refusal(await wire.send('POST', registrationPath(id, crn), { as })), [403, 'RESOURCE_OWNER_ERR'])
  }
  assert.deepEqual(refusal(await wire.send('POST', registrationPath(id, 'nonsense'), { as })), [
    400,
    'INVALID_FIELD_ERR',
  ])
  assert.deepEqual(refusal(await wire.send('PATCH', path, { as })), [404, 'REGISTRATION_NOT_FOUND_ERR'])
  const made = await wire.expect(201, 'POST', path, input({ description: 'a disk', registrationMetadata: 'ours' }))
  const [registration] = made.resources
  assert.deepEqual(
    [registration.description, registration.preventKeyDeletion, registration.createdBy, registration.keyVersion.id],
    ['a disk', false, as, id],
  )
  assert.equal(JSON.stringify(made).includes('ours'), false, 'the notes of the service are its own')
  assert.deepEqual(refusal(await wire.send('POST', path, { as })), [409, 'REGISTRATION_ALREADY_EXISTS_ERR'])
  const merged = await wire.expect(200, 'PATCH', path, input({ preventKeyDeletion: true }))
  assert.deepEqual([merged.resources[0].description, merged.resources[0].preventKeyDeletion], ['a disk', true])
  const replaced = await wire.expect(200, 'PUT', path, input({}))
  assert.deepEqual([replaced.resources[0].description, replaced.resources[0].preventKeyDeletion], ['', false])
  assert.equal((await wire.expect(200, 'GET', `/keys/${id}/registrations?preventKeyDeletion=true`)).resources.length, 0)
  await wire.expect(204, 'DELETE', path, { as })
  assert.deepEqual(refusal(await wire.send('DELETE', path, { as })), [404, 'REGISTRATION_NOT_FOUND_ERR'])
})

test('what cannot be registered on, and versions that go back, are refused with 422', async () => {
  await using wire = await makeWire()
  const standard = await wire.makeKey({ extractable: true })
  assert.deepEqual(refusal(await wire.send('POST', registrationPath(standard.id), { as })), [
    422,
    'KEY_ROOT_REQ_REG_ERR',
  ])
  const { id } = await wire.makeKey()
  await wire.expect(204, 'POST', `/keys/${id}/actions/rotate`)
  await wire.expect(201, 'POST', registrationPath(id), { as })
  for (const keyVersionId of [id, 'no version']) {
    const answer = await wire.send('PATCH', registrationPath(id), input({ keyVersionId }))
    assert.deepEqual(refusal(answer), [422, 'KEY_VERSION_INVALID', 'keyVersionId'])
  }
  await wire.expect(204, 'POST', `/keys/${id}/actions/disable`)
  assert.deepEqual(refusal(await wire.send('POST', registrationPath(id, volumeCrn('r006-2')), { as })), [
    422,
    'KEY_INVALID_STATE_ERR',
  ])
})

test('a service sees its own registrations alone', async () => {
  await using wire = await makeWire()
  const { world } = wire
  const key = await wire.makeKey()
  await wire.expect(201, 'POST', registrationPath(key.id), { as })
  const other = { kind: 'service', serviceName: 'server-protect', accountId: accountA } as const
  world.iam.permit(other, accountA, ['kms.secrets.wrap', 'kms.registrations.create'])
  await world.kms.port.createDataKey({ keyCrn: key.crn, resourceCrn: volumeCrn('r006-9', accountA), as: other })
  const seen = async (sent: { as?: string }) =>
    (await wire.expect(200, 'GET', `/keys/${key.id}/registrations`, sent)).resources.length
  assert.deepEqual([await seen({}), await seen({ as })], [2, 1])
  const query = `?urlEncodedResourceCRNQuery=${encodeURIComponent(volumeCrn('*', accountA))}`
  const refused = await wire.send('GET', `/keys/${key.id}/registrations${query}`, { as })
  assert.deepEqual(refusal(refused), [403, 'RESOURCE_OWNER_ERR'])
})

test('what happens to a key is told to its services; acknowledgements carry how long they took', async () => {
  await using wire = await makeWire()
  const { kms, clock } = wire.world
  const key = await wire.makeKey()
  await kms.port.createDataKey({ keyCrn: key.crn, resourceCrn: volumeCrn(), as: blockStorage })
  await wire.expect(204, 'POST', `/keys/${key.id}/actions/disable`)
  const [notice] = await kms.port.pendingNotices('server-protect', 10)
  assert.ok(notice)
  assert.deepEqual([notice.type, notice.keyState, notice.keyCrn, notice.accountId], ['disable', 2, key.crn, accountB])
  clock.advance(1500)
  const path = `/keys/${key.id}/event_acknowledge`
  const say = (fields: Record<string, unknown>) =>
    wire.send('POST', path, { as, body: enveloped('event_acknowledge', { eventId: notice.noticeId, ...fields }) })
  assert.deepEqual(refusal(await wire.send('POST', path, { body: enveloped('event_acknowledge', { eventId: 'x' }) })), [
    403,
    'SERVICE_ONLY_ERR',
  ])
  assert.deepEqual(refusal(await say({ eventId: 'unknown' })), [404, 'EVENT_NOT_FOUND_ERR'])
  assert.deepEqual(refusal(await say({ keyState: 1 })), [409, 'KEY_ACTION_INVALID_STATE_ERR'])
  const [failed] = await eventsOf(wire, 'kms.lifecycle.failed')
  assert.deepEqual([failed?.['reasonCode'], failed?.['resourceCrn']], [409, volumeCrn()])
  assert.equal((await say({ eventType: 'kms.secrets.disable', keyState: 2 })).status, 204)
  assert.equal((await say({})).status, 204, 'twice is once')
  const acknowledged = await eventsOf(wire, 'kms.lifecycle.acknowledged')
  assert.deepEqual(
    acknowledged.map((event) => [event['latencyMs'], event['noticeType'], event['serviceAccountId']]),
    [[1500, 'disable', accountB]],
  )
  assert.deepEqual(await kms.port.pendingNotices('server-protect', 10), [])
})

test('whoever has not acknowledged in four hours is named with its resources, once', async () => {
  await using wire = await makeWire()
  const { kms, clock } = wire.world
  const key = await wire.makeKey()
  for (const name of ['r006-1', 'r006-2'])
    await kms.port.createDataKey({ keyCrn: key.crn, resourceCrn: volumeCrn(name), as: blockStorage })
  await wire.expect(204, 'DELETE', `/keys/${key.id}?force=true`)
  clock.advance(waits.acknowledgeMs - 1)
  await kms.sweep()
  assert.deepEqual(await eventsOf(wire, 'kms.lifecycle.failed'), [])
  clock.advance(1)
  await kms.sweep()
  await kms.sweep()
  const failed = await eventsOf(wire, 'kms.lifecycle.failed')
  assert.deepEqual(
    failed.map((event) => [event['reasonCode'], event['noticeType'], event['resourceCrn']]),
    [
      [408, 'delete', volumeCrn('r006-1')],
      [408, 'delete', volumeCrn('r006-2')],
    ],
  )
})

test('after a rotation each data key is re-wrapped, progress is seen, and the last one is an event', async () => {
  await using wire = await makeWire()
  const { kms, clock } = wire.world
  const key = await wire.makeKey()
  const held = []
  for (let i = 0; i < 4; i++) {
    const resourceCrn = volumeCrn(`r006-${i}`)
    held.push({
      resourceCrn,
      as: blockStorage,
      ...(await kms.port.createDataKey({ keyCrn: key.crn, resourceCrn, as: blockStorage })),
    })
  }
  assert.deepEqual(await kms.port.lagging(held), [false, false, false, false])
  clock.advance(1000)
  await wire.expect(204, 'POST', `/keys/${key.id}/actions/rotate`)
  assert.deepEqual(await kms.port.lagging(held), [true, true, true, true])
  const [notice] = await kms.port.pendingNotices('server-protect', 10)
  assert.ok(notice)
  const acknowledge = () => kms.port.acknowledge({ noticeId: notice.noticeId, as: blockStorage, keyState: 1 })
  assert.equal(await acknowledge(), false)
  const report = (): Promise<Json> => wire.expect(200, 'GET', `/keyward/v1/keys/${key.id}/rotation`)
  assert.deepEqual(
    (({ remaining, progress, converged, rewraps_per_second }) => [remaining, progress, converged, rewraps_per_second])(
      await report(),
    ),
    [4, 0, false, undefined],
  )
  const [first, last, ...others] = held
  assert.ok(first && last)
  clock.advance(2000)
  const rewrapped = await rewrapOne(wire.world, first)
  assert.notEqual(rewrapped.keyVersionId, first.keyVersionId)
  assert.deepEqual(await rewrapOne(wire.world, { ...first, ...rewrapped }), rewrapped, 'what is newest stays')
  const half = await report()
  assert.deepEqual(
    [half.remaining, half.progress, half.rewraps_per_second, half.estimated_completion],
    [3, 0.25, 0.5, '2026-01-01T00:00:09Z'],
  )
  assert.deepEqual(
    half.versions.map((version: Json) => version.registrations),
    [1, 3],
  )
  await assert.rejects(rewrapOne(wire.world, { ...last, wrapped: first.wrapped }), fails('unprocessable'))
  for (const one of others) await rewrapOne(wire.world, one)
  assert.deepEqual(await eventsOf(wire, 'kms.key.rotation-converged'), [])
  await rewrapOne(wire.world, last)
  const converged = await eventsOf(wire, 'kms.key.rotation-converged')
  assert.deepEqual(
    converged.map((event) => event['keyVersionId']),
    [rewrapped.keyVersionId],
  )
  assert.equal(await acknowledge(), true)
  const byCrn = await wire.expect(200, 'GET', `/keyward/v1/keys/${encodeURIComponent(key.crn)}/rotation`, {
    headers: { 'bluemix-instance': undefined },
  })
  assert.deepEqual([byCrn.converged, byCrn.progress], [true, 1])
})

test('a restored key gets its registrations back from the services that hold its data keys', async () => {
  await using wire = await makeWire()
  const { kms, clock } = wire.world
  const key = await wire.makeKey()
  const use = { keyCrn: key.crn, resourceCrn: volumeCrn(), as: blockStorage }
  const made = await kms.port.createDataKey(use)
  await wire.expect(204, 'DELETE', `/keys/${key.id}?force=true`)
  assert.deepEqual(await kms.port.lagging([{ ...use, ...made }]), [false], 'nothing can be done about it')
  clock.advance(waits.settleMs)
  await wire.expect(201, 'POST', `/keys/${key.id}/restore`)
  assert.deepEqual(await kms.port.lagging([{ ...use, ...made }]), [true])
  assert.deepEqual(await rewrapOne(wire.world, { ...use, ...made }), made)
  assert.equal((await wire.expect(200, 'GET', `/keys/${key.id}/registrations`)).resources.length, 1)
})

// The end of keys, and every action in every state, over the wire.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { embeddedOnly } from '#store/testing/open.ts'
import type { Caller } from '#iam/port.ts'
import { allowedStates, nextState, stateNumbers } from './key-state.ts'
import type { KeyState } from './key-state.ts'
import { enveloped, keyBody, makeWire, refusal } from './testing/wire.ts'
import type { Json } from './testing/wire.ts'
import type { Answer, Wire } from './testing/wire.ts'
import { accountA, accountB, blockStorage, caller, managerActions, volumeCrn } from './testing/world.ts'
import type { World } from './testing/world.ts'
import { waits } from './waits.ts'

const purger = (world: World) => {
  const who = caller('purger', accountA)
  world.iam.permit(who, accountA, ['kms.secrets.purge'])
  return who.iamId
}

/** How each state is come by; a key that is not active has been so for long enough for every wait. */
const reach: Record<Exclude<KeyState, 'pre-active'>, (wire: Wire, id: string) => Promise<unknown>> = {
  active: async () => {},
  suspended: (wire, id) => wire.expect(204, 'POST', `/keys/${id}/actions/disable`),
  deactivated: async () => {},
  destroyed: (wire, id) => wire.expect(204, 'DELETE', `/keys/${id}`),
}

const actions: Record<string, (wire: Wire, id: string, ciphertext: string) => Promise<Answer>> = {
  wrap: (wire, id) => wire.send('POST', `/keys/${id}/actions/wrap`),
  unwrap: (wire, id, ciphertext) => wire.send('POST', `/keys/${id}/actions/unwrap`, { body: { ciphertext } }),
  rewrap: (wire, id, ciphertext) => wire.send('POST', `/keys/${id}/actions/rewrap`, { body: { ciphertext } }),
  rotate: (wire, id) => wire.send('POST', `/keys/${id}/actions/rotate`),
  disable: (wire, id) => wire.send('POST', `/keys/${id}/actions/disable`),
  enable: (wire, id) => wire.send('POST', `/keys/${id}/actions/enable`),
  delete: (wire, id) => wire.send('DELETE', `/keys/${id}`),
  restore: (wire, id) => wire.send('POST', `/keys/${id}/restore`),
  purge: (wire, id) => wire.send('DELETE', `/keys/${id}/purge`, { as: purger(wire.world) }),
  sync: (wire, id) => wire.send('POST', `/keys/${id}/actions/sync`),
  change: (wire, id) => wire.send('PATCH', `/keys/${id}`, { body: { keyRingID: 'default' } }),
  listVersions: (wire, id) => wire.send('GET', `/keys/${id}/versions`),
}

test('every action in every state does what the table says, and leads where the table says', async () => {
  await using wire = await makeWire()
  for (const state of ['active', 'suspended', 'deactivated', 'destroyed'] as const) {
    for (const [action, act] of Object.entries(actions)) {
      const now = wire.world.clock.now()
      const expiring = state === 'deactivated' ? { expirationDate: new Date(now + 1000).toISOString() } : {}
      const { id } = await wire.makeKey(expiring)
      const { ciphertext } = await wire.expect(200, 'POST', `/keys/${id}/actions/wrap`)
      await reach[state](wire, id)
      wire.world.clock.advance(waits.purgeMs)
      const answer = await act(wire, id, ciphertext)
      const states: readonly KeyState[] = allowedStates[action as keyof typeof allowedStates]
      const isAllowed = states.includes(state)
      const expected = state === 'destroyed' ? [410, 'KEY_DELETED_ERR'] : [409, 'KEY_ACTION_INVALID_STATE_ERR']
      const what = `${action} while ${state}: ${JSON.stringify(answer.body)}`
      if (isAllowed) assert.ok(answer.status < 300, what)
      else assert.deepEqual(refusal(answer), expected, what)
      if (action === 'purge' && isAllowed) {
        assert.deepEqual(refusal(await wire.send('GET', `/keys/${id}`)), [404, 'KEY_NOT_FOUND_ERR'])
        continue
      }
      const next = isAllowed && Object.hasOwn(nextState, action) ? nextState[action as keyof typeof nextState] : state
      assert.equal((await wire.expect(200, 'GET', `/keys/${id}`)).resources[0].state, stateNumbers[next], what)
    }
  }
})

test('each wait ends in its very millisecond and not before', async () => {
  await using wire = await makeWire()
  const { clock, kms } = wire.world
  const as = purger(wire.world)
  const { id } = await wire.makeKey()
  const early = [409, 'REQ_TOO_EARLY_ERR'] as const
  const after = async (ms: number, code: readonly unknown[], ask: () => Promise<Answer>): Promise<Answer> => {
    clock.advance(ms - 1)
    assert.deepEqual(refusal(await ask()), code)
    clock.advance(1)
    const answer = await ask()
    assert.ok(answer.status < 300, JSON.stringify(answer.body))
    return answer
  }
  const act = (action: string) => () => wire.send('POST', `/keys/${id}/actions/${action}`)
  await after(waits.syncMs, early, act('sync'))
  await after(waits.syncMs, early, act('sync'))
  await wire.expect(204, 'POST', `/keys/${id}/actions/rotate`)
  await after(waits.rotateMs, [409, 'KEY_ROTATION_NOT_PERMITTED'], act('rotate'))
  await wire.expect(204, 'POST', `/keys/${id}/actions/disable`)
  await after(waits.settleMs, early, act('enable'))
  await wire.expect(204, 'DELETE', `/keys/${id}`)
  const restored = await after(waits.settleMs, early, () => wire.send('POST', `/keys/${id}/restore`, { body: '' }))
  assert.deepEqual([restored.status, restored.body.resources[0].state], [201, 1])
  await wire.expect(204, 'DELETE', `/keys/${id}`)
  assert.equal((await wire.send('DELETE', `/keys/${id}/purge`)).status, 401, 'not even a Manager purges')
  await after(waits.purgeMs, early, () => wire.send('DELETE', `/keys/${id}/purge`, { as }))

  const other = (await wire.makeKey()).id
  await wire.expect(204, 'DELETE', `/keys/${other}`)
  clock.advance(waits.restoreMs)
  await wire.expect(201, 'POST', `/keys/${other}/restore`)
  await wire.expect(204, 'DELETE', `/keys/${other}`)
  clock.advance(waits.restoreMs + 1)
  assert.deepEqual(refusal(await wire.send('POST', `/keys/${other}/restore`)), [400, 'KEY_RESTORE_EXPIRED'])
  clock.advance(waits.keepDeletedMs - waits.restoreMs - 2)
  await kms.sweep()
  await wire.expect(200, 'GET', `/keys/${other}`)
  clock.advance(1)
  await kms.sweep()
  assert.deepEqual(refusal(await wire.send('GET', `/keys/${other}`)), [404, 'KEY_NOT_FOUND_ERR'])
})

test('a deleted key says until when it can be restored and from when it is purged', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey({ aliases: ['kept'] })
  const headers = { prefer: 'return=representation' }
  const deleted = (await wire.expect(200, 'DELETE', `/keys/${id}`, { headers })).resources[0]
  const { restoreExpirationDate, restoreAllowed, purgeAllowed, purgeAllowedFrom, purgeScheduledOn } = deleted
  assert.deepEqual(
    { restoreExpirationDate, restoreAllowed, purgeAllowed, purgeAllowedFrom, purgeScheduledOn },
    {
      restoreExpirationDate: '2026-01-31T00:00:00Z',
      restoreAllowed: true,
      purgeAllowed: false,
      purgeAllowedFrom: '2026-01-01T04:00:00Z',
      purgeScheduledOn: '2026-04-01T00:00:00Z',
    },
  )
  wire.world.clock.advance(waits.restoreMs + 1)
  const later = (await wire.expect(200, 'GET', '/keys/kept')).resources[0]
  assert.deepEqual([later.restoreAllowed, later.purgeAllowed], [false, true])
  const purged = await wire.expect(200, 'DELETE', `/keys/${id}/purge`, { as: purger(wire.world), headers })
  assert.equal(purged.resources[0].id, id)
})

test('the deletion of a standard key shows its material once more, and a restored key has everything that it had', async () => {
  await using wire = await makeWire()
  const headers = { prefer: 'return=representation' }
  const payload = Buffer.from('a secret').toString('base64')
  const { id } = await wire.makeKey({ extractable: true, payload, aliases: ['mine'], tags: ['t'] })
  assert.equal((await wire.expect(200, 'DELETE', `/keys/${id}`, { headers })).resources[0].payload, payload)
  assert.equal((await wire.expect(200, 'GET', `/keys/${id}`)).resources[0].payload, undefined)
  wire.world.clock.advance(waits.settleMs)
  await wire.expect(201, 'POST', '/keys/mine/restore', { body: { payload: 'what old clients send' } })
  const again = (await wire.expect(200, 'GET', '/keys/mine')).resources[0]
  assert.deepEqual([again.payload, again.state, again.deleted, again.tags], [payload, 1, false, ['t']])
})

test('a key that expires while it is deleted is not restored', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey({ expirationDate: '2026-01-02T00:00:00Z' })
  await wire.expect(204, 'DELETE', `/keys/${id}`)
  wire.world.clock.advance(24 * 3_600_000)
  assert.deepEqual(refusal(await wire.send('POST', `/keys/${id}/restore`)), [400, 'KEY_EXPIRED_ERR'])
})

test('a purge leaves no row of the key, its material least of all', async () => {
  await using wire = await makeWire()
  const { world } = wire
  const key = await wire.makeKey({ aliases: ['gone'] })
  await world.kms.port.createDataKey({ keyCrn: key.crn, resourceCrn: volumeCrn(), as: blockStorage })
  await wire.expect(204, 'POST', `/keys/${key.id}/actions/rotate`)
  await wire.expect(204, 'DELETE', `/keys/${key.id}?force=true`)
  world.clock.advance(waits.purgeMs)
  await wire.expect(204, 'DELETE', `/keys/${key.id}/purge`, { as: purger(world) })
  const tables = [
    'kms_key',
    'kms_key_version',
    'kms_registration',
    'kms_alias',
    'kms_notice',
    'kms_notice_service',
  ] as const
  for (const table of tables) {
    assert.deepEqual(await world.database.reads.selectFrom(table).selectAll().execute(), [], table)
  }
  const [event, told] = (await world.events()).slice(-2)
  assert.deepEqual([event?.['type'], event?.['purgeAllowedFrom']], ['kms.key.purged', world.clock.now()])
  assert.deepEqual(
    [told?.['type'], told?.['accountId'], told?.['dataKeyCount']],
    ['kms.data-keys.destroyed', accountB, 1],
  )
})

test(
  'the sealed material of a purged key is in no file of the database, also where others read it meanwhile',
  embeddedOnly,
  async () => {
    await using wire = await makeWire()
    const { world } = wire
    const kept = await wire.makeKey()
    const sealedOf = async (keyId: string) => {
      const query = world.database.reads
        .selectFrom('kms_key_version')
        .select('sealed_material')
        .where('key_id', '=', keyId)
      return (await query.execute()).map((row) => Buffer.from(row.sealed_material))
    }
    const doomed: Buffer[] = []
    const keys: Json[] = []
    // Enough for pages to be split, freed and used again.
    for (let i = 0; i < 40; i++) keys.push(await wire.makeKey({ name: `doomed ${i}` }))
    for (const { id } of keys) {
      await wire.expect(204, 'POST', `/keys/${id}/actions/rotate`)
      doomed.push(...(await sealedOf(id)))
      await wire.expect(204, 'DELETE', `/keys/${id}`)
    }
    assert.equal(doomed.length, 80)
    world.clock.advance(waits.purgeMs)
    const as = purger(world)
    const [last, ...others] = keys
    for (const { id } of others) await wire.expect(204, 'DELETE', `/keys/${id}/purge`, { as })
    // A copy in the making holds the log: the purge answers, and the next sweep completes it.
    await world.withReader(async () => {
      await wire.expect(204, 'DELETE', `/keys/${last.id}/purge`, { as })
    })
    await world.kms.sweep()
    const bytes = await world.bytes()
    assert.deepEqual(
      doomed.map((sealed) => bytes.indexOf(sealed)).filter((at) => at !== -1),
      [],
    )
    const [sealed] = await sealedOf(kept.id)
    assert.ok(sealed && bytes.includes(sealed), 'what is kept is found, so the search is one')
  },
)

test('dual authorization takes two people within seven days, and any other way is refused', async () => {
  await using wire = await makeWire()
  const { iam, clock } = wire.world
  const second = caller('second', accountA)
  iam.permit(second, accountA, managerActions)
  const as = second.iamId
  const body = keyBody({ dualAuthDelete: { enabled: true } })
  const { id } = (await wire.expect(201, 'POST', '/keys_with_policy_overrides', { body })).resources[0]
  const remove = (who?: string) => wire.send('DELETE', `/keys/${id}`, who ? { as: who } : {})
  const set = (who?: string) =>
    wire.expect(204, 'POST', `/keys/${id}/actions/setKeyForDeletion`, who ? { as: who } : {})
  const unmet = [409, 'AUTHORIZATIONS_NOT_MET']
  assert.deepEqual(refusal(await remove()), unmet)
  await set()
  assert.deepEqual(refusal(await remove()), unmet, 'the same person twice')
  const { dualAuthDelete } = (await wire.expect(200, 'GET', `/keys/${id}`)).resources[0]
  assert.deepEqual(dualAuthDelete, { enabled: true, keySetForDeletion: true, authExpiration: '2026-01-08T00:00:00Z' })
  await wire.expect(204, 'POST', `/keys/${id}/actions/unsetKeyForDeletion`)
  assert.deepEqual(refusal(await remove(as)), unmet)
  await set()
  clock.advance(waits.authorizationMs)
  assert.deepEqual(refusal(await remove(as)), unmet, 'seven days are over')
  assert.equal((await wire.expect(200, 'GET', `/keys/${id}`)).resources[0].dualAuthDelete.keySetForDeletion, false)
  await set(as)
  assert.deepEqual(refusal(await remove(as)), unmet)
  assert.equal((await remove()).status, 204)
  clock.advance(waits.settleMs)
  await wire.expect(201, 'POST', `/keys/${id}/restore`)
  assert.deepEqual(refusal(await remove(as)), unmet, 'the first word went with the deletion')
  await set()
  assert.equal((await remove(as)).status, 204)
  clock.advance(waits.purgeMs)
  await wire.expect(204, 'DELETE', `/keys/${id}/purge`, { as: purger(wire.world) })
  const destroyed = await wire.world.kms.ledgerPort.destroyedKey(accountA, id)
  const persons = JSON.parse(destroyed?.persons ?? '')
  assert.deepEqual(
    [persons.deleted_by, persons.approved_by, persons.purged_by],
    [as, 'IBMid-owner', purger(wire.world)],
    'the certificate of its end names all three',
  )
  const plain = await wire.makeKey()
  const refused = await wire.send('POST', `/keys/${plain.id}/actions/setKeyForDeletion`)
  assert.deepEqual(refusal(refused), [409, 'NOT_DUAL_AUTH_ERR'])
})

test('dual authorization is not met by one person who comes back as a trusted profile, whichever comes first', async () => {
  await using wire = await makeWire()
  const { iam } = wire.world
  const profileOf = (name: string, personId: string): Caller => ({
    iamId: `iam-Profile-${name}`,
    accountId: accountA,
    kind: 'profile',
    name,
    personId,
  })
  const own = profileOf('own', 'IBMid-owner')
  const theirs = profileOf('theirs', 'IBMid-second')
  for (const who of [own, theirs]) iam.permit(who, accountA, managerActions)
  for (const [first, again] of [
    ['IBMid-owner', own.iamId],
    [own.iamId, 'IBMid-owner'],
  ] as const) {
    const body = keyBody({ dualAuthDelete: { enabled: true } })
    const { id } = (await wire.expect(201, 'POST', '/keys_with_policy_overrides', { body })).resources[0]
    await wire.expect(204, 'POST', `/keys/${id}/actions/setKeyForDeletion`, { as: first })
    const unmet = [409, 'AUTHORIZATIONS_NOT_MET']
    assert.deepEqual(refusal(await wire.send('DELETE', `/keys/${id}`, { as: again })), unmet)
    await wire.expect(204, 'DELETE', `/keys/${id}`, { as: theirs.iamId })
  }
})

test('a resource under retention keeps its key, force or no force', async () => {
  await using wire = await makeWire()
  const key = await wire.makeKey()
  const as = 'crn-crn:v1:bluemix:public:server-protect::a/' + 'b'.repeat(32) + ':::'
  const path = `/keys/${key.id}/registrations/${encodeURIComponent(volumeCrn())}`
  const body = enveloped('registration_input', { preventKeyDeletion: true })
  await wire.expect(201, 'POST', path, { as, body })
  for (const query of ['', '?force=true']) {
    assert.deepEqual(refusal(await wire.send('DELETE', `/keys/${key.id}${query}`)), [409, 'PREV_KEY_DEL_ERR'])
  }
  await wire.expect(200, 'PATCH', path, { as, body: enveloped('registration_input', { preventKeyDeletion: false }) })
  assert.deepEqual(refusal(await wire.send('DELETE', `/keys/${key.id}`)), [409, 'PROTECTED_RESOURCE_ERR'])
  assert.equal((await wire.send('DELETE', `/keys/${key.id}?force=true`, { as })).status, 403)
  await wire.expect(204, 'DELETE', `/keys/${key.id}?force=true`)
})

// What the records of the audit trail say beside who did what: Key Protect, "Activity tracking events".

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selectAudit } from '#events/tables-audit.ts'
import { accountA, accountB, blockStorage, caller, volumeCrn } from './testing/world.ts'
import { blockStorageCaller, enveloped, makeWire } from './testing/wire.ts'
import type { Json, Wire } from './testing/wire.ts'
import { waits } from './waits.ts'

const dayMs = 24 * 3_600_000

async function records(wire: Wire, action: string, accountId = accountA): Promise<Json[]> {
  await wire.world.audit.flush()
  const page = { order: 'asc', after: null, limit: 1000 } as const
  return (await selectAudit(wire.world.database.reads, accountId, { action }, page)).map(({ body }) => body)
}

const last = async (wire: Wire, action: string, accountId?: string): Promise<Json> =>
  (await records(wire, action, accountId)).at(-1)

test('records of using a key say when it expires, and name it by its id where an alias was asked for', async () => {
  await using wire = await makeWire()
  const expirationDate = new Date(wire.world.clock.now() + 10.5 * dayMs).toISOString().replace('.000', '')
  const key = await wire.makeKey({ expirationDate, aliases: ['spare'] })
  const made = await last(wire, 'kms.secrets.create')
  assert.equal(made.requestData.keyType, 'root_key')
  const { keyState, keyVersionCreationDate } = made.responseData
  assert.deepEqual(
    [keyState, keyVersionCreationDate, made.responseData.expirationDate],
    [1, key.creationDate, expirationDate],
  )
  const { ciphertext } = await wire.expect(200, 'POST', '/keys/spare/actions/wrap', { body: {} })
  await wire.expect(200, 'POST', `/keys/${key.id}/actions/unwrap`, { body: { ciphertext } })
  for (const action of ['kms.secrets.wrap', 'kms.secrets.unwrap']) {
    const { target, responseData } = await last(wire, action)
    assert.deepEqual(
      [target.id, responseData.expirationDate, responseData.daysToKeyExpire],
      [key.crn, expirationDate, 10],
    )
  }
  await wire.expect(200, 'HEAD', '/keys')
  assert.equal((await last(wire, 'kms.secrets.head')).responseData.totalResources, 1)
  wire.world.clock.advance(11 * dayMs)
  await wire.world.kms.sweep()
  assert.deepEqual((await last(wire, 'kms.secrets.expire')).requestData, { keyType: 'root_key', expirationDate })
})

test('what a refused stranger reads in its own trail tells nothing of the key', async () => {
  await using wire = await makeWire()
  wire.world.iam.know(caller('stranger', accountB))
  const key = await wire.makeKey({ aliases: ['spare'], expirationDate: '2027-01-01T00:00:00Z' })
  await wire.expect(401, 'POST', '/keys/spare/actions/wrap', { body: {}, as: 'IBMid-stranger' })
  const own = JSON.stringify(await last(wire, 'kms.secrets.wrap', accountB))
  for (const secret of [key.id, accountA, '2027-01-01']) assert.equal(own.includes(secret), false, secret)
})

test('moves, purges and words for a deletion say what was and what is', async () => {
  await using wire = await makeWire()
  wire.world.iam.permit(caller('owner', accountA), accountA, ['kms.secrets.purge'])
  const key = await wire.makeKey()
  await wire.expect(201, 'POST', '/key_rings/gold')
  await wire.expect(200, 'PATCH', `/keys/${key.id}`, { body: { keyRingID: 'gold' } })
  const moved = await last(wire, 'kms.secrets.patch')
  assert.deepEqual(
    [moved.requestData.initialValue, moved.requestData.newValue],
    [{ keyRingId: 'default' }, { keyRingId: 'gold' }],
  )
  const dual = enveloped('policy', { type: 'application/vnd.ibm.kms.policy+json', dualAuthDelete: { enabled: true } })
  await wire.expect(200, 'PUT', `/keys/${key.id}/policies`, { body: dual })
  await wire.expect(204, 'POST', `/keys/${key.id}/actions/setKeyForDeletion`)
  const { newValue } = (await last(wire, 'kms.secrets.setkeyfordeletion')).responseData
  assert.equal(newValue.authID, 'IBMid-owner')
  const spare = await wire.makeKey()
  await wire.expect(204, 'DELETE', `/keys/${spare.id}`)
  wire.world.clock.advance(waits.settleMs)
  await wire.expect(201, 'POST', `/keys/${spare.id}/restore`)
  assert.equal((await last(wire, 'kms.secrets.restore')).responseData.keyVersionId, spare.keyVersion.id)
  const deletedAt = wire.world.clock.now()
  await wire.expect(204, 'DELETE', `/keys/${spare.id}`)
  wire.world.clock.advance(waits.purgeMs)
  await wire.expect(204, 'DELETE', `/keys/${spare.id}/purge`)
  const purged = (await last(wire, 'kms.secrets.purge')).responseData
  const at = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`
  assert.deepEqual(
    [purged.deletionDate, purged.purgeAllowedFrom, purged.purgeEligibleOn],
    [at(deletedAt), at(deletedAt + waits.purgeMs), at(deletedAt + waits.keepDeletedMs)],
  )
})

test('an acknowledged disable deactivates registrations, on record in both accounts, however it was said', async () => {
  await using wire = await makeWire()
  const { port } = wire.world.kms
  const key = await wire.makeKey()
  await port.createDataKey({ keyCrn: key.crn, resourceCrn: volumeCrn(), as: blockStorage })
  const said = [
    ({ noticeId, keyState }: Json) => port.acknowledge({ noticeId, as: blockStorage, keyState }),
    ({ noticeId, keyState }: Json) =>
      wire.expect(204, 'POST', `/keys/${key.id}/event_acknowledge`, {
        body: enveloped('event_acknowledge', { eventId: noticeId, keyState }),
        as: blockStorageCaller.iamId,
      }),
  ]
  for (const [i, acknowledge] of said.entries()) {
    await wire.expect(204, 'POST', `/keys/${key.id}/actions/disable`)
    const notices = await port.pendingNotices('server-protect', 10)
    await acknowledge(notices.find(({ type }) => type === 'disable'))
    for (const accountId of [accountA, accountB]) {
      const deactivated = await records(wire, 'kms.registrations.deactivate', accountId)
      assert.equal(deactivated.length, i + 1)
      const { initiator, target, responseData } = deactivated[i]
      assert.deepEqual(
        [initiator.id, target.id, responseData.resourceCRNs, responseData.totalResources],
        [blockStorageCaller.iamId, key.crn, [volumeCrn()], 1],
      )
      assert.equal((await records(wire, 'kms.secrets-event.ack', accountId)).length, i + 1)
    }
    wire.world.clock.advance(waits.settleMs)
    await wire.expect(204, 'POST', `/keys/${key.id}/actions/enable`)
  }
})

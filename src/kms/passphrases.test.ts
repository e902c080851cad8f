// Passphrases of files: a text of chance that whoever may use the key unwraps, and a disk process on a lease; and no way to a
// data key.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeRecipient } from '#crypto/hpke.ts'
import { openLeasedKey } from '#crypto/leased-key.ts'
import { blockStorage, fails, makeTestHolder, makeWorld, volumeCrn } from './testing/world.ts'

test('a passphrase is a text, opens on a lease as one and as nothing else, and is not made for strangers', async () => {
  await using world = await makeWorld()
  const { port, holders } = world.kms
  const holder = makeTestHolder(world.clock)
  holders.registerHolder(holder)
  const { crn: keyCrn } = await world.rootKey()
  const of = { keyCrn, resourceCrn: volumeCrn(), as: blockStorage }
  await assert.rejects(port.createPassphrase(of), fails('not_found', 'registration_not_found'))
  const dataKey = await port.createDataKey(of)
  const { wrapped, keyVersionId } = await port.createPassphrase(of)
  assert.equal(keyVersionId, dataKey.keyVersionId)

  const recipient = makeRecipient()
  const request = { ...of, wrapped, recipientKey: recipient.publicKey }
  const { leaseId, sealedDataKey } = await port.leaseDataKey('disk-1', { ...request, isPassphrase: true })
  holder.held.set(leaseId, of.resourceCrn)
  using passphrase = openLeasedKey(sealedDataKey, recipient, {
    holderId: 'disk-1',
    leaseId,
    resourceCrn: of.resourceCrn,
  })
  assert.match(
    passphrase.use((bytes) => Buffer.from(bytes).toString()),
    /^[0-9a-f]{64}$/,
  )
  const isRefused = fails('unprocessable', 'UNPROCESSABLE_CIPHERTEXT_ERR')
  await assert.rejects(port.leaseDataKey('disk-1', request), isRefused)
  const swapped = { ...request, wrapped: dataKey.wrapped, isPassphrase: true }
  await assert.rejects(port.leaseDataKey('disk-1', swapped), isRefused)
  const foreign = { ...request, isPassphrase: true, resourceCrn: volumeCrn('r006-2') }
  await assert.rejects(port.leaseDataKey('disk-1', foreign), fails('not_found', 'registration_not_found'))
  await assert.rejects(port.createPassphrase({ ...of, as: { ...blockStorage, serviceName: 'is' } }), fails('forbidden'))
})

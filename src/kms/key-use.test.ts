import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { versionOf } from '#crypto/wrapped-key.ts'
import { waits } from './waits.ts'
import { brought, fails, makeWorld, newRootKey } from './testing/world.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

test('wrap() and unwrap() give back what was wrapped, with and without associated data', async () => {
  await using world = await makeWorld()
  const { use } = world.kms
  const { id } = await world.rootKey()
  for (const aad of [[], ['crn of a volume'], ['a', 'b']]) {
    const plaintext = text(randomBytes(35))
    const wrapped = await use.wrap(world.asOwner, id, { plaintext, aad })
    assert.equal(wrapped.plaintext, null)
    const opened = await use.unwrap(world.asOwner, id, { ciphertext: wrapped.ciphertext, aad })
    assert.deepEqual(opened, { plaintext, versionId: id, rewrapped: null })
  }
})

test('wrap() makes 32 random bytes where it is given none', async () => {
  await using world = await makeWorld()
  const { use } = world.kms
  const { id } = await world.rootKey()
  const [one, other] = [
    await use.wrap(world.asOwner, id, { plaintext: null, aad: [] }),
    await use.wrap(world.asOwner, id, { plaintext: null, aad: [] }),
  ]
  assert.equal(Buffer.from(one.plaintext ?? '', 'base64').length, 32)
  assert.notEqual(one.plaintext, other.plaintext)
  const opened = await use.unwrap(world.asOwner, id, { ciphertext: one.ciphertext, aad: [] })
  assert.equal(opened.plaintext, one.plaintext)
})

test('unwrap() refuses other associated data, another key and changed bytes with one sentence', async () => {
  await using world = await makeWorld()
  const { use } = world.kms
  const payload = text(randomBytes(32))
  const { id } = await world.rootKey({ imported: brought(payload) })
  const twin = await world.rootKey({ imported: brought(payload) })
  const { ciphertext } = await use.wrap(world.asOwner, id, { plaintext: null, aad: ['volume 1'] })
  const changed = Buffer.from(ciphertext, 'base64')
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
  const messages = new Set<string>()
  for (const [key, wrapped, aad] of [
    [id, ciphertext, ['volume 2']],
    [id, ciphertext, []],
    [twin.id, ciphertext, ['volume 1']],
    [id, text(changed), ['volume 1']],
    [id, text(randomBytes(100)), ['volume 1']],
    [id, text(randomBytes(1)), ['volume 1']],
  ] as const) {
    await assert.rejects(use.unwrap(world.asOwner, key, { ciphertext: wrapped, aad }), (error: Error) => {
      messages.add(error.message)
      return fails('unprocessable', 'UNPROCESSABLE_CIPHERTEXT_ERR')(error)
    })
  }
  assert.equal(messages.size, 1)
})

test('what is not base64, or too long, is the wrong field', async () => {
  await using world = await makeWorld()
  const { use } = world.kms
  const { id } = await world.rootKey()
  for (const wrong of ['', 'a', 'YQ', 'YR==', ' YQ==', 'YQ==\n', 'Y-_=', 'not base64!']) {
    const wrapping = { plaintext: wrong, aad: [] }
    await assert.rejects(use.wrap(world.asOwner, id, wrapping), fails('invalid', 'INVALID_FIELD_ERR'))
    const opening = { ciphertext: wrong, aad: [] }
    await assert.rejects(use.unwrap(world.asOwner, id, opening), fails('invalid', 'INVALID_FIELD_ERR'))
  }
  const longest = await use.wrap(world.asOwner, id, { plaintext: text(randomBytes(7500)), aad: [] })
  assert.equal((await use.unwrap(world.asOwner, id, { ...longest, aad: [] })).plaintext.length, 10000)
  const longer = { plaintext: text(randomBytes(7501)), aad: [] }
  await assert.rejects(use.wrap(world.asOwner, id, longer), fails('invalid', 'INVALID_FIELD_ERR'))
})

test('an old version opens what it wrapped, and the answer carries it under the newest', async () => {
  await using world = await makeWorld()
  const { use, keys, lifecycle } = world.kms
  const { id } = await world.rootKey()
  const aad = ['x']
  const { ciphertext, plaintext } = await use.wrap(world.asOwner, id, { plaintext: null, aad })
  await lifecycle.rotate(world.asOwner, id, null)
  world.clock.advance(waits.rotateMs)
  await lifecycle.rotate(world.asOwner, id, null)
  const { items, totalCount } = await keys.versions(world.asOwner, id, {
    page: { limit: 10, offset: 0 },
    counting: true,
    allKeyStates: false,
  })
  assert.equal(totalCount, 3)
  const newest = items[0]?.id ?? ''
  assert.deepEqual([items.at(-1)?.id, new Set(items.map((item) => item.id)).size], [id, 3])
  const opened = await use.unwrap(world.asOwner, id, { ciphertext, aad })
  assert.deepEqual([opened.plaintext, opened.versionId, opened.rewrapped?.versionId], [plaintext, id, newest])
  const again = await use.unwrap(world.asOwner, id, { ciphertext: opened.rewrapped?.ciphertext ?? '', aad })
  assert.deepEqual(again, { plaintext, versionId: newest, rewrapped: null })
  const rewrapped = await use.rewrap(world.asOwner, id, { ciphertext, aad })
  assert.deepEqual([rewrapped.openedById, rewrapped.versionId], [id, newest])
  assert.equal(versionOf(Buffer.from(rewrapped.ciphertext, 'base64')), newest)
  assert.equal((await use.unwrap(world.asOwner, id, { ciphertext: rewrapped.ciphertext, aad })).plaintext, plaintext)
})

test('an expired key opens and does not wrap, from the millisecond of its expiry, before any sweep', async () => {
  await using world = await makeWorld()
  const { use } = world.kms
  const { id } = await world.rootKey({ expiresAt: world.clock.now() + 1000 })
  const { ciphertext, plaintext } = await use.wrap(world.asOwner, id, { plaintext: null, aad: [] })
  world.clock.advance(999)
  await use.wrap(world.asOwner, id, { plaintext: null, aad: [] })
  world.clock.advance(1)
  const wrapping = { plaintext: null, aad: [] }
  await assert.rejects(use.wrap(world.asOwner, id, wrapping), fails('conflict', 'KEY_ACTION_INVALID_STATE_ERR'))
  assert.equal((await use.unwrap(world.asOwner, id, { ciphertext, aad: [] })).plaintext, plaintext)
})

test('a standard key wraps nothing', async () => {
  await using world = await makeWorld()
  const { use, keys, lifecycle } = world.kms
  const { key } = await keys.create(world.asOwner, { ...newRootKey, extractable: true })
  const refused = fails('invalid', 'KEY_ROOT_REQ_ERR')
  await assert.rejects(use.wrap(world.asOwner, key.id, { plaintext: null, aad: [] }), refused)
  await assert.rejects(use.unwrap(world.asOwner, key.id, { ciphertext: 'YQ==', aad: [] }), refused)
  await assert.rejects(lifecycle.rotate(world.asOwner, key.id, null), refused)
  await assert.rejects(lifecycle.disable(world.asOwner, key.id), refused)
})

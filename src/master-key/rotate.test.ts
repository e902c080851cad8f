import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { resealedPerTransaction } from '#base/limits.ts'
import { sealedUnder } from '#crypto/sealed-record.ts'
import { deleteMeta, readMeta } from '#store/meta.ts'
import { keyFile, keyFromText } from './key-file.ts'
import { beginRotation, readRecords } from './records.ts'
import { addSecrets, countOpened, failingDatabase, makeWorld, random, secretName } from './testing/world.ts'
import type { World } from './testing/world.ts'

const refused = (pattern: RegExp) => (error: unknown) => error instanceof Error && pattern.test(error.message)
const secretCount = 2 * resealedPerTransaction + 10

async function beginFresh(world: World, present = keyFile(world.keyPath, random)): Promise<void> {
  const next = await present.fresh()
  assert.ok(next)
  await world.database.transaction((tx) => beginRotation(tx, next.record))
}

test('a rotation seals every record again, and the old key opens nothing afterwards', async () => {
  await using world = await makeWorld()
  const file = keyFile(world.keyPath, random)
  const held = await world.hold(file)
  await addSecrets(world.database, held.ring, 0, secretCount)
  const before = held.ring.current
  const oldKey = await file.find(before.record)
  await beginFresh(world)
  await world.rotate(await world.hold(file), file)

  const { current, next } = await readRecords(world.database)
  assert.ok(current && next === null && current.id !== before.record.id)
  const sealed = await readMeta(world.database, secretName(3))
  assert.ok(sealed && sealedUnder(sealed) === current.id)
  assert.throws(() => oldKey?.open(secretName(3), sealed), refused(/does not open/))
  // A plain start finds the new key under the old name; the old one is put aside.
  const after = await world.hold(keyFile(world.keyPath, random))
  assert.equal(await countOpened(world.database, after.ring), secretCount)
  assert.deepEqual(
    readdirSync(world.folder)
      .filter((name) => name.startsWith('master.key'))
      .sort(),
    ['master.key', `master.key.old-${before.record.id.slice(0, 8)}`],
  )
})

test('what is sealed while a rotation runs is sealed under the new key, and both open', async () => {
  await using world = await makeWorld()
  const file = keyFile(world.keyPath, random)
  await addSecrets(world.database, (await world.hold(file)).ring, 0, 5)
  await beginFresh(world)
  const { ring } = await world.hold(file)
  await addSecrets(world.database, ring, 5, 5)
  assert.equal(await countOpened(world.database, ring), 10)
  const [old, fresh] = [await readMeta(world.database, secretName(0)), await readMeta(world.database, secretName(9))]
  assert.ok(old && fresh)
  assert.notEqual(sealedUnder(old), sealedUnder(fresh))
  assert.equal(sealedUnder(fresh), ring.current.record.id)
})

// The transactions of the rotation below: three pages, a second look without any, the end.
for (const when of ['before', 'after'] as const) {
  for (const failing of [1, 2, 3, 4]) {
    test(`a rotation that is killed ${when} its transaction ${failing} goes on at the next start`, async () => {
      await using world = await makeWorld()
      const file = keyFile(world.keyPath, random)
      const first = await world.hold(file)
      await addSecrets(world.database, first.ring, 0, secretCount)
      await beginFresh(world)
      const killed = await world.hold(file)
      const faulty = failingDatabase(world.database, failing, when)
      await assert.rejects(world.rotate(killed, file, faulty), /killed/)

      const again = await world.hold(keyFile(world.keyPath, random))
      assert.equal(await countOpened(world.database, again.ring), secretCount)
      const isOver = when === 'after' && failing === 4
      assert.equal(again.isRotating, !isOver)
      if (!isOver) await world.rotate(again, file)
      const { ring, isRotating } = await world.hold(keyFile(world.keyPath, random))
      assert.ok(!isRotating)
      assert.equal(await countOpened(world.database, ring), secretCount)
      assert.ok(!existsSync(`${world.keyPath}.next`))
    })
  }
}

test('while a rotation runs both keys are needed, and a start with one of them says which is missing', async () => {
  await using world = await makeWorld()
  const [oldText, newText] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64')) as [string, string]
  const source = (text: string) => keyFromText(text, 'KEYWARD_MASTER_KEY', random)
  await addSecrets(world.database, (await world.hold(source(oldText))).ring, 0, 5)
  await assert.rejects(world.hold(source(newText)), refused(/not the one that this data folder was sealed under/))

  const held = await world.hold(source(newText), source(oldText))
  assert.ok(held.isRotating)
  await assert.rejects(world.hold(source(newText)), refused(/the old one \([0-9a-f]{32}\) is not here/))
  await assert.rejects(world.hold(source(oldText)), refused(/the new one \([0-9a-f]{32}\) is not here/))
  await world.rotate(await world.hold(source(newText), source(oldText)), source(newText))
  const { ring } = await world.hold(source(newText))
  assert.equal(await countOpened(world.database, ring), 5)
  // An old source that is still named does no harm.
  assert.ok(!(await world.hold(source(newText), source(oldText))).isRotating)
})

test('lost keys are refused, and never replaced by new ones', async () => {
  await using world = await makeWorld()
  const file = keyFile(world.keyPath, random)
  await addSecrets(world.database, (await world.hold(file)).ring, 0, 1)
  rmSync(world.keyPath)
  await assert.rejects(world.hold(file), refused(/is missing, and this data folder was sealed under it/))
  await world.database.transaction((tx) => deleteMeta(tx, 'master-key'))
  await assert.rejects(world.hold(file), refused(/holds sealed records, but not the record of its master key/))
  assert.ok(!existsSync(world.keyPath))
})

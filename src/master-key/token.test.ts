// Against SoftHSM2: what a token seals, what it refuses, and moving into it and out of it.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { keyFile } from './key-file.ts'
import type { MasterKey } from './master-key.ts'
import { formatRecord, parseRecord } from './records.ts'
import { makeToken, softHsmMissing } from './testing/soft-hsm.ts'
import { addSecrets, countOpened, makeWorld, random } from './testing/world.ts'
import { token } from './token.ts'

const skip = softHsmMissing
const made = skip ? null : makeToken()
test.after(() => made?.remove())

const source = (change: Partial<{ modulePath: string; tokenLabel: string; pin: string }> = {}) => {
  assert.ok(made)
  const { modulePath, tokenLabel, pin } = { ...made, ...change }
  return token({ modulePath, tokenLabel, pin: { text: pin } }, random)
}

const refused = (pattern: RegExp) => (error: unknown) => error instanceof Error && pattern.test(error.message)

test('what a token sealed opens for its purpose alone', { skip }, async () => {
  const key = await source().first()
  const sealed = key.seal('table/row', Uint8Array.of(1, 2, 3))
  assert.equal(sealed.length, 1 + 16 + 12 + 3 + 16)
  assert.deepEqual(key.open('table/row', sealed), Uint8Array.of(1, 2, 3))
  const long = random.bytes(7500)
  assert.deepEqual(key.open('x', key.seal('x', long)), long)
  assert.throws(() => key.open('table/other', sealed), refused(/sealed record does not open/))
  for (const at of sealed.keys()) {
    const flipped = sealed.slice()
    flipped[at] = (flipped[at] ?? 0) ^ 1
    assert.throws(() => key.open('table/row', flipped), refused(/sealed record does not open/), `byte ${at}`)
    assert.throws(() => key.open('table/row', sealed.subarray(0, at)), refused(/sealed record does not open/))
  }
})

test('the key is found by its record, and by nothing else', { skip }, async () => {
  const key = await source().first()
  const record = parseRecord(formatRecord(key.record))
  const found = await source().find(record)
  assert.deepEqual(found?.open('p', key.seal('p', Uint8Array.of(9))), Uint8Array.of(9))
  const another: MasterKey = await source().first()
  assert.notEqual(another.record.id, key.record.id)
  assert.throws(() => another.open('p', key.seal('p', Uint8Array.of(9))), refused(/does not open/))
  await assert.rejects(source().find({ ...another.record, id: '0'.repeat(32) } as never), refused(/does not hold/))
  assert.equal(await source().find({ kind: 'key', id: record.id }), null)
})

test('a token that is not there, a module that is none and a wrong PIN are one sentence each', { skip }, async () => {
  await assert.rejects(source({ tokenLabel: 'elsewhere' }).first(), refused(/token "elsewhere" is not there/))
  await assert.rejects(source({ modulePath: '/nowhere.so' }).first(), refused(/module \/nowhere.so cannot be loaded/))
  // In a process of its own: a login counts for the whole process.
  const program = `
    import { token } from ${JSON.stringify(import.meta.resolve('./token.ts'))}
    import { systemRandom } from ${JSON.stringify(import.meta.resolve('#base/random.ts'))}
    const source = ${JSON.stringify({ modulePath: made?.modulePath, tokenLabel: made?.tokenLabel, pin: { text: 'no' } })}
    await token(source, systemRandom).first().catch((error) => console.log(error.message))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  assert.match(stdout, /refuses the PIN/, stderr)
})

test('a database moves into a token and out of it', { skip }, async () => {
  await using world = await makeWorld()
  const file = keyFile(world.keyPath, random)
  await addSecrets(world.database, (await world.hold(file)).ring, 0, 5)

  await world.rotate(await world.hold(source(), file), source())
  const inside = await world.hold(source())
  assert.equal(inside.ring.current.record.kind, 'pkcs11')
  assert.equal(await countOpened(world.database, inside.ring), 5)
  await assert.rejects(world.hold(file), refused(/not the one/))

  // From one key of the token to another.
  const next = await source().fresh()
  assert.ok(next)
  inside.ring.turn(next)
  await world.rotate(inside, source())
  assert.equal(await countOpened(world.database, (await world.hold(source())).ring), 5)

  await world.rotate(await world.hold(file, source()), file)
  const outside = await world.hold(file)
  assert.equal(outside.ring.current.record.kind, 'key')
  assert.equal(await countOpened(world.database, outside.ring), 5)
})

// Backup and restore with the real program: while it serves, on another machine, and everything that must be refused.

import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { runToEnd, startServer, tempFolder } from './harness/server.ts'
import { authorization, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

const run = async (...args: string[]) => await runToEnd(args)

async function backedUp(t: TestContext) {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const key = await makeRootKey(server.a)
  await server.a.expect(201, 'POST', '/v1/policies', { body: authorization(server.a, server.b) })
  const volume = await makeVolume(server.b, key.crn)
  const file = join(tempFolder(t), 'backup')
  const made = await run('backup', '--to', file, '--data', folder)
  assert.equal(made.code, 0, made.stderr)
  return { folder, server, key, volume, file }
}

test('a backup that was made while the server served is restored elsewhere and serves on', async (t) => {
  const { folder, server, key, volume, file } = await backedUp(t)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('backup')),
    [],
  )
  // Made after the backup, so not in it.
  const later = await makeRootKey(server.a, 'later')
  await server.stop()

  const keyFile = join(tempFolder(t), 'key')
  copyFileSync(join(folder, 'master.key'), keyFile)
  const verified = await run('restore', '--from', file, '--verify', '--master-key-file', keyFile)
  assert.equal(verified.code, 0, verified.stderr)
  assert.match(verified.stdout, /can be restored: the state of .* rows/)

  const elsewhere = join(tempFolder(t), 'elsewhere')
  const restored = await run('restore', '--from', file, '--data', elsewhere, '--master-key-file', keyFile)
  assert.equal(restored.code, 0, restored.stderr)
  copyFileSync(join(folder, 'bootstrap.json'), join(elsewhere, 'bootstrap.json'))
  const again = await startServer(t, elsewhere, ['--master-key-file', keyFile])
  const { resources } = await again.a.kms(200, 'GET', `/keys/${key.id}/registrations`)
  assert.equal(resources.length, 1)
  await volumeIs(again.b, volume.id, 'available')
  await again.a.kms(404, 'GET', `/keys/${later.id}`)
  const wrapped = await again.a.kms(200, 'POST', `/keys/${key.id}/actions/wrap`)
  await again.a.kms(200, 'POST', `/keys/${key.id}/actions/unwrap`, { ciphertext: wrapped.ciphertext })
})

test('a wrong master key, flipped bytes and a cut file are refused, and leave nothing behind', async (t) => {
  const { folder, file } = await backedUp(t)
  const right = ['--master-key-file', join(folder, 'master.key')]
  const other = join(tempFolder(t), 'other')
  writeFileSync(other, Buffer.alloc(32, 3).toString('base64'), { mode: 0o600 })
  const elsewhere = join(tempFolder(t), 'elsewhere')
  const refusal = async (from: string, ...args: string[]): Promise<string> => {
    const { code, stderr } = await run('restore', '--from', from, '--data', elsewhere, ...args)
    assert.equal(code, 1)
    assert.ok(!existsSync(join(elsewhere, 'keyward.db')))
    assert.ok(!existsSync(join(elsewhere, 'keyward.db.restoring')))
    return stderr
  }
  assert.match(await refusal(file, '--master-key-file', other), /not the one that this backup was sealed under/)
  assert.match(await refusal(join(folder, 'nothing'), ...right), /cannot be read/)
  assert.match(await refusal(join(folder, 'keyward.db'), ...right), /not a backup that this program reads/)

  const bytes = readFileSync(file)
  const damaged = join(tempFolder(t), 'damaged')
  for (const at of [20, 60, 300, 2000, Math.floor(bytes.length / 2), bytes.length - 1]) {
    const flipped = Uint8Array.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ 1
    writeFileSync(damaged, flipped)
    const said = await refusal(damaged, ...right)
    assert.match(said, /^keyward: [^\n]+\n$/, `byte ${at}: ${said}`)
    assert.doesNotMatch(said, /\n {4}at /)
  }
  for (const length of [0, 10, 100, bytes.length - 65_552, bytes.length - 1]) {
    writeFileSync(damaged, bytes.subarray(0, length))
    assert.match(await refusal(damaged, ...right), /damaged or incomplete|not a backup/, `${length} bytes`)
  }
})

test('nothing is overwritten', async (t) => {
  const { folder, file } = await backedUp(t)
  const key = ['--master-key-file', join(folder, 'master.key')]
  const again = await run('backup', '--to', file, '--data', folder)
  assert.match(again.stderr, /exists: a backup is never overwritten/)
  const over = await run('restore', '--from', file, '--data', folder, ...key)
  assert.match(over.stderr, /in use by another process/)
  const nowhere = await run('backup', '--to', join(folder, 'b'), '--data', join(folder, 'nowhere'))
  assert.match(nowhere.stderr, /there is no database/)
  assert.ok(!existsSync(join(folder, 'nowhere')))
  assert.match((await run('backup', '--data', folder)).stderr, /needs --to FILE/)
  assert.match((await run('back')).stderr, /unknown command 'back'/)
})

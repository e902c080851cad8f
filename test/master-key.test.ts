// The root of trust of the real program: each source, replacing one key by another while the server serves, and being
// killed in the middle of it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Api } from './harness/api.ts'
import { projectFolder, runToEnd, startServer, tempFolder } from './harness/server.ts'
import { keyEnvelope } from './harness/story.ts'

const anyPorts = ['--port', '0', '--nbd-port', '0']
const base64Of = (byte: number): string => Buffer.alloc(32, byte).toString('base64')

interface Wrapped {
  readonly keyId: string
  readonly plaintext: string
  readonly ciphertext: string
}

async function wrapWithNewKey(owner: Api, name: string): Promise<Wrapped> {
  const created = await owner.kms(201, 'POST', '/keys', keyEnvelope({ name, extractable: false }))
  const keyId: string = created.resources[0].id
  const plaintext = Buffer.from(`wrapped under ${name}`).toString('base64')
  const { ciphertext } = await owner.kms(200, 'POST', `/keys/${keyId}/actions/wrap`, { plaintext })
  return { keyId, plaintext, ciphertext }
}

async function unwraps(owner: Api, { keyId, plaintext, ciphertext }: Wrapped): Promise<void> {
  const opened = await owner.kms(200, 'POST', `/keys/${keyId}/actions/unwrap`, { ciphertext })
  assert.equal(opened.plaintext, plaintext)
}

test('a passphrase stands for a master key, from a file or the environment, and never from a flag', async (t) => {
  const folder = tempFolder(t)
  const path = join(tempFolder(t), 'passphrase')
  writeFileSync(path, 'an owl and a pussycat\n', { mode: 0o600 })
  const first = await startServer(t, folder, ['--passphrase-file', path])
  const wrapped = await wrapWithNewKey(first.a, 'first')
  assert.equal(await first.stop(), 0)
  assert.ok(!existsSync(join(folder, 'master.key')))

  const wrong = { KEYWARD_PASSPHRASE: 'an owl and a pussycot' }
  const refused = await runToEnd(['--data', folder, ...anyPorts], wrong)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /KEYWARD_PASSPHRASE is not the one that this data folder was sealed under/)
  assert.ok(!refused.stderr.includes(wrong.KEYWARD_PASSPHRASE))
  const none = await runToEnd(['--data', folder, ...anyPorts])
  assert.match(none.stderr, /master.key is missing, and this data folder was sealed under it/)
  assert.ok(!existsSync(join(folder, 'master.key')))

  const second = await startServer(t, folder, [], { KEYWARD_PASSPHRASE: 'an owl and a pussycat' })
  await unwraps(second.a, wrapped)
  assert.match((await runToEnd(['--passphrase', 'x'])).stderr, /Unknown option '--passphrase'/)
})

test('a running server gets a new key file and keeps serving', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const before = await wrapWithNewKey(server.a, 'before')
  const old = readFileSync(join(folder, 'master.key'))
  const rotation = launchRotation(folder)
  // It waits for requests of before; meanwhile both keys are in use.
  await until(() => existsSync(join(folder, 'master.key.next')))
  const during = await wrapWithNewKey(server.a, 'during')
  await unwraps(server.a, before)
  await until(() => /the master key is being replaced/.test(server.output()))
  assert.deepEqual(readFileSync(join(folder, 'master.key')), old)

  // Killed in the pause: with both files a start goes on where it was.
  await server.kill()
  rotation.kill()
  const again = await startServer(t, folder)
  await unwraps(again.a, before)
  await unwraps(again.a, during)
  assert.equal(await again.stop(), 0)
  const offline = await runToEnd(['master-key', 'rotate', '--data', folder])
  assert.equal(offline.code, 0, offline.stderr)
  assert.match(offline.stdout, /the master key is now [0-9a-f]{32}/)
  assert.notDeepEqual(readFileSync(join(folder, 'master.key')), old)
  assert.equal(readdirSync(folder).filter((name) => name.startsWith('master.key.old-')).length, 1)
  assert.ok(!existsSync(join(folder, 'master.key.next')))

  const last = await startServer(t, folder)
  await unwraps(last.a, before)
  await unwraps(last.a, during)
})

test('a key of the environment is replaced by naming the old one beside it', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder, [], { KEYWARD_MASTER_KEY: base64Of(1) })
  const wrapped = await wrapWithNewKey(first.a, 'first')
  await first.stop()

  const alone = await runToEnd(['master-key', 'rotate', '--data', folder], { KEYWARD_MASTER_KEY: base64Of(1) })
  assert.equal(alone.code, 1)
  assert.match(alone.stderr, /a new one can only come from you/)

  const both = { KEYWARD_MASTER_KEY: base64Of(2), KEYWARD_OLD_MASTER_KEY: base64Of(1) }
  const rotating = await startServer(t, folder, [], both)
  await unwraps(rotating.a, wrapped)
  await rotating.kill()
  const half = await runToEnd(['--data', folder, ...anyPorts], { KEYWARD_MASTER_KEY: base64Of(2) })
  assert.match(half.stderr, /until that is done both keys are needed: the old one/)
  assert.equal((await runToEnd(['master-key', 'rotate', '--data', folder], both)).code, 0)

  const stale = await runToEnd(['--data', folder, ...anyPorts], { KEYWARD_MASTER_KEY: base64Of(1) })
  assert.match(stale.stderr, /not the one that this data folder was sealed under/)
  const last = await startServer(t, folder, [], { KEYWARD_MASTER_KEY: base64Of(2) })
  await unwraps(last.a, wrapped)
})

test('kill -9 at any moment of a rotation loses nothing', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const wrapped: Wrapped[] = []
  for (let i = 0; i < 20; i += 1) wrapped.push(await wrapWithNewKey(server.a, `key ${i}`))
  await server.stop()
  for (const delayMs of [0, 150, 300, 350, 400, 450, 500, 600]) {
    const child = launchRotation(folder)
    await setTimeout(delayMs)
    await child.kill()
  }
  const last = await startServer(t, folder)
  for (const each of wrapped) await unwraps(last.a, each)
})

test('two sources, and half of one, are refused', async () => {
  const two = await runToEnd(['--master-key-file', 'k'], { KEYWARD_PASSPHRASE: 'an owl and a pussycat' })
  assert.match(two.stderr, /both set: a master key has one source/)
  assert.match((await runToEnd(['--pkcs11-module', 'm'])).stderr, /go together/)
  assert.match((await runToEnd(['--old-pkcs11'])).stderr, /--old-pkcs11 needs/)
})

function launchRotation(folder: string): { kill(): Promise<void> } {
  const args = ['--disable-warning=ExperimentalWarning', join(projectFolder, 'bin/keyward.mjs')]
  const child = spawn(process.execPath, [...args, 'master-key', 'rotate', '--data', folder], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !isSo(); i += 1) await setTimeout(50)
  assert.ok(isSo())
}

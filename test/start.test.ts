// Starting and stopping: what a first run makes, what later runs keep, and every reason not to start.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { runToEnd, startServer, tempFolder } from './harness/server.ts'

const anyPorts = ['--port', '0', '--nbd-port', '0']

test('a first run makes accounts, shows their keys once, and keeps secrets to itself', async (t) => {
  const folder = join(tempFolder(t), 'not', 'there', 'yet')
  const first = await startServer(t, folder)
  const { accounts, endpoints } = first.bootstrap
  assert.equal(accounts.length, 2)
  for (const account of accounts) {
    assert.match(account.id, /^[0-9a-f]{32}$/)
    assert.ok(first.output().includes(account.apiKey))
    assert.ok(!readFileSync(join(folder, 'keyward.db')).includes(account.apiKey))
  }
  assert.deepEqual(Object.keys(endpoints), ['iam', 'kms', 'vpc', 'resourceController', 'cos', 'console'])
  for (const file of ['bootstrap.json', 'master.key', 'keyward.db', 'keyward.db-wal']) {
    assert.equal(statSync(join(folder, file)).mode & 0o077, 0, file)
  }
  await first.a.token()
  assert.equal(await first.stop(), 0)

  const second = await startServer(t, folder)
  assert.deepEqual(second.bootstrap.accounts, accounts)
  assert.ok(!accounts.some((account) => second.output().includes(account.apiKey)))
  await second.a.token()
  await second.b.token()
})

test('a removed bootstrap.json stays removed', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  assert.equal(await first.stop(), 0)
  rmSync(join(folder, 'bootstrap.json'))
  const refused = startServer(t, folder)
  // The harness reads the file; the server itself is well without it.
  await assert.rejects(refused, /ENOENT.*bootstrap\.json/)
  assert.ok(!existsSync(join(folder, 'bootstrap.json')))
})

test('it refuses an unknown setting', async () => {
  const { code, stderr } = await runToEnd(['--prot', '1'])
  assert.equal(code, 1)
  assert.match(stderr, /^keyward: Unknown option '--prot'/)
  const variable = await runToEnd([], { KEYWARD_PROT: '1' })
  assert.equal(variable.code, 1)
  assert.match(variable.stderr, /KEYWARD_PROT is not a setting/)
})

test('it refuses to be reached from elsewhere without TLS', async () => {
  const { code, stderr } = await runToEnd(['--host', '0.0.0.0'])
  assert.equal(code, 1)
  assert.match(stderr, /--tls-cert and --tls-key, or say --insecure/)
})

test('it refuses a taken port', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const { code, stderr } = await runToEnd(['--data', tempFolder(t), '--port', String(port), '--nbd-port', '0'])
  assert.equal(code, 1)
  assert.match(stderr, new RegExp(`cannot listen on 127.0.0.1 port ${port}.*EADDRINUSE`))
})

test('it refuses a data folder in use', async (t) => {
  const folder = tempFolder(t)
  await startServer(t, folder)
  const { code, stderr } = await runToEnd(['--data', folder, ...anyPorts])
  assert.equal(code, 1)
  assert.match(stderr, /in use by another process/)
})

test('it refuses a wrong, a missing and a readable master key, and touches nothing', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  await first.stop()
  const path = join(folder, 'master.key')
  const right = readFileSync(path)
  const refusal = async (): Promise<string> => {
    const { code, stderr } = await runToEnd(['--data', folder, ...anyPorts])
    assert.equal(code, 1)
    return stderr
  }

  writeFileSync(path, `${Buffer.alloc(32, 7).toString('base64')}\n`)
  assert.match(await refusal(), /not the one that this data folder was sealed under/)
  writeFileSync(path, 'short\n')
  assert.match(await refusal(), /does not hold a master key/)
  rmSync(path)
  assert.match(await refusal(), /is missing/)
  assert.ok(!existsSync(path))
  writeFileSync(path, right, { mode: 0o644 })
  assert.match(await refusal(), /chmod 600/)

  rmSync(path)
  writeFileSync(path, right, { mode: 0o600 })
  const second = await startServer(t, folder)
  await second.a.token()
})

test('the master key may come from the environment, and then there is no file', async (t) => {
  const folder = tempFolder(t)
  const environment = { KEYWARD_MASTER_KEY: Buffer.alloc(32, 9).toString('base64') }
  const { code, stderr } = await runToEnd(['--data', folder, ...anyPorts], { KEYWARD_MASTER_KEY: 'x' })
  assert.equal(code, 1)
  assert.match(stderr, /KEYWARD_MASTER_KEY does not hold a master key/)
  assert.ok(!stderr.includes(environment.KEYWARD_MASTER_KEY))
  assert.ok(!existsSync(join(folder, 'master.key')))
})

test('it refuses a data folder that is a file', async (t) => {
  const folder = tempFolder(t)
  const path = join(folder, 'file')
  writeFileSync(path, '')
  const { code, stderr } = await runToEnd(['--data', path, ...anyPorts])
  assert.equal(code, 1)
  assert.match(stderr, /data folder/)
})

test('it refuses a database that it does not know', async (t) => {
  const folder = tempFolder(t)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'keyward.db'), 'something else entirely, and long enough to be looked at')
  const { code, stderr } = await runToEnd(['--data', folder, ...anyPorts])
  assert.equal(code, 1)
  assert.match(stderr, /^keyward: database .*: .*not a database/)
})

test('it refuses a new database where there are volumes, and a bootstrap.json that was garbled', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  await first.stop()
  writeFileSync(join(folder, 'bootstrap.json'), '{"accounts":[')
  const garbled = await runToEnd(['--data', folder, ...anyPorts])
  assert.equal(garbled.code, 1)
  assert.match(garbled.stderr, /^keyward: .*bootstrap\.json is not as it was written/)

  mkdirSync(join(folder, 'volumes', 'r006-1'), { recursive: true })
  for (const file of ['keyward.db', 'keyward.db-wal', 'keyward.db-shm']) rmSync(join(folder, file), { force: true })
  const lost = await runToEnd(['--data', folder, ...anyPorts])
  assert.equal(lost.code, 1)
  assert.match(lost.stderr, /holds volumes, but their database is missing or empty/)
  assert.ok(!existsSync(join(folder, 'keyward.db')))
})

test('SIGTERM stops it in order, under requests', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const requests = Array.from({ length: 20 }, () => server.a.send('GET', '/v2/resource_groups').catch(() => null))
  const code = await server.stop()
  await Promise.all(requests)
  assert.equal(code, 0)
})

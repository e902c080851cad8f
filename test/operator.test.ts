// Whoever runs the server: the operator token of the data folder, and the command that makes accounts with it.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { api } from './harness/api.ts'
import type { Json } from './harness/api.ts'
import { startNbdsh, tlsUri, tryNbdsh } from './harness/nbd.ts'
import { projectFolder, startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { attach, authorization, connect, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

function keyward(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(projectFolder, 'src/cli/main.ts'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  })
}

async function operate(server: Server, token: string, path = '/accounts'): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(`${server.baseUrl}/keyward/v1/operator${path}`, { headers })).status
}

const tokenOf = (folder: string): string => readFileSync(join(folder, 'operator.token'), 'utf8').trim()

test('the operator makes an account on the command line, and its owner begins', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { status, stdout, stderr } = keyward('account', 'create', 'Research', '--data', server.folder, '--json')
  assert.equal(status, 0, stderr)
  const account: Json = JSON.parse(stdout)
  assert.match(account.id, /^[0-9a-f]{32}$/)
  const owner = api(server.baseUrl, { ...server.a.account, id: account.id, name: 'Research', apiKey: account.apikey })
  const groups = await owner.expect(200, 'GET', `/v2/resource_groups?account_id=${account.id}&default=true`)
  assert.equal(groups.resources[0].id, account.resource_group_id)
  const text = keyward('account', 'create', 'Another', '--data', server.folder).stdout
  assert.match(text, /Account "Another" was made.*\n\n {2}account {9}[0-9a-f]{32}\n {2}API key {9}\S{44}\n/)
  rmSync(join(server.folder, 'operator.token'))
  const refused = keyward('account', 'create', 'Third', '--data', server.folder)
  assert.deepEqual([refused.status, refused.stdout], [1, ''])
  assert.match(refused.stderr, /operator\.token cannot be read/)
})

test('the operator token is the operator’s alone, outlives its file, and is replaced by writing another', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  const path = join(folder, 'operator.token')
  const token = tokenOf(folder)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(await operate(first, token), 200)
  assert.equal(await operate(first, await first.a.token()), 401)
  assert.equal(
    (await first.a.send('GET', '/v1/apikeys', { headers: { authorization: `Bearer ${token}` } })).status,
    401,
  )
  assert.ok(!readFileSync(join(folder, 'keyward.db')).includes(token))
  assert.equal(await first.stop(), 0)

  rmSync(path)
  const second = await startServer(t, folder)
  assert.equal(await operate(second, token), 200)
  assert.equal(await second.stop(), 0)

  const fresh = 'another-token-that-the-operator-wrote-there'
  writeFileSync(path, `${fresh}\n`, { mode: 0o600 })
  const third = await startServer(t, folder)
  assert.deepEqual([await operate(third, token), await operate(third, fresh)], [401, 200])
})

const readLoop = ['print("reading", flush=True)', 'while True:', '    h.pread(512, 0)'].join('\n')

test('disabling an account cuts its volumes and those under its keys, and enabling it brings them back', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b } = server
  const disabled = async (account: string, method: 'POST' | 'DELETE') => {
    const headers = { authorization: `Bearer ${tokenOf(folder)}` }
    const url = `${server.baseUrl}/keyward/v1/operator/accounts/${account}/disable`
    assert.equal((await fetch(url, { method, headers })).status, 204)
  }
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, key.crn)
  const { instanceId, attachmentId, connection } = await attach(b, volume.id)
  for (const account of [b.account.id, a.account.id]) {
    const uri = tlsUri(account === b.account.id ? connection : await connect(b, instanceId, attachmentId), folder)
    const reader = startNbdsh(uri, readLoop)
    await reader.started
    await disabled(account, 'POST')
    assert.notEqual((await reader.ended).status, 0)
    assert.notEqual(tryNbdsh(uri, 'h.pread(512, 0)').status, 0)
    if (account === a.account.id) await volumeIs(b, volume.id, 'unusable')
    await disabled(account, 'DELETE')
    await volumeIs(b, volume.id, 'available')
  }
})

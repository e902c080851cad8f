// The command line from outside: the real program against a real server, two accounts, a real NBD client.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cliDocs, cliPage } from '../scripts/cli-docs.ts'
import { keyward, signedIn } from './harness/cli.ts'
import type { Said } from './harness/cli.ts'
import { startServer, tempFolder } from './harness/server.ts'

function ended(said: Said, code: number, words: RegExp): void {
  assert.equal(said.code, code, said.stderr)
  assert.match(said.stderr, words)
}

test('A lends a key to B on the command line, and B makes a volume of it', async (t) => {
  const { server, cli } = await signedIn(t)
  const { id: accountB } = server.b.account

  const made = await cli.json('keys', 'create', 'payroll', '--target', 'a')
  const [{ id: keyId, crn }] = made.resources
  const refused = await cli.run(['volumes', 'create', 'data', '--capacity', '10', '--key', crn])
  ended(
    refused,
    3,
    new RegExp(`next: in account ${server.a.account.id}: keyward authorizations allow ${accountB} ${keyId}`),
  )

  const allowed = await cli.run(['authorizations', 'allow', 'b', 'payroll', '--target', 'a'])
  assert.equal(allowed.code, 0, allowed.stderr)
  const volume = await cli.json('volumes', 'create', 'data', '--capacity', '10', '--key', crn, '--wait')
  assert.deepEqual([volume.status, volume.encryption_key], ['available', { crn }])

  const listed = await cli.run(['volumes', 'list'])
  assert.match(
    listed.stdout,
    /^NAME +STATUS +GB +ZONE +KEY +ATTACHED TO\ndata +available +10 +us-south-1 +of [0-9a-f]{8}…\n$/,
  )

  assert.match((await cli.run(['keys', 'disable', 'payroll', '--target', 'a'])).stderr, /nobody is at a terminal/i)
  assert.equal((await cli.run(['keys', 'disable', 'payroll', '--yes', '--target', 'a'])).code, 0)
  const shown = await cli.run(['volumes', 'show', 'data'])
  assert.match(
    shown.stdout,
    /status +unusable\nwhy +the root key that protects this volume is disabled \(encryption_key_disabled\)/,
  )
  ended(await cli.run(['volumes', 'grow', 'data', '--to', '20']), 5, /the volume is unusable; it has to be available/i)
})

test('targets are files for their owner alone, and say nothing of the key elsewhere', async (t) => {
  const { server, cli } = await signedIn(t)
  const folder = join(cli.configFolder, 'keyward')
  const secrets = [server.a.account.apiKey, server.b.account.apiKey]
  assert.equal(statSync(join(folder, 'targets')).mode & 0o777, 0o700)
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const { mode } = statSync(join(folder, name))
    assert.equal(mode & 0o077, 0, name)
    if (!statSync(join(folder, name)).isFile() || name.startsWith('targets/')) continue
    const text = readFileSync(join(folder, name), 'utf8')
    assert.ok(!secrets.some((secret) => text.includes(secret)), name)
  }
  const said: string[] = []
  for (const args of [['target'], ['whoami'], ['target', '--json'], ['whoami', '--json', '--target', 'a']]) {
    const { code, stdout, stderr } = await cli.run(args)
    assert.equal(code, 0, stderr)
    said.push(stdout, stderr)
  }
  assert.ok(!secrets.some((secret) => said.join('').includes(secret)))
  assert.match(said[0] ?? '', /\n\* +b /)

  const path = join(folder, 'targets/a.json')
  spawnSync('chmod', ['644', path])
  ended(await cli.run(['whoami', '--target', 'a']), 1, /others can read it\n {2}next: chmod 600/)
  spawnSync('chmod', ['600', path])
  assert.equal((await cli.run(['target', 'a'])).code, 0)
  assert.equal((await cli.json('whoami')).account_id, server.a.account.id)
  assert.equal((await cli.run(['logout'])).code, 0)
  assert.deepEqual(readdirSync(join(folder, 'targets')), ['b.json'])
  writeFileSync(join(folder, 'targets/b.json'), '{"version": 1', { mode: 0o600 })
  ended(await cli.run(['whoami']), 1, /is no target of this version\n {2}next: keyward login b/)
})

test('a key of the environment needs no target, and a wrong one is said so', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const cli = keyward(t)
  const env = { KEYWARD_URL: server.baseUrl, KEYWARD_API_KEY: server.a.account.apiKey }
  const said = await cli.run(['whoami', '--quiet'], { env })
  assert.deepEqual([said.code, said.stdout], [0, `${server.a.account.id}\n`])
  assert.deepEqual(readdirSync(cli.configFolder), [])

  const wrong = 'no-such-key-of-anybody'
  const refused = await cli.run(['whoami'], { env: { ...env, KEYWARD_API_KEY: wrong } })
  ended(refused, 3, /does not take this API key/)
  assert.ok(!refused.stderr.includes(wrong))
  ended(await cli.run(['whoami']), 3, /nobody is signed in\n {2}next: keyward login/)
  ended(await cli.run(['login', '--url', server.baseUrl]), 2, /there is no API key/)
  ended(await cli.run(['login', '--url', 'http://192.0.2.1'], { input: 'x' }), 2, /in the clear/)
  ended(await cli.run(['login', '../x', '--url', server.baseUrl], { input: 'x' }), 2, /no name for a target/)
  ended(await cli.run(['keys', 'list', '--target', 'gone']), 4, /there is no target gone\n {2}next: keyward login gone/)
})

test('what is wrong with a command line is said with what would be right', async (t) => {
  const cli = keyward(t)
  for (const [args, words] of [
    [['kyes', 'list'], /unknown command 'kyes'\n\(Did you mean keys\?\)/],
    [['keys', 'lst'], /unknown command 'lst'\n\(Did you mean list\?\)/],
    [['keys', 'list', '--al'], /unknown option '--al'\n\(Did you mean --all\?\)/],
    [['keys', 'show'], /missing required argument 'KEY'/],
    [['keys', 'show', 'a', 'b'], /too many arguments/],
    [['volumes', 'create', '--capacity', '10GB'], /It is a whole number from 1 to/],
    [['volumes', 'list', '--attached', 'maybe'], /Allowed choices are attached, unattached, unusable/],
    [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
  ] as const) {
    const said = await cli.run(args)
    ended(said, 2, words)
    assert.match(said.stderr, /^keyward: /)
    assert.equal(said.stdout, '')
  }
  const secret = await cli.run(['login', '--api-key=SECRET'])
  assert.ok(secret.code === 2 && !secret.stderr.includes('SECRET'), secret.stderr)
})

test('docs/cli.md is what the commands say; npm run docs:cli rewrites it', () => {
  assert.equal(readFileSync(cliPage, 'utf8'), cliDocs())
})

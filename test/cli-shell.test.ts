// The command line among others in a shell: pipes that close, ^C, terminals, completion, a server that goes away.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { keyward, saidBy, signedIn } from './harness/cli.ts'
import { afterwards, projectFolder, tempFolder } from './harness/server.ts'

test('a reader that has had enough ends it without a word, and ^C at once', async (t) => {
  const { cli } = await signedIn(t)
  const listing = cli.start(['help'])
  listing.stdout?.destroy()
  const piped = await saidBy(listing)
  assert.deepEqual([piped.code, piped.stderr], [141, ''])

  const following = cli.start(['notices', 'follow'])
  const end = saidBy(following)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  following.kill('SIGINT')
  assert.equal((await end).code, 130)
})

test('a server that hangs up, answers nonsense or is not there is said so', async (t) => {
  const cli = keyward(t)
  let body = ''
  const server = createServer((request, response) => {
    if (request.url === '/hang') return
    if (body === 'cut') return void request.socket.destroy()
    if (body === 'redirect') return void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterwards(t, () => void server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address)
  const url = `http://127.0.0.1:${address.port}`
  const env = { KEYWARD_URL: url, KEYWARD_API_KEY: 'some-key' }
  for (const [answer, code, words] of [
    ['<html>', 1, /answers, and not as Keyward does/],
    ['{"access_token": 1}', 1, /answers, and not as Keyward does/],
    ['{"access_token": "a.b.c", "expires_in": 3600}', 1, /answers, and not as Keyward does/],
    ['cut', 6, /does not answer/],
    ['redirect', 6, /does not answer/],
  ] as const) {
    body = answer
    const said = await cli.run(['keys', 'list'], { env })
    assert.equal(said.code, code, `${answer}: ${said.stderr}`)
    assert.match(said.stderr, words)
    assert.ok(!said.stderr.includes('some-key') && !said.stderr.includes('at '), said.stderr)
  }
  const away = await cli.run(['keys', 'list', '--json'], { env: { ...env, KEYWARD_URL: 'http://127.0.0.1:9' } })
  assert.equal(away.code, 6)
  assert.equal(JSON.parse(away.stderr).error.next, 'keyward doctor')
})

test('a token that has ended early is replaced without a word', async (t) => {
  const { server, cli } = await signedIn(t)
  const path = join(cli.configFolder, 'keyward/targets/b.json')
  const { default: target } = await import(path, { with: { type: 'json' } })
  const broken = { value: `${target.token.value.slice(0, -8)}AAAAAAAA`, renew_at_ms: Number.MAX_SAFE_INTEGER }
  writeFileSync(path, JSON.stringify({ ...target, token: broken }), { mode: 0o600 })
  const said = await cli.run(['volumes', 'list'])
  assert.deepEqual([said.code, said.stderr], [0, ''])
  await server.stop()
})

/** Types at a terminal what is asked for there; gives all that it showed. */
const terminal = `
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1].split()[:1] + sys.argv[3:])
shown, answers = b'', sys.argv[2].encode().split(b'|')
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if answers and shown.rstrip().endswith((b':', b']')):
        time.sleep(0.3)
        os.write(fd, answers.pop(0).replace(b'^C', b'\\x03') + b'\\r')
        shown += b'<typed>'
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

test('at a terminal it asks: for keys without showing them, and before it stops or destroys', async (t) => {
  const { server, cli } = await signedIn(t)
  await cli.json('keys', 'create', 'payroll', '--target', 'a')
  const typed = (answers: string, ...args: string[]) => {
    const program = join(projectFolder, 'bin/keyward.mjs')
    const { status, stdout, stderr } = spawnSync(
      '/usr/bin/python3',
      ['-c', terminal, process.execPath, answers, program, ...args],
      { encoding: 'utf8', env: { PATH: process.env['PATH'], XDG_CONFIG_HOME: cli.configFolder, TERM: 'xterm' } },
    )
    return { status, text: `${stdout}${stderr}` }
  }
  const { apiKey, id } = server.a.account
  const login = typed(apiKey, 'login', 'again', '--url', server.baseUrl)
  assert.equal(login.status, 0, login.text)
  assert.ok(!login.text.includes(apiKey) && login.text.includes(`Signed in to account ${id}`), login.text)
  assert.equal(typed('^C', 'login', 'more', '--url', server.baseUrl).status, 130)

  const no = typed('n', 'keys', 'disable', 'payroll')
  assert.equal(no.status, 1)
  assert.match(no.text, /Nothing stops\.\s+Disable payroll\? \[y\/N\] [^]*nothing was done/)
  const otherName = typed('payrol', 'keys', 'delete', 'payroll')
  assert.match(otherName.text, /Type payroll to go on: [^]*nothing was done/)
  assert.equal(typed('payroll', 'keys', 'delete', 'payroll').status, 0)
  assert.ok(typed('', 'keys', 'list', '--all').text.includes('\u001b[31mdeleted'))
})

test('completion knows commands, options, choices and names, in a real bash', async (t) => {
  const { cli } = await signedIn(t)
  await cli.json('volumes', 'create', 'data', '--capacity', '10')
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await cli.run(['completion', shell])
    assert.match(stdout, /keyward __complete -- /)
  }
  const folder = tempFolder(t)
  writeFileSync(join(folder, 'completion'), (await cli.run(['completion', 'bash'])).stdout)
  assert.equal(spawnSync('bash', ['-n', join(folder, 'completion')]).status, 0)
  mkdirSync(join(folder, 'bin'))
  symlinkSync(join(projectFolder, 'bin/keyward.mjs'), join(folder, 'bin/keyward'))
  symlinkSync(process.execPath, join(folder, 'bin/node'))
  const completed = (...words: string[]): string[] => {
    const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _keyward; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = spawnSync(
      'bash',
      ['--norc', '-c', script, 'bash', join(folder, 'completion'), 'keyward', ...words],
      {
        encoding: 'utf8',
        env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, XDG_CONFIG_HOME: cli.configFolder },
      },
    )
    assert.equal(stderr, '')
    return stdout.split('\n').filter((line) => line !== '')
  }
  assert.deepEqual(completed('vol'), ['volumes'])
  assert.deepEqual(completed('volumes', 'cr'), ['create'])
  assert.deepEqual(completed('volume', 'create', '--cap'), ['--capacity'])
  assert.deepEqual(completed('volumes', 'list', '--attached', 'un'), ['unattached', 'unusable'])
  assert.deepEqual(completed('volumes', 'show', ''), ['data'])
  assert.deepEqual(completed('volumes', 'show', 'data', ''), [])
  assert.deepEqual(completed('keys', 'list', '--target', ''), ['a', 'b'])
  assert.deepEqual(completed('nonsense', ''), [])
  assert.ok(completed('').includes('login') && !completed('').includes('__complete'))
})

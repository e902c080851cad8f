// The mission by the command line alone, and a real NBD client: A lends a key, B uses it, A sees it and takes it back.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { saidBy, signedIn } from './harness/cli.ts'
import { run } from './harness/nbd.ts'

test('A lends a key, B writes under it, A disables it, and B is told why and what to ask', async (t) => {
  const { server, cli } = await signedIn(t)
  const [accountA, accountB] = [server.a.account.id, server.b.account.id]
  const asA = async (...args: string[]) => await cli.json(...args, '--target', 'a')
  const told = async (...args: string[]) => {
    const said = await cli.run(args)
    assert.equal(said.code, 0, said.stderr)
    return said.stdout
  }

  const [key] = (await asA('keys', 'create', 'payroll')).resources
  const denied = await cli.run(['explain', key.crn])
  assert.equal(denied.code, 3)
  assert.match(
    denied.stdout,
    new RegExp(`next: in account ${accountA}: keyward authorizations allow ${accountB} ${key.id}`),
  )
  const policy = await asA('authorizations', 'allow', accountB, 'payroll')
  assert.match(await told('explain', key.crn), /may put volumes under this key/)

  const volume = await cli.json('volumes', 'create', 'data', '--capacity', '10', '--key', key.crn, '--wait')
  await cli.json('attach', 'data', 'machine', '--create', '--wait')

  await t.test('B connects: by a printed command, and by one that is run with the secret in a file', async () => {
    const [uri = ''] = (await told('connect', 'data', '--quiet')).split('\n')
    const secret = new URL(uri).searchParams.get('tls-psk-file') ?? ''
    assert.equal(statSync(secret).mode & 0o777, 0o600)
    assert.equal(statSync(dirname(secret)).mode & 0o777, 0o700)
    const written = run('nbdcopy', join(import.meta.dirname, '../package.json'), uri)
    assert.equal(written.status, 0, written.stderr)
    const body = await cli.json('connect', 'data')
    assert.deepEqual(Object.keys(body.tls), ['psk_identity', 'psk_file'])
    const psk = readFileSync(body.tls.psk_file, 'utf8').trim().split(':')[1] ?? ''
    assert.match(psk, /^[0-9a-f]{64}$/)

    const all = await told('connect', 'data')
    assert.ok(!all.includes(psk) && all.includes('nbdcopy') && all.includes('nbd-client -unix'))
    const byQemu = run('sh', '-c', await told('connect', 'data', '--with', 'qemu-img'))
    assert.equal(byQemu.status, 0, byQemu.stderr)
    assert.match(byQemu.stdout, /virtual size: 10 GiB/)
    const byInfo = run('sh', '-c', await told('connect', 'data', '--with', 'nbdinfo'))
    assert.match(byInfo.stdout, /export-size: 10737418240/)

    const inside = await told(
      'connect',
      'data',
      '--',
      'sh',
      '-c',
      'cat /proc/self/cmdline; nbdinfo --size "$1"',
      'sh',
      '{uri}',
    )
    assert.ok(inside.endsWith('10737418240\n') && !inside.includes(psk))
    assert.ok(!existsSync(secret), 'the secret of a command goes with it')
    assert.equal((await cli.run(['connect', 'data', '--', 'sh', '-c', 'exit 7'])).code, 7)
    assert.equal((await cli.run(['connect', 'data', '--', 'no-such-program'])).code, 1)
  })

  const following = saidBy(cli.start(['notices', 'follow', '--count', '1', '--json']))
  await t.test('A sees it, foresees what disabling means, and disables', async () => {
    const { uses } = await asA('ledger', 'uses', 'payroll')
    assert.deepEqual(
      uses.map((use: { resource_crn: string }) => use.resource_crn),
      [volume.crn],
    )
    const impact = await told('impact', 'disable', 'payroll', '--target', 'a')
    assert.match(
      impact,
      new RegExp(`^1 resource stops\\..*\\n {2}1 resource of server-protect in account ${accountB}: key then disabled`),
    )
    assert.deepEqual((await asA('impact', 'disable', 'payroll')).resources[0].status_after, 'unusable')
    await told('keys', 'disable', 'payroll', '--dry-run', '--target', 'a')
    assert.equal((await cli.json('volumes', 'show', 'data')).status, 'available')
    await told('keys', 'disable', 'payroll', '--yes', '--target', 'a')
    assert.match(await told('keys', 'list', '--target', 'a'), /payroll +[0-9a-f-]{36} +disabled +root/)
  })

  await t.test('B reads why, whom to ask, and the notice', async () => {
    const why = await cli.run(['explain', 'data'])
    assert.equal(why.code, 3)
    assert.match(why.stdout, /data is unusable\.\n {2}the root key that protects this volume is disabled/)
    assert.match(why.stdout, new RegExp(`next: in account ${accountA}: keyward keys enable ${key.id} --key-manager`))
    assert.match((await cli.run(['connect', 'data'])).stderr, /unusable.*\n {2}next: keyward explain data/)
    assert.match(await told('ledger', 'foreign'), /disabled/)
    const { code, stdout, stderr } = await following
    assert.equal(code, 0, stderr)
    const [line = '', end] = stdout.split('\n')
    assert.deepEqual([JSON.parse(line).type, JSON.parse(line).data.key_crn, end], ['keyward.key.disabled', key.crn, ''])
    const notices = (await cli.json('notices', 'list')).notices
    const notice = notices.find(({ type }: { type: string }) => type === 'key.disabled')
    assert.match(await told('notices', 'show', notice.id), /The key was disabled/)
    assert.ok((await cli.json('notices', 'acknowledge', notice.id)).acknowledged_at)
  })

  await server.advance(31)
  await told('keys', 'enable', 'payroll', '--target', 'a')
  await t.test('B goes on with its data', async () => {
    assert.match(await told('explain', 'data'), /data is available/)
    const open = 'h.set_uri_allow_local_file(True); h.connect_uri("{uri}")'
    const read = 'print(h.pread(22, 0).decode())'
    const head = await told('connect', 'data', '--', '/usr/bin/python3', '-m', 'nbd', '-c', open, '-c', read)
    assert.equal(head, '{\n  "name": "keyward",\n')
  })

  await t.test('A revokes the authorization, B detaches and deletes', async () => {
    await told('authorizations', 'revoke', policy.id, '--yes', '--target', 'a')
    const why = await cli.run(['explain', 'data'])
    assert.match(why.stdout, /no longer authorizes[^]*next: in account [0-9a-f]{32}: keyward authorizations allow/)
    await told('detach', 'data', '--yes')
    await told('volumes', 'delete', 'data', '--yes', '--wait')
    assert.deepEqual((await cli.json('volumes', 'list')).volumes, [])
    await told('instances', 'delete', 'machine', '--yes')
    const connections = join(cli.configFolder, 'keyward/connections')
    assert.deepEqual(existsSync(connections) ? readdirSync(connections) : [], [])
  })
})

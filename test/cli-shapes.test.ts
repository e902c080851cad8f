// What programs read: `--json` is the API's own body, as the committed OpenAPI files have it, and `--quiet` is ids.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { openapiFolder } from '../scripts/openapi.ts'
import type { Json } from './harness/api.ts'
import { keyward, signedIn } from './harness/cli.ts'
import { tempFolder } from './harness/server.ts'

const ajv = new Ajv({ strict: false, validateFormats: false })

function replyOf(file: string, operation: string): Json {
  const { paths }: Json = JSON.parse(readFileSync(join(openapiFolder, `${file}.json`), 'utf8'))
  for (const methods of Object.values<Json>(paths))
    for (const one of Object.values<Json>(methods)) {
      if (one.operationId !== operation) continue
      const [success] = Object.keys(one.responses)
      return one.responses[success ?? ''].content['application/json'].schema
    }
  throw new Error(`openapi/${file}.json has no ${operation}`)
}

const shapes = new Map<string, ReturnType<Ajv['compile']>>()

function isShaped(file: string, operation: string, body: Json, what: string): void {
  const name = `${file} ${operation}`
  const check = shapes.get(name) ?? ajv.compile(replyOf(file, operation))
  shapes.set(name, check)
  assert.ok(check(body), `${what}: ${ajv.errorsText(check.errors)}: ${JSON.stringify(body)}`)
}

test('--json prints the bodies of the API, and --quiet their ids', async (t) => {
  const { server, cli } = await signedIn(t)
  const asA = async (...args: string[]) => await cli.json(...args, '--target', 'a')
  const shaped = async (file: string, operation: string, ...args: string[]): Promise<Json> => {
    const body = await cli.json(...args)
    isShaped(file, operation, body, args.join(' '))
    return body
  }
  const ofA = async (file: string, operation: string, ...args: string[]): Promise<Json> =>
    await shaped(file, operation, ...args, '--target', 'a')

  const key = (await ofA('kms', 'createKey', 'keys', 'create', 'payroll', '--alias', 'pay', '--expires', '365d'))
    .resources[0]
  assert.match(key.expirationDate, /^\d{4}-/)
  const material = Buffer.alloc(32, 7).toString('base64')
  const imported = await cli.run(['keys', 'import', 'brought', '--from', '-', '--target', 'a', '--json'], {
    input: material,
  })
  isShaped('kms', 'createKey', JSON.parse(imported.stdout), 'keys import')
  assert.ok(!`${imported.stdout}${imported.stderr}`.includes(material))
  assert.equal((await ofA('kms', 'listKeys', 'keys', 'list')).resources.length, 2)
  for (const name of ['pay', 'payroll', key.id, key.crn])
    assert.equal((await ofA('kms', 'getKeyMetadata', 'keys', 'show', name)).resources[0].id, key.id)
  const policy = await ofA('iam', 'createPolicy', 'authorizations', 'allow', 'b', 'pay')
  await ofA('iam', 'listPolicies', 'authorizations', 'list')
  await ofA('resources', 'listResourceInstances', 'key-managers', 'list')

  const volume = await shaped(
    'vpc',
    'createVolume',
    'volumes',
    'create',
    'one',
    '--capacity',
    '10',
    '--key',
    key.crn,
    '--wait',
  )
  await cli.json('volumes', 'create', 'two', '--capacity', '10', '--wait')
  assert.equal((await shaped('vpc', 'listVolumes', 'volumes', 'list')).volumes.length, 2)
  assert.equal((await shaped('vpc', 'listVolumes', 'volumes', 'list', '--limit', '1')).volumes.length, 1)
  for (const name of ['one', volume.id, volume.crn])
    assert.equal((await shaped('vpc', 'getVolume', 'volumes', 'show', name)).id, volume.id)
  const small = await cli.run(['volumes', 'grow', 'one', '--to', '20'])
  assert.match(small.stderr, /grows while it is attached.*\n {2}next: keyward attach one/)
  await shaped('vpc', 'createVolumeAttachment', 'attach', 'one', '--wait')
  await shaped('vpc', 'updateVolume', 'volumes', 'grow', 'one', '--to', '20', '--wait')
  await shaped('vpc', 'listInstances', 'instances', 'list')
  await shaped('vpc', 'listImages', 'images', 'list', '--visibility', 'public')
  const snapshot = await shaped('vpc', 'createSnapshot', 'snapshots', 'create', 'one', '--name', 'then', '--wait')
  await shaped('vpc', 'listSnapshots', 'snapshots', 'list', '--volume', 'one')
  await shaped('vpc', 'getSnapshot', 'snapshots', 'show', 'then')
  await shaped('vpc', 'createVolume', 'volumes', 'create', 'three', '--snapshot', 'then')

  await ofA('transparency', 'listKeyUses', 'ledger', 'uses', 'pay')
  assert.equal((await ofA('transparency', 'listKeyUses', 'ledger', 'uses', 'pay', '--at', '-1h')).uses.length, 0)
  await shaped('transparency', 'listForeignKeys', 'ledger', 'foreign')
  assert.equal((await shaped('transparency', 'createProof', 'ledger', 'proof', '--now')).equal, true)
  await ofA('transparency', 'foreseeImpact', 'impact', 'remove-authorization', 'pay', '--authorization', policy.id)
  await shaped('keyward', 'explainDecision', 'explain', key.crn)
  await ofA('keyward', 'explainDecision', 'explain', key.crn, '--action', 'kms.secrets.disable')

  const announced = ['plans', 'announce', 'delete', 'pay', '--at', '7d', '--reason', 'replaced']
  const plan = await ofA('transparency', 'announcePlan', ...announced)
  const { notices } = await shaped('transparency', 'listNotices', 'notices', 'list', '--unacknowledged')
  await shaped('transparency', 'readNotice', 'notices', 'show', notices[0].id)
  const objected = ['notices', 'object', notices[0].id, '--reason', 'we need a month']
  await shaped('transparency', 'acknowledgeNotice', ...objected)
  assert.match((await cli.run(['plans', 'show', plan.id, '--target', 'a'])).stdout, /objected +we need a month/)
  await ofA('transparency', 'listPlans', 'plans', 'list', 'pay')
  await ofA('transparency', 'withdrawPlan', 'plans', 'withdraw', plan.id)

  for (const [args, ids] of [
    [['keys', 'list', '--target', 'a'], [key.id]],
    [['volumes', 'show', 'one'], [volume.id]],
    [['snapshots', 'list'], [snapshot.id]],
  ] as const) {
    const said = await cli.run([...args, '-q'])
    for (const id of ids) assert.ok(said.stdout.split('\n').includes(id), said.stdout)
    assert.equal(said.stderr, '')
  }

  await asA('keys', 'rotate', 'pay')
  await ofA('kms', 'deleteKey', 'keys', 'delete', 'brought', '--yes')
  await ofA('kms', 'restoreKey', 'keys', 'restore', 'brought').catch((error: unknown) => {
    // Key Protect asks for half a minute between the two.
    assert.match(String(error), /REQ_TOO_EARLY_ERR/)
  })
  assert.equal(server.output().includes(material), false)
})

test('the audit log is taken away and proved, and a changed copy is not', async (t) => {
  const { server, cli } = await signedIn(t)
  const folder = tempFolder(t)
  const file = (name: string): string => join(folder, name)
  await cli.json('keys', 'create', 'payroll', '--target', 'a')
  const records = async (): Promise<Json> =>
    await cli.json('audit', 'list', '--action', 'kms.secrets.create', '--target', 'a')
  let record: Json
  while (!(record = (await records()).records[0])) await new Promise((resolve) => setTimeout(resolve, 100))
  isShaped('keyward', 'listAuditRecords', await records(), 'audit list')

  const take = async (name: string) => {
    // A record is in the log a second after it is in the trail.
    for (;;) {
      const said = await cli.run(['audit', 'prove', record.id, '--to', file(`${name}.proof`), '--target', 'a'])
      if (said.code === 0) break
      assert.match(said.stderr, /not/, said.stderr)
    }
    const said = await cli.run(['audit', 'export', file(name), '--target', 'a'])
    assert.equal(said.code, 0, said.stderr)
  }
  await take('then')
  await cli.json('keys', 'create', 'another', '--target', 'a')
  await take('now')
  assert.equal((await cli.run(['verify', file('now.proof')])).code, 0)
  const { verifier } = await cli.json('audit', 'checkpoint', '--target', 'a')
  const proved = await cli.run(['audit', 'verify', file('now'), '--since', file('then'), '--key', verifier])
  assert.match(proved.stdout, /^proved: /, proved.stderr)
  assert.equal((await server.stop()) ?? 0, 0)

  const text = readFileSync(file('now'), 'utf8')
  writeFileSync(file('changed'), text.replace('kms.secrets.create', 'kms.secrets.delete'))
  assert.match((await cli.run(['audit', 'verify', file('changed')])).stderr, /NOT proved: these are not the/)
  assert.match(
    (await cli.run(['audit', 'verify', file('then'), '--since', file('now')])).stderr,
    /is not its beginning/,
  )
  assert.match((await cli.run(['audit', 'verify', file('now.proof')])).stderr, /is no audit export/)
  const again = await cli.run(['audit', 'export', file('elsewhere'), '--target', 'a'])
  assert.equal(again.code, 6)
  assert.match(again.stderr, /does not answer.*\n {2}next: keyward doctor/)
})

test('doctor finds what is wrong, and says what to do', async (t) => {
  const { server, cli } = await signedIn(t)
  const asked = async (...args: string[]) => {
    const { code, stdout } = await cli.run(['doctor', ...args, '--json'])
    const { ok, findings } = JSON.parse(stdout)
    assert.equal(code, ok ? 0 : 1)
    return new Map<string, Json>(findings.map((one: Json) => [one.what, one]))
  }
  const well = await asked('--data', server.folder)
  for (const what of [
    'Node',
    'libnbd',
    'QEMU',
    'data folder',
    'master key',
    'disk space',
    'signed in',
    'server',
    'clocks',
  ])
    assert.equal(well.get(what)?.state, 'fine', JSON.stringify(well.get(what)))

  const folder = tempFolder(t)
  writeFileSync(join(folder, 'master.key'), 'short', { mode: 0o644 })
  writeFileSync(join(folder, 'operator.token'), 'x', { mode: 0o644 })
  const ill = await asked('--data', folder)
  assert.match(ill.get('master key').fix, /^chmod 600 /)
  assert.match(ill.get('operator.token').fix, /^chmod 600 /)
  assert.equal((await asked('--data', join(folder, 'gone'))).get('data folder').state, 'wrong')
  await server.stop()
  const away = await cli.run(['doctor', '--data', server.folder])
  assert.equal(away.code, 1)
  assert.match(away.stdout, /^!! {2}server +http:\S+ does not answer: .*\n +fix: npm start/m)
  assert.equal((await keyward(t).run(['doctor', '--url', 'nonsense'])).code, 1)
})

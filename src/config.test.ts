import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultQuotas } from '#vpc/quotas.ts'
import { helpText, parseConfig, settings } from './config.ts'

const parse = (args: string[], environment: Record<string, string> = {}) => parseConfig(args, environment, 2)

test('parseConfig() has a default for everything and stays on loopback', () => {
  assert.deepEqual(parse([]), {
    dataFolder: './keyward-data',
    databaseUrl: null,
    host: '127.0.0.1',
    port: 8080,
    cosPort: 8081,
    tls: null,
    publicUrl: null,
    cosPublicUrl: null,
    trustedProxies: [],
    region: 'us-south',
    masterKey: { from: 'file', path: null },
    oldMasterKey: null,
    diskProcessCount: 2,
    nbdPort: 10_809,
    policyPropagationSeconds: 0,
    auditRetentionDays: 0,
    authorizationNoticeDays: [7, 1],
    allowPrivateWebhooks: false,
    logLevel: 'info',
    revocation: 'at-once',
    quotas: defaultQuotas,
    computeDriver: 'record',
    qemuPath: '/usr/bin/qemu-system-x86_64',
    machineMemoryMibMax: 999_999,
    machinesMemoryMib: null,
    clock: 'system',
    checkReplies: false,
  })
})

test('parseConfig() puts flags before environment variables', () => {
  const config = parse(['--port', '1'], { KEYWARD_PORT: '2', KEYWARD_DATA: '/d' })
  assert.ok(config !== 'help')
  assert.deepEqual([config.port, config.dataFolder], [1, '/d'])
})

test('parseConfig() takes the password of a database from the environment alone, and never shows it', () => {
  const url = 'postgres://keyward:hidden@db.example/keyward'
  const config = parse([], { KEYWARD_DATABASE: url })
  assert.ok(config !== 'help')
  assert.equal(config.databaseUrl, url)
  const inQuery = 'postgres://db.example/keyward?password=hidden'
  for (const wrong of [url, inQuery, 'mysql://db/keyward', 'postgres://db', 'postgres://db/', 'db', 'hidden']) {
    assert.throws(
      () => parse(['--database', wrong]),
      (error: Error) => error.message.startsWith('--database must') && !error.message.includes('hidden'),
      wrong,
    )
  }
})

test('parseConfig() reads the days on which the end of an authorization is announced', () => {
  const config = parse(['--authorization-notice-days', '30, 7,1'])
  assert.ok(config !== 'help')
  assert.deepEqual(config.authorizationNoticeDays, [30, 7, 1])
  for (const text of ['', '0', '-1', '1.5', '7,7', '366', '7;1', '1,2,3,4,5,6,7,8,9,10,11']) {
    assert.throws(() => parse(['--authorization-notice-days', text]), /authorization-notice-days/, text)
  }
})

test('parseConfig() reads the proxies that are trusted', () => {
  const config = parse([], { KEYWARD_TRUSTED_PROXY: '127.0.0.1, 10.0.0.0/8,fd00::/8' })
  assert.ok(config !== 'help')
  assert.deepEqual(config.trustedProxies, ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'])
})

const refused: readonly [string, string[], Record<string, string>, RegExp][] = [
  ['an unknown flag', ['--prot', '1'], {}, /'--prot'.*--help/],
  ['an unknown variable', [], { KEYWARD_PROT: '1' }, /KEYWARD_PROT is not a setting/],
  ['a positional argument', ['start'], {}, /start/],
  ['a port that is not a number', ['--port', '80x'], {}, /--port must be a whole number from 0 to 65535/],
  ['a port out of range', ['--port', '65536'], {}, /--port/],
  ['a public host without TLS', ['--host', '0.0.0.0'], {}, /--tls-cert and --tls-key, or say --insecure/],
  ['half of TLS', ['--tls-cert', 'c.pem'], {}, /go together/],
  ['a proxy that is no address', ['--trusted-proxy', '127.0.0.1,proxy.example'], {}, /--trusted-proxy.*proxy\.example/],
  ['a network of proxies that is none', ['--trusted-proxy', '10.0.0.0/33'], {}, /--trusted-proxy/],
  ['every address as a proxy', ['--trusted-proxy', '0.0.0.0/0'], {}, /--trusted-proxy/],
  ['a public URL that is none', ['--public-url', 'keyward.example'], {}, /--public-url/],
  ['a public URL with a password', ['--public-url', 'http://u:p@h/'], {}, /nothing else/],
  ['an address that is none', ['--host', '127.999.1.1'], {}, /reachable from elsewhere/],
  ['an empty folder name', ['--data', ''], {}, /--data \(KEYWARD_DATA\) is empty/],
  ['a switch that is neither', [], { KEYWARD_INSECURE: 'banana' }, /KEYWARD_INSECURE is a switch/],
  ['a region that is none', ['--region', 'mars'], {}, /--region/],
  ['an unknown level', ['--log-level', 'loud'], {}, /--log-level loud/],
  ['a retention that is no number', ['--audit-retention-days', 'a year'], {}, /--audit-retention-days must be a whole/],
  ['a retention of less than nothing', ['--audit-retention-days=-1'], {}, /--audit-retention-days must be a whole/],
  ['a retention past the century', [], { KEYWARD_AUDIT_RETENTION_DAYS: '36501' }, /from 0 to 36500/],
  ['a quota that there is not', ['--quotas', 'volume=1'], {}, /"volume" is none of volumes, instances/],
  ['a quota of less than nothing', ['--quotas', 'volumes=-1'], {}, /volumes must be a whole number from 0 to 1000000/],
  ['a quota that is set twice', ['--quotas', 'keys=1,keys=2'], {}, /keys is set twice/],
  ['a quota without a figure', [], { KEYWARD_QUOTAS: 'keys' }, /keys must be a whole number/],
  ['more than a machine can have', ['--quotas', 'data_volumes_per_instance=13'], {}, /from 0 to 12/],
  ['two master keys', ['--master-key-file', 'k'], { KEYWARD_MASTER_KEY: 'x' }, /both set/],
]
for (const [what, args, environment, message] of refused) {
  test(`parseConfig() refuses ${what}`, () => {
    assert.throws(() => parse(args, environment), message)
  })
}

test('parseConfig() lets a public host through with TLS or --insecure', () => {
  assert.ok(parse(['--host', '0.0.0.0', '--insecure']))
  assert.ok(parse(['--host', '0.0.0.0'], { KEYWARD_INSECURE: 'yes' }))
  assert.ok(parse(['--host', '0.0.0.0', '--tls-cert', 'c', '--tls-key', 'k']))
})

test('helpText() names every setting', () => {
  for (const [name, { variable }] of Object.entries(settings)) {
    assert.ok(helpText().includes(`--${name}`) && helpText().includes(variable))
  }
})
